# SPDX-License-Identifier: Apache-2.0
"""The operators for sessions, spaces and users, over a real socket against the sandbox."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone

import pytest

from lessonspace_provider.attendance import attendance, billable_minutes, teacher_lateness
from lessonspace_provider.exceptions import LessonspaceInputError, LessonspaceNotFoundError
from lessonspace_provider.hooks.lessonspace import LessonspaceHook
from lessonspace_provider.operators.sessions import (
    LessonspaceGetRecordingUrlOperator,
    LessonspaceGetSessionOperator,
    LessonspaceListSessionsOperator,
    LessonspaceUpdateSessionOperator,
)
from lessonspace_provider.operators.spaces import LessonspaceListSpacesOperator
from lessonspace_provider.operators.users import LessonspaceListUsersOperator, LessonspaceRemoveUserOperator
from lessonspace_provider.output import lists

NOON = datetime.now(timezone.utc).replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days=2)
PEOPLE = ["Ada Teacher", "Ben Student"]


@pytest.fixture(autouse=True)
def connection(lessonspace_connection):
    return lessonspace_connection


@pytest.fixture
def control(lessonspace_sandbox):
    return lessonspace_sandbox.control


@pytest.fixture
def lesson(control):
    """The uuid of an hour's session of two people."""
    return control.add_session(NOON, NOON + timedelta(hours=1), name="Algebra", launch_id="class-7b")


def run(operator_class, **parameters):
    return operator_class(task_id="it", **parameters).execute({})


def methods(control):
    return [call.method for call in control.calls(path="/sessions/")]


@pytest.mark.parametrize("fields", [None, "all"])
@pytest.mark.parametrize(
    ("operator_class", "parameters"),
    [
        (LessonspaceListSessionsOperator, {}),
        (LessonspaceListSessionsOperator, {"space_id": "its room"}),
        (LessonspaceGetSessionOperator, {"session_id": "its uuid"}),
        (LessonspaceListSpacesOperator, {}),
        (LessonspaceListUsersOperator, {}),
    ],
)
def test_xcom_holds_no_people_unless_asked_and_never_a_key(operator_class, parameters, fields, lesson, control):
    truth = next(truth for truth in control.sessions() if truth.session_id == lesson)
    known = {"its room": truth.room_id, "its uuid": lesson}
    given = {name: known[value] for name, value in parameters.items()}
    text = json.dumps(run(operator_class, fields=fields, **given))
    listed = list(LessonspaceHook().list_users())
    words = [word for user in listed for word in (user["name"], user["user"]["username"]) if word]
    if fields is None:
        assert not [word for word in words if json.dumps(word)[1:-1] in text]
        assert "@" not in text
    elif operator_class is not LessonspaceListSpacesOperator:
        assert "Ada Teacher" in text
    assert not any(key in text for key in ("playback_url", "playback_password", "/playback/", '"url"', "secret"))


def test_lists_are_complete_and_take_filters(control, lesson):
    sessions = run(LessonspaceListSessionsOperator, filters={"include_single_user": True})
    assert {entry["session_id"] for entry in sessions} == {truth.session_id for truth in control.sessions()}
    (only,) = run(LessonspaceListSessionsOperator, filters={"launch_id": "class-7b"})
    assert only["session_id"] == lesson
    assert len(run(LessonspaceListSpacesOperator)) == control.state().spaces
    assert {user["role"] for user in run(LessonspaceListUsersOperator, filters={"role": "teacher"})} == {"teacher"}


@pytest.mark.parametrize(
    "operator_class", [LessonspaceListSessionsOperator, LessonspaceListSpacesOperator, LessonspaceListUsersOperator]
)
def test_a_misspelt_filter_is_refused_before_any_request(operator_class, control):
    with pytest.raises(LessonspaceInputError, match=r"Unknown filter 'serch'\. Did you mean 'search'\?"):
        run(operator_class, filters={"serch": "x"})
    assert control.calls() == []


def test_a_list_too_large_for_xcom_stops_early_and_goes_to_a_file(control, tmp_path, monkeypatch):
    monkeypatch.setattr(lists, "XCOM_LIMIT", 2000)
    with pytest.raises(LessonspaceInputError, match=r"too large for XCom.*destination"):
        run(LessonspaceListSessionsOperator)
    assert len(control.calls(path="/sessions/$")) == 1
    path = tmp_path / "sessions.jsonl"
    result = run(LessonspaceListSessionsOperator, destination=f"file://{path}")
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert len({line["session_id"] for line in lines}) == result["count"] > 100


def test_a_list_that_fails_on_its_way_leaves_no_file(control, tmp_path):
    control.inject_fault("status", status=400, path="/sessions/$", every=2)
    with pytest.raises(Exception, match=r"failed with 400"):
        run(LessonspaceListSessionsOperator, destination=f"file://{tmp_path}/sessions.jsonl")
    assert list(tmp_path.iterdir()) == []


def test_a_policy_is_set_with_one_read_and_one_update_and_set_again_with_no_update(control, lesson):
    result = run(LessonspaceUpdateSessionOperator, session_id=lesson, recording_access_policy=["teacher"])
    assert result["old"] == {"name": "Algebra", "recording_access_policy": []}
    assert result["new"] == {"name": "Algebra", "recording_access_policy": ["teacher"]}
    assert methods(control) == ["GET", "PATCH"]
    again = run(LessonspaceUpdateSessionOperator, session_id=lesson, recording_access_policy=["teacher"])
    assert (again["updated"], again["new"]) == (False, result["new"])
    assert methods(control) == ["GET", "PATCH", "GET"]


def test_a_session_is_renamed_and_its_policy_stays(control, lesson):
    run(LessonspaceUpdateSessionOperator, session_id=lesson, recording_access_policy=["admin"])
    result = run(LessonspaceUpdateSessionOperator, session_id=lesson, name="Geometry")
    assert result["new"] == {"name": "Geometry", "recording_access_policy": ["admin"]}


def test_a_recordings_link_is_delivered_and_not_returned(lesson):
    delivered = []
    result = run(
        LessonspaceGetRecordingUrlOperator, session_id=lesson, deliver=lambda recording, _: delivered.append(recording)
    )
    assert "http" not in json.dumps(result)
    assert delivered[0]["recording_url"].startswith("http")


def test_a_session_without_a_recording_has_no_link(control):
    session_id = control.add_session(NOON, NOON + timedelta(hours=1), recorded=False)
    with pytest.raises(LessonspaceNotFoundError):
        run(LessonspaceGetRecordingUrlOperator, session_id=session_id, push_recording_url=True)


def test_a_leaver_is_removed_once_and_already_removed_the_second_time(control):
    user_id = run(LessonspaceListUsersOperator)[0]["user_id"]
    assert run(LessonspaceRemoveUserOperator, user_id=user_id, dry_run=True)["status"] == "dry_run"
    assert control.calls(method="DELETE") == []
    assert run(LessonspaceRemoveUserOperator, user_id=user_id)["status"] == "removed"
    assert run(LessonspaceRemoveUserOperator, user_id=user_id)["status"] == "already_gone"
    assert user_id not in {user["user_id"] for user in run(LessonspaceListUsersOperator)}


def test_a_removal_whose_answer_was_lost_is_a_success(control, monkeypatch):
    monkeypatch.setattr("lessonspace_provider.api.retries._backoff", lambda _: 0.0)
    user_id = run(LessonspaceListUsersOperator)[0]["user_id"]
    control.inject_fault("reset", method="DELETE", count=1, after=True)
    assert run(LessonspaceRemoveUserOperator, user_id=user_id)["status"] == "already_gone"


@pytest.mark.parametrize("wrong", [{"host": "/elsewhere"}, {"extra": {"organisation_id": "1"}}])
def test_a_removal_at_the_wrong_address_is_no_success(wrong, lessonspace_sandbox, monkeypatch):
    host = lessonspace_sandbox.base_url + wrong.get("host", "")
    extra = {"organisation_id": str(lessonspace_sandbox.organisation_id), **wrong.get("extra", {})}
    connection = {"conn_type": "lessonspace", "host": host, "password": lessonspace_sandbox.api_key, "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_WRONG", json.dumps(connection))
    with pytest.raises(Exception, match=r"failed with 40[34]"):
        run(LessonspaceRemoveUserOperator, user_id=7, lessonspace_conn_id="wrong")


def test_attendance_is_worked_out_of_what_the_space_list_gives(control, lesson):
    truth = next(truth for truth in control.sessions() if truth.session_id == lesson)
    (session,) = LessonspaceHook().list_space_sessions(truth.room_id)
    present = attendance([session])
    assert {person.user_id for person in present.people} == set(truth.user_ids)
    assert not any(person.doubts for person in present.people)
    assert all(0 < person.minutes <= 60 for person in present.people)
    late = teacher_lateness(present, NOON, NOON + timedelta(hours=1)).late_by
    assert late is not None
    assert timedelta(0) <= late < timedelta(hours=1)
    assert billable_minutes(session) == 60
