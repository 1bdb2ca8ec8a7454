# SPDX-License-Identifier: Apache-2.0
"""The example class_launch in one process, against the sandbox and a mail server."""

from __future__ import annotations

import base64
import json
from collections import Counter
from datetime import datetime, timedelta
from types import SimpleNamespace

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
    dag = load_dag("class_launch")
    for name in ("make_rooms", "make_links"):
        dag.get_task(name).retry_delay = timedelta(0)
    return dag


def person_of(link):
    """Whose link it is, by what is in its token."""
    payload = link.partition("user=")[2].split(".")[1]
    return json.loads(base64.urlsafe_b64decode(payload + "=="))["user"]["name"]


def room_of(link):
    return link.partition("?")[0].rpartition("/")[2]


def lessons_by_room(control):
    return {launch.room_id: str(launch.body["id"]).partition("-")[0] for launch in control.launches()}


def test_everybody_gets_one_link_of_their_own_to_the_room_of_their_lesson(
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


def test_run_again_with_lost_answers_and_mails_that_do_not_get_out_the_rooms_are_the_same(
    run_dag, class_launch, mailbox, lessonspace_sandbox
):
    control = lessonspace_sandbox.control
    control.inject_fault("reset", method="POST", count=1, after=True)
    mailbox.refusals = 1
    assert run_dag(class_launch).state == "success"
    rooms = lessons_by_room(control)
    assert run_dag(class_launch).state == "success"
    assert lessons_by_room(control) == rooms
    assert len(rooms) == 2

    lost_answer = not_delivered = 1
    assert len(control.launches()) == 2 * len(INVITED) + lost_answer + not_delivered
    addresses = Counter(address for _, address in INVITED)
    assert Counter(address for address, _ in mailbox.mails) == addresses + addresses
    assert len({link for _, link in mailbox.links()}) == 2 * len(INVITED)


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
    class_launch.get_task("timetable").retries = 0
    run = run_dag(class_launch)
    assert run.state == "failed"
    assert run.get_task_instance("timetable").state == "failed"
    assert lessonspace_sandbox.control.launches() == []


def test_a_row_that_cannot_be_read_fails_the_run_when_the_others_have_their_links(
    run_dag, class_launch, mailbox, tmp_path, capfd
):
    (tmp_path / "timetable.csv").write_text(TIMETABLE.replace("english,English,daily", "english,English,dayly"))
    assert run_dag(class_launch).state == "failed"
    assert len(mailbox.mails) == 3
    assert "line 3, column days: 'dayly' is no weekday, date or 'daily'" in "".join(capfd.readouterr())


def test_the_sample_timetable_has_lessons_on_every_day(run_dag, class_launch, mailbox, monkeypatch, xcom):
    monkeypatch.delenv("AIRFLOW_VAR_LESSONSPACE_TIMETABLE")
    run = run_dag(class_launch)
    assert run.state == "success"
    assert xcom(run, "timetable")["refused"] == []
    assert len(mailbox.mails) >= 8


def test_the_backfill_leaves_out_lessons_that_are_over_and_what_was_launched_since(monkeypatch):
    ends = [(datetime.now().astimezone() + timedelta(minutes=minutes)).isoformat() for minutes in (-1, 5, 5)]
    over, ahead, launched = ({"launch_id": name, "lesson_end": end} for name, end in zip("abc", ends, strict=True))
    find = load_dag("backfill_rooms").get_task("failed").python_callable
    monkeypatch.setitem(find.__globals__, "failed_launches", lambda ti, run_id: [over, ahead, launched])
    monkeypatch.setitem(find.__globals__, "launched_since", lambda ti, run_id: [launched])
    pushed = {}
    ti = SimpleNamespace(xcom_push=pushed.__setitem__)
    assert find(ti=ti, params={"run_id": "morning"}) == [ahead]
    assert pushed == {"of_run": "morning"}
