# SPDX-License-Identifier: Apache-2.0
"""Sensors under a real Airflow: poked, rescheduled or deferred, the same wait ends the same way."""

from __future__ import annotations

import asyncio
import json
from datetime import datetime, timedelta, timezone

import pytest
from airflow.sdk.definitions import dag as dag_module
from airflow.sdk.execution_time import supervisor, task_runner

import lessonspace_provider.sensors.transcripts  # noqa: F401 - its defaults are made before they are patched here
from lessonspace_provider.hooks.lessonspace import LessonspaceHook
from tests.integration.conftest import load_dag

MODES = ("poke", "reschedule", "deferrable")

#: Cases with ``execution_timeout``, which a rescheduled sensor never reaches.
TASK_TIMEOUTS = ("task_timeout", "task_timeout_soft", "task_timeout_never")


@pytest.fixture(autouse=True)
def short_waits(monkeypatch):
    """Nobody waits longer than the tests have time for."""
    from lessonspace_provider.triggers.transcripts import LessonspaceTranscriptTrigger

    monkeypatch.setattr("lessonspace_provider.waiting.awaited.SHORTEST_INTERVAL", 0.2)
    monkeypatch.setattr("lessonspace_provider.api.retries._backoff", lambda _: 0.0)
    monkeypatch.setattr("lessonspace_provider.waiting.transcripts.FIRST_PAUSE", timedelta(seconds=0.3))
    monkeypatch.setitem(LessonspaceTranscriptTrigger.__init__.__kwdefaults__, "poll_interval", 0.2)


class _UntilTimeout:
    """
    A trigger that is given up as a scheduler would do it: ``dag.test()`` runs one as long as it likes.

    :param deferral: what the task sent when it deferred; a scheduler lets it fail by these two fields.
    """

    def __init__(self, trigger, deferral):
        self._trigger = trigger
        self._deferral = deferral

    async def run(self):
        try:
            yield await asyncio.wait_for(anext(self._trigger.run()), self._deferral.trigger_timeout.total_seconds())
        except asyncio.TimeoutError:
            self._deferral.next_method = "__fail__"
            self._deferral.next_kwargs = {"error": "Trigger timeout"}


@pytest.fixture(autouse=True)
def deferred(monkeypatch):
    """Let inline triggers time out; the ids of the tasks that were deferred."""
    run_task, run_trigger, deferrals = supervisor.run_task_in_process, dag_module._run_inline_trigger, {}

    def run_and_remember(ti, task):
        result = run_task(ti=ti, task=task)
        if type(result.msg).__name__ == "DeferTask":
            deferrals.pop(ti.task_id, None)
            deferrals[ti.task_id] = result.msg
        return result

    def run_until_timeout(trigger, *ti):
        # ``dag.test()`` runs a trigger as soon as its task has deferred; that of Airflow 3.0 does not say which it was.
        return run_trigger(_UntilTimeout(trigger, next(reversed(deferrals.values()))), *ti)

    monkeypatch.setattr(supervisor, "run_task_in_process", run_and_remember)
    monkeypatch.setattr(dag_module, "_run_inline_trigger", run_until_timeout)
    return deferrals.keys()


@pytest.fixture(autouse=True)
def times_of_first_pokes(monkeypatch):
    """Let ``dag.test()`` tell a rescheduled task a time: that of Airflow 3.0 tells it a text, and no scheduler does."""
    first = task_runner.RuntimeTaskInstance.get_first_reschedule_date

    def as_time(self, context):
        told = first(self, context)
        return datetime.fromisoformat(told.replace("Z", "+00:00")) if isinstance(told, str) else told

    monkeypatch.setattr(task_runner.RuntimeTaskInstance, "get_first_reschedule_date", as_time)


@pytest.fixture
def ends_when_seen(monkeypatch, lessonspace_sandbox):
    """
    Sessions that end when somebody has seen them running so often: nobody has to guess how long a look takes.

    :return: how often, by uuid; to be filled by the test.
    """
    times, get_session = {}, LessonspaceHook.get_session

    def get_and_end(self, session_id):
        session = get_session(self, session_id)
        if session_id in times:
            times[session_id] -= 1
            if times[session_id] == 0:
                lessonspace_sandbox.control.end_session(session_id)
        return session

    monkeypatch.setattr(LessonspaceHook, "get_session", get_and_end)
    return times


@pytest.fixture
def awaited(monkeypatch):
    """Tell the DAG which sessions its tasks wait for."""

    def tell(**sessions):
        monkeypatch.setenv("AIRFLOW_VAR_AWAITED_SESSIONS", json.dumps(sessions))

    return tell


def result_of(truth):
    """What a sensor is to return of a session that has ended."""
    return {
        "session_id": truth.session_id,
        "space_id": truth.space_id,
        "participants": len(truth.user_ids) + truth.guests,
        "end_time": truth.end_time.isoformat().replace("+00:00", "Z"),
    }


def test_every_wait_ends_the_same_way_in_all_modes(
    run_dag, xcom, lessonspace_connection, lessonspace_sandbox, awaited, ends_when_seen, deferred
):
    control, now = lessonspace_sandbox.control, datetime.now(timezone.utc)
    hour_ago = now - timedelta(hours=1)
    control.add_session(now - timedelta(days=7), now - timedelta(days=7, hours=-1), launch_id="empty-room")
    lesson = control.add_session(now - timedelta(minutes=50), now - timedelta(minutes=1), launch_id="lesson-room")
    sessions = {"room": next(truth.room_id for truth in control.sessions() if truth.session_id == lesson)}
    for mode in MODES:
        for case in ("session", "timeout", "timeout_soft", "timeout_never", *TASK_TIMEOUTS, "no_connection"):
            sessions[f"{case}.{mode}"] = control.add_session(hour_ago)
        ends_when_seen[sessions[f"session.{mode}"]] = 1
        for case in ("refused", "refused_soft", "refused_never"):
            sessions[f"{case}.{mode}"] = control.add_session(hour_ago, now)
            control.inject_fault("status", status=401, path=sessions[f"{case}.{mode}"])
        sessions[f"outage.{mode}"] = control.add_session(hour_ago, now)
        # One more than a look tries.
        control.inject_fault("status", status=503, count=6, path=sessions[f"outage.{mode}"])
    awaited(**sessions)

    dag = load_dag("sensor_modes")
    run = run_dag(dag)

    truths = {truth.session_id: truth for truth in control.sessions()}
    names = result_of(truths[lesson]).keys()

    def outcome(task_id):
        instance, result = run.get_task_instance(task_id), xcom(run, task_id)
        return instance.state, instance.try_number, result and {name: result[name] for name in names}

    def in_all_modes(state, tries=1):
        return dict.fromkeys(MODES, (state, tries, None))

    def at_once_and_deferred(state, tries=1):
        return dict.fromkeys(("poke", "deferrable"), (state, tries, None))

    def told(case):
        return {mode: ("success", 1, result_of(truths[sessions[f"{case}.{mode}"]])) for mode in MODES}

    cases = dict.fromkeys(task.task_id.partition(".")[0] for task in dag.tasks)
    tasks = dag.task_dict
    outcomes = {
        case: {mode: outcome(f"{case}.{mode}") for mode in MODES if f"{case}.{mode}" in tasks} for case in cases
    }
    assert outcomes == {
        "session": told("session"),
        "lesson": dict.fromkeys(MODES, ("success", 1, result_of(truths[lesson]))),
        "no_session": in_all_modes("failed"),
        "no_session_soft": in_all_modes("skipped"),
        "no_session_never": in_all_modes("skipped"),
        "no_session_skip": in_all_modes("skipped"),
        "no_session_wait": in_all_modes("failed"),
        "timeout": in_all_modes("failed"),
        "timeout_soft": in_all_modes("skipped"),
        "timeout_never": in_all_modes("skipped"),
        "task_timeout": at_once_and_deferred("failed", tries=2),
        "task_timeout_soft": at_once_and_deferred("skipped"),
        "task_timeout_never": at_once_and_deferred("skipped"),
        "refused": in_all_modes("failed"),
        "refused_soft": in_all_modes("skipped"),
        "refused_never": in_all_modes("skipped"),
        "outage": told("outage"),
        "bad_input": in_all_modes("failed", tries=2),
        "no_connection": in_all_modes("failed", tries=2),
    }
    settled_at_once = ("refused", "bad_input", "no_connection")
    assert set(deferred) == {f"{case}.deferrable" for case in cases if not case.startswith(settled_at_once)}


def test_a_transcript_is_waited_for_from_the_running_session_on(
    run_dag, xcom, lessonspace_connection, lessonspace_sandbox, awaited, ends_when_seen, deferred, monkeypatch
):
    control, looks = lessonspace_sandbox.control, []
    session_id = control.add_session(datetime.now(timezone.utc) - timedelta(minutes=40), transcript_delay=86400)
    ends_when_seen[session_id] = 1
    awaited(wait=session_id)
    has_transcript = LessonspaceHook.has_transcript

    def look_and_make_ready(self, session_id):
        looks.append(has_transcript(self, session_id))
        if len(looks) == 2:
            control.set_transcript(session_id, "ready")
        return looks[-1]

    monkeypatch.setattr(LessonspaceHook, "has_transcript", look_and_make_ready)
    run = run_dag(load_dag("transcript_sensor"))
    assert run.state == "success"
    assert xcom(run, "wait") == session_id
    assert set(deferred) == {"wait"}
    assert looks == [False, False, True]
    assert len(control.calls(path=f"{session_id}/$")) == 2, "by the worker while it ran, by the triggerer for its end"
    assert control.calls(path=r"/sessions/$"), "its end was found in the list"


def test_a_fetch_that_waits_ends_at_execution_timeout_and_has_its_retries(
    run_dag, lessonspace_connection, lessonspace_sandbox, awaited, deferred
):
    now = datetime.now(timezone.utc)
    session_id = lessonspace_sandbox.control.add_session(
        now - timedelta(hours=2), now - timedelta(hours=1), users=["Ann", "Ben"], transcript="never"
    )
    awaited(fetch=session_id)
    instance = run_dag(load_dag("transcript_wait")).get_task_instance("fetch")
    assert (instance.state, instance.try_number) == ("failed", 2)
    assert set(deferred) == {"fetch"}
