# SPDX-License-Identifier: Apache-2.0
"""Manifests for the tests of an archive's health."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from lessonspace_provider.api.times import write_time
from lessonspace_provider.archive.entry import Entry, by_session
from lessonspace_provider.archive.health.figures import Health, Item, Night, Run, Schedule
from lessonspace_provider.archive.manifest import Manifest
from lessonspace_provider.archive.windows import Window

FIRST = datetime(2026, 11, 1, 2, tzinfo=timezone.utc)
DAY = timedelta(days=1)
REASONS = {
    "archived": None,
    "not_eligible": "too short: 120 s, a transcript needs more than 300 s",
    "pending": "no transcript yet",
    "given_up": "no transcript 7 days, 0:00:00 after the session's end",
    "failed": "GET /organisations/1/sessions/x/transcript/ failed with 503: a fault. The server replied: Ann",
    "not_attempted": "the run ended before it tried",
    "erased": "erased on request",
}


def night_window(number: int) -> Window:
    return Window(FIRST + number * DAY, FIRST + (number + 1) * DAY)


def session_id(night: int, number: int) -> str:
    return f"00000000-0000-4000-8000-{night:06d}{number:06d}"


def an_entry(night: int, number: int, status: str, **fields) -> Entry:
    ended = night_window(night).start + timedelta(hours=8)
    known = {
        "name": "Algebra with Ann",
        "end_time": write_time(ended),
        "roles": {"1": "teacher"},
        "path": f"2026/{session_id(night, number)}",
        "status": status,
        "reason": REASONS[status],
        "tries": 1,
        "pending_until": write_time(ended + 7 * DAY) if status in ("pending", "failed") else None,
    }
    return Entry(session_id(night, number), **{**known, **fields})


def a_manifest(night: int, **counts: int) -> Manifest:
    statuses = [status for status, number in counts.items() for _ in range(number)]
    return Manifest(
        night_window(night), by_session(an_entry(night, number, status) for number, status in enumerate(statuses))
    )


def write_manifest(folder, manifest: Manifest) -> None:
    (folder / "manifests").mkdir(exist_ok=True, parents=True)
    (folder / "manifests" / manifest.name).write_bytes(manifest.to_json())


def a_run(night: int, *, has_failed: bool = False, given_up: int = 0, late: timedelta = timedelta(minutes=5)) -> Run:
    window = night_window(night)
    return Run(write_time(window.end + late), *map(write_time, window), has_failed, given_up)


def a_health(**fields) -> Health:
    known = {
        "updated_at": write_time(night_window(2).end + timedelta(minutes=5)),
        "nights": (Night("2026-11-01", {"archived": 3}), Night("2026-11-03", {"archived": 2, "not_eligible": 1})),
        "runs": (a_run(0), a_run(1), a_run(2)),
        "schedule": Schedule("nightly", DAY.total_seconds()),
    }
    return Health(**{**known, **fields})


def an_item(status: str, number: int = 1, **fields) -> Item:
    known = {"ended_at": "2026-11-03T10:00:00Z", "reason": "not_ready", "night": "2026-11-03", "status": status}
    return Item(session_id(3, number), **{**known, **fields})
