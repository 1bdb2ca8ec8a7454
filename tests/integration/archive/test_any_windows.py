# SPDX-License-Identifier: Apache-2.0
"""Windows of any length, missed, run late, again and across each other: each session is accounted for once."""

from __future__ import annotations

import random
from datetime import datetime, timedelta, timezone
from functools import partial

import pytest
from airflow.sdk import ObjectStoragePath

from tests.integration.archive.nightly_runs import Nights, entries_in
from tests.integration.archive.runs import tree
from tests.integration.archive.school_year import DAY, HOUR, MINUTE, School

BEGIN = datetime(2026, 9, 1, 2, tzinfo=timezone.utc)


class Schedule:
    """
    Cuts time into windows, holds sessions in them, and runs most of them.

    :param control: of a sandbox without sessions of its own.
    :param nights: runs windows.
    """

    def __init__(self, control, nights, chance):
        self.control, self.nights, self.chance = control, nights, chance
        self.session_ids, self.windows, self.missed = [], [], []

    def windows_until(self, end):
        start = BEGIN
        while start < end:
            length = self.chance.choice([HOUR, 6 * HOUR, DAY, 3 * DAY, DAY + timedelta(microseconds=7)])
            self.windows.append((start, start + length))
            yield self.windows[-1]
            start += length

    def hold(self, window):
        """Hold sessions, also at the window's very bounds; some ends become known, or are corrected, later."""
        length = (window[1] - window[0]).total_seconds()
        for _ in range(self.chance.randint(0, 5)):
            seconds = self.chance.choice([0.0, length - 1e-6, self.chance.random() * length])
            end = window[0] + timedelta(seconds=seconds)
            fate = self.chance.choices(["known", "known late", "corrected"], (7, 1, 2))[0]
            if fate == "known late":  # within a day, as far back as runs look
                end = max(end, window[1] - 13 * HOUR)
            known_end = None if fate == "known late" else end
            session_id = self.control.add_session(end - DAY, known_end, transcript="ready")
            self.session_ids.append(session_id)
            if fate == "corrected":
                end = max(BEGIN, end + timedelta(hours=self.chance.uniform(-23, 23)))
            if fate != "known":
                known_at = max(window[1], end) + self.chance.random() * 10 * HOUR
                self.nights.school.at(known_at, partial(self.control.correct_times, session_id, end=end))

    def run(self, window):
        """Run a window or miss it; now and then run an earlier one again, or one across all others."""
        now = window[1] + self.chance.choice([MINUTE, 2 * HOUR])
        if self.chance.random() < 0.25:
            self.missed.append(window)
        else:
            self.nights.run(window, now)
        if self.chance.random() < 0.15:
            self.nights.run(self.chance.choice(self.windows), now)
        if self.chance.random() < 0.1:
            start = BEGIN + self.chance.random() * (window[0] - BEGIN)
            end = start + self.chance.choice([HOUR, DAY, 5 * DAY])
            self.nights.run((start, min(end, window[1])), now)


@pytest.mark.parametrize("seed", range(4))
def test_each_session_is_accounted_for_once_whatever_windows_are_run(control, tmp_path, seed):
    control.reset(now=BEGIN + DAY, speed=0.0, days=0, sessions_per_day=0)
    own = len(control.sessions())
    chance = random.Random(seed)
    folder = ObjectStoragePath(f"file://{tmp_path}")
    nights = Nights(School(control, chance), control, folder, chance)
    nights.run((BEGIN - DAY, BEGIN), BEGIN + DAY)  # an archive accounts for nothing before its first window
    schedule = Schedule(control, nights, chance)
    for window in schedule.windows_until(BEGIN + 16 * DAY):
        schedule.hold(window)
        schedule.run(window)
    last = schedule.windows[-1][1]
    for days in range(2):
        nights.run((last + days * DAY, last + (days + 1) * DAY), last + (days + 1) * DAY)
    chance.shuffle(schedule.missed)
    for window in schedule.missed:
        nights.run(window, last + 2 * DAY)

    accounts = [entry for _, entry in entries_in(tree(folder))]
    archived = [entry["session_id"] for entry in accounts if entry["status"] == "archived"]
    assert nights.unexpected == []
    assert sorted(set(schedule.session_ids) & set(archived)) == sorted(schedule.session_ids)
    assert len(accounts) == len({entry["session_id"] for entry in accounts}) <= len(schedule.session_ids) + own
