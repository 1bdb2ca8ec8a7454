# SPDX-License-Identifier: Apache-2.0
"""Waiting for a transcript in the triggerer."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from lessonspace_provider.triggers.transcripts import LessonspaceTranscriptTrigger
from tests.integration.triggers.conftest import INTERVAL, fired, lists, made_again, until


@pytest.fixture(autouse=True)
def quick_checks(monkeypatch):
    """Look again at once, in place of minutes after the session's end."""
    module = "lessonspace_provider.triggers.transcripts"
    monkeypatch.setattr(f"{module}.next_check_at", lambda _, ended_at, now, give_up_after: now)


def a_trigger(connection, session_id, **what):
    return LessonspaceTranscriptTrigger(
        **{
            "lessonspace_conn_id": connection,
            "session_id": session_id,
            "give_up_after": 7 * 86_400,
            "poll_interval": INTERVAL,
            **what,
        }
    )


def test_a_running_session_is_waited_for_with_the_shared_poll_then_its_transcript(
    lessonspace_connection, control, running
):
    (session_id,) = running(1)

    async def scenario():
        waiting = asyncio.create_task(fired(a_trigger(lessonspace_connection, session_id)))
        await until(lambda: lists(control) >= 3)
        assert len(control.calls(path=f"{session_id}/$")) == 1
        control.end_session(session_id)
        await until(lambda: len(control.calls(path="/transcript/")) >= 2)
        assert not waiting.done()
        control.set_transcript(session_id, "ready")
        return await waiting

    event = asyncio.run(scenario())
    assert (event["status"], event["session_id"]) == ("ready", session_id)
    assert len(control.calls(path=f"{session_id}/$")) == 2
    assert not control.calls(target="store")


@pytest.mark.parametrize(
    ("what", "reason"),
    [
        ({"users": ["Ann"]}, "one person"),
        ({"users": ["Ann", "Ben"], "minutes": 4}, "too short"),
    ],
)
def test_what_will_never_come_ends_the_wait_at_once_with_the_reason(
    lessonspace_connection, control, present, what, reason
):
    end = present - timedelta(hours=1)
    start = end - timedelta(minutes=what.pop("minutes", 50))
    session_id = control.add_session(start, end, **what)
    event = asyncio.run(fired(a_trigger(lessonspace_connection, session_id)))
    assert event["status"] == "not_eligible"
    assert reason in event["message"]
    assert not control.calls(path="/transcript/")


def test_it_gives_up(lessonspace_connection, control, present):
    end = present - timedelta(hours=1)
    session_id = control.add_session(end - timedelta(minutes=50), end, users=["Ann", "Ben"], transcript="never")
    event = asyncio.run(fired(a_trigger(lessonspace_connection, session_id, give_up_after=1800.0)))
    assert event["status"] == "given_up"
    assert "0:30:00" in event["message"]


def test_a_session_that_no_one_ever_joins_is_given_up_too(lessonspace_connection, control, present):
    unknown = "5b5f1a2c-3d4e-4f5a-8b9c-0d1e2f3a4b5c"
    long_ago = (present - timedelta(days=8)).timestamp()
    event = asyncio.run(fired(a_trigger(lessonspace_connection, unknown, began_at=long_ago)))
    assert event["status"] == "given_up"
    assert "no one ever joined" in event["message"]


def test_after_a_check_on_the_worker_the_session_is_not_asked_for(lessonspace_connection, control, present):
    end = present - timedelta(hours=1)
    session_id = control.add_session(end - timedelta(minutes=50), end, users=["Ann", "Ben"], transcript="ready")
    again = made_again(a_trigger(lessonspace_connection, session_id, ended_at=end.timestamp()))
    assert asyncio.run(fired(again))["status"] == "ready"
    assert not control.calls(path=f"{session_id}/$")


@pytest.mark.parametrize("has_ended", [False, True])
def test_when_the_time_is_up_it_reports_what_it_found_last(lessonspace_connection, control, present, has_ended):
    end = present - timedelta(hours=1)
    session_id = control.add_session(
        end - timedelta(minutes=50), end if has_ended else None, users=["Ann", "Ben"], transcript="never"
    )
    timeout_at = (present + timedelta(seconds=2)).timestamp()
    event = asyncio.run(fired(a_trigger(lessonspace_connection, session_id, timeout_at=timeout_at)))
    assert event["status"] == "timeout"
    assert ("is not ready yet, 1:00" if has_ended else "is not among those that have ended") in event["message"]


def test_failures_end_in_an_error_that_names_what_failed(lessonspace_connection, control, present, monkeypatch):
    monkeypatch.setattr("lessonspace_provider.triggers.transcripts.FIRST_PAUSE", timedelta(0))
    end = present - timedelta(hours=1)
    session_id = control.add_session(end - timedelta(minutes=50), end, users=["Ann", "Ben"])
    control.inject_fault("status", status=403, body='{"detail": "Not now."}')
    event = asyncio.run(fired(a_trigger(lessonspace_connection, session_id)))
    assert event["status"] == "error"
    assert "403" in event["message"]
