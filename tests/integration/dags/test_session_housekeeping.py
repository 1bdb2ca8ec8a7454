# SPDX-License-Identifier: Apache-2.0
"""The nightly housekeeping under a real Airflow, against the sandbox."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone

import pytest

from lessonspace_provider.hooks.lessonspace import LessonspaceHook
from tests.integration.conftest import load_dag

TODAY = datetime.now(timezone.utc).replace(hour=2, minute=0, second=0, microsecond=0) - timedelta(days=1)


@pytest.fixture
def sandbox(lessonspace_connection, lessonspace_sandbox):
    lessonspace_sandbox.control.reset(sessions_per_day=4)
    return lessonspace_sandbox


def ended_in(run, control):
    start, end = run.data_interval_start, run.data_interval_end
    return {truth.session_id for truth in control.sessions() if truth.end_time and start <= truth.end_time < end}


def test_every_session_of_the_interval_is_named_and_locked_and_a_second_run_sends_nothing(run_dag, xcom, sandbox):
    run = run_dag(load_dag("session_housekeeping"), TODAY)
    assert run.state == "success"
    ids = ended_in(run, sandbox.control)
    assert len(ids) > 1
    for session_id in ids:
        session = LessonspaceHook().get_session(session_id)
        assert session["name"] == f"{session['space']['name'] or 'Lesson'} {session['start_time'][:10]}"
        assert set(session["recording_access_policy"]) == {"teacher", "admin"}
    sent = [call.path.strip("/").split("/")[-1] for call in sandbox.control.calls(method="PATCH")]
    assert sorted(sent) == sorted(ids)
    assert "http" not in json.dumps([xcom(run, "sessions"), xcom(run, "changes")])

    assert run_dag(load_dag("session_housekeeping"), TODAY + timedelta(minutes=1)).state == "success"
    assert len(sandbox.control.calls(method="PATCH")) == len(ids)


def test_the_pattern_decides_who_is_locked_and_the_template_what_the_name_is():
    change = load_module_function("change")
    session = {"uuid": "a", "space": {"name": "Year 7b"}, "start_time": "2026-11-23T23:30:00Z", "tags": None}
    locked = ["teacher", "admin"]
    named = {"session_id": "a", "name": "Year 7b at 23:30"}
    assert change(session, "{space} at {time}", "^year") == {**named, "recording_access_policy": locked}
    assert change(session, "{space} at {time}", "junior") == {**named, "recording_access_policy": None}
    tagged = {**session, "tags": '{"age": "junior"}'}
    assert change(tagged, "{space}", "junior")["recording_access_policy"] == locked
    nameless = {**session, "space": {"name": None}}
    assert change(nameless, "{space} {date}", "junior") == {
        "session_id": "a",
        "name": "Lesson 2026-11-23",
        "recording_access_policy": locked,
    }


def test_a_name_that_is_a_template_for_airflow_stays_text(run_dag, lessonspace_connection, lessonspace_sandbox):
    control = lessonspace_sandbox.control
    control.reset(sessions_per_day=0)
    end = TODAY - timedelta(hours=3)
    room = "{{ conn.lessonspace_default.password }}"
    session_id = control.add_session(end - timedelta(hours=1), end, users=["Ann", "Ben"], launch_id=room)
    assert run_dag(load_dag("session_housekeeping"), TODAY + timedelta(minutes=2)).state == "success"
    session = LessonspaceHook().get_session(session_id)
    assert session["name"] == f"(( conn.lessonspace_default.password )) {session['start_time'][:10]}"


def load_module_function(name):
    changes = load_dag("session_housekeeping").get_task("changes")
    return changes.python_callable.__globals__[name]
