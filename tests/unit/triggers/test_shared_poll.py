# SPDX-License-Identifier: Apache-2.0
"""The poll and what it bears, against a connection that is played here."""

from __future__ import annotations

import asyncio
import logging
import threading
from contextvars import ContextVar
from datetime import datetime, timedelta, timezone
from threading import Event

import pytest

from lessonspace_provider.exceptions import LessonspaceAuthError, LessonspaceConnectionError, LessonspaceServerError
from lessonspace_provider.metrics.names import POLL_LAG, WAITERS
from lessonspace_provider.triggers import session_waiter
from lessonspace_provider.triggers import shared_poll as shared
from lessonspace_provider.triggers.session_waiter import SessionWaiter
from lessonspace_provider.triggers.sessions import LessonspaceSessionEndedEventTrigger
from lessonspace_provider.triggers.shared_poll import CALL_THREADS, shared_connection
from lessonspace_provider.waiting.awaited import AwaitedLesson
from lessonspace_provider.waiting.cursor import OVERLAP, EndedSessions
from lessonspace_provider.waiting.lessons import Lesson
from lessonspace_provider.waiting.progress import Progress
from tests.recorded_stats import record_stats

MINUTE = timedelta(minutes=1)
PRESENT = datetime(2026, 11, 23, 10, 0, tzinfo=timezone.utc)
A, B, BAD, GOOD = (f"00000000-0000-4000-8000-00000000000{number}" for number in range(4))
SPACE_ID = "0d1e2f3a-5b5f-4a2c-8d4e-4f5a8b9c0d1e"


def a_session(session_id, end, start=PRESENT - 60 * MINUTE):
    return {
        "uuid": session_id,
        "space": {"id": SPACE_ID},
        "start_time": start.isoformat(),
        "end_time": end.isoformat() if end else None,
        "profiles": [{"user": 1}, {"user": 2}],
        "guests": [],
    }


class Clock:
    def __init__(self):
        self.seconds = 0.0

    def monotonic(self):
        return self.seconds

    def now(self):
        return PRESENT + timedelta(seconds=self.seconds)


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(shared, "time", clock)
    monkeypatch.setattr(shared, "now", clock.now)
    monkeypatch.setattr(session_waiter, "now", clock.now)
    return clock


class Connection:
    """Calls the functions, with a hook whose lists are given."""

    def __init__(self, *lists):
        self.lists = list(lists)
        self.asked_from = []

    async def call(self, function, *, is_poll=False):
        await asyncio.sleep(0)
        return function(self)

    def list_sessions(self, **filters):
        self.asked_from.append(filters.get("end_time_after"))
        outcome = self.lists.pop(0) if self.lists else []
        if isinstance(outcome, Exception):
            raise outcome
        yield from outcome


# What is tolerated


def failures_tolerated(error, clock, seconds_between):
    patience = shared.Patience()
    for failures in range(1_000):
        if patience.ends_with(error):
            return failures
        clock.seconds += seconds_between
    return None


@pytest.mark.parametrize("error", [LessonspaceServerError("503", status=503), LessonspaceConnectionError("refused")])
def test_an_outage_is_tolerated_for_an_hour_at_any_interval(error, clock):
    assert failures_tolerated(error, clock, 5) == 3600 // 5
    assert failures_tolerated(error, clock, 30) == 3600 // 30


def test_of_slow_checks_as_many_may_fail_even_after_an_hour(clock):
    assert failures_tolerated(LessonspaceServerError("503", status=503), clock, 1_800) == shared.FAILURES_ALLOWED - 1


def test_a_wrong_key_is_tolerated_a_few_times_only(clock):
    assert failures_tolerated(LessonspaceAuthError("403", status=403), clock, 5) == shared.FAILURES_ALLOWED - 1


# Where the next poll looks from


async def polls(connection, count, since):
    poll = shared._Poll(connection)
    subscription = poll.join(since, 0.0)
    try:
        return [await asyncio.wait_for(subscription.next(), 10) for _ in range(count)]
    finally:
        poll.leave(subscription)


def test_the_next_poll_begins_an_overlap_before_the_newest_end(clock):
    newest = PRESENT - 5 * MINUTE
    connection = Connection([a_session(A, PRESENT - 20 * MINUTE), a_session(B, newest)])
    asyncio.run(polls(connection, 2, since=PRESENT - 30 * MINUTE))
    assert connection.asked_from[:2] == [PRESENT - 30 * MINUTE - OVERLAP, newest - OVERLAP]


def test_a_list_that_takes_longer_than_the_overlap_hides_nothing_that_ended_meanwhile(clock):
    def slow_list():
        yield a_session(A, PRESENT - 20 * MINUTE)
        clock.seconds += 3 * OVERLAP.total_seconds()
        yield a_session(B, clock.now() - MINUTE)

    connection = Connection(slow_list())
    asyncio.run(polls(connection, 2, since=PRESENT - 30 * MINUTE))
    assert connection.asked_from[1] == PRESENT - OVERLAP


def test_after_a_failed_poll_the_next_lists_from_the_same_time(clock):
    connection = Connection(LessonspaceServerError("503", status=503), [a_session(A, PRESENT)])
    (result,) = asyncio.run(polls(connection, 1, since=PRESENT - 30 * MINUTE))
    assert set(result.ended.by_id) == {A}
    assert connection.asked_from[:2] == [PRESENT - 30 * MINUTE - OVERLAP] * 2


@pytest.mark.parametrize(
    "odd",
    [
        {"end_time": 7},
        {"end_time": "10:"},
        {"uuid": ["bad"]},
        {"uuid": "x" * 10**6},
        {"uuid": "{{ conn.smtp_default.password }}", "end_time": "y" * 10**6},
    ],
)
def test_a_session_that_cant_be_read_is_named_and_stops_no_other(odd, clock, caplog):
    bad = {**a_session(BAD, PRESENT), **odd}
    with caplog.at_level(logging.WARNING):
        (result,) = asyncio.run(polls(Connection([bad, a_session(GOOD, PRESENT)]), 1, since=PRESENT))
    assert set(result.ended.by_id) == {GOOD}
    (record,) = caplog.records
    assert str(odd.get("uuid", BAD))[:20].strip("[]'") in record.getMessage()
    assert len(record.getMessage()) < 300


def test_a_session_that_cant_be_read_is_warned_of_once(clock, caplog):
    bad = a_session(BAD, PRESENT) | {"end_time": "10:"}
    with caplog.at_level(logging.WARNING):
        asyncio.run(polls(Connection(*[[bad]] * 5), 5, since=PRESENT))
    assert len(caplog.records) == 1


def test_many_that_cant_be_read_are_counted(clock, caplog):
    many = [a_session(f"no uuid {number}", PRESENT) for number in range(2_000)]
    with caplog.at_level(logging.WARNING):
        asyncio.run(polls(Connection(many), 1, since=PRESENT))
    assert len(caplog.records) == shared.MOST_WARNED + 1
    assert f"{2_000 - shared.MOST_WARNED} more sessions" in caplog.text


def test_what_is_sent_is_parsed_in_the_thread_of_the_calls(clock, monkeypatch):
    threads = []

    class Parsed(shared.EndedSessions):
        @classmethod
        def parse(cls, sessions):
            threads.append(threading.current_thread().name)
            return super().parse(sessions)

    class InThread(Connection):
        async def call(self, function, *, is_poll=False):
            return await asyncio.to_thread(function, self)

    monkeypatch.setattr(shared, "EndedSessions", Parsed)
    asyncio.run(polls(InThread([a_session(A, PRESENT)]), 1, since=PRESENT))
    assert threads
    assert threading.main_thread().name not in threads


def test_the_polls_lines_are_not_written_in_the_context_of_who_came_first(clock):
    whose_log: ContextVar[str] = ContextVar("whose_log", default="nobody's")
    seen = []

    class Looking(Connection):
        def list_sessions(self, **filters):
            seen.append(whose_log.get())
            yield from ()

    async def scenario():
        whose_log.set("the first waiter's")
        await polls(Looking(), 1, PRESENT)

    asyncio.run(scenario())
    assert set(seen) == {"nobody's"}


# The threads


def threads_of(name):
    return [thread for thread in threading.enumerate() if thread.name.startswith(name)]


def test_calls_that_do_not_return_hold_up_neither_the_poll_nor_another_call(monkeypatch):
    release = Event()
    monkeypatch.setattr(shared.SharedConnection, "_loaded_hook", hook_loaded)

    async def scenario():
        async with shared_connection("stuck") as connection:
            stuck = [asyncio.create_task(connection.call(lambda _: release.wait(30))) for _ in range(CALL_THREADS - 1)]
            await asyncio.sleep(0)
            assert await connection.call(lambda _: "poll", is_poll=True) == "poll"
            assert await connection.call(lambda _: "other") == "other"
            stuck.append(asyncio.create_task(connection.call(lambda _: release.wait(30))))
            await asyncio.sleep(0)
            assert await connection.call(lambda _: "poll", is_poll=True) == "poll"
            assert not release.is_set()
            release.set()
            return await asyncio.gather(*stuck)

    assert asyncio.run(scenario()) == [True] * CALL_THREADS


def test_a_connection_that_is_closed_leaves_no_thread(monkeypatch):
    monkeypatch.setattr(shared.SharedConnection, "_loaded_hook", hook_loaded)

    async def scenario():
        async with shared_connection("closed") as connection:
            await connection.call(lambda _: None)
            return threads_of("lessonspace-closed")

    begun = asyncio.run(scenario())
    assert len(begun) == CALL_THREADS + 1
    for thread in begun:
        thread.join(10)
    assert threads_of("lessonspace-closed") == []


async def hook_loaded(_connection):
    return object()


def test_the_text_of_an_unexpected_error_is_not_shown(caplog):
    link = "https://store.example/t.json?X-Amz-Signature=abc"
    try:
        raise ValueError(link)
    except ValueError as error:
        told = shared.as_lessonspace_error(error)
    assert "ValueError" in str(told)
    assert "test_shared_poll.py" in caplog.text
    assert link not in str(told) + caplog.text


# One who waits


def test_what_is_inconclusive_is_checked_once_and_again_after_a_while(clock):
    lesson = Lesson(PRESENT - 60 * MINUTE, PRESENT, min_participants=2, give_up_at=PRESENT + 15 * MINUTE)
    short = a_session(A, PRESENT - 40 * MINUTE)
    running = a_session(B, None, start=PRESENT - 38 * MINUTE)
    answer = [short, running]
    connection = Connection(*[answer] * 9)
    waiter = SessionWaiter(connection, AwaitedLesson(lesson, SPACE_ID), Progress(logging.getLogger()), 30)

    def take(*ended):
        result = shared.PollResult(clock.now(), EndedSessions.parse(ended))
        return asyncio.run(waiter.take(result))

    for _ in range(5):
        verdict = take(short)
        assert verdict is None or verdict.status == "waiting"
    assert len(connection.asked_from) == 1
    clock.seconds += shared.CONFIRM_AFTER
    take(short)
    assert len(connection.asked_from) == 2
    answer[1] = {**running, "end_time": clock.now().isoformat()}
    verdict = take(short, answer[1])
    assert (verdict.status, verdict.session.session_id) == ("ended", B)
    assert len(connection.asked_from) == 2


# The cursor's place


def test_each_watcher_of_an_asset_keeps_its_place_for_itself():
    keywords = [{}, {"poll_interval": 60}, {"min_participants": 2}, {"lessonspace_conn_id": "other"}]
    keys = {LessonspaceSessionEndedEventTrigger(**what)._cursor_key for what in keywords}
    assert len(keys) == len(keywords)


# Metrics


def test_the_poll_lag_grows_while_polls_fail_and_falls_with_a_good_one(monkeypatch):
    recorded = record_stats(monkeypatch)
    outage = LessonspaceConnectionError("refused")

    async def poll_until_good():
        since = PRESENT
        poll = shared._Poll(Connection([], outage, outage, outage, []))
        subscription = poll.join(since, 0.01)
        for _ in range(2):
            await asyncio.wait_for(subscription.next(), 10)
        while len(recorded.gauges[POLL_LAG]) < 5:
            await asyncio.sleep(0)
        poll.leave(subscription)

    asyncio.run(poll_until_good())
    _, first_failure, *_, good = recorded.gauges[POLL_LAG][:5]
    assert first_failure >= 0
    assert good >= 0.03, "it came three intervals after the first that failed was due"


def test_the_waiters_of_all_connections_are_counted_until_the_last_leaves(monkeypatch):
    recorded = record_stats(monkeypatch)

    async def wait():
        async with shared_connection("a"), shared_connection("a"), shared_connection("b"):
            pass

    asyncio.run(wait())
    assert recorded.gauges[WAITERS] == [1, 2, 3, 2, 1, 0]
