# SPDX-License-Identifier: Apache-2.0
"""What can be waited for, against a source that remembers what it was asked."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest

from lessonspace_provider.exceptions import LessonspaceError, LessonspaceInputError, LessonspaceNotFoundError
from lessonspace_provider.sessions import Lesson
from lessonspace_provider.waiting import (
    LONGEST_SESSION,
    OVERLAP,
    AwaitedLesson,
    AwaitedSession,
    Cursor,
    EndedSessions,
    Progress,
    check_interval,
)

NINE = datetime(2026, 11, 23, 9, 0, tzinfo=timezone.utc)
TEN = NINE + timedelta(hours=1)
SPACE_ID = "0d1e2f3a-5b5f-4a2c-8d4e-4f5a8b9c0d1e"
LESSON = Lesson(NINE, TEN, min_participants=2, give_up_at=TEN + timedelta(minutes=15))


def a_session(session_id, end=TEN, **fields):
    return {
        "uuid": session_id,
        "space": {"id": SPACE_ID, "slug": "room-1"},
        "start_time": NINE.isoformat(),
        "end_time": end.isoformat() if end else None,
        "profiles": [{"user": 1}, {"user": 2}],
        "guests": [],
        **fields,
    }


class Source:
    """Stands in for the hook: these sessions, whatever is asked."""

    def __init__(self, *sessions):
        self.sessions = sessions
        self.calls = []

    def get_session(self, session_id):
        self.calls.append(session_id)
        for session in self.sessions:
            if session["uuid"] == session_id:
                return session
        raise LessonspaceNotFoundError("no such session", status=404)

    def list_sessions(self, **filters):
        self.calls.append({name: value for name, value in filters.items() if value is not None})
        yield from self.sessions


# The interval


@pytest.mark.parametrize("seconds", [5, 5.0, 30, 3600.5])
def test_an_interval_of_5_seconds_or_more_is_taken_as_it_is(seconds):
    assert check_interval("poke_interval", seconds) == seconds


@pytest.mark.parametrize("seconds", [4.999, 0, -5, True, None, "30", float("nan"), timedelta(seconds=30)])
def test_any_other_interval_is_refused_by_its_name(seconds):
    with pytest.raises(LessonspaceInputError, match=r"poke_interval=.*at least 5"):
        check_interval("poke_interval", seconds)


# The progress of a wait


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


def test_a_wait_without_a_finished_check_says_so():
    progress = Progress(Lines())
    assert "look into the triggerer's log" in str(progress)
    progress.failed(LessonspaceError("503"), NINE)
    assert str(progress) == "No check succeeded. The last check failed: 503"


# Sessions that ended


def test_ended_sessions_are_found_by_their_id_and_by_both_names_of_their_space():
    session, other = a_session("s"), a_session("t", space={"id": "other", "slug": None})
    ended = EndedSessions([session, other])
    assert ended.by_id == {"s": session, "t": other}
    assert ended.by_space == {SPACE_ID: [session], "room-1": [session], "other": [other]}


@pytest.mark.parametrize("space", [None, "room-1", {}, {"id": None, "slug": None}])
def test_a_session_without_a_readable_space_is_still_found_by_its_id(space):
    ended = EndedSessions([a_session("s", space=space)])
    assert (set(ended.by_id), ended.by_space) == ({"s"}, {})


def test_a_session_that_a_list_shows_twice_counts_once():
    ended = EndedSessions([a_session("s"), a_session("s", name="newer")])
    assert [session["name"] for session in ended.by_space["room-1"]] == ["newer"]


# One session


def test_a_session_is_asked_for_with_one_call_and_one_that_does_not_exist_is_waited_for():
    for source, status in ((Source(), "waiting"), (Source(a_session("s", end=None)), "waiting")):
        assert AwaitedSession("s").look(source, TEN).status == status
        assert source.calls == ["s"]
    source = Source(a_session("s"))
    verdict = AwaitedSession("s").look(source, TEN)
    assert (verdict.status, verdict.session) == ("ended", source.sessions[0])
    assert source.calls == ["s"]


def test_any_other_error_than_not_found_is_the_callers():
    class Broken(Source):
        def get_session(self, session_id):
            raise LessonspaceError("broken")

    with pytest.raises(LessonspaceError, match="broken"):
        AwaitedSession("s").look(Broken(), TEN)


def test_a_session_is_found_among_those_that_ended_and_that_is_certain():
    awaited, session = AwaitedSession("s"), a_session("s")
    assert awaited.among(EndedSessions([a_session("t")]), NOW) == []
    found = awaited.among(EndedSessions([a_session("t"), session]), NOW)
    assert found == [session]
    verdict = awaited.verdict(found, TEN)
    assert (verdict.status, verdict.session) == ("ended", session)
    assert awaited.is_certain(verdict)
    assert awaited.verdict([], TEN).status == "waiting"
    assert awaited.is_listed


# A lesson


@pytest.mark.parametrize("now", [NINE - timedelta(days=3), NINE, TEN - timedelta(microseconds=1)])
def test_before_the_windows_end_there_is_nothing_to_ask(now):
    source = Source(a_session("s"))
    verdict = AwaitedLesson(LESSON, "room-1").look(source, now)
    assert verdict.status == "waiting"
    assert "2026-11-23T10:00:00Z" in verdict.message
    assert source.calls == []


@pytest.mark.parametrize("where", [{"space_id": SPACE_ID}, {"space_id": "room-1"}, {"launch_id": "maths 7b"}])
def test_then_one_call_asks_for_the_rooms_sessions_that_can_be_the_lesson(where):
    source = Source(a_session("s", end=TEN - timedelta(minutes=5)))
    verdict = AwaitedLesson(LESSON, **where).look(source, TEN)
    assert (verdict.status, verdict.session) == ("ended", source.sessions[0])
    (room,) = where.values()
    assert source.calls == [
        {
            ("space" if "space_id" in where else "launch_id"): room,
            "include_single_user": True,
            "start_time_after": NINE - LONGEST_SESSION,
            "start_time_before": TEN,
        }
    ]


def test_a_lesson_that_is_never_given_up_is_looked_for_after_its_window_too():
    source = Source()
    AwaitedLesson(replace(LESSON, give_up_at=None), SPACE_ID).look(source, TEN)
    (filters,) = source.calls
    assert "start_time_before" not in filters


def test_a_lesson_is_found_among_those_that_ended_by_its_room_and_window():
    session = a_session("s")
    before = a_session("b", end=NINE - timedelta(minutes=1), start_time="2026-11-23T08:00:00Z")
    elsewhere = a_session("e", space={"id": "other", "slug": "room-2"})
    ended = EndedSessions([before, elsewhere, session])
    for name in (SPACE_ID, "room-1"):
        awaited = AwaitedLesson(LESSON, name)
        assert awaited.is_listed
        assert awaited.among(ended, NOW) == [session]
        assert awaited.verdict([session], TEN).session is session


def test_a_room_that_is_known_by_the_launch_id_alone_is_not_recognised():
    awaited = AwaitedLesson(LESSON, launch_id="maths")
    assert not awaited.is_listed
    assert awaited.among(EndedSessions([a_session("s"), a_session("t", space=None)]), NOW) == []


@pytest.mark.parametrize(("minutes", "certain"), [(30, False), (31, True)])
def test_only_a_session_that_took_up_most_of_the_window_is_certainly_the_lesson(minutes, certain):
    awaited = AwaitedLesson(LESSON, SPACE_ID)
    verdict = awaited.verdict([a_session("s", end=NINE + timedelta(minutes=minutes))], TEN)
    assert verdict.status == "ended"
    assert awaited.is_certain(verdict) is certain


def test_what_is_known_from_the_list_alone_never_makes_it_certain_that_nobody_came():
    awaited = AwaitedLesson(LESSON, SPACE_ID)
    verdict = awaited.verdict([], TEN + timedelta(hours=1))
    assert verdict.status == "no_session"
    assert not awaited.is_certain(verdict)
    assert not awaited.is_certain(awaited.verdict([], TEN))


def test_a_rooms_id_is_learnt_from_any_session_that_was_held_in_it():
    source = Source(a_session("s"), a_session("t"))
    awaited = AwaitedLesson(LESSON, launch_id="maths").with_space(source)
    assert awaited == AwaitedLesson(LESSON, SPACE_ID, "maths")
    assert awaited.is_listed
    assert source.calls == [{"launch_id": "maths", "include_single_user": True}]


@pytest.mark.parametrize("sessions", [[], [a_session("s", space=None)]])
def test_of_a_room_that_was_never_used_no_id_is_learnt(sessions):
    awaited = AwaitedLesson(LESSON, launch_id="maths")
    assert awaited.with_space(Source(*sessions)) == awaited


def test_a_room_that_is_known_is_not_asked_for():
    source = Source(a_session("s"))
    awaited = AwaitedLesson(LESSON, "room-1")
    assert awaited.with_space(source) is awaited
    assert source.calls == []


# The cursor


#: Later than all ends but the one that is wrong.
NOW = NINE + timedelta(days=1)


def ended_at(*minutes, day=NINE):
    return EndedSessions([a_session(f"s{minute}", end=day + timedelta(minutes=minute)) for minute in minutes])


def tell(cursor, ended):
    """Tell what is fresh, and move the cursor on, over its written form as a restart would."""
    fresh = cursor.fresh(ended)
    written = json.loads(json.dumps(cursor.after(fresh, NOW).write()))
    moved = Cursor.read(written)
    assert moved == cursor.after(fresh, NOW)
    return moved, [session["uuid"] for session in fresh]


def test_sessions_are_told_in_the_order_of_their_ends_and_each_once():
    cursor, told = tell(Cursor(NINE), ended_at(3, 1, 2))
    assert told == ["s1", "s2", "s3"]
    cursor, told = tell(cursor, ended_at(1, 2, 3, 4))
    assert told == ["s4"]
    assert tell(cursor, ended_at(1, 2, 3, 4))[1] == []


def test_what_ended_before_the_beginning_is_not_told_and_what_ended_at_it_is():
    ended = EndedSessions([a_session("before", end=NINE - timedelta(microseconds=1)), a_session("at", end=NINE)])
    assert tell(Cursor(NINE), ended)[1] == ["at"]


def test_a_session_that_the_list_shows_late_is_told():
    cursor, _ = tell(Cursor(NINE), ended_at(10))
    cursor, told = tell(cursor, ended_at(9, 10))
    assert told == ["s9"]
    assert tell(cursor, ended_at(9, 10))[1] == []


def test_sessions_that_end_at_the_same_moment_are_all_told_however_late_they_show():
    first, second = (a_session(name, end=TEN) for name in ("first", "second"))
    cursor, told = tell(Cursor(NINE), EndedSessions([first]))
    assert told == ["first"]
    assert tell(cursor, EndedSessions([first, second]))[1] == ["second"]


def test_no_session_is_told_twice_however_the_polls_overlap():
    cursor, everything = Cursor(NINE), []
    for poll in range(60):
        recent = [minute for minute in range(max(0, poll - 7), poll + 1) if (minute + poll) % 3]
        cursor, told = tell(cursor, ended_at(*recent))
        everything += told
    assert len(everything) == len(set(everything))
    assert len(everything) >= 55, "hardly any was left out, although the list showed many late"


def test_the_cursor_remembers_no_more_than_can_be_shown_again():
    cursor = Cursor(NINE)
    for minute in range(600):
        cursor, _ = tell(cursor, ended_at(minute))
    newest = NINE + timedelta(minutes=599)
    assert cursor.told_from == newest - OVERLAP
    assert set(cursor.told) == {
        f"s{minute}" for minute in range(600) if NINE + timedelta(minutes=minute) >= newest - OVERLAP
    }


def test_a_cursor_never_moves_back():
    cursor, _ = tell(Cursor(NINE), ended_at(60))
    assert cursor.after([], NOW) == cursor
    assert cursor.after(ended_at(58).by_id.values(), NOW).told_from == cursor.told_from


def test_an_end_in_the_future_hides_no_session_that_ends_before_it():
    next_year = 60 * 24 * 365
    cursor, _ = tell(Cursor(NINE), ended_at(1, next_year))
    assert tell(cursor, ended_at(60 * 24, next_year))[1] == [f"s{60 * 24}"]


def test_nothing_of_the_people_is_written_with_the_cursor():
    session = a_session("s", profiles=[{"user": 1, "name": "Ann", "email": "ann@example.org"}], name="Algebra")
    assert Cursor(NINE).after([session], NOW).write() == {
        "told_from": "2026-11-23T09:50:00Z",
        "told": {"s": "2026-11-23T10:00:00Z"},
    }


@pytest.mark.parametrize(
    "stored",
    [
        None,
        "",
        "2026-11-23T09:00:00Z",
        [],
        {},
        {"told": {}},
        {"told_from": None},
        {"told_from": "soon"},
        {"told_from": "now"},
        {"told_from": "2026-11-23T09:00:00"},
        {"told_from": 1763900000},
        {"told_from": ["2026-11-23T09:00:00Z"]},
    ],
)
def test_anything_else_than_a_written_cursor_is_none(stored):
    assert Cursor.read(stored) is None


@pytest.mark.parametrize("told", [None, [], "s", {"s": None}, {"s": "soon"}])
def test_a_cursor_whose_told_sessions_are_unreadable_begins_where_it_was(told):
    assert Cursor.read({"told_from": "2026-11-23T09:00:00Z", "told": told}) == Cursor(NINE)
