# SPDX-License-Identifier: Apache-2.0
"""In which manifest a session is accounted for."""

from __future__ import annotations

from datetime import timedelta

import pytest

from lessonspace_provider.archive.entry import Entry
from lessonspace_provider.archive.filing import file_sessions, search_window
from lessonspace_provider.archive.manifest import Manifest
from lessonspace_provider.archive.windows import Window, manifest_name, window_of
from tests.unit.archive.kit import END, START, a_session, good

DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)
WINDOW = Window(START, END)
BEFORE, AFTER = (manifest_name(Window(START + days * DAY, END + days * DAY)) for days in (-1, 1))


def ended(number, end, **fields):
    return a_session(number, end_time=end if end is None else end.isoformat(), **fields)


def manifests(entries):
    return {name: Manifest(window_of(name), known) for name, known in entries.items()}


def filed(sessions, known=(), before=None, **others):
    """File sessions beside a manifest of the day before, unless there is none."""
    there = {} if before is None else {BEFORE: before}
    result = file_sessions(sessions, WINDOW, known, manifests({**there, **others}))
    own = [session["id"] for session in result.own]
    elsewhere = {name: [session["id"] for session in sessions] for name, sessions in result.elsewhere.items()}
    return own, elsewhere, result.outside, result.running


HAS_A_PATH, HAS_NONE = Entry(good(1), path="2026/11/22/x"), Entry(good(1))


@pytest.mark.parametrize(
    ("end", "own", "elsewhere", "outside"),
    [
        (START, [1], {}, 0),
        (END - MINUTE, [1], {}, 0),
        (END, [], {}, 0),
        (START - MINUTE, [], {BEFORE: [1]}, 0),
        (START - DAY, [], {BEFORE: [1]}, 0),
        (START - DAY - MINUTE, [], {}, 0),
    ],
)
def test_a_new_session_is_filed_in_the_window_of_its_end(end, own, elsewhere, outside):
    assert filed([ended(1, end)], before={}) == (own, elsewhere, outside, 0)


def test_what_ended_when_no_manifest_accounts_for_it_is_counted():
    assert filed([ended(1, START - MINUTE), ended(2, START - DAY)]) == ([], {}, 2, 0)


def test_a_running_session_is_counted_and_filed_when_it_has_ended():
    assert filed([ended(1, None)], before={}) == ([], {}, 0, 1)


@pytest.mark.parametrize("end", [START - DAY * 2, START - DAY * 900, END + DAY, END + DAY * 900])
def test_a_session_that_should_not_be_listed_is_named_unless_known(end):
    session = ended(1, end)
    result = file_sessions([session], WINDOW, (), {})
    assert (result.own, result.elsewhere, result.contradictory) == ([], {}, [good(1)])
    assert not file_sessions([session], WINDOW, {good(1)}, {}).contradictory
    assert not file_sessions([session], WINDOW, (), manifests({BEFORE: {good(1): HAS_A_PATH}})).contradictory


@pytest.mark.parametrize("end", [START - DAY - 10 * MINUTE, END, END + MINUTE])
def test_a_list_may_reach_a_little_beyond_the_time_asked_for(end):
    assert not file_sessions([ended(1, end)], WINDOW, (), {}).contradictory


@pytest.mark.parametrize("end", ["soon", "10:", 5, {"at": 1}, "2026-11-22T09:00:00"])
def test_a_session_whose_end_can_not_be_read_is_filed_once(end):
    odd = a_session(1, end_time=end)
    assert filed([odd], before={}) == ([1], {}, 0, 0)
    assert filed([odd], known={good(1)}) == ([1], {}, 0, 0)
    assert filed([odd], before={good(1): HAS_NONE}) == ([], {}, 0, 0)


@pytest.mark.parametrize("end", [START - MINUTE, START - 20 * DAY])
def test_a_session_that_is_filed_stays_there_when_its_end_moves_back(end):
    assert filed([ended(1, end)], known={good(1)}, before={}) == ([1], {}, 0, 0)


def test_a_session_whose_end_moved_into_the_window_stays_where_it_is_filed():
    moved = ended(1, START + MINUTE)
    assert filed([moved], before={good(1): HAS_A_PATH}) == ([], {BEFORE: [1]}, 0, 0)
    assert filed([moved], **{AFTER: {good(1): HAS_A_PATH}}) == ([], {AFTER: [1]}, 0, 0)


def test_of_earlier_sessions_that_are_filed_only_those_without_a_path_are_read_again():
    again = ended(1, START - MINUTE)
    assert filed([again], before={good(1): HAS_A_PATH}) == ([], {}, 0, 0)
    assert filed([again], before={good(1): HAS_NONE}) == ([], {BEFORE: [1]}, 0, 0)


def test_a_session_that_is_listed_twice_counts_once_with_what_was_listed_last():
    assert filed([ended(1, None), ended(1, START), ended(1, START - MINUTE)], before={}) == ([], {BEFORE: [1]}, 0, 0)


def test_manifests_are_searched_from_the_earliest_start_on():
    assert search_window([a_session(1)], WINDOW) == Window(START - DAY, END + 7 * DAY)
    long = a_session(1, start_time=(START - 5 * DAY).isoformat())
    assert search_window([a_session(2), long, "no session"], WINDOW).start == START - 5 * DAY
    assert search_window([a_session(1, start_time="soon")], WINDOW).start == START - DAY
    endless = a_session(1, start_time=(START - 5000 * DAY).isoformat())
    assert search_window([endless], WINDOW).start == START - 31 * DAY
