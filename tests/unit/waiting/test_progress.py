# SPDX-License-Identifier: Apache-2.0
"""What a wait logs, and what it says when its time is up."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from lessonspace_provider.exceptions import LessonspaceError
from lessonspace_provider.waiting.progress import Progress

NINE = datetime(2026, 11, 23, 9, 0, tzinfo=timezone.utc)


class Lines:
    """A log that remembers its lines."""

    def __init__(self):
        self.lines = []

    def info(self, message, *values):
        self.lines.append(message % values)

    warning = info


def test_a_wait_is_logged_at_first_and_then_every_few_minutes():
    log = Lines()
    progress = Progress(log)
    for second in range(0, 1_800, 30):
        now = NINE + timedelta(seconds=second)
        progress.found(f"After {second} s it was running.", now, now + timedelta(seconds=30))
    seconds = [0, 300, 600, 900, 1_200, 1_500]
    assert [line.partition(" it was")[0] for line in log.lines] == [f"After {second} s" for second in seconds]
    assert log.lines[1].endswith("Next check at 2026-11-23T09:05:30Z.")
    assert str(progress) == "Found at 2026-11-23T09:29:30Z: After 1770 s it was running."


def test_an_outage_is_logged_like_any_wait_and_hides_nothing_that_was_found():
    log = Lines()
    progress = Progress(log)
    progress.found("It was running.", NINE)
    for second in range(1_200):
        progress.failed(LessonspaceError("503"), NINE + timedelta(seconds=second))
    assert len(log.lines) == 4
    assert str(progress) == "Found at 2026-11-23T09:00:00Z: It was running. The last check failed: 503"


def test_a_wait_without_a_finished_check_reports_it():
    progress = Progress(Lines())
    assert "Read the triggerer's log" in str(progress)
    progress.failed(LessonspaceError("503"), NINE)
    assert str(progress) == "No check succeeded. The last check failed: 503"
