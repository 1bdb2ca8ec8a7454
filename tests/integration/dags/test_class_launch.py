# SPDX-License-Identifier: Apache-2.0
"""The example class_launch in one process, against the sandbox and a mail server."""

from __future__ import annotations

import base64
import json
from collections import Counter
from datetime import datetime, timedelta

import pytest

from tests.integration.conftest import load_dag
from tests.integration.mailbox import mail_server

TIMETABLE = """\
lesson,subject,days,start,end,teacher,students,cancelled
maths,Mathematics,daily,09:00,09:45,Ada B <ada@s.example>,Ben I <ben@h.example>; Cem K <cem@h.example>,
english,English,daily,10:00,10:45,Eve M <eve@s.example>,Ben I <ben@h.example>,
physics,Physics,daily,11:00,11:45,Finn N <finn@s.example>,Dana O <dana@h.example>,daily
"""
INVITED = {
    ("maths", "ada@s.example"): "Ada B",
    ("maths", "ben@h.example"): "Ben I",
    ("maths", "cem@h.example"): "Cem K",
    ("english", "eve@s.example"): "Eve M",
    ("english", "ben@h.example"): "Ben I",
}


@pytest.fixture
def mailbox(monkeypatch):
    with mail_server() as mailbox:
        monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", mailbox.connection)
        yield mailbox


@pytest.fixture
def class_launch(tmp_path, monkeypatch, lessonspace_connection):
    """The DAG, with this timetable, and without its pauses."""
    path = tmp_path / "timetable.csv"
    path.write_text(TIMETABLE)
    monkeypatch.setenv("AIRFLOW_VAR_LESSONSPACE_TIMETABLE", str(path))
    monkeypatch.setenv("AIRFLOW_VAR_LESSONSPACE_ACCOUNTS", f"file://{tmp_path}/accounts")
    dag = load_dag("class_launch")
    dag.get_task("launch").retry_delay = timedelta(0)
    return dag


def person_of(link):
    """Whose link it is, by what is in its token."""
    payload = link.partition("user=")[2].split(".")[1]
    return json.loads(base64.urlsafe_b64decode(payload + "=="))["user"]["name"]


def room_of(link):
    return link.partition("?")[0].rpartition("/")[2]


def lessons_by_room(control):
    return {launch.room_id: str(launch.body["id"]).partition("-")[0] for launch in control.launches()}


def test_everyone_gets_one_link_of_their_own_to_the_room_of_their_lesson(
    run_dag, class_launch, mailbox, lessonspace_sandbox
):
    control = lessonspace_sandbox.control
    assert run_dag(class_launch).state == "success"

    lessons = lessons_by_room(control)
    assert sorted(lessons.values()) == ["english", "maths"], "one room per lesson, and none for the cancelled one"
    received = {(lessons[room_of(link)], address): person_of(link) for address, link in mailbox.links()}
    assert received == INVITED
    assert len(mailbox.mails) == len({link for _, link in mailbox.links()}) == len(INVITED)

    made_by = {launch.room_id: launch.body["user"]["role"] for launch in control.launches() if launch.created}
    assert set(made_by.values()) == {"teacher"}
    for launch in control.launches():
        window = {
            name: datetime.fromisoformat(time.replace("Z", "+00:00")) for name, time in launch.body["timeouts"].items()
        }
        assert window["not_after"] - window["not_before"] == timedelta(minutes=45 + 2 * 15)
        assert launch.body["transcribe"] is True


def statuses(folder):
    """The status of each launch in the account of the only run."""
    (path,) = folder.glob("accounts/class_launch/*/account.jsonl")
    _, *records = map(json.loads, path.read_text().splitlines())
    return Counter(record["status"] for record in records)


def test_a_retry_launches_only_what_is_not_done(run_dag, class_launch, mailbox, lessonspace_sandbox, tmp_path):
    control = lessonspace_sandbox.control
    control.inject_fault("reset", method="POST", count=1, after=True)
    mailbox.refusals = 1
    assert run_dag(class_launch).state == "success"
    assert len(lessons_by_room(control)) == 2
    lost_answer = not_delivered = 1
    assert len(control.launches()) == len(INVITED) + lost_answer + not_delivered
    assert Counter(address for address, _ in mailbox.mails) == Counter(address for _, address in INVITED)
    assert statuses(tmp_path) == {"done": len(INVITED)}


def test_another_run_has_the_same_rooms_and_an_account_of_its_own(
    run_dag, class_launch, mailbox, lessonspace_sandbox, tmp_path
):
    assert run_dag(class_launch).state == "success"
    rooms = lessons_by_room(lessonspace_sandbox.control)
    assert run_dag(class_launch).state == "success"
    assert lessons_by_room(lessonspace_sandbox.control) == rooms
    assert len(mailbox.links()) == 2 * len(INVITED)
    assert len(list((tmp_path / "accounts" / "class_launch").iterdir())) == 2


def test_with_a_folder_links_are_written_and_not_mailed(run_dag, class_launch, mailbox, tmp_path, monkeypatch):
    monkeypatch.setenv("AIRFLOW_VAR_LESSONSPACE_LINKS_FOLDER", str(tmp_path / "links"))
    assert run_dag(class_launch).state == "success"
    assert mailbox.mails == []
    texts = [path.read_text() for path in (tmp_path / "links").iterdir()]
    assert len(texts) == len(INVITED)
    for text in texts:
        (link,) = (line for line in text.splitlines() if line.startswith("http"))
        assert text.startswith(f"Dear {person_of(link)},")


def test_without_a_way_to_deliver_nothing_is_launched(run_dag, class_launch, lessonspace_sandbox):
    class_launch.get_task("launch").retries = 0
    assert run_dag(class_launch).state == "failed"
    assert lessonspace_sandbox.control.launches() == []


def test_a_row_that_cannot_be_read_fails_the_run_when_the_others_have_their_links(
    run_dag, class_launch, mailbox, tmp_path, capfd
):
    (tmp_path / "timetable.csv").write_text(TIMETABLE.replace("english,English,daily", "english,English,dayly"))
    run = run_dag(class_launch)
    assert run.state == "failed"
    assert run.get_task_instance("launch").try_number == 1, "a retry can't correct the row"
    assert len(mailbox.mails) == 3
    assert statuses(tmp_path) == {"done": 3}
    assert "line 3, column days: 'dayly' is no weekday, date or 'daily'" in "".join(capfd.readouterr())


def test_the_sample_timetable_has_lessons_on_every_day(run_dag, class_launch, mailbox, monkeypatch):
    monkeypatch.delenv("AIRFLOW_VAR_LESSONSPACE_TIMETABLE")
    assert run_dag(class_launch).state == "success"
    assert len(mailbox.mails) >= 8


def test_a_timetable_of_any_size_is_one_task(run_dag, class_launch, tmp_path, monkeypatch, xcom, lessonspace_sandbox):
    header, *_ = TIMETABLE.splitlines()
    lessons = [f"l{n},L{n},daily,09:00,09:45,T{n} <t@s.example>,{'; '.join(pupils(n))}," for n in range(400)]
    (tmp_path / "timetable.csv").write_text("\n".join([header, *lessons]))
    monkeypatch.setenv("AIRFLOW_VAR_LESSONSPACE_LINKS_FOLDER", str(tmp_path / "links"))
    run = run_dag(class_launch)
    assert run.state == "success"
    assert [instance.task_id for instance in run.get_task_instances()] == ["launch"]
    assert xcom(run, "launch")["counts"]["done"] == len(list((tmp_path / "links").iterdir())) == 1600
    assert len(lessonspace_sandbox.control.launches()) == 1600


def pupils(lesson):
    return [f"P{lesson} {number} <p@h.example>" for number in range(3)]
