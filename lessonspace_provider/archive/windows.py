# SPDX-License-Identifier: Apache-2.0
"""The windows of an archive: how their manifests are named, and which time no manifest accounts for. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from typing import NamedTuple

from lessonspace_provider.api.times import write_time

#: The folder of the manifests, below the destination.
MANIFESTS = "manifests"

#: How far back from a window's start a run lists sessions whose end became known late, or was corrected.
LOOK_BACK = timedelta(days=1)

_BOUND = "%Y%m%dT%H%M%S"
_MANIFEST_NAME = re.compile(r"(\d{8}T\d{6})(?:\.(\d{6}))?Z_(\d{8}T\d{6})(?:\.(\d{6}))?Z\.json", re.ASCII)


class Window(NamedTuple):
    """
    A window, or a gap between windows.

    :param start: aware; what ended at this moment belongs to it.
    :param end: aware; what ended at this moment does not.
    """

    start: datetime
    end: datetime

    def covers(self, moment: datetime) -> bool:
        """Whether what ended at a moment belongs to it."""
        return self.start <= moment < self.end

    def overlaps(self, other: Window) -> bool:
        """Whether the two have any moment in common."""
        return self.start < other.end and other.start < self.end


def manifest_name(window: Window) -> str:
    """
    Name the file of a window's manifest.

    :return: a name without colons, which some stores and systems refuse.
    """
    return f"{'_'.join(write_time(bound).replace(':', '').replace('-', '') for bound in window)}.json"


@lru_cache(maxsize=16384)  # a run asks several times, of the manifests of years
def window_of(name: str) -> Window | None:
    """Read a manifest's window from the name of its file; None for any other file."""
    match = _MANIFEST_NAME.fullmatch(name)
    if match is None:
        return None
    try:
        return Window(_bound(match[1], match[2]), _bound(match[3], match[4]))
    except ValueError:  # no such day, or no such hour
        return None


def windows_of(names: Iterable[str]) -> dict[str, Window]:
    """Read the windows of manifests from the names of their files; other files are left out."""
    return {name: window for name in names if (window := window_of(name))}


def _bound(seconds: str, microseconds: str | None) -> datetime:
    moment = datetime.strptime(seconds, _BOUND).replace(tzinfo=timezone.utc)
    return moment.replace(microsecond=int(microseconds or 0))


def gaps(windows: Iterable[Window], until: datetime) -> list[Window]:
    """
    Find the times that no manifest accounts for, from the first manifest on.

    :param windows: those of all manifests, in any order.
    :param until: aware; no gap extends beyond it.
    :return: the gaps in their order, in whole seconds.
    """
    found = []
    covered: datetime | None = None
    for window in sorted((*windows, Window(until, until))):
        begin = min(window.start, until).replace(microsecond=0)
        if covered is not None and covered.replace(microsecond=0) < begin:
            found.append(Window(covered.replace(microsecond=0), begin))
        covered = window.end if covered is None else max(covered, window.end)
    return found


def backfill_command(dag_id: str, gap: Window, interval: timedelta) -> str:
    """
    Write the command that has Airflow run the windows of a gap.

    :param dag_id: of a DAG whose runs have a data interval; its start is a run's logical date.
    :param gap: see ``gaps``.
    :param interval: how long a window of this DAG is. Where clocks change, Airflow finds no interval that starts at the
        first date itself, so the command starts one interval earlier.
    """
    # Both dates of the command belong to its range, and each is a logical date.
    first, last = gap.start - max(interval, timedelta(hours=1)), gap.end - timedelta(seconds=1)
    # It leaves out what succeeded. Without it, Airflow leaves out all dates that have a run, and one that failed may
    # have left no manifest.
    again = "--reprocess-behavior failed"
    dates = f"--from-date {write_time(first)} --to-date {write_time(last)}"
    return f"airflow backfill create --dag-id {dag_id} {dates} {again}"


def clocks_change(moment: datetime, zone: tzinfo) -> bool:
    """Whether the clocks of a time zone change within a day of a moment."""
    day_before, day_after = (moment + timedelta(days=days) for days in (-1, 1))
    return day_before.astimezone(zone).utcoffset() != day_after.astimezone(zone).utcoffset()
