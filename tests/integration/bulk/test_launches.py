# SPDX-License-Identifier: Apache-2.0
"""Many launches in one task, against the sandbox over a real socket, with accounts on a disk and in S3."""

from __future__ import annotations

import json
from collections import Counter
from threading import Lock

import pytest

from lessonspace_provider.exceptions import LessonspaceError, LessonspaceInputError
from lessonspace_provider.operators.spaces import LessonspaceLaunchSpacesOperator

PEOPLE = (("Ada Teacher", "teacher"), ("Ben Pupil", "student"), ("Cy Pupil", "student"))
TELLING = ("http://127", "/space/", "eyJ", "@school.example")


class Mailbox:
    """Delivers links by keeping them, and refuses those of some people."""

    def __init__(self):
        self.links, self.refused, self.broken = [], set(), 0
        self._lock = Lock()

    def deliver(self, launch, context):
        name = launch["request"]["user"]["name"]
        with self._lock:
            if name in self.refused:
                raise RuntimeError(f"no mail for {name}: {launch['client_url']}")
            self.links.append((launch["request"]["launch_id"], name, launch["client_url"]))

    @property
    def people(self):
        return Counter((launch_id, name) for launch_id, name, _ in self.links)


def lessons(number):
    return [
        {
            "launch_id": f"lesson-{lesson}",
            "user": {"name": name, "email": f"{name.split()[0].lower()}@school.example", "role": role, "id": f"{name}"},
        }
        for name, role in reversed(PEOPLE)
        for lesson in range(number)
    ]


def launch(launches, folder, mailbox=None, **parameters):
    operator = LessonspaceLaunchSpacesOperator(
        task_id="launch",
        launches=launches,
        account=folder,
        deliver=mailbox.deliver if mailbox else None,
        **parameters,
    )
    return operator.execute({})


def account_of(folder):
    _, *records = [json.loads(line) for line in (folder / "account.jsonl").read_bytes().splitlines()]
    return records


def texts_in(folder):
    return b"\n".join(path.read_bytes() for path in folder.rglob("*") if path.is_file()).decode()


@pytest.mark.parametrize("has_mailbox", [True, False])
def test_launches_without_a_delivery_are_warned_of(control, folder, capsys, has_mailbox):
    launch(lessons(1), folder, Mailbox() if has_mailbox else None)
    assert ("No link of these launches is delivered" in capsys.readouterr().out) != has_mailbox


def test_each_person_gets_one_link_and_each_launch_is_one_call(control, folder, capsys):
    mailbox = Mailbox()
    result = launch(lessons(10), folder, mailbox, defaults={"transcribe": True})
    assert result["counts"] == {"done": 30, "failed": 0, "refused": 0, "not_attempted": 0}
    assert set(mailbox.people.values()) == {1}
    assert len(control.launches()) == len(mailbox.links) == 30
    assert all(call.body["transcribe"] for call in control.launches())
    assert {record["status"] for record in account_of(folder)} == {"done"}
    said = texts_in(folder) + json.dumps(result) + capsys.readouterr().out
    assert not [word for word in TELLING if word in said]
    assert "Ada" not in said


def test_teachers_make_the_rooms_before_pupils_join_them(control, folder):
    launch(lessons(5), folder)
    made = {}
    for call in control.launches():
        made.setdefault(call.body["id"], call.body["user"]["role"])
    assert set(made.values()) == {"teacher"}
    assert [call.created for call in control.launches()].count(True) == 5


def test_only_a_failed_delivery_is_done_again(control, folder, capsys):
    mailbox = Mailbox()
    mailbox.refused = {"Cy Pupil"}
    with pytest.raises(LessonspaceError, match=r"^4 of 12 launches are not done \(8 done, 4 failed\)") as caught:
        launch(lessons(4), folder, mailbox)
    assert "Cy" not in str(caught.value) + texts_in(folder)
    logged = capsys.readouterr().out
    assert f'File "{__file__}"' in logged
    assert "Cy" not in logged
    mailbox.refused = set()
    assert launch(lessons(4), folder, mailbox)["counts"]["done"] == 12
    assert set(mailbox.people.values()) == {1}
    assert len(control.launches()) == 16
    assert sorted({record["tries"] for record in account_of(folder)}) == [1, 2]


def test_a_bad_launch_is_named_and_the_others_are_launched(control, folder):
    launches = [
        *lessons(1),
        {"launch_id": "lesson-0", "user": {"id": "Ben Pupil", "name": "Benjamin"}},
        {"launch_id": "x", "user": {"email": "nobody"}},
        {"launch_id": "y", "lesson_start": "2026-11-23T09:00:00", "lesson_end": "2026-11-23T10:00:00"},
        "no mapping",
    ]
    with pytest.raises(LessonspaceError, match=r"4 of 7 launches are not done \(3 done, 4 refused\)"):
        launch(launches, folder)
    refused = {record["place"]: record["reason"] for record in account_of(folder) if record["status"] == "refused"}
    assert refused["item 4"] == "this person is in this lesson twice, see item 2"
    assert "user.email was refused: it must be an e-mail address" in refused["item 5"]
    assert "lesson_start='2026-11-23T09:00:00' was refused" in refused["item 6"]
    assert "must be a mapping" in refused["item 7"]
    assert len(control.launches()) == 3


def test_with_on_refused_fail_nothing_is_sent(control, folder):
    with pytest.raises(LessonspaceInputError, match=r"1 of 4 launches are refused.*x \(item 4\): user\.email"):
        launch([*lessons(1), {"launch_id": "x", "user": {"email": "nobody"}}], folder, on_refused="fail")
    assert control.launches() == []


def test_too_many_launches_for_a_space_are_refused_and_others_are_not(control, folder):
    crowd = [{"launch_id": "crowd", "user": {"id": str(number)}} for number in range(6)]
    with pytest.raises(LessonspaceError, match="6 refused"):
        launch([*crowd, *lessons(1)], folder, max_links_per_space=5)
    assert {call.body["id"] for call in control.launches()} == {"lesson-0"}


def test_a_corrected_input_is_launched_and_its_old_line_withdrawn(control, folder):
    bad = {"launch_id": "x", "user": {"name": "Ann", "email": "nobody"}}
    with pytest.raises(LessonspaceError):
        launch([bad], folder)
    good = {"launch_id": "x", "user": {"name": "Ann", "email": "ann@school.example"}}
    assert launch([good], folder)["counts"]["done"] == 1
    assert [record["status"] for record in account_of(folder)] == ["withdrawn", "done"]


def test_without_an_account_nothing_is_launched(control):
    with pytest.raises(LessonspaceInputError, match="account=None was refused"):
        launch(lessons(1), None)
    assert control.launches() == []


def test_names_are_in_the_account_only_when_asked_for(control, folder):
    launch(lessons(1), folder, account_names=True)
    assert {record["name"] for record in account_of(folder)} == {name for name, _ in PEOPLE}
    assert "@" not in texts_in(folder)


def test_with_a_fifth_of_all_answers_faulty_nothing_is_lost(control, folder):
    control.inject_fault("status", status=503, path="/spaces/launch/", every=8)
    control.inject_fault("reset", path="/spaces/launch/", every=12)
    control.inject_fault("status", status=429, path="/spaces/launch/", every=20)
    mailbox = Mailbox()
    assert launch(lessons(40), folder, mailbox)["counts"]["done"] == 120
    assert set(mailbox.people.values()) == {1}


def test_a_refused_key_stops_the_job_and_loses_no_launch(control, folder, lessonspace_sandbox, monkeypatch):
    connection = {"conn_type": "lessonspace", "host": lessonspace_sandbox.base_url}
    connection |= {"password": "00000000-0000-4000-8000-000000000000", "extra": {"rate_limit_per_second": 0}}
    monkeypatch.setenv("AIRFLOW_CONN_WRONG", json.dumps(connection))
    with pytest.raises(LessonspaceError, match=r"It stopped early: the API key was refused \(401\)"):
        launch(lessons(100), folder, lessonspace_conn_id="wrong", max_threads=2)
    counts = Counter(record["status"] for record in account_of(folder))
    assert counts["failed"] <= 4
    assert counts["failed"] + counts["not_attempted"] == 300
    assert launch(lessons(100), folder)["counts"]["done"] == 300


def test_launches_may_come_from_a_file(control, folder):
    file = folder / "input" / "launches.jsonl"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(b"\n".join(json.dumps(row).encode() for row in lessons(2)))
    assert launch(str(file), folder / "account")["counts"]["done"] == 6
    assert {record["place"] for record in account_of(folder / "account")} == {f"line {n}" for n in range(1, 7)}


def test_links_are_delivered_in_batches_of_one_call_each(control, folder, capsys):
    mailbox, batches = Mailbox(), []

    def deliver_many(launches, context):
        batches.append(len(launches))
        for launch in launches:
            mailbox.deliver(launch, context)

    result = launch(lessons(10), folder, deliver_many=deliver_many, deliver_batch_size=8)
    assert (result["counts"]["done"], batches) == (30, [8, 8, 8, 6])
    assert set(mailbox.people.values()) == {1}
    assert len(control.launches()) == 30
    said = texts_in(folder) + json.dumps(result) + capsys.readouterr().out
    assert not [word for word in TELLING if word in said]


def test_only_what_a_batch_could_not_deliver_is_done_again(control, folder, capsys):
    delivered, left = Counter(), {"Cy Pupil"}

    def deliver_many(launches, context):
        refused = [launch for launch in launches if launch["request"]["user"]["name"] in left]
        delivered.update(launch["client_url"] for launch in launches if launch not in refused)
        return refused

    with pytest.raises(LessonspaceError, match=r"^4 of 12 launches are not done \(8 done, 4 failed\)") as caught:
        launch(lessons(4), folder, deliver_many=deliver_many, deliver_batch_size=5)
    assert "lesson-0 (item 1, failed): deliver_many returned this launch" in str(caught.value)
    assert "Cy" not in str(caught.value) + texts_in(folder) + capsys.readouterr().out
    left.clear()
    assert launch(lessons(4), folder, deliver_many=deliver_many, deliver_batch_size=5)["counts"]["done"] == 12
    assert (len(delivered), set(delivered.values())) == (12, {1})
    assert len(control.launches()) == 16
