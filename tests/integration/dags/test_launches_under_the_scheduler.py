# SPDX-License-Identifier: Apache-2.0
"""Many launches under Airflow's own scheduler: their task is killed with SIGKILL, and its retry does what is left."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections import Counter
from pathlib import Path

from tests.airflow_version import older_than
from tests.integration.services import AirflowServices

LAUNCHES, THREADS = 120, 4


def test_a_task_that_is_killed_is_completed_by_its_retry_and_no_link_is_stored(lessonspace_sandbox, tmp_path):
    sandbox, folder, dags, home = lessonspace_sandbox, *(tmp_path / name for name in ("job", "dags", "airflow"))
    for made in (folder, dags, home):
        made.mkdir()
    shutil.copy(Path(__file__).parent / "files" / "launch_killed.py", dags)
    rows = [f"room-{number % 30},pupil-{number},Filia Number{number}" for number in range(LAUNCHES)]
    (folder / "launches.csv").write_text("\n".join(["launch_id,user.id,user.name", *rows, ""]))
    # Answers that come slowly enough for a kill between them.
    sandbox.control.inject_fault("slow", seconds=0.2, path="/spaces/launch/")
    connection = {"conn_type": "lessonspace", "host": sandbox.base_url, "password": sandbox.api_key}
    connection["extra"] = {"rate_limit_per_second": 0}
    settings = {
        "AIRFLOW_CONN_LESSONSPACE_DEFAULT": json.dumps(connection),
        "LAUNCH_KILLED": str(folder),
    }

    def delivered():
        path = folder / "delivered"
        return [line.split() for line in path.read_text().splitlines()] if path.exists() else []

    with AirflowServices(home, dags, settings) as airflow:
        airflow.wait_for("the DAG", lambda: airflow.api.has_dag("launch_killed"))
        airflow.api.trigger("launch_killed", {})
        airflow.wait_for("some links", lambda: len(delivered()) >= LAUNCHES // 4)
        killed = delivered()[0][0]
        os.kill(int(killed), signal.SIGKILL)
        ended = ("success", "failed")
        if older_than("3.1"):  # which does not retry a task whose process was killed
            airflow.wait_for("the failed run", lambda: airflow.api.latest_run("launch_killed")["state"] == "failed")
            airflow.api.clear("launch_killed", airflow.api.latest_run("launch_killed")["dag_run_id"])
            ended = ("success",)
        airflow.wait_for("the end of the run", lambda: airflow.api.latest_run("launch_killed")["state"] in ended)
        assert airflow.api.latest_run("launch_killed")["state"] == "success"

    processes, people, links = zip(*delivered(), strict=True)
    assert len(set(processes)) == 2
    assert processes.count(killed) < LAUNCHES
    times = Counter(people)
    assert set(times) == {row.split(",")[1] for row in rows}
    assert sum(times.values()) - LAUNCHES <= THREADS
    _, *records = (folder / "account" / "account.jsonl").read_text().splitlines()
    assert Counter(json.loads(record)["status"] for record in records) == {"done": LAUNCHES}
    tokens = [link.partition("user=")[2].split(".")[1][-40:] for link in links]
    searched = [
        path.read_bytes() for place in (home, folder / "account") for path in place.rglob("*") if path.is_file()
    ]
    assert not [token for token in tokens if any(token.encode() in data for data in searched)]
    assert not any(b"Filia" in data for data in searched)
