# SPDX-License-Identifier: Apache-2.0
"""The commands that read an archive."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Mapping
from dataclasses import asdict
from datetime import timedelta

from lessonspace_provider.api.times import write_time
from lessonspace_provider.archive.health.figures import Health, Schedule
from lessonspace_provider.archive.health.problems import Problem, problems_of
from lessonspace_provider.archive.health.reasons import describe_reason
from lessonspace_provider.archive.health.store import read_health, rebuild_health
from lessonspace_provider.archive.manifest_store import ManifestStore
from lessonspace_provider.archive.paths import as_archive
from lessonspace_provider.archive.windows import Window, backfill_command
from lessonspace_provider.archive.windows import gaps as gaps_of
from lessonspace_provider.command_line.errors import reporting_errors
from lessonspace_provider.command_line.printing import Table, print_json, print_line, print_tables
from lessonspace_provider.exceptions import LessonspaceError

#: Fields of an open session in the output.
ITEM_FIELDS = ("session_id", "night", "status", "reason", "ended_at", "until")


@reporting_errors
def archive_status(options: argparse.Namespace) -> int:
    """Print what an archive has and what needs attention; 1 when something does."""
    _windows(options.destination)
    health = rebuild_health(options.destination)
    problems = problems_of(health)
    if options.output == "json":
        print_json(_status_json(health, problems))
    else:
        _print_status(health, problems)
    return int(bool(problems))


def _status_json(health: Health, problems: list[Problem]) -> Mapping[str, object]:
    return {
        "problems": [problem._asdict() for problem in problems],
        "counts": health.counts,
        "missing": health.missing,
        "nights": [night.night for night in health.nights],
        "gaps": [{"start": start, "end": end} for start, end in health.gaps],
        "items": [{name: asdict(item)[name] for name in ITEM_FIELDS} for item in health.items],
        "items_left_out": health.items_left_out,
    }


def _print_status(health: Health, problems: list[Problem]) -> None:
    nights = [night.night for night in health.nights]
    print_line(f"{len(nights)} nights from {nights[0]} to {nights[-1]}")
    print_tables(
        [
            Table("Sessions", ("status", "sessions"), list(health.counts.items())),
            Table(
                "Without a transcript",
                ("reason", "sessions"),
                [(describe_reason(reason), number) for reason, number in health.missing.items()],
            ),
            Table(
                "Open sessions",
                ITEM_FIELDS,
                [[asdict(item)[name] for name in ITEM_FIELDS] for item in health.items],
            ),
        ]
    )
    if health.items_left_out:
        print_line(f"and {health.items_left_out} more sessions")
    for problem in problems:
        print_line(str(problem))
    if not problems:
        print_line("Nothing needs attention.")


@reporting_errors
def gaps(options: argparse.Namespace) -> int:
    """List the times that no manifest accounts for; 1 when there are some."""
    windows = _windows(options.destination)
    until = options.until or max(window.end for window in windows)
    found = gaps_of(windows, until)
    schedule = _schedule(options, max(windows, key=lambda window: window.end)) if found else None
    rows = [(write_time(gap.start), write_time(gap.end), _fill_command(gap, schedule)) for gap in found]
    if options.output == "json":
        fields = ("start", "end", "command")
        print_json({"until": write_time(until), "gaps": [dict(zip(fields, row)) for row in rows]})
    elif found:
        print_tables([Table("Times without a manifest", ("start", "end"), [row[:2] for row in rows])])
        for line in filter(None, (row[2] for row in rows)):
            print_line(line)  # outside of the table, which may break it
    else:
        print_line(f"No gaps from {write_time(min(windows).start)} until {write_time(until)}.")
    return int(bool(found))


def _windows(destination: str) -> list[Window]:
    folder = as_archive(destination)
    windows = list(ManifestStore(folder, dry_run=True).windows().values())
    if not windows:
        raise LessonspaceError(f"There are no manifests below {folder}: give the destination of an archive.")
    return windows


def _schedule(options: argparse.Namespace, latest: Window) -> Schedule | None:
    """Find the DAG that fills gaps: that of the option, or else the one that the archive's health has."""
    if options.dag_id is not None:
        return Schedule(shlex.quote(options.dag_id), (latest.end - latest.start).total_seconds())
    try:
        return read_health(options.destination).schedule
    except LessonspaceError:  # an archive without health
        return None


def _fill_command(gap: Window, schedule: Schedule | None) -> str | None:
    if schedule is None:
        return None
    return backfill_command(schedule.dag_id, gap, timedelta(seconds=schedule.interval))
