# SPDX-License-Identifier: Apache-2.0
"""Classes launched by Airflow's own scheduler: a cleared task launches what failed, and no link is stored anywhere."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
import requests

from tests.integration.conftest import EXAMPLES
from tests.integration.mailbox import mail_server
from tests.integration.services import AirflowServices

RATE = 20
TIMETABLE = """\
lesson,subject,days,start,end,teacher,students,cancelled
maths,Mathematics,daily,09:00,09:45,Ada B <ada@s.example>,Ben I <ben@h.example>; Cem K <cem@h.example>,
english,English,daily,10:00,10:45,Eve M <eve@s.example>,Dana O <dana@h.example>,
"""
EVERYBODY = {"ada@s.example", "ben@h.example", "cem@h.example", "eve@s.example", "dana@h.example"}
EXAM_WORD = "quetzalcoatlus-northropi"


@pytest.fixture
def mailbox():
    with mail_server() as mailbox:
        yield mailbox


@pytest.fixture
def airflow(tmp_path, lessonspace_sandbox, mailbox):
    """Airflow, not yet started, with the examples as they are, but for their schedule and their retries."""
    dags = tmp_path / "dags"
    examples = dags / "lessonspace"  # a subfolder, as the guide puts them
    examples.mkdir(parents=True)
    (examples / "timetable.csv").write_text(TIMETABLE)
    for path in EXAMPLES.glob("class_*.py"):
        text = re.sub(r"schedule=Cron.*,\n", "schedule=None,\n", path.read_text())
        (examples / path.name).write_text(text.replace('"retries": 3', '"retries": 0'))
    shutil.copy(EXAMPLES / "link_files.py", examples)
    shutil.copy(Path(__file__).parent / "files" / "open_door.py", dags)
    lessonspace_sandbox.control.set_rate(RATE)
    connection = {
        "conn_type": "lessonspace",
        "host": lessonspace_sandbox.base_url,
        "password": lessonspace_sandbox.api_key,
        "extra": {"rate_limit_per_second": RATE},
    }
    settings = {
        "AIRFLOW_CONN_LESSONSPACE_DEFAULT": json.dumps(connection),
        "AIRFLOW_CONN_SMTP_DEFAULT": mailbox.connection,
        "AIRFLOW_VAR_LESSONSPACE_ACCOUNTS": f"file://{tmp_path}/accounts",
        "AIRFLOW_VAR_EXAM_WORD": EXAM_WORD,
        "OPEN_DOOR": str(tmp_path / "open-door"),
    }
    (tmp_path / "open-door").mkdir()
    home = tmp_path / "airflow"
    home.mkdir()
    return AirflowServices(home, dags, settings)


def trigger(airflow, dag_id, **conf):
    """Trigger a DAG, and give the run's id."""
    airflow.wait_for(f"DAG {dag_id}", lambda: airflow.api.has_dag(dag_id))
    return airflow.api.trigger(dag_id, conf)


def state_at_the_end(airflow, dag_id):
    """The state in which a DAG's latest run ends."""
    airflow.wait_for(f"end of {dag_id}", lambda: airflow.api.latest_run(dag_id)["state"] in ("success", "failed"))
    return airflow.api.latest_run(dag_id)["state"]


def secret_of(sandbox, launch_id):
    """The secret of a room, which another launch tells as well."""
    headers = {"Authorization": f"Organisation {sandbox.api_key}"}
    answer = requests.post(f"{sandbox.base_url}/spaces/launch/", json={"id": launch_id}, headers=headers, timeout=30)
    return answer.json()["secret"]


def traces(link):
    """Parts of a link's token that no other text has; a page of the database may end within one of them."""
    _, payload, signature = link.partition("user=")[2].split(".")
    return [signature[:20], signature[20:40], payload[-40:-20]]


def files_with(folder, words):
    """The files below a folder, the database and all logs among them, in which any of these words is."""
    return {
        path.name
        for path in folder.rglob("*")
        if path.is_file() and any(word.encode() in path.read_bytes() for word in words)
    }


def test_a_cleared_task_launches_what_failed_and_no_secret_is_stored(airflow, lessonspace_sandbox, mailbox, tmp_path):
    control = lessonspace_sandbox.control
    with airflow:
        control.inject_fault("status", status=400, method="POST", every=2, count=1)
        run_id = trigger(airflow, "class_launch")
        assert state_at_the_end(airflow, "class_launch") == "failed"
        served = [address for address, _ in mailbox.mails]
        (unserved,) = EVERYBODY - set(served)
        assert len(served) == len(EVERYBODY) - 1

        airflow.api.clear("class_launch", run_id)
        assert state_at_the_end(airflow, "class_launch") == "success"
        assert [address for address, _ in mailbox.mails] == [*served, unserved]

        airflow.api.clear("class_launch", run_id)
        trigger(airflow, "open_door")
        assert {state_at_the_end(airflow, dag_id) for dag_id in ("class_launch", "open_door")} == {"success"}
        assert [address for address, _ in mailbox.mails] == [*served, unserved], "nobody gets a second link for nothing"
    launches = control.launches()
    assert len({launch.room_id for launch in launches}) == len({launch.body["id"] for launch in launches}) == 3
    assert control.state().refused <= 1, "a busy machine may hold up a call that has its permit"

    home, accounts = airflow.folder, tmp_path / "accounts"
    open_link, reprs = ((tmp_path / "open-door" / name).read_text() for name in ("link.txt", "reprs.txt"))
    assert "airflow.db" in files_with(home, traces(open_link)), "the search finds a link where there is one"
    people = ["Ada B", "Ben I", "Cem K", "Dana O", "Eve M", *EVERYBODY]
    for folder in (home, accounts):
        assert files_with(folder, people) == set()
    assert files_with(accounts, ["maths-"]) == {"account.jsonl"}
    assert any("1 of 5 launches are not done" in path.read_text() for path in home.rglob("task_id=launch/*.log"))

    links = [link for _, link in mailbox.links()]
    assert len(links) == len(EVERYBODY)
    secrets = [secret_of(lessonspace_sandbox, launch_id) for launch_id in {launch.body["id"] for launch in launches}]
    assert len(secrets) == 3
    tokens = [launch.body["auth_external"]["token"] for launch in launches if "auth_external" in launch.body]
    assert tokens == [EXAM_WORD]
    for what in ([lessonspace_sandbox.api_key], [EXAM_WORD], secrets, *(traces(link) for link in links)):
        assert files_with(home, what) | files_with(accounts, what) == set()
    assert all(name in reprs for name in ("LessonspaceLaunchSpaceOperator", "Hook", "ConnectionSettings", "Transport"))
    for what in ([lessonspace_sandbox.api_key], [EXAM_WORD], secrets, traces(open_link)):
        assert not any(word in reprs for word in what)
