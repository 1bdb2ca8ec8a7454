# SPDX-License-Identifier: Apache-2.0
"""What can be waited for, against a source that remembers what it was asked."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest

from lessonspace_provider.exceptions import LessonspaceError, LessonspaceInputError, LessonspaceNotFoundError
from lessonspace_provider.waiting.awaited import (
    LONGEST_SESSION,
    AwaitedLesson,
    AwaitedSession,
    AwaitedTranscript,
    check_interval,
    end_from_dict,
)
from lessonspace_provider.waiting.cursor import EndedSessions
from lessonspace_provider.waiting.lessons import Lesson
from lessonspace_provider.waiting.parsed_session import parse_session

NINE = datetime(2026, 11, 23, 9, 0, tzinfo=timezone.utc)
TEN = NINE + timedelta(hours=1)
S, T, B, E = (f"00000000-0000-4000-8000-00000000000{number}" for number in range(4))
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


def listed(*sessions):
    """What the poll makes of sessions."""
    return EndedSessions.parse(sessions)


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


# One session


def test_a_session_is_asked_for_with_one_call_and_one_that_does_not_exist_is_waited_for():
    for source, status in ((Source(), "waiting"), (Source(a_session(S, end=None)), "waiting")):
        assert AwaitedSession(S).check(source, TEN).status == status
        assert source.calls == [S]
    source = Source(a_session(S))
    verdict = AwaitedSession(S).check(source, TEN)
    assert (verdict.status, verdict.session) == ("ended", parse_session(source.sessions[0]))
    assert source.calls == [S]


def test_any_other_error_than_not_found_is_the_callers():
    class Broken(Source):
        def get_session(self, session_id):
            raise LessonspaceError("broken")

    with pytest.raises(LessonspaceError, match="broken"):
        AwaitedSession(S).check(Broken(), TEN)


def test_a_session_is_found_among_those_that_ended_and_that_is_certain():
    awaited, session = AwaitedSession(S), a_session(S)
    assert awaited.among(listed(a_session(T)), TEN) == []
    found = awaited.among(listed(a_session(T), session), TEN)
    assert found == [parse_session(session)]
    verdict = awaited.verdict(found, TEN)
    assert (verdict.status, verdict.session) == ("ended", parse_session(session))
    assert awaited.is_certain(verdict)
    assert awaited.verdict([], TEN).status == "waiting"
    assert awaited.is_listed


# A lesson


@pytest.mark.parametrize("now", [NINE - timedelta(days=3), NINE, TEN - timedelta(microseconds=1)])
def test_before_the_windows_end_there_is_nothing_to_ask(now):
    source = Source(a_session(S))
    verdict = AwaitedLesson(LESSON, "room-1").check(source, now)
    assert verdict.status == "waiting"
    assert "2026-11-23T10:00:00Z" in verdict.message
    assert source.calls == []


@pytest.mark.parametrize("where", [{"space_id": SPACE_ID}, {"space_id": "room-1"}, {"launch_id": "maths 7b"}])
def test_then_one_call_asks_for_the_rooms_sessions_that_can_be_the_lesson(where):
    source = Source(a_session(S, end=TEN - timedelta(minutes=5)))
    verdict = AwaitedLesson(LESSON, **where).check(source, TEN)
    assert (verdict.status, verdict.session) == ("ended", parse_session(source.sessions[0]))
    (room,) = where.values()
    assert source.calls == [
        {
            ("space" if "space_id" in where else "launch_id"): room,
            "include_single_user": True,
            "start_time_after": NINE - LONGEST_SESSION,
            "start_time_before": TEN + timedelta(minutes=15),
        }
    ]


def test_a_lesson_never_given_up_is_searched_after_its_window_too():
    source = Source()
    AwaitedLesson(replace(LESSON, give_up_at=None), SPACE_ID).check(source, TEN)
    (filters,) = source.calls
    assert "start_time_before" not in filters


def test_a_lesson_is_found_among_those_that_ended_by_its_room_and_window():
    session = a_session(S)
    before = a_session(B, end=NINE - timedelta(minutes=1), start_time="2026-11-23T08:00:00Z")
    elsewhere = a_session(E, space={"id": "other", "slug": "room-2"})
    ended = listed(before, elsewhere, session)
    for name in (SPACE_ID, "room-1"):
        awaited = AwaitedLesson(LESSON, name)
        assert awaited.is_listed
        assert awaited.among(ended, TEN) == [parse_session(session)]
        assert awaited.verdict([parse_session(session)], TEN).session == parse_session(session)


def test_a_room_that_is_known_by_the_launch_id_alone_is_not_recognised():
    awaited = AwaitedLesson(LESSON, launch_id="maths")
    assert not awaited.is_listed
    assert awaited.among(listed(a_session(S), a_session(T, space=None)), TEN) == []


@pytest.mark.parametrize(("minutes", "certain"), [(30, False), (31, True)])
def test_only_a_session_that_took_up_most_of_the_window_is_certainly_the_lesson(minutes, certain):
    awaited = AwaitedLesson(LESSON, SPACE_ID)
    verdict = awaited.verdict([parse_session(a_session(S, end=NINE + timedelta(minutes=minutes)))], TEN)
    assert verdict.status == "ended"
    assert awaited.is_certain(verdict) is certain


def test_what_is_known_from_the_list_alone_never_makes_it_certain_that_no_one_came():
    awaited = AwaitedLesson(LESSON, SPACE_ID)
    verdict = awaited.verdict([], TEN + timedelta(hours=1))
    assert verdict.status == "no_session"
    assert not awaited.is_certain(verdict)
    assert not awaited.is_certain(awaited.verdict([], TEN))


def test_a_rooms_id_is_learnt_from_any_session_that_was_held_in_it():
    source = Source(a_session(S), a_session(T))
    awaited = AwaitedLesson(LESSON, launch_id="maths").with_space(source)
    assert awaited == AwaitedLesson(LESSON, SPACE_ID, "maths")
    assert awaited.is_listed
    assert source.calls == [{"launch_id": "maths", "include_single_user": True}]


@pytest.mark.parametrize("sessions", [[], [a_session(S, space=None)]])
def test_of_a_room_that_was_never_used_no_id_is_learnt(sessions):
    awaited = AwaitedLesson(LESSON, launch_id="maths")
    assert awaited.with_space(Source(*sessions)) == awaited


def test_a_room_that_is_known_is_not_asked_for():
    source = Source(a_session(S))
    awaited = AwaitedLesson(LESSON, "room-1")
    assert awaited.with_space(source) is awaited
    assert source.calls == []


def test_a_check_learns_the_room_of_a_launch_id_from_a_session_that_still_runs():
    awaited = AwaitedLesson(LESSON, launch_id="maths")
    verdict = awaited.check(Source(a_session(S, end=None)), TEN)
    assert (verdict.status, verdict.space_id) == ("waiting", SPACE_ID)
    assert awaited.check(Source(), TEN).space_id is None


def test_sessions_in_unknown_rooms_may_be_a_lesson_whose_room_is_not_known():
    sessions = [parse_session(a_session(S)), parse_session(a_session(T, end=NINE - timedelta(minutes=1)))]
    unknown = AwaitedLesson(LESSON, launch_id="maths")
    assert unknown.may_be_among(sessions, TEN)
    assert not unknown.may_be_among(sessions[1:], TEN), "it ended before the window"
    assert not AwaitedLesson(LESSON, "room-1", "maths").may_be_among(sessions, TEN)


def test_one_odd_session_of_a_room_stops_no_lesson():
    odd = [a_session(T, end_time="10:"), a_session(["x"]), a_session("y" * 10**6, end_time="z" * 10**6)]
    verdict = AwaitedLesson(LESSON, SPACE_ID).check(Source(*odd, a_session(S)), TEN)
    assert verdict.session.session_id == S
    verdict = AwaitedLesson(LESSON, SPACE_ID).check(Source(*odd), TEN + timedelta(hours=1))
    assert verdict.status == "no_session"
    assert f"Session {T} has the end_time '10:'" in verdict.message
    assert len(verdict.message) < 1_000


def test_a_session_whose_end_cant_be_read_is_an_error_that_names_it():
    with pytest.raises(LessonspaceError, match=f"Session {S} has the end_time '10:', which is not a time") as caught:
        AwaitedSession(S).check(Source(a_session(S, end_time="10:")), TEN)
    assert type(caught.value) is LessonspaceError, "no outage, which would be waited out"
    with pytest.raises(LessonspaceError, match=f"Session {S} has the end_time '10:'") as caught:
        AwaitedTranscript(S, timedelta(days=7), TEN).check(Source(a_session(S, end_time="10:")), TEN)
    assert type(caught.value) is LessonspaceError


# As a trigger's keywords


@pytest.mark.parametrize(
    "awaited",
    [
        AwaitedSession(S),
        AwaitedLesson(LESSON, SPACE_ID),
        AwaitedLesson(replace(LESSON, give_up_at=None, max_delay=timedelta(minutes=5)), "room-1", "maths"),
        AwaitedLesson(replace(LESSON, max_delay=timedelta(0)), launch_id="maths"),
    ],
)
def test_what_is_waited_for_survives_json(awaited):
    assert end_from_dict(json.loads(json.dumps(awaited.to_dict()))) == awaited


@pytest.mark.parametrize("ended_at", [None, TEN])
def test_an_awaited_transcript_survives_json(ended_at):
    awaited = AwaitedTranscript(S, timedelta(hours=5), NINE, ended_at)
    assert AwaitedTranscript.from_dict(json.loads(json.dumps(awaited.to_dict())), TEN) == awaited


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({}, "session_id, or either space_id or launch_id"),
        ({"session_id": "17"}, "session_id='17'"),
        ({"space_id": "a/b"}, "space_id='a/b'"),
        ({"launch_id": " "}, "launch_id=' '"),
        ({"space_id": "room-1", "window_end": NINE.isoformat()}, "is empty"),
        (
            {"space_id": "room-1", "window_start": None, "window_end": None},
            "with window_start and window_end. Missing: window_start and window_end.",
        ),
        ({"launch_id": "maths", "window_end": None}, "Missing: window_end."),
        ({"space_id": "room-1", "min_participants": "2"}, "min_participants='2'"),
        ({"space_id": "room-1", "give_up_at": "soon"}, "give_up_at='soon'"),
        ({"space_id": "room-1", "max_delay": -1}, "max_delay=-1"),
    ],
)
def test_other_keywords_are_refused(keywords, message):
    lesson = {name: value for name, value in AwaitedLesson(LESSON).to_dict().items() if name not in ("space_id",)}
    with pytest.raises(LessonspaceInputError) as caught:
        end_from_dict({**lesson, **keywords})
    assert message in str(caught.value)
