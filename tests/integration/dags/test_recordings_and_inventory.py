# SPDX-License-Identifier: Apache-2.0
"""The review of recordings and the inventory under a real Airflow, against the sandbox."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone

from tests.integration.conftest import load_dag

TODAY = datetime.now(timezone.utc).replace(hour=6, minute=0, second=0, microsecond=0) - timedelta(days=1)


def test_each_recorded_session_is_handed_to_the_reviewer_and_no_link_lies_in_xcom(
    run_dag, xcom, lessonspace_connection, lessonspace_sandbox, monkeypatch, tmp_path
):
    monkeypatch.setenv("AIRFLOW_VAR_LESSONSPACE_REVIEW_FOLDER", str(tmp_path / "review"))
    control = lessonspace_sandbox.control
    control.reset(sessions_per_day=0)
    end = TODAY - timedelta(hours=3)
    recorded = control.add_session(end - timedelta(hours=1), end, users=["Ann", "Ben"], launch_id="a")
    control.add_session(end - timedelta(hours=1), end, users=["Cem", "Dee"], launch_id="b", recorded=False)
    run = run_dag(load_dag("recordings_review"), TODAY)
    assert run.state == "success"
    (file,) = (tmp_path / "review").iterdir()
    assert file.name == f"{recorded}.txt"
    assert file.read_text().startswith("http")
    assert file.stat().st_mode & 0o077 == 0
    assert xcom(run, "hand_over", map_index=0) == {"session_id": recorded, "delivered": True}


def test_the_inventory_holds_every_user_and_space_and_no_name_of_a_person(
    run_dag, lessonspace_connection, lessonspace_sandbox, monkeypatch, tmp_path
):
    monkeypatch.setenv("AIRFLOW_VAR_LESSONSPACE_INVENTORY", f"file://{tmp_path}")
    assert run_dag(load_dag("people_inventory"), datetime(2026, 11, 1, 3, tzinfo=timezone.utc)).state == "success"
    files = {file.name: file.read_text().splitlines() for file in tmp_path.rglob("*.jsonl")}
    users = [json.loads(line) for line in files["users.jsonl"]]
    assert users
    assert all(set(user) == {"user_id", "role"} for user in users)
    assert files["spaces.jsonl"]
    assert "http" not in "".join(files["spaces.jsonl"])
