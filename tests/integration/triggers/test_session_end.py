# SPDX-License-Identifier: Apache-2.0
"""One poll for all who wait for a session's or a lesson's end."""

from __future__ import annotations

import asyncio
import threading
from datetime import timedelta

import pytest

from lessonspace_provider.triggers import shared_poll as shared
from lessonspace_provider.triggers.sessions import LessonspaceSessionEndTrigger
from tests.integration.triggers.conftest import INTERVAL, LIST, fired, lists, made_again, until


def a_trigger(connection, **what):
    return LessonspaceSessionEndTrigger(lessonspace_conn_id=connection, poll_interval=INTERVAL, **what)


def test_a_hundred_waiters_make_no_call_beside_the_one_poll(lessonspace_connection, control, running, present):
    ids = running(100)

    async def scenario():
        asked_at = present.timestamp()
        waiting = [
            asyncio.create_task(fired(a_trigger(lessonspace_connection, session_id=i, asked_at=asked_at))) for i in ids
        ]
        await until(lambda: lists(control) >= 3)
        before = lists(control)
        for session_id in ids:
            control.end_session(session_id)
        ending = lists(control) - before
        events = await asyncio.gather(*waiting)
        return events, ending

    events, lists_while_ending = asyncio.run(scenario())
    assert [event["session_id"] for event in events] == ids
    assert {event["status"] for event in events} == {"ended"}
    calls = control.calls()
    others = [call.path for call in calls if not call.path.endswith(("/sessions/", "/my-organisation/"))]
    assert others == []
    pages_of_the_last_polls = 2 * (len(ids) // 20 + 1)
    assert lists(control) <= 3 + lists_while_ending + pages_of_the_last_polls + 2


def test_the_event_holds_no_people(lessonspace_connection, control, running, present):
    (session_id,) = running(1)

    async def scenario():
        waiting = asyncio.create_task(
            fired(a_trigger(lessonspace_connection, session_id=session_id, asked_at=present.timestamp()))
        )
        await until(lambda: lists(control) >= 1)
        control.end_session(session_id)
        return await waiting

    event = asyncio.run(scenario())
    assert event["session"]["participants"] == 2
    assert "Ann" not in str(event)


def test_what_ended_while_the_triggerer_was_down_is_found_in_the_list(
    lessonspace_connection, control, running, present
):
    ids = running(30)
    asked_at = present.timestamp()
    triggers = [a_trigger(lessonspace_connection, session_id=i, asked_at=asked_at) for i in ids]
    for session_id in ids:
        control.end_session(session_id)
    again = [made_again(trigger) for trigger in triggers]

    async def scenario():
        return await asyncio.gather(*(fired(trigger) for trigger in again))

    assert [event["session_id"] for event in asyncio.run(scenario())] == ids
    assert not [call for call in control.calls() if call.path.endswith(f"{ids[0]}/")]


def test_without_a_check_before_it_the_trigger_checks_once(lessonspace_connection, control, present):
    long_ago = present - timedelta(days=2)
    session_id = control.add_session(long_ago, long_ago + timedelta(hours=1), users=["Ann", "Ben"])
    event = asyncio.run(fired(a_trigger(lessonspace_connection, session_id=session_id)))
    assert event["status"] == "ended"
    assert lists(control) == 0


def test_what_the_list_missed_is_found_by_the_slow_confirmation(lessonspace_connection, control, present, monkeypatch):
    monkeypatch.setattr(shared, "CONFIRM_AFTER", 0.0)
    long_ago = present - timedelta(days=2)
    session_id = control.add_session(long_ago, long_ago + timedelta(hours=1), users=["Ann", "Ben"])
    trigger = a_trigger(lessonspace_connection, session_id=session_id, asked_at=present.timestamp())
    assert asyncio.run(fired(trigger))["status"] == "ended"
    assert lists(control) >= shared.POLLS_PER_CONFIRMATION


def test_confirmations_are_spread_over_the_polls(lessonspace_connection, control, running, monkeypatch):
    monkeypatch.setattr(shared, "CONFIRM_AFTER", 0.0)
    ids = running(20)

    async def scenario():
        asked_at = 4e9  # nothing on the list is new
        waiting = [
            asyncio.create_task(fired(a_trigger(lessonspace_connection, session_id=i, asked_at=asked_at))) for i in ids
        ]
        await until(lambda: lists(control) >= 12)
        await cancelled(waiting)

    asyncio.run(scenario())
    asked = [call.path for call in control.calls() if not call.path.endswith(("sessions/", "/my-organisation/"))]
    assert 0 < len(asked) <= lists(control) / shared.POLLS_PER_CONFIRMATION + 1
    assert len(set(asked)) == len(asked)


async def cancelled(tasks):
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def names_of_threads():
    return [thread.name for thread in threading.enumerate()]


def test_the_last_waiter_that_leaves_stops_the_poll(lessonspace_connection, control, running, present):
    ids = running(3)

    async def scenario():
        asked_at = present.timestamp()
        waiting = [
            asyncio.create_task(fired(a_trigger(lessonspace_connection, session_id=i, asked_at=asked_at))) for i in ids
        ]
        await until(lambda: lists(control) >= 1)
        await cancelled(waiting[:2])
        so_far = lists(control)
        await until(lambda: lists(control) >= so_far + 2)
        await cancelled(waiting[2:])
        assert not shared._shared
        await until(lambda: f"lessonspace-{lessonspace_connection}" not in names_of_threads())
        at_the_end = lists(control)
        await asyncio.sleep(3 * INTERVAL)
        assert lists(control) == at_the_end

    asyncio.run(scenario())


def test_one_bad_poll_wakes_no_one(lessonspace_connection, control, running, present):
    (session_id,) = running(1)
    control.inject_fault("status", status=403, body='{"detail": "Not now."}', path=LIST, count=3)

    async def scenario():
        waiting = asyncio.create_task(
            fired(a_trigger(lessonspace_connection, session_id=session_id, asked_at=present.timestamp()))
        )
        await until(lambda: lists(control) >= 5)
        assert not waiting.done()
        control.end_session(session_id)
        return await waiting

    assert asyncio.run(scenario())["status"] == "ended"


def test_too_many_bad_polls_end_in_an_error_that_names_what_failed(lessonspace_connection, control, running, present):
    ids = running(2)
    control.inject_fault("status", status=403, body='{"detail": "Not now."}', path=LIST)

    async def scenario():
        asked_at = present.timestamp()
        return await asyncio.gather(
            *(fired(a_trigger(lessonspace_connection, session_id=i, asked_at=asked_at)) for i in ids)
        )

    for event in asyncio.run(scenario()):
        assert event["status"] == "error"
        assert event["reason"] == "LessonspaceAuthError"
        assert "403" in event["message"]
        assert "/sessions/" in event["message"]
    assert lists(control) >= shared.FAILURES_ALLOWED


def test_an_outage_ends_no_wait_while_it_may_pass(lessonspace_connection, control, running, present, monkeypatch):
    monkeypatch.setattr(shared, "FAILURES_ALLOWED", 1)
    (session_id,) = running(1)
    control.inject_fault("status", status=503, path=LIST)

    async def scenario():
        waiting = asyncio.create_task(
            fired(a_trigger(lessonspace_connection, session_id=session_id, asked_at=present.timestamp()))
        )
        await until(lambda: lists(control) >= 20)
        assert not waiting.done()
        control.end_session(session_id)
        control.clear_faults()
        return await waiting

    assert asyncio.run(scenario())["status"] == "ended"


def test_an_outage_that_lasts_too_long_ends_in_an_error_that_reports_it(
    lessonspace_connection, control, running, present, monkeypatch
):
    monkeypatch.setattr(shared, "FAILURES_ALLOWED", 2)
    monkeypatch.setattr(shared, "OUTAGE_ALLOWED", 0.0)
    (session_id,) = running(1)
    control.inject_fault("status", status=503, path=LIST)
    event = asyncio.run(fired(a_trigger(lessonspace_connection, session_id=session_id, asked_at=present.timestamp())))
    assert (event["status"], event["reason"]) == ("error", "LessonspaceServerError")
    assert "503" in event["message"]


def test_a_connection_that_is_not_there_ends_in_an_error_that_names_it(running, monkeypatch):
    event = asyncio.run(fired(a_trigger("no_such_connection", session_id=running(1)[0])))
    assert event["status"] == "error"
    assert "no_such_connection" in event["message"]


ODD_IDS = {
    "unhashable": {"uuid": '["x"]'},
    "hostile": {"uuid": '"{{ conn.smtp_default.password }}"', "name": f'"{"x" * 100_000}"'},
}
ODD_ENDS = {"no time": {"end_time": '"10:"'}, "huge": {"end_time": f'"{"1" * 100_000}"'}}


async def events_of_odd_sessions(connection, control, present, odd, good=()):
    """Wait for sessions, let some become odd, and end all; the events in their order, the odd ones first."""
    waiting = [
        asyncio.create_task(fired(a_trigger(connection, session_id=i, asked_at=present.timestamp())))
        for i in [*odd, *good]
    ]
    await until(lambda: lists(control) >= 1)
    for session_id, fields in zip(odd, [*ODD_ENDS.values(), *ODD_IDS.values()]):
        control.set_raw_fields(session_id, fields)
    for session_id in [*odd, *good]:
        control.end_session(session_id)
    if good:
        await asyncio.gather(*waiting[len(odd) :])
        await cancelled(waiting[len(ODD_ENDS) : len(odd)])
    return await asyncio.gather(*waiting, return_exceptions=True)


def test_odd_sessions_in_the_poll_stop_no_wait_for_others(lessonspace_connection, control, running, present):
    good, odd = running(4), running(len(ODD_ENDS | ODD_IDS))
    events = asyncio.run(events_of_odd_sessions(lessonspace_connection, control, present, odd, good))
    assert [(event["status"], event["session_id"]) for event in events[len(odd) :]] == [("ended", i) for i in good]
    no_time, huge = events[:2]
    assert [(event["status"], event["session_id"]) for event in (no_time, huge)] == [("error", i) for i in odd[:2]]
    assert f"Session {odd[0]} has the end_time '10:'" in no_time["message"]
    assert len(huge["message"]) < 500
    assert len(control.calls(path=f"{odd[0]}/$")) == shared.FAILURES_ALLOWED


def test_a_session_that_lists_name_wrongly_is_found_by_a_check_of_its_own(
    lessonspace_connection, control, running, present, monkeypatch
):
    monkeypatch.setattr(shared, "CONFIRM_AFTER", 0.0)
    odd = running(len(ODD_ENDS | ODD_IDS))
    events = asyncio.run(events_of_odd_sessions(lessonspace_connection, control, present, odd))
    found = events[len(ODD_ENDS) :]
    assert [(event["status"], event["session_id"]) for event in found] == [("ended", i) for i in odd[len(ODD_ENDS) :]]
    assert max(len(str(event)) for event in found) < 1_000


def test_the_loop_continues_while_a_call_is_slow(lessonspace_connection, control, running, present):
    (session_id,) = running(1)
    control.inject_fault("slow", seconds=2.0, path=LIST, count=1)

    def is_under_way():
        calls = control.calls(path=LIST)
        return bool(calls) and calls[0].status is None

    async def scenario():
        waiting = asyncio.create_task(
            fired(a_trigger(lessonspace_connection, session_id=session_id, asked_at=present.timestamp()))
        )
        await until(is_under_way)
        for _ in range(20):
            await asyncio.sleep(0.01)
        assert is_under_way()  # a loop that waits for the call would not have come here before its end
        control.end_session(session_id)
        await waiting

    asyncio.run(scenario())


def test_when_the_time_is_up_the_trigger_reports_what_it_found_last(lessonspace_connection, control, running, present):
    what = {"session_id": running(1)[0], "asked_at": present.timestamp()}

    async def scenario():
        timeout_at = (present + timedelta(seconds=2)).timestamp()
        event = await fired(a_trigger(lessonspace_connection, timeout_at=timeout_at, **what))
        assert not shared._shared
        return event

    event = asyncio.run(scenario())
    assert (event["status"], event["session"]) == ("timeout", None)
    assert "is not among those that have ended" in event["message"]


def test_a_wait_is_logged_now_and_then_and_not_with_each_poll(lessonspace_connection, control, running, present, capfd):
    (session_id,) = running(1)

    async def scenario():
        waiting = asyncio.create_task(
            fired(a_trigger(lessonspace_connection, session_id=session_id, asked_at=present.timestamp()))
        )
        await until(lambda: lists(control) >= 8)
        await cancelled([waiting])

    asyncio.run(scenario())
    (line,) = [line for line in "".join(capfd.readouterr()).splitlines() if session_id in line]
    assert "is not among those that have ended" in line
    assert "Next check at" in line


def test_when_the_time_is_up_in_an_outage_the_trigger_reports_that(lessonspace_connection, control, running, present):
    control.inject_fault("status", status=503, path=LIST)
    what = {"session_id": running(1)[0], "asked_at": present.timestamp()}
    timeout_at = (present + timedelta(seconds=2)).timestamp()
    event = asyncio.run(fired(a_trigger(lessonspace_connection, timeout_at=timeout_at, **what)))
    assert event["status"] == "timeout"
    assert "No check succeeded" in event["message"]
    assert "503" in event["message"]


def test_keywords_survive_the_way_to_the_triggerer(lessonspace_connection, present):
    what = {
        "space_id": "abc",
        "window_start": present,
        "window_end": present + timedelta(hours=1),
        "give_up_at": present.timestamp(),
        "asked_at": present.timestamp(),
        "timeout_at": present.timestamp(),
    }
    trigger = a_trigger(lessonspace_connection, **what)
    assert trigger.serialize()[0] == "lessonspace_provider.triggers.sessions.LessonspaceSessionEndTrigger"
    assert made_again(trigger).serialize() == trigger.serialize()


@pytest.fixture
def lesson(present):
    return {"window_start": present - timedelta(hours=1), "window_end": present - timedelta(seconds=1)}


def test_a_lesson_is_over_when_its_session_is_and_needs_no_call_of_its_own(
    lessonspace_connection, control, present, lesson
):
    session_id = control.add_session(present - timedelta(minutes=50), users=["Ann", "Ben"], launch_id="algebra")
    space_id = next(truth.space_id for truth in control.sessions() if truth.session_id == session_id)

    async def scenario():
        asked_at = present.timestamp()
        waiting = asyncio.create_task(
            fired(a_trigger(lessonspace_connection, space_id=space_id, asked_at=asked_at, **lesson))
        )
        await until(lambda: lists(control) >= 2)
        control.end_session(session_id)
        return await waiting

    event = asyncio.run(scenario())
    assert (event["status"], event["session_id"]) == ("ended", session_id)
    assert all("space" not in dict(call.query) for call in control.calls(path=LIST))


def test_a_short_session_is_asked_about_once(lessonspace_connection, control, present, lesson):
    short = control.add_session(
        present - timedelta(minutes=50), present - timedelta(minutes=40), users=["Ann", "Ben"], launch_id="algebra"
    )
    space_id = next(truth.space_id for truth in control.sessions() if truth.session_id == short)
    running = control.add_session(present - timedelta(minutes=35), users=["Ann", "Ben"], space=space_id)
    asked_at = (lesson["window_end"] - timedelta(seconds=1)).timestamp()  # so that the list tells of the short one

    async def scenario():
        waiting = asyncio.create_task(
            fired(a_trigger(lessonspace_connection, space_id=space_id, asked_at=asked_at, **lesson))
        )
        await until(lambda: lists(control) >= 6)
        assert not waiting.done()
        control.end_session(running)
        return await waiting

    assert asyncio.run(scenario())["session_id"] == running
    assert len([call for call in control.calls(path=LIST) if "space" in dict(call.query)]) == 1


# Rooms that are only known by a launch id that was never used


def unfiltered_polls(control):
    return len([call for call in control.calls(path=LIST) if "end_time_after" in dict(call.query)])


def checks_by_launch_id(control):
    return [dict(call.query)["launch_id"] for call in control.calls(path=LIST) if "launch_id" in dict(call.query)]


def test_lessons_in_new_rooms_end_within_two_polls_for_a_call_each(lessonspace_connection, control, present, lesson):
    rooms = [f"new-room-{number}" for number in range(8)]
    what = {"asked_at": present.timestamp(), **lesson}

    async def scenario():
        waiting = [
            asyncio.create_task(fired(a_trigger(lessonspace_connection, launch_id=room, **what))) for room in rooms
        ]
        await until(lambda: unfiltered_polls(control) >= 3)
        assert checks_by_launch_id(control) == []
        before = unfiltered_polls(control)
        for room in rooms:
            control.add_session(present - timedelta(minutes=50), present, users=["Ann", "Ben"], launch_id=room)
        events = await asyncio.gather(*waiting)
        return events, unfiltered_polls(control) - before

    events, polls = asyncio.run(scenario())
    assert {event["status"] for event in events} == {"ended"}
    assert polls <= 3, "one may have been under way"
    assert sorted(checks_by_launch_id(control)) == rooms


def test_a_check_of_a_new_room_that_failed_is_made_again(lessonspace_connection, control, present, lesson):
    what = {"asked_at": present.timestamp(), "launch_id": "new-room", **lesson}

    async def scenario():
        waiting = asyncio.create_task(fired(a_trigger(lessonspace_connection, **what)))
        await until(lambda: unfiltered_polls(control) >= 2)
        control.inject_fault("status", status=403, path=LIST, count=2)
        control.add_session(present - timedelta(minutes=50), present, users=["Ann", "Ben"], launch_id="new-room")
        return await waiting

    assert asyncio.run(scenario())["status"] == "ended"


def test_a_new_room_is_learned_while_its_lesson_runs_and_its_end_costs_no_call(
    lessonspace_connection, control, present, lesson
):
    start = present - timedelta(minutes=50)
    what = {"asked_at": present.timestamp(), **lesson}

    async def scenario():
        waiting = asyncio.create_task(fired(a_trigger(lessonspace_connection, launch_id="new-room", **what)))
        await until(lambda: unfiltered_polls(control) >= 2)
        running = control.add_session(start, users=["Ann", "Ben"], launch_id="new-room")
        control.add_session(start, present, users=["Cleo", "Dan"], launch_id="elsewhere")
        await until(lambda: checks_by_launch_id(control) == ["new-room"])
        so_far = unfiltered_polls(control)
        await until(lambda: unfiltered_polls(control) >= so_far + 3)
        assert not waiting.done()
        control.end_session(running)
        return (await waiting)["session_id"] == running

    assert asyncio.run(scenario())
    assert checks_by_launch_id(control) == ["new-room"]


def test_rooms_that_are_waited_for_wake_no_other_waiter(lessonspace_connection, control, present, lesson):
    first = control.add_session(present - timedelta(days=7), present - timedelta(days=7, hours=-1), launch_id="known")
    room = next(truth for truth in control.sessions() if truth.session_id == first)
    what = {"asked_at": present.timestamp(), **lesson}

    async def scenario():
        unknown = asyncio.create_task(fired(a_trigger(lessonspace_connection, launch_id="new-room", **what)))
        known = asyncio.create_task(
            fired(a_trigger(lessonspace_connection, space_id=room.room_id, min_participants=3, **what))
        )
        await until(lambda: unfiltered_polls(control) >= 2)
        control.add_session(present - timedelta(minutes=50), present, users=["Ann", "Ben"], space=room.space_id)
        so_far = unfiltered_polls(control)
        await until(lambda: unfiltered_polls(control) >= so_far + 4)
        await cancelled([unknown, known])

    asyncio.run(scenario())
    assert checks_by_launch_id(control) == []


def test_waiters_for_one_new_room_learn_it_from_each_other(lessonspace_connection, control, present, lesson):
    later = {"window_start": present - timedelta(minutes=1), "window_end": present + timedelta(hours=1)}

    async def scenario():
        async with shared.shared_connection(lessonspace_connection) as connection:
            what = {"launch_id": "new-room", "asked_at": present.timestamp()}
            second = asyncio.create_task(fired(a_trigger(lessonspace_connection, **what, **later)))
            first = asyncio.create_task(fired(a_trigger(lessonspace_connection, **what, **lesson)))
            await until(lambda: unfiltered_polls(control) >= 2)
            control.add_session(present - timedelta(minutes=50), present, users=["Ann", "Ben"], launch_id="new-room")
            await first
            assert set(connection.spaces_of_launches) == {"new-room"}
            await cancelled([second])

    asyncio.run(scenario())
    assert checks_by_launch_id(control) == ["new-room"]


def test_a_lesson_that_no_one_came_to_ends_after_a_check_of_its_own(lessonspace_connection, control, lesson):
    give_up_at = lesson["window_end"].timestamp()
    trigger = a_trigger(
        lessonspace_connection, launch_id="nobody", give_up_at=give_up_at, asked_at=give_up_at, **lesson
    )
    event = asyncio.run(fired(trigger))
    assert event["status"] == "no_session"
    assert "in the room with launch_id='nobody' between" in event["message"]
    assert repr(lessonspace_connection) in event["message"]
    assert event["session"] is None
    assert len([call for call in control.calls(path=LIST) if "launch_id" in dict(call.query)]) == 1
