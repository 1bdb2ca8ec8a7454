# SPDX-License-Identifier: Apache-2.0
"""The transcripts of one space under a real Airflow, against the sandbox."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from tests.integration.conftest import load_dag

NOW = datetime.now(timezone.utc)


def test_the_transcripts_of_a_space_are_written_and_what_has_none_is_skipped(
    run_dag, xcom, lessonspace_connection, lessonspace_sandbox, monkeypatch, tmp_path
):
    monkeypatch.setenv("AIRFLOW_VAR_LESSONSPACE_SPACE_TRANSCRIPTS", f"file://{tmp_path}")
    control = lessonspace_sandbox.control
    control.reset(sessions_per_day=0)

    def add(days, minutes=50, users=("Ann", "Ben"), space="7b", **more):
        end = NOW - timedelta(days=days)
        return control.add_session(end - timedelta(minutes=minutes), end, users=users, space=space, **more)

    # A name that Airflow would render, if it rendered the sessions of the list.
    there = add(1, space=None, launch_id="7b", transcript="ready", name="{{ conn.lessonspace_default.password }}")
    add(2, transcript="never")
    for other in ({"days": 4}, {"days": 1, "minutes": 4}, {"days": 1, "users": ["Ann"]}):
        add(**{"transcript": "ready", **other})
    add(1, space=None, launch_id="8a", transcript="ready")
    space_id = next(truth.space_id for truth in control.sessions() if truth.session_id == there)

    run = run_dag(load_dag("space_transcripts"), space_id=space_id, days=3)
    assert run.state == "success"
    (file,) = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert file.name == f"{there}.txt"
    assert "Ann" in file.read_text()
    states = [instance.state for instance in run.get_task_instances() if instance.task_id == "transcripts"]
    assert sorted(states) == ["skipped", "success"]
    written = [value for value in (xcom(run, "transcripts", map_index=index) for index in (0, 1)) if value]
    assert written == [[f"file://{file}"]]
    paths = [call.path for call in control.calls() if call.target == "api" and there in call.path]
    assert len(paths) == 1  # its transcript: the list knew the path of its file
