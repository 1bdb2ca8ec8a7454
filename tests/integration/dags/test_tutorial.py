# SPDX-License-Identifier: Apache-2.0
"""The DAGs of the tutorial, run as a reader runs them."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone

from tests.integration.conftest import load_dag


def test_first_archive_writes_the_files_that_the_tutorial_lists(
    run_dag, tmp_path, monkeypatch, lessonspace_sandbox, lessonspace_connection
):
    monkeypatch.setenv("AIRFLOW_VAR_LESSONSPACE_ARCHIVE", f"file://{tmp_path}")
    now = datetime.now(timezone.utc)
    night = now.replace(hour=2, minute=0, second=0, microsecond=0) - timedelta(days=1 if now.hour < 2 else 0)
    end = night - timedelta(hours=8)
    session_id = lessonspace_sandbox.control.add_session(
        end - timedelta(minutes=45), end, users=["Ms Byron", "Ben"], transcript="ready"
    )

    assert run_dag(load_dag("first_archive"), logical_date=night).state == "success"

    (manifest,) = (tmp_path / "manifests").glob("*.json")
    status = {session["session_id"]: session["status"] for session in json.loads(manifest.read_text())["sessions"]}
    assert status[session_id] == "archived"
    for ending in ("json", "txt"):
        assert (tmp_path / f"{end:%Y/%m/%d}" / f"{session_id}.{ending}").exists()


def test_first_launch_gives_each_person_a_link_in_a_file(
    run_dag, xcom, tmp_path, monkeypatch, lessonspace_sandbox, lessonspace_connection
):
    (tmp_path / "links").mkdir(mode=0o700)
    monkeypatch.setenv("AIRFLOW_VAR_LESSONSPACE_LINKS", str(tmp_path / "links"))
    monkeypatch.setenv("AIRFLOW_VAR_LESSONSPACE_ACCOUNTS", f"file://{tmp_path}/accounts")

    run = run_dag(load_dag("first_launch"))

    assert run.state == "success"
    assert xcom(run, "launch")["counts"]["done"] == 2
    links = [file.read_text() for file in (tmp_path / "links").glob("*.txt")]
    assert len(set(links)) == 2
    (account,) = (tmp_path / "accounts").rglob("account.jsonl")
    assert [json.loads(line)["status"] for line in account.read_text().splitlines()[1:]].count("done") == 2
    assert not any(link in account.read_text() for link in links)
