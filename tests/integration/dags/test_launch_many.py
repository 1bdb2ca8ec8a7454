# SPDX-License-Identifier: Apache-2.0
"""Many launches in one task of a real Airflow: what is delivered, and what is stored where."""

from __future__ import annotations

import json

import pytest

from tests.integration.conftest import load_dag

CSV = "launch_id;user.id;user.name;user.email;user.role\n" + "".join(
    f"room-{number % 3};person-{number};Filia File{number};file{number}@school.example;student\n" for number in range(9)
)


@pytest.fixture
def folder(tmp_path, monkeypatch, lessonspace_connection, lessonspace_sandbox):
    """A folder with a timetable; links go into its folder ``links``."""
    lessonspace_sandbox.control.reset(days=0, sessions_per_day=0)
    (tmp_path / "launches.csv").write_text(CSV)
    monkeypatch.setenv("AIRFLOW_VAR_LINKS_FOLDER", str(tmp_path / "links"))
    return tmp_path


def test_everyone_gets_a_link_and_airflow_stores_none_and_no_people_of_a_file(
    run_dag, xcom, folder, lessonspace_sandbox, airflow_home, all_said
):
    run = run_dag(load_dag("launch_many"), folder=str(folder))
    said = all_said()
    assert run.state == "success"
    links = [path.read_text() for path in (folder / "links").iterdir()]
    assert len(links) == len(set(links)) == 15
    assert {task: xcom(run, task)["counts"]["done"] for task in ("file", "listed", "batches", "written")} == {
        "file": 9,
        "listed": 2,
        "batches": 3,
        "written": 1,
    }
    launches = {launch.body["user"]["id"]: launch.body for launch in lessonspace_sandbox.control.launches()}
    length = len(str(folder))
    assert launches["person-0"]["name"] == f"Lesson of {length}"
    assert launches["person-0"]["transcribe"] is True
    assert launches["listed-0"]["user"]["name"] == "{{ 6 * 7 }}"
    assert "recipient" not in launches["listed-0"]
    assert launches["Wanda Written"]["id"] == f"written-{length}"

    stored = b"".join(path.read_bytes() for path in airflow_home.glob("airflow.db*"))
    accounts = b"".join(path.read_bytes() for path in folder.glob("*/account.jsonl"))
    texts = stored + accounts + said.encode() + json.dumps(xcom(run, "file")).encode()
    assert b"account.jsonl" in stored
    assert b"<2 rows>" in stored  # all that is stored of a rendered list
    assert [link for link in links if link.encode() in texts] == []
    assert [
        secret for secret in (b"eyJ", b"user=", b"Filia", b"@school.example") if secret in accounts + said.encode()
    ] == []
    assert b"Filia" not in stored
    assert b"file1@school.example" not in stored
