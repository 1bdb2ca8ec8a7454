# SPDX-License-Identifier: Apache-2.0
"""A DAG for the tests: the same waits poked, rescheduled and deferred, one task for each."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from functools import cache

from airflow.sdk import DAG

from lessonspace_provider.sensors.sessions import LessonspaceSessionEndSensor
from lessonspace_provider.waiting import awaited as waiting

MODES = {"poke": {"mode": "poke"}, "reschedule": {"mode": "reschedule"}, "deferrable": {"deferrable": True}}

ONE_SESSION = {"session_id": "{{ var.json.awaited_sessions[task.task_id] }}"}
LESSON = {"window_start": "{{ hour_before(task) }}", "window_end": "{{ soon(task) }}", "grace": 0.3}
EMPTY_ROOM = {"launch_id": "empty-room", **LESSON}
SOFT, NEVER = {"soft_fail": True}, {"never_fail": True}
SHORT = {"timeout": 0.5}
TASK_TIMEOUT = {"execution_timeout": timedelta(seconds=2)}
NO_CONNECTION = {"lessonspace_conn_id": "no_such_connection"}

#: By name of the case: what is waited for, and how.
CASES = {
    "session": ONE_SESSION,
    "lesson": {"space_id": "{{ var.json.awaited_sessions.room }}", **LESSON},
    "no_session": EMPTY_ROOM,
    "no_session_soft": {**EMPTY_ROOM, **SOFT},
    "no_session_never": {**EMPTY_ROOM, **NEVER},
    "no_session_skip": {**EMPTY_ROOM, "on_no_session": "skip"},
    "no_session_wait": {**EMPTY_ROOM, **SHORT, "on_no_session": "wait"},
    "timeout": {**ONE_SESSION, **SHORT},
    "timeout_soft": {**ONE_SESSION, **SHORT, **SOFT},
    "timeout_never": {**ONE_SESSION, **SHORT, **NEVER},
    "task_timeout": {**ONE_SESSION, **TASK_TIMEOUT},
    "task_timeout_soft": {**ONE_SESSION, **TASK_TIMEOUT, **SOFT},
    "task_timeout_never": {**ONE_SESSION, **TASK_TIMEOUT, **NEVER},
    "refused": ONE_SESSION,
    "refused_soft": {**ONE_SESSION, **SOFT},
    "refused_never": {**ONE_SESSION, **NEVER},
    "outage": ONE_SESSION,
    "bad_input": {"session_id": "12345"},
    "no_connection": {**ONE_SESSION, **NO_CONNECTION},
}


@cache
def soon(task_id: str) -> datetime:
    """When the window of a task ends: the same when it is rendered again, after it was rescheduled."""
    # Longer where the task is to defer, which it does not when the window has ended before it looks.
    return datetime.now(timezone.utc) + timedelta(seconds=3 if task_id.endswith(".deferrable") else 0.2)


with DAG(
    "sensor_modes",
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    schedule=None,
    user_defined_macros={
        "soon": lambda task: soon(task.task_id).isoformat(),
        "hour_before": lambda task: (soon(task.task_id) - timedelta(hours=1)).isoformat(),
    },
    default_args={
        "poke_interval": waiting.SHORTEST_INTERVAL,
        "timeout": 60,
        "retries": 1,
        "retry_delay": timedelta(0),
    },
) as dag:
    for case, parameters in CASES.items():
        for mode, way in MODES.items():
            if mode == "reschedule" and "execution_timeout" in parameters:
                continue  # Airflow counts each poke of such a sensor by itself
            LessonspaceSessionEndSensor(task_id=f"{case}.{mode}", **way, **parameters)
