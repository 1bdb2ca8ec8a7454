# SPDX-License-Identifier: Apache-2.0
"""The operators for sessions under a real Airflow: templated, mapped, and what they leave in XCom."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone

from lessonspace_provider.hooks.lessonspace import LessonspaceHook
from tests.integration.conftest import load_dag

NOON = datetime.now(timezone.utc).replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days=2)


def test_every_session_is_locked_and_its_link_delivered_and_no_link_is_in_xcom(
    run_dag, xcom, lessonspace_connection, lessonspace_sandbox, tmp_path, monkeypatch
):
    control = lessonspace_sandbox.control
    first = control.add_session(NOON, NOON + timedelta(hours=1), name="Algebra", launch_id="class-7b")
    second = control.add_session(NOON + timedelta(days=1), NOON + timedelta(days=1, hours=1), space="class-7b")
    names = {first: "Algebra", second: "Geometry"}
    LessonspaceHook().update_session(second, name="Geometry")
    monkeypatch.setenv("AIRFLOW_VAR_RECORDINGS_FOLDER", str(tmp_path))
    run = run_dag(load_dag("recordings_locked"))
    assert run.state == "success"
    listed = [entry["session_id"] for entry in xcom(run, "sessions")]
    assert sorted(listed) == sorted(names)
    locked, recordings = [[xcom(run, task, map_index=index) for index in (0, 1)] for task in ("lock", "recording")]
    assert [entry["new"] for entry in locked] == [
        {"name": names[session_id], "recording_access_policy": ["admin"]} for session_id in listed
    ]
    assert recordings == [{"session_id": session_id, "delivered": True} for session_id in listed]
    assert "http" not in json.dumps([locked, recordings, xcom(run, "sessions")])

    assert {path.stem for path in tmp_path.iterdir()} == set(names)
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in tmp_path.iterdir())
    assert all(path.read_text().startswith("http") for path in tmp_path.iterdir())
    assert len(control.calls(method="PATCH")) == 3
