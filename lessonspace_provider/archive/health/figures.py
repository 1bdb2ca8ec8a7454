# SPDX-License-Identifier: Apache-2.0
"""
The health of an archive: figures of each night, sessions that need attention, gaps and runs. Pure.

It is derived from the manifests, and stored in one small file. A night is the day, in UTC, of the middle of a window.
Windows from two to two in the morning, and from midnight to midnight, therefore count for the day of their lessons.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, time, timedelta, timezone
from typing import Any

from lessonspace_provider.api.plain_json import NUMBERS
from lessonspace_provider.api.times import read_time, write_time
from lessonspace_provider.archive.entry import Entry
from lessonspace_provider.archive.health.fields import problem_of
from lessonspace_provider.archive.health.reasons import reason_code
from lessonspace_provider.archive.manifest import Manifest
from lessonspace_provider.archive.windows import Window, gaps
from lessonspace_provider.waiting.transcripts import STATUSES, TranscriptStatus

#: The version of the file's fields.
VERSION = 1

#: How many sessions, gaps and runs the file names, so that it stays small.
MOST_ITEMS, MOST_GAPS, MOST_RUNS = 300, 100, 50

#: How long a session that was given up is named.
GIVEN_UP_NAMED_FOR = timedelta(days=8)

#: Statuses of sessions that are named, those that need someone's action first.
NAMED: tuple[TranscriptStatus, ...] = ("failed", "not_attempted", "given_up", "pending")


@dataclass(frozen=True)
class Item:
    """
    A session that is open, or that was given up lately. Times are ISO 8601 in UTC.

    :param night: see ``night_of``.
    :param reason: a code of ``health.reasons``.
    :param ended_at: when the session ended, since which its transcript is missing.
    :param until: when it is given up.
    :param next_check: from when on a run checks it again.
    :param given_up_by: the start of the window whose run gave it up.
    :param name: the session's name, which may be a person's; only where it was asked for.
    """

    session_id: str
    night: str
    status: TranscriptStatus
    reason: str
    tries: int = 0
    ended_at: str | None = None
    until: str | None = None
    next_check: str | None = None
    given_up_by: str | None = None
    name: str | None = None


@dataclass(frozen=True)
class Night:
    """
    The figures of all windows of a night.

    :param night: ISO date.
    :param counts: number of sessions per status, without zeros.
    :param missing: number of sessions without a transcript, or with an empty one, per reason.
    :param manifests: how many it has.
    :param unreadable: how many of them can't be read.
    :param mark: shows whether one of its manifests was written since; None: it is read again by the next run.
    """

    night: str
    counts: Mapping[TranscriptStatus, int] = field(default_factory=dict)
    missing: Mapping[str, int] = field(default_factory=dict)
    manifests: int = 1
    unreadable: int = 0
    mark: str | None = None


@dataclass(frozen=True)
class Run:
    """
    A run of the archive that came to its end. Times are ISO 8601 in UTC.

    :param has_failed: whether its task failed.
    :param given_up: how many sessions it gave up.
    """

    ended_at: str
    window_start: str
    window_end: str
    has_failed: bool
    given_up: int = 0


@dataclass(frozen=True)
class Schedule:
    """
    The DAG whose runs archive one data interval each; it fills gaps.

    :param interval: seconds of the last run's data interval.
    """

    dag_id: str
    interval: float


@dataclass(frozen=True)
class Health:
    """
    The health of an archive.

    :param updated_at: ISO 8601 in UTC.
    :param nights: in their order.
    :param items: those that need someone's action first, then by the time when they are given up.
    :param items_left_out: how many more there are.
    :param gaps: times that no manifest accounts for, as ISO 8601 in UTC, in their order; the latest ``MOST_GAPS``.
    :param gaps_left_out: how many more there are.
    :param erasures: how many receipts of erasures there are.
    :param last_erasure: the name of the last receipt, without its extension.
    :param runs: the latest ``MOST_RUNS``, in the order of their ends.
    :param schedule: None while no run of a data interval has ended.
    """

    updated_at: str
    nights: Sequence[Night] = ()
    items: Sequence[Item] = ()
    items_left_out: int = 0
    gaps: Sequence[tuple[str, str]] = ()
    gaps_left_out: int = 0
    erasures: int = 0
    last_erasure: str | None = None
    runs: Sequence[Run] = ()
    schedule: Schedule | None = None

    @classmethod
    def from_json(cls, data: bytes) -> Health:
        """
        Read a file; it may have been changed by anyone who may write the destination.

        :raises ValueError: when it can't be used; the text has the reason.
        """
        try:
            read: Any = json.loads(data, **NUMBERS)
        except (ValueError, RecursionError):
            raise ValueError("it is not JSON") from None
        if problem := problem_of(read):
            raise ValueError(problem)
        stored = {name: value for name, value in read.items() if name not in ("version", "counts")}
        schedule = stored.pop("schedule")
        return cls(
            **{
                **stored,
                "nights": tuple(Night(**night) for night in stored["nights"]),
                "items": tuple(Item(**item) for item in stored["items"]),
                "gaps": tuple((start, end) for start, end in stored["gaps"]),
                "runs": tuple(Run(**run) for run in stored["runs"]),
                "schedule": schedule and Schedule(**schedule),
            }
        )

    def to_json(self) -> bytes:
        """Convert to a file's content, a line for each night and item."""
        stored = {"version": VERSION, "counts": self.counts, **asdict(self)}
        stored["items"] = [
            {name: value for name, value in item.items() if value is not None} for item in stored["items"]
        ]
        parts = (f"{json.dumps(name)}: {_lines(value)}" for name, value in stored.items())
        return ("{\n" + ",\n".join(parts) + "\n}\n").encode()

    @property
    def counts(self) -> dict[TranscriptStatus, int]:
        """The number of sessions of each status, without zeros."""
        total = Counter[TranscriptStatus]()
        for night in self.nights:
            total.update(night.counts)
        return {status: total[status] for status in STATUSES if total[status]}

    @property
    def missing(self) -> dict[str, int]:
        """The number of sessions without a transcript per reason, the most frequent first."""
        total = Counter[str]()
        for night in self.nights:
            total.update(night.missing)
        return dict(total.most_common())

    @property
    def unreadable(self) -> int:
        """How many manifests can't be read."""
        return sum(night.unreadable for night in self.nights)

    def night(self, name: str) -> Night | None:
        """Find a night by its ISO date."""
        return next((night for night in self.nights if night.night == name), None)

    def missing_nights(self) -> set[str]:
        """List the nights that a gap covers."""
        return {night for start, end in self.gaps for night in nights_in(moment_of(start), moment_of(end))}


def moment_of(text: str | None) -> datetime:
    """Read a time of the file; one that is not known is before all others."""
    return read_time(text) or datetime.min.replace(tzinfo=timezone.utc)


def _lines(value: object) -> str:
    if not isinstance(value, (list, tuple)) or not value:
        return json.dumps(value, ensure_ascii=False)
    return "[\n" + ",\n".join(json.dumps(part, ensure_ascii=False) for part in value) + "\n]"


def night_of(window: Window) -> str:
    """
    Name the night of a window.

    :return: the day in UTC of its middle, as ISO date.
    """
    return (window.start + (window.end - window.start) / 2).astimezone(timezone.utc).date().isoformat()


def nights_in(start: datetime, end: datetime) -> list[str]:
    """List the nights of a time: those whose noon in UTC is in it, or else that of its middle."""
    first, last = (moment.astimezone(timezone.utc).date() for moment in (start, end))
    days = [first + timedelta(days=number) for number in range((last - first).days + 1)]
    noon = time(12, tzinfo=timezone.utc)
    covered = [day.isoformat() for day in days if start <= datetime.combine(day, noon) < end]
    return covered or [night_of(Window(start, end))]


def figures_of(
    night: str, manifests: Sequence[Manifest | None], mark: str | None, *, session_names: bool = False
) -> tuple[Night, list[Item]]:
    """
    Count the sessions of a night.

    :param manifests: all of the night; None for one that can't be read.
    :param mark: see ``Night``.
    :param session_names: whether the items have the sessions' names.
    :return: the figures, and the night's items; see ``Item``.
    """
    counts, missing, items = Counter[TranscriptStatus](), Counter[str](), []
    for manifest in manifests:
        for entry in manifest.entries.values() if manifest else ():
            counts[entry.status] += 1
            reason = reason_code(entry)
            if reason:
                missing[reason] += 1
            if manifest and entry.status in NAMED:
                items.append(_item(entry, night, reason or "other", manifest.window, session_names=session_names))
    figures = Night(
        night,
        counts={status: counts[status] for status in STATUSES if counts[status]},
        missing=dict(missing.most_common()),
        manifests=len(manifests),
        unreadable=sum(manifest is None for manifest in manifests),
        mark=mark,
    )
    return figures, items


def _item(entry: Entry, night: str, reason: str, window: Window, *, session_names: bool) -> Item:
    ended_at = read_time(entry.end_time)
    given_up_by = entry.changed_by or write_time(window.start) if entry.status == "given_up" else None
    return Item(
        entry.session_id,
        night,
        entry.status,
        reason,
        tries=entry.tries,
        ended_at=write_time(ended_at) if ended_at else None,
        until=entry.pending_until,
        next_check=entry.next_check,
        given_up_by=given_up_by if read_time(given_up_by) else None,
        name=entry.name if session_names else None,
    )


def assembled(
    now: datetime,
    windows: Sequence[Window],
    nights: Iterable[Night],
    items: Iterable[Item],
    *,
    erasures: Sequence[str] = (),
    runs: Iterable[Run] = (),
    schedule: Schedule | None = None,
) -> Health:
    """
    Assemble the health of an archive, within its bounds.

    :param now: aware.
    :param windows: those of all manifests.
    :param nights: all of them, in any order.
    :param items: those of all nights.
    :param erasures: the names of the receipts.
    """
    latest = max((window.end for window in windows), default=now)
    named = sorted((item for item in items if _is_named(item, latest)), key=_urgency)
    kept = named[:MOST_ITEMS]
    # A night whose items were left out is read again, to name them when there is room.
    cut = {item.night for item in named[MOST_ITEMS:]}
    found = [(write_time(gap.start), write_time(gap.end)) for gap in gaps(windows, latest)]
    return Health(
        write_time(now),
        nights=tuple(
            replace(night, mark=None) if night.night in cut else night
            for night in sorted(nights, key=lambda night: night.night)
        ),
        items=tuple(kept),
        items_left_out=len(named) - len(kept),
        gaps=tuple(found[-MOST_GAPS:]),
        gaps_left_out=len(found[:-MOST_GAPS]),
        erasures=len(erasures),
        last_erasure=max(erasures, default=None),
        runs=tuple(sorted(runs, key=lambda run: run.ended_at)[-MOST_RUNS:]),
        schedule=schedule,
    )


def _is_named(item: Item, latest: datetime) -> bool:
    given_up = read_time(item.given_up_by)
    return item.status != "given_up" or (given_up is not None and given_up > latest - GIVEN_UP_NAMED_FOR)


def _urgency(item: Item) -> tuple[int, str, str]:
    return NAMED.index(item.status), item.until or item.ended_at or "", item.session_id
