# SPDX-License-Identifier: Apache-2.0
"""Metrics of a real worker and triggerer arrive at a StatsD server."""

from __future__ import annotations

import json
import shutil
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from tests.integration.services import AirflowServices
from tests.integration.statsd_listener import statsd_listener
from tests.metrics import METRICS

DAGS = Path(__file__).parent / "files"
REQUESTS, SESSIONS = "airflow.lessonspace.api.requests.", "airflow.lessonspace.archive.sessions."
WAITERS = "airflow.lessonspace.triggerer.waiters"


@pytest.fixture
def statsd():
    with statsd_listener() as listener:
        yield listener


@pytest.fixture
def control(lessonspace_sandbox):
    lessonspace_sandbox.control.reset(days=0, sessions_per_day=0)
    return lessonspace_sandbox.control


@pytest.fixture
def running(control):
    """A session that runs, beside one that ended yesterday and has a transcript, and one that has none yet."""
    yesterday = datetime.now(timezone.utc).replace(hour=0, minute=30) - timedelta(days=1)
    for number, delay in enumerate((0, 10**7)):
        began = yesterday + timedelta(hours=number)
        ended = began + timedelta(minutes=40)
        control.add_session(began, end=ended, users=["Ann", "Ben"], transcribe=True, transcript_delay=delay)
    return control.add_session(datetime.now(timezone.utc), users=["Ann", "Ben"], name="Emma's lesson")


@pytest.fixture
def airflow(tmp_path, lessonspace_sandbox, running, statsd):
    dags = tmp_path / "dags"
    dags.mkdir()
    text = (DAGS / "first_archive.py").read_text()
    (dags / "first_archive.py").write_text(
        text.replace('"0 2 * * *"', '"0 0 * * *"').replace('"retries": 3', '"retries": 0')
    )
    shutil.copy(DAGS / "wait_for_sessions.py", dags)
    connection = {
        "conn_type": "lessonspace",
        "host": lessonspace_sandbox.base_url,
        "password": lessonspace_sandbox.api_key,
    }
    settings = {
        **statsd.settings,
        "AIRFLOW_CONN_LESSONSPACE_DEFAULT": json.dumps(connection),
        "AIRFLOW_VAR_LESSONSPACE_ARCHIVE": f"file://{tmp_path}/archive",
        "SESSIONS_TO_WAIT_FOR": running,
    }
    home = tmp_path / "airflow"
    home.mkdir()
    with AirflowServices(home, dags, settings) as services:
        yield services


def test_metrics_of_tasks_and_triggers_arrive(airflow, control, running, statsd, lessonspace_sandbox):
    control.inject_fault("status", status=429, count=1)
    control.inject_fault("status", status=503, count=1)
    airflow.wait_for("deferred task", lambda: statsd.gauges[WAITERS] and statsd.gauges[WAITERS][-1] == 1)
    airflow.wait_for("poll", lambda: statsd.gauges["airflow.lessonspace.triggerer.poll_lag"])
    control.end_session(running)
    airflow.wait_for("end of the wait", lambda: statsd.gauges[WAITERS][-1] == 0)
    airflow.wait_for("archive", lambda: statsd.gauges["airflow.lessonspace.archive.oldest_pending"])

    assert {name: number for name, number in statsd.counters.items() if name.startswith(SESSIONS)} == {
        f"{SESSIONS}archived": 1,
        f"{SESSIONS}pending": 1,
    }
    (oldest,) = statsd.gauges["airflow.lessonspace.archive.oldest_pending"]
    assert 0 < oldest < 2 * 86_400
    calls = control.calls(target="api")
    answered = {status: sum(call.status == status for call in calls) for status in (200, 404, 429, 503)}
    counted = {status: statsd.counters[f"{REQUESTS}{status}"] for status in (200, 404, 429)}
    counted[503] = statsd.counters[f"{REQUESTS}5xx"]
    assert counted == answered
    assert answered[429] >= 1 <= answered[503]
    waits = statsd.timers["airflow.lessonspace.rate_limit.wait"]
    assert len(waits) == len(calls)
    assert max(waits) > 0

    prefixes = tuple(metric.name.removesuffix("<status>") for metric in METRICS)
    names = statsd.names()
    assert all(name.startswith(prefixes) for name in names)
    assert all(any(name.startswith(prefix) for name in names) for prefix in prefixes), "each metric is sent"
    ours = "\n".join(line for line in statsd.lines if "lessonspace." in line)
    for word in (lessonspace_sandbox.api_key, running, "Emma", "Ann", "lessonspace_default"):
        assert word not in ours
