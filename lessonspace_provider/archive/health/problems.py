# SPDX-License-Identifier: Apache-2.0
"""Find the problems in an archive's health, for alerts and for the page. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta, timezone
from typing import Literal, NamedTuple

from lessonspace_provider.api.arguments import LONGEST_DURATION
from lessonspace_provider.api.times import read_time
from lessonspace_provider.archive.health.figures import Health, Item, moment_of
from lessonspace_provider.archive.windows import Window, backfill_command
from lessonspace_provider.waiting.transcripts import TranscriptStatus

ProblemKind = Literal["no_run", "failed_run", "failed", "gap", "unreadable", "given_up", "pending"]

#: How many sessions a problem names, and how many runs show how far apart they are.
MOST_NAMED, LATEST_RUNS = 5, 10

#: From when on a pending transcript is a problem, and how far back a session that was given up is one.
PENDING_AFTER, GIVEN_UP_WITHIN = timedelta(days=2), timedelta(days=1)

#: After which a run is missing where no schedule is known, and the shortest time that it may be late.
LONGEST_PAUSE, SHORTEST_GRACE = timedelta(hours=36), timedelta(hours=1)


class Problem(NamedTuple):
    """
    Something that needs attention.

    :param kind: the kind of problem.
    :param number: number of sessions, gaps, manifests or runs.
    :param text: one sentence, without a full stop.
    :param action: what to do about it, likewise.
    :param named: the first ``MOST_NAMED`` ids of sessions, windows or nights; no people.
    """

    kind: ProblemKind
    number: int
    text: str
    action: str
    named: Sequence[str] = ()

    def __str__(self) -> str:
        """Write it for a message."""
        more = self.number - len(self.named)
        names = ", ".join(self.named) + (f" and {more} more" if more > 0 else "")
        return f"{self.text}{f' ({names})' if self.named else ''}. {self.action}."


def problems_of(
    health: Health,
    now: datetime | None = None,
    *,
    pending_after: timedelta = PENDING_AFTER,
    given_up_within: timedelta = GIVEN_UP_WITHIN,
) -> list[Problem]:
    """
    Find what needs attention.

    :param health: from ``read_health``.
    :param now: aware; None: the present.
    :param pending_after: how long after a session's end a pending transcript becomes a problem.
    :param given_up_within: how long a transcript that was given up stays a problem: the time between two alerts.
    :return: the worst problem first; an empty list if there is none.
    """
    present = now or datetime.now(timezone.utc)
    return [
        *_missing_run(health, present),
        *_failed_runs(health),
        *_failed_sessions(health, present),
        *_gaps(health),
        *_unreadable(health),
        *_given_up(health, present - given_up_within),
        *_pending(health, present - pending_after),
    ]


def _missing_run(health: Health, now: datetime) -> Iterator[Problem]:
    due = next_run_due(health)
    if due is not None and due < now:
        yield Problem(
            "no_run",
            1,
            f"No run of the archive has ended since {_written(health.runs[-1].ended_at)}",
            "Check that its DAG is not paused, and that its last run did not fail or hang",
        )


def next_run_due(health: Health) -> datetime | None:
    """
    Compute by when the next run has to end.

    :return: aware; None when no run is known.
    """
    if not health.runs:
        return None
    if health.schedule is None:
        return moment_of(health.runs[-1].ended_at) + LONGEST_PAUSE
    # The longest of the latest intervals: on working days only, that of a weekend has three days.
    latest = health.runs[-LATEST_RUNS:]
    longest = max(moment_of(run.window_end) - moment_of(run.window_start) for run in latest)
    interval = min(longest, LONGEST_DURATION)
    grace = max(SHORTEST_GRACE, interval / 8)
    return max(moment_of(run.window_end) for run in latest) + interval + grace


def _failed_runs(health: Health) -> Iterator[Problem]:
    """Report windows whose last run failed, unless sessions of theirs are reported anyway."""
    last = {(run.window_start, run.window_end): run for run in health.runs}
    failed = [run for run in last.values() if run.has_failed]
    if failed and not any(item.status in ("failed", "not_attempted") for item in health.items):
        yield Problem(
            "failed_run",
            len(failed),
            f"{_number(len(failed), 'run')} of the archive failed",
            "Read the log of its task, correct what it names, and clear the task",
            [f"the window from {_written(run.window_start)}" for run in failed[:MOST_NAMED]],
        )


def _failed_sessions(health: Health, now: datetime) -> Iterator[Problem]:
    """Report what failed, and what no run has tried for so long that none is at it any more."""
    items = [
        item
        for item in health.items
        if item.status == "failed" or (item.status == "not_attempted" and (read_time(item.next_check) or now) <= now)
    ]
    text = "Failed or not attempted"
    action = "Read the log of the archive's task, correct what it names, and clear the task"
    return _sessions("failed", items, _left_out(health, ("failed", "not_attempted"), items), text, action)


def _gaps(health: Health) -> Iterator[Problem]:
    if health.gaps:
        number, (start, end) = len(health.gaps) + health.gaps_left_out, health.gaps[-1]
        yield Problem(
            "gap",
            number,
            f"No manifest accounts for {_number(number, 'gap')}, the last from {_written(start)} to {_written(end)}",
            f"Archive it, unless the gap is intended: {fill_command(health, start, end)}",
        )


def fill_command(health: Health, start: str, end: str) -> str:
    """
    Write what fills a gap.

    :param start: ISO 8601 in UTC.
    :param end: likewise.
    :return: a command of Airflow, or what to do where no schedule is known.
    """
    if health.schedule is None:
        return f"run the archive's task with window_start={start} and window_end={end}"
    gap = Window(moment_of(start), moment_of(end))
    return backfill_command(health.schedule.dag_id, gap, timedelta(seconds=health.schedule.interval))


def _unreadable(health: Health) -> Iterator[Problem]:
    if nights := [night.night for night in health.nights if night.unreadable]:
        yield Problem(
            "unreadable",
            health.unreadable,
            f"{_number(health.unreadable, 'manifest')} can't be read",
            "Restore them from a backup, or remove them and run their windows again",
            nights[:MOST_NAMED],
        )


def _given_up(health: Health, since: datetime) -> Iterator[Problem]:
    items = [item for item in health.items if item.status == "given_up" and _given_up_at(item, health) > since]
    return _sessions("given_up", items, 0, "Given up, since no transcript came in time", "Ask Lessonspace about them")


def _given_up_at(item: Item, health: Health) -> datetime:
    """Find when the run ended that gave a session up; where it is not known any more, its window's start."""
    by = moment_of(item.given_up_by)
    ends = (moment_of(run.ended_at) for run in health.runs if moment_of(run.window_start) == by)
    return min(ends, default=by)


def _pending(health: Health, since: datetime) -> Iterator[Problem]:
    items = [item for item in health.items if item.status == "pending" and moment_of(item.ended_at) < since]
    return _sessions(
        "pending",
        items,
        _left_out(health, ("pending",), items),
        "Without a transcript for too long",
        "Check that their spaces were launched with transcribe, and ask Lessonspace",
    )


def _left_out(health: Health, statuses: tuple[TranscriptStatus, ...], items: Sequence[Item]) -> int:
    """Count the sessions of a status that the file does not name: where it names some, those may be as bad."""
    if not health.items_left_out or not items:
        return 0
    named = sum(item.status in statuses for item in health.items)
    return sum(health.counts.get(status, 0) for status in statuses) - named


def _sessions(kind: ProblemKind, items: Sequence[Item], left_out: int, text: str, action: str) -> Iterator[Problem]:
    if items:
        number = len(items) + max(0, left_out)
        named = [f"{item.session_id} of {item.night}" for item in items[:MOST_NAMED]]
        yield Problem(kind, number, f"{text}: {_number(number, 'session')}", action, named)


def _number(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _written(text: str) -> str:
    return f"{moment_of(text):%Y-%m-%d %H:%M} UTC"
