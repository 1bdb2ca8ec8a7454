# SPDX-License-Identifier: Apache-2.0
"""Sessions that ended lately, and the cursor over them."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given

from lessonspace_provider.waiting.cursor import OVERLAP, Cursor, EndedSessions
from lessonspace_provider.waiting.parsed_session import ParsedSession
from tests.odd_items import session_fields, values

NINE = datetime(2026, 11, 23, 9, 0, tzinfo=timezone.utc)
TEN = NINE + timedelta(hours=1)
SPACE_ID = "0d1e2f3a-5b5f-4a2c-8d4e-4f5a8b9c0d1e"


def a_session(session_id, end=TEN, spaces=(SPACE_ID, "room-1"), participants=2):
    return ParsedSession(session_id, spaces, NINE, end, participants, summary={})


# Sessions that ended


def test_ended_sessions_are_found_by_their_id_and_by_both_names_of_their_space():
    session, other = a_session("s"), a_session("t", spaces=("other",))
    ended = EndedSessions([session, other])
    assert ended.by_id == {"s": session, "t": other}
    assert ended.by_space == {SPACE_ID: [session], "room-1": [session], "other": [other]}


def test_a_session_without_a_space_is_still_found_by_its_id():
    ended = EndedSessions([a_session("s", spaces=())])
    assert (set(ended.by_id), ended.by_space) == ({"s"}, {})


def test_a_session_that_a_list_shows_twice_counts_once():
    ended = EndedSessions([a_session("s"), a_session("s", participants=3)])
    assert [session.participants for session in ended.by_space["room-1"]] == [3]


def test_the_newest_end_is_known():
    assert ended_at(3, 9, 1).newest_end == NINE + timedelta(minutes=9)
    assert EndedSessions([]).newest_end is None


@given(odd=session_fields, uuid=values)
def test_no_shape_of_one_session_hides_another_that_ended(odd, uuid):
    good = {"uuid": SPACE_ID, "space": {"id": SPACE_ID}, "start_time": NINE.isoformat(), "end_time": TEN.isoformat()}
    ended = EndedSessions.parse([{"uuid": uuid, **odd}, good, {"uuid": uuid, **odd}])
    assert ended.by_id[SPACE_ID].end == TEN
    assert ended.by_id[SPACE_ID] in ended.by_space[SPACE_ID]
    assert ended.newest_end >= TEN
    assert ended.by_id[SPACE_ID] in Cursor(NINE).fresh(ended)
    json.dumps([session.summary for session in ended.by_id.values()], allow_nan=False, ensure_ascii=False).encode()


# The cursor


#: Later than all ends but the one that is wrong.
NOW = NINE + timedelta(days=1)


def ended_at(*minutes, day=NINE):
    return EndedSessions([a_session(f"s{minute}", end=day + timedelta(minutes=minute)) for minute in minutes])


def report(cursor, ended):
    """Report what is fresh, and move the cursor on, over its written form as a restart would."""
    fresh = cursor.fresh(ended)
    written = json.loads(json.dumps(cursor.after(fresh, NOW).to_dict()))
    moved = Cursor.from_dict(written)
    assert moved == cursor.after(fresh, NOW)
    return moved, [session.session_id for session in fresh]


def test_sessions_are_reported_once_in_the_order_of_their_ends():
    cursor, reported = report(Cursor(NINE), ended_at(3, 1, 2))
    assert reported == ["s1", "s2", "s3"]
    cursor, reported = report(cursor, ended_at(1, 2, 3, 4))
    assert reported == ["s4"]
    assert report(cursor, ended_at(1, 2, 3, 4))[1] == []


def test_only_what_ended_since_the_beginning_is_reported():
    ended = EndedSessions([a_session("before", end=NINE - timedelta(microseconds=1)), a_session("at", end=NINE)])
    assert report(Cursor(NINE), ended)[1] == ["at"]


def test_a_session_that_the_list_shows_late_is_reported():
    cursor, _ = report(Cursor(NINE), ended_at(10))
    cursor, reported = report(cursor, ended_at(9, 10))
    assert reported == ["s9"]
    assert report(cursor, ended_at(9, 10))[1] == []


def test_sessions_that_end_together_are_all_reported():
    first, second = (a_session(name, end=TEN) for name in ("first", "second"))
    cursor, reported = report(Cursor(NINE), EndedSessions([first]))
    assert reported == ["first"]
    assert report(cursor, EndedSessions([first, second]))[1] == ["second"]


def test_no_session_is_reported_twice():
    cursor, everything = Cursor(NINE), []
    for poll in range(60):
        recent = [minute for minute in range(max(0, poll - 7), poll + 1) if (minute + poll) % 3]
        cursor, reported = report(cursor, ended_at(*recent))
        everything += reported
    assert len(everything) == len(set(everything))
    assert len(everything) >= 55, "hardly any was left out, although the list showed many late"


def test_the_cursor_remembers_no_more_than_can_be_shown_again():
    cursor = Cursor(NINE)
    for minute in range(600):
        cursor, _ = report(cursor, ended_at(minute))
    newest = NINE + timedelta(minutes=599)
    assert cursor.reported_from == newest - OVERLAP
    assert set(cursor.reported) == {
        f"s{minute}" for minute in range(600) if NINE + timedelta(minutes=minute) >= newest - OVERLAP
    }


def test_a_cursor_never_moves_back():
    cursor, _ = report(Cursor(NINE), ended_at(60))
    assert cursor.after([], NOW) == cursor
    assert cursor.after(ended_at(58).by_id.values(), NOW).reported_from == cursor.reported_from


def test_an_end_in_the_future_hides_no_session_that_ends_before_it():
    next_year = 60 * 24 * 365
    cursor, _ = report(Cursor(NINE), ended_at(1, next_year))
    assert report(cursor, ended_at(60 * 24, next_year))[1] == [f"s{60 * 24}"]


def test_nothing_of_the_people_is_written_with_the_cursor():
    assert Cursor(NINE).after([a_session("s")], NOW).to_dict() == {
        "reported_from": "2026-11-23T09:50:00Z",
        "reported": {"s": "2026-11-23T10:00:00Z"},
    }


@pytest.mark.parametrize(
    "stored",
    [
        None,
        "",
        "2026-11-23T09:00:00Z",
        [],
        {},
        {"reported": {}},
        {"reported_from": None},
        {"reported_from": "soon"},
        {"reported_from": "now"},
        {"reported_from": "2026-11-23T09:00:00"},
        {"reported_from": 1763900000},
        {"reported_from": ["2026-11-23T09:00:00Z"]},
    ],
)
def test_anything_else_than_a_written_cursor_is_none(stored):
    assert Cursor.from_dict(stored) is None


@pytest.mark.parametrize("reported", [None, [], "s", {"s": None}, {"s": "soon"}])
def test_a_cursor_with_unreadable_sessions_begins_where_it_was(reported):
    assert Cursor.from_dict({"reported_from": "2026-11-23T09:00:00Z", "reported": reported}) == Cursor(NINE)
