# SPDX-License-Identifier: Apache-2.0
"""A worker's clock that is wrong gives nothing up."""

from __future__ import annotations

from datetime import timedelta

import pytest

from lessonspace_provider.exceptions import LessonspaceServerError
from tests.unit.archive.kit import END, NOT_READY, NOW, START, a_session, good, statuses

DAY = timedelta(days=1)


def wait_for(archiver, source, outcome=NOT_READY):
    source.outcomes[good(1)] = outcome
    archiver().archive_window([a_session(1)], START, END)
    source.asked.clear()


@pytest.mark.parametrize("known", [True, False], ids=["the API's clock is known", "no reply has a Date"])
def test_a_clock_that_is_days_ahead_for_a_night_gives_nothing_up(archiver, source, log, known):
    wait_for(archiver, source)
    night = archiver(NOW + 20 * DAY)
    source.time = NOW + DAY if known else None
    ((earlier,), _) = night.update_earlier(before=END)
    assert statuses(earlier) == {good(1): "pending"}
    assert len(log.warnings) == 1
    assert ("19 days, 0:00:00 ahead of" if known else "Date header") in log.warnings[0]
    source.outcomes = {}
    ((earlier,), _) = archiver(NOW + 2 * DAY).update_earlier(before=END)
    assert statuses(earlier) == {good(1): "archived"}


def test_a_clock_that_is_behind_for_a_night_archives_and_gives_nothing_up(archiver, source, log):
    source.outcomes[good(2)] = NOT_READY
    night = archiver(NOW - 20 * DAY)
    source.time = NOW
    window = night.archive_window([a_session(1), a_session(2)], START, END)
    assert statuses(window) == {good(1): "archived", good(2): "pending"}
    assert "20 days, 0:00:00 behind" in log.warnings[0]
    source.outcomes = {}
    ((earlier,), _) = archiver(NOW + DAY).update_earlier(before=END)
    assert statuses(earlier) == {good(1): "archived", good(2): "archived"}


def test_a_server_whose_clock_is_ahead_gives_nothing_up(archiver, source):
    wait_for(archiver, source)
    night = archiver(NOW + DAY)
    source.time = NOW + 30 * DAY
    ((earlier,), _) = night.update_earlier(before=END)
    assert statuses(earlier) == {good(1): "pending"}


def test_without_a_date_several_nights_give_up(archiver, source):
    wait_for(archiver, source)
    for day in range(8, 13):
        night = archiver(NOW + day * DAY)
        source.time = None
        night.update_earlier(before=END)
    assert len(source.asked) == 4
    assert archiver(NOW + 14 * DAY).update_earlier(before=END + DAY) == ([], [])


def test_an_error_on_the_night_of_a_wrong_clock_is_retried_when_it_is_right(archiver, source):
    wait_for(archiver, source)
    source.outcomes[good(1)] = LessonspaceServerError("503")
    night = archiver(NOW + 20 * DAY)
    source.time = None
    night.update_earlier(before=END)
    source.outcomes = {}
    ((earlier,), _) = archiver(NOW + 2 * DAY).update_earlier(before=END)
    assert statuses(earlier) == {good(1): "archived"}


def test_a_small_difference_is_no_warning(archiver, source, log):
    wait_for(archiver, source)
    night = archiver(NOW + DAY)
    source.time = NOW + DAY - timedelta(minutes=4)
    night.update_earlier(before=END)
    assert log.warnings == []
