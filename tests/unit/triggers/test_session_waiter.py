# SPDX-License-Identifier: Apache-2.0
"""When a wait in an unknown room makes a check of its own."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from lessonspace_provider.triggers import session_waiter
from lessonspace_provider.triggers import shared_poll as shared
from lessonspace_provider.triggers.session_waiter import _UnknownRoom
from lessonspace_provider.waiting.awaited import AwaitedLesson, AwaitedSession
from lessonspace_provider.waiting.lessons import Lesson
from lessonspace_provider.waiting.parsed_session import ParsedSession

NINE = datetime(2026, 11, 23, 9, 0, tzinfo=timezone.utc)
TEN = NINE + timedelta(hours=1)
INTERVAL = timedelta(seconds=30)
UNKNOWN = AwaitedLesson(Lesson(NINE, TEN, min_participants=2, give_up_at=None), launch_id="new-room")


class Clock:
    def __init__(self):
        self.moment = TEN

    def now(self):
        return self.moment


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(session_waiter, "now", clock.now)
    return clock


def a_session(name, end=TEN):
    return ParsedSession(name, ("elsewhere",), NINE - timedelta(minutes=1), end, 2, summary={})


def unclaimed(*sessions):
    return {session.session_id: session for session in sessions}


def test_each_session_elsewhere_is_checked_for_once(clock):
    room = _UnknownRoom(INTERVAL)
    results = []
    for _ in range(5):
        results.append(room.may_have_been_used(UNKNOWN, unclaimed(a_session("a"))))
        clock.moment += INTERVAL
    assert results == [True, False, False, False, False]


def test_what_ends_before_the_windows_end_is_checked_for_at_the_windows_end(clock):
    room = _UnknownRoom(INTERVAL)
    clock.moment = TEN - timedelta(minutes=20)
    assert not room.may_have_been_used(UNKNOWN, unclaimed(a_session("a", end=TEN - timedelta(minutes=21))))
    clock.moment = TEN
    assert room.may_have_been_used(UNKNOWN, {}), "though the list no longer shows it"


def test_checks_that_find_the_room_unused_become_ever_more_rare(clock):
    room = _UnknownRoom(INTERVAL)
    checks = []
    for poll in range(120):
        if room.may_have_been_used(UNKNOWN, unclaimed(a_session(f"s{poll}", end=clock.moment))):
            checks.append(poll)
        clock.moment += INTERVAL
    gaps = [later - earlier for earlier, later in zip(checks, checks[1:])]
    assert gaps[:6] == [1, 2, 4, 8, 16, 20]
    assert max(gaps) * INTERVAL.total_seconds() <= shared.CONFIRM_AFTER


@pytest.mark.parametrize(
    "awaited",
    [AwaitedSession("s"), AwaitedLesson(UNKNOWN.lesson, "room-1", "new-room"), AwaitedLesson(UNKNOWN.lesson, "r")],
)
def test_a_known_room_is_never_checked_for_this(clock, awaited):
    assert not _UnknownRoom(INTERVAL).may_have_been_used(awaited, unclaimed(a_session("a")))


def test_a_session_that_cant_be_the_lesson_is_not_checked_for(clock):
    room = _UnknownRoom(INTERVAL)
    assert not room.may_have_been_used(UNKNOWN, unclaimed(a_session("a", end=NINE - timedelta(minutes=1))))


def test_a_check_that_failed_is_made_again(clock):
    room = _UnknownRoom(INTERVAL)
    assert room.may_have_been_used(UNKNOWN, unclaimed(a_session("a")))
    room.check_failed()
    clock.moment += INTERVAL
    assert room.may_have_been_used(UNKNOWN, unclaimed(a_session("a")))
