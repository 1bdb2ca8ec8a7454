# SPDX-License-Identifier: Apache-2.0
"""Ways to wait in a triggerer for a session's end: this provider's trigger, and those of the http provider."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Literal

from lessonspace_provider.sandbox.settings import ORGANISATION_ID

if TYPE_CHECKING:
    from airflow.triggers.base import BaseTrigger

    from benchmarks.shared.servers import RunningSandbox

Way = Literal["shared", "http_event", "http_recording", "http_session"]

WAYS: dict[Way, str] = {
    "shared": "this provider's trigger",
    "http_event": "HttpEventTrigger on the session, with a check of its own",
    "http_recording": "HttpSensorTrigger on the recording's link",
    "http_session": "HttpSensorTrigger on the session",
}

CONN_ID = "benchmark"

#: A trigger as it is stored in Airflow's database: where its class is, and its keywords.
Serialized = tuple[str, dict[str, Any]]


def connection(way: Way, server: RunningSandbox, rate: int) -> dict[str, str]:
    """Write the connection as an environment variable, as a triggerer would find it."""
    if way == "shared":
        extra: dict[str, object] = {"organisation_id": ORGANISATION_ID, "rate_limit_per_second": rate}
        written = {"conn_type": "lessonspace", "password": server.api_key, "extra": extra}
    else:
        written = {"conn_type": "http", "extra": {"Authorization": f"Organisation {server.api_key}"}}
    return {f"AIRFLOW_CONN_{CONN_ID.upper()}": json.dumps({**written, "host": server.base_url})}


def serialized(way: Way, session_id: str, interval: float, asked_at: float) -> Serialized:
    """
    Make a trigger as a task that defers does, and give what Airflow stores of it.

    :param interval: seconds between two checks.
    :param asked_at: epoch seconds of the sensor's first check, on the worker, when the session was running.
    """
    classpath, keywords = _trigger(way, session_id, interval, asked_at).serialize()
    return classpath, json.loads(json.dumps(keywords))


def _trigger(way: Way, session_id: str, interval: float, asked_at: float) -> BaseTrigger:
    session = f"organisations/{ORGANISATION_ID}/sessions/{session_id}/"
    if way == "shared":
        from lessonspace_provider.triggers.sessions import LessonspaceSessionEndTrigger

        return LessonspaceSessionEndTrigger(
            lessonspace_conn_id=CONN_ID, poll_interval=interval, session_id=session_id, asked_at=asked_at
        )
    from airflow.providers.http.triggers.http import HttpEventTrigger, HttpSensorTrigger

    if way == "http_event":
        check = "benchmarks.waiting.session_check.has_ended"
        return HttpEventTrigger(check, http_conn_id=CONN_ID, endpoint=session, poll_interval=interval)
    endpoint = session if way == "http_session" else f"{session}playback/"
    return HttpSensorTrigger(http_conn_id=CONN_ID, endpoint=endpoint, poke_interval=interval)
