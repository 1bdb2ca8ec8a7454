# SPDX-License-Identifier: Apache-2.0
"""The doorbell: DAGs that run when any session ends."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from datetime import timedelta

import pytest
from airflow.sdk import Asset

from lessonspace_provider.triggers import shared_poll as shared
from lessonspace_provider.triggers.sessions import LessonspaceSessionEndedEventTrigger
from tests.airflow_version import needs_airflow
from tests.integration.triggers.conftest import INTERVAL, LIST, fired, lists, until


class Store:
    """Airflow's asset state store, as far as a trigger sees it."""

    def __init__(self):
        self.values = {}

    async def aget(self, key):
        return self.values.get(key)

    async def aset(self, key, value):
        self.values[key] = value


def a_watcher(connection, store=None, **what):
    trigger = LessonspaceSessionEndedEventTrigger(lessonspace_conn_id=connection, poll_interval=INTERVAL, **what)
    if store is not None:
        trigger.asset_state_store = store
    return trigger


async def collect(trigger, events):
    async for event in trigger.run():
        events.append([session["session_id"] for session in event.payload["sessions"]])


async def stopped(task):
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def flat(events):
    return [session_id for event in events for session_id in event]


def test_each_session_is_reported_once_with_those_of_its_poll(lessonspace_connection, control, running):
    ids, events = running(6), []

    async def scenario():
        watching = asyncio.create_task(collect(a_watcher(lessonspace_connection), events))
        await until(lambda: lists(control) >= 2)
        assert events == []  # nothing that ended before
        for group in (ids[:5], ids[5:]):
            for session_id in group:
                control.end_session(session_id)
            await until(lambda group=group: set(group) <= set(flat(events)))
        so_far = lists(control)
        await until(lambda: lists(control) >= so_far + 3)
        await stopped(watching)

    asyncio.run(scenario())
    assert sorted(flat(events)) == sorted(ids)
    assert len(events) < len(ids)


def test_an_event_holds_ids_times_and_counts_and_no_names(lessonspace_connection, control, present):
    session_id = control.add_session(present - timedelta(minutes=30), users=["Ann", "Ben"], name="Emma's lesson")

    async def ended():
        watching = asyncio.create_task(fired(a_watcher(lessonspace_connection)))
        await until(lambda: lists(control) >= 1)
        control.end_session(session_id)
        return await watching

    (told,) = asyncio.run(ended())["sessions"]
    assert told["session_id"] == session_id
    assert told["participants"] == 2
    assert "Emma" not in str(told)
    assert "Ann" not in str(told)


def test_sessions_of_fewer_people_can_be_left_out(lessonspace_connection, control, present, running):
    alone = control.add_session(present - timedelta(minutes=30), users=["Ann"])
    together, events = running(1), []

    async def scenario():
        watching = asyncio.create_task(collect(a_watcher(lessonspace_connection, min_participants=2), events))
        await until(lambda: lists(control) >= 1)
        for session_id in [alone, *together]:
            control.end_session(session_id)
        await until(lambda: bool(events))
        await stopped(watching)

    asyncio.run(scenario())
    assert flat(events) == together


def test_after_a_restart_it_continues_where_it_was(lessonspace_connection, control, running):
    first, second, events, store = running(1)[0], running(1)[0], [], Store()

    async def until_reported(session_id):
        watching = asyncio.create_task(collect(a_watcher(lessonspace_connection, store), events))
        so_far = lists(control)
        await until(lambda: lists(control) >= so_far + 2)
        if session_id == first:
            control.end_session(session_id)
        await until(lambda: session_id in flat(events))
        told_at = lists(control)
        await until(lambda: lists(control) >= told_at + 2)  # the cursor is written a poll later
        await stopped(watching)

    asyncio.run(until_reported(first))
    control.end_session(second)
    asyncio.run(until_reported(second))
    assert flat(events) == [first, second]


def test_watchers_and_waiters_share_the_poll(lessonspace_connection, control, running):
    running(1)
    events = []

    async def scenario():
        watching = [
            asyncio.create_task(collect(a_watcher(lessonspace_connection, min_participants=n), events))
            for n in (1, 2, 3)
        ]
        await until(lambda: lists(control) >= 8)
        for task in watching:
            await stopped(task)

    asyncio.run(scenario())
    times = [call.arrived for call in control.calls(path=LIST)]
    # With a poll each, they would come in threes.
    assert all(later - earlier > INTERVAL / 2 for earlier, later in zip(times[1:], times[2:]))


def test_on_airflow_33_the_stream_is_shared_by_connection_and_interval(lessonspace_connection):
    one, same = a_watcher(lessonspace_connection, min_participants=2), a_watcher(lessonspace_connection)
    other = a_watcher("another")
    assert one.shared_stream_key() == same.shared_stream_key() != other.shared_stream_key()


def test_too_many_failures_raise_and_fire_nothing(lessonspace_connection, control):
    control.inject_fault("status", status=403, body='{"detail": "Not now."}', path=LIST)
    events = []
    with pytest.raises(Exception, match="403"):
        asyncio.run(collect(a_watcher(lessonspace_connection), events))
    assert events == []


def test_an_outage_of_any_length_stops_no_watcher(lessonspace_connection, control, running, monkeypatch):
    monkeypatch.setattr(shared, "FAILURES_ALLOWED", 1)
    monkeypatch.setattr(shared, "OUTAGE_ALLOWED", 0.0)
    (session_id,), events = running(1), []
    control.inject_fault("status", status=503, path=LIST)

    async def scenario():
        watching = asyncio.create_task(collect(a_watcher(lessonspace_connection), events))
        await until(lambda: lists(control) >= 20)
        control.end_session(session_id)
        assert not watching.done()
        control.clear_faults()
        await until(lambda: bool(events))
        await stopped(watching)

    asyncio.run(scenario())
    assert flat(events) == [session_id]


def test_an_event_that_was_lost_on_its_way_is_fired_again(lessonspace_connection, control, running):
    (session_id,), store = running(1), Store()

    async def first_event(*, end):
        async with aclosing(a_watcher(lessonspace_connection, store).run()) as stream:
            event = asyncio.create_task(anext(stream))
            if end:
                await until(lambda: lists(control) >= 2)
                control.end_session(session_id)
            return (await asyncio.wait_for(event, 60)).payload["sessions"][0]["session_id"]

    assert asyncio.run(first_event(end=True)) == session_id
    assert asyncio.run(first_event(end=False)) == session_id


@needs_airflow("3.3", "the asset state store came with it")
def test_two_assets_with_equal_watchers_both_get_events(lessonspace_connection, control, running, capsys):
    from airflow.sdk.execution_time.context import AssetStateStoreAccessors

    (session_id,), events = running(1), []
    watcher = a_watcher(lessonspace_connection, AssetStateStoreAccessors(inlets=[Asset("school_a"), Asset("school_b")]))

    async def scenario():
        watching = asyncio.create_task(collect(watcher, events))
        await until(lambda: lists(control) >= 2)
        control.end_session(session_id)
        await until(lambda: bool(events))
        await stopped(watching)

    asyncio.run(scenario())
    assert flat(events) == [session_id]
    assert "Several assets watch" in capsys.readouterr().out
