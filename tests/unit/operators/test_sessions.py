# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import traceback

import pytest
from airflow.sdk import DAG

from lessonspace_provider.api.arguments import as_uuid
from lessonspace_provider.exceptions import LessonspaceError, LessonspaceInputError, LessonspaceServerError
from lessonspace_provider.operators.sessions import (
    LessonspaceGetRecordingUrlOperator,
    LessonspaceGetSessionOperator,
    LessonspaceListSessionsOperator,
    LessonspaceUpdateSessionOperator,
)
from lessonspace_provider.output import lists
from tests.airflow_version import needs_airflow

SESSION_ID = "5b5f1a2c-3d4e-4f5a-8b9c-0d1e2f3a4b5c"
SESSION = {
    "uuid": SESSION_ID,
    "name": "Algebra",
    "profiles": [{"user": 1, "name": "Ann", "email": "ann@example.org"}],
    "end_time": None,
    "recording_access_policy": ["teacher", "admin"],
    "brand_new_field": 1,
}
KEYS = {
    "playback_url": "https://x/SECRET",
    "playback_password": "SECRET",
    "secret": "SECRET",
    "client_url": "https://x?user=SECRET",
    "space": {"id": "s", "url": "x?SECRET"},
    "nested": [{"recording_url": "SECRET"}],
}
LINK = "https://recordings.example.org/watch?token=SECRET"


class Hook:
    """Stands in for the hook and remembers what it was asked."""

    def __init__(self, session=SESSION, answer=None):
        self.session = session
        self.answer = answer
        self.asked = []

    def list_sessions(self, **filters):
        self.asked.append(("organisation", filters))
        return iter([self.session])

    def list_space_sessions(self, space_id, **filters):
        self.asked.append((space_id, filters))
        return iter([self.session])

    def get_session(self, session_id):
        as_uuid("session_id", session_id)  # as the real one does, before its request
        self.asked.append(("get", session_id))
        return self.session

    def update_session(self, session_id, *, name, recording_access_policy):
        self.asked.append(("update", name, recording_access_policy))
        present = self.session["recording_access_policy"]
        policy = present if recording_access_policy is None else recording_access_policy
        return self.answer or {"name": name, "recording_access_policy": policy}

    def get_recording_url(self, session_id):
        self.asked.append(("recording", session_id))
        return LINK


def run(operator_class, *, hook=None, **parameters):
    operator = operator_class(task_id="it", **parameters)
    operator.hook = hook or Hook()
    return operator.execute({}), operator.hook.asked


def refused(operator_class, message, **parameters):
    operator = operator_class(task_id="it", **parameters)
    operator.hook = Hook()
    with pytest.raises(LessonspaceInputError, match=message):
        operator.execute({})
    assert operator.hook.asked == []


# List


def test_by_default_no_people_are_in_a_list():
    result, asked = run(LessonspaceListSessionsOperator, filters={"in_progress_only": True})
    assert asked == [("organisation", {"in_progress_only": True})]
    assert result[0]["session_id"] == SESSION_ID
    assert "ann" not in json.dumps(result).lower()


def test_a_space_id_lists_that_space():
    assert run(LessonspaceListSessionsOperator, space_id="my-room")[1] == [("my-room", {})]


def test_all_fields_of_a_list_or_some_can_be_asked_for():
    assert run(LessonspaceListSessionsOperator, fields="all")[0] == [SESSION]
    some = run(LessonspaceListSessionsOperator, fields=["uuid", "brand_new_field"])[0]
    assert some == [{"uuid": SESSION_ID, "brand_new_field": 1}]


@pytest.mark.parametrize("operator", [LessonspaceListSessionsOperator, LessonspaceGetSessionOperator])
def test_fields_that_are_not_there_are_warned_of(operator, capsys):
    given = {"session_id": SESSION["uuid"]} if operator is LessonspaceGetSessionOperator else {}
    run(operator, fields=["uuid", "uid", "playback_url"], **given)
    warned = capsys.readouterr().out
    assert "Field 'uid' is not in what the API sent. Did you mean 'uuid'?" in warned
    assert "Field 'playback_url' is left out" in warned
    assert warned.count("Field '") == 2


@pytest.mark.parametrize("fields", [None, "all", [*KEYS, "uuid"]])
def test_nothing_that_opens_a_recording_or_a_space_is_ever_in_a_list(fields):
    (session,), _ = run(LessonspaceListSessionsOperator, fields=fields, hook=Hook({**SESSION, **KEYS}))
    assert "SECRET" not in json.dumps(session)
    if fields is not None:
        assert session["space"] == {"id": "s"}


@pytest.mark.parametrize("fields", ["uuid", [1], [], 7, {"uuid": 1}])
def test_fields_of_the_wrong_kind_are_refused_before_any_request(fields):
    refused(LessonspaceListSessionsOperator, "fields=", fields=fields)
    refused(LessonspaceGetSessionOperator, "fields=", fields=fields, session_id=SESSION_ID)


@pytest.mark.parametrize("filters", ["search=x", ["search"], {1: 2}])
def test_filters_of_the_wrong_kind_are_refused_before_any_request(filters):
    refused(LessonspaceListSessionsOperator, "filters was refused", filters=filters)


@pytest.mark.parametrize(
    "destination",
    [
        "file:///tmp/folder",
        "file:///tmp/x.json",
        "x.jsonl",
        "file://x.jsonl",
        ":///x.jsonl",
        "/tmp/\0.jsonl",
        7,
        pytest.param(
            "nosuchstore://b/x.jsonl",
            marks=needs_airflow("3.2", "older ones refuse a store that nobody knows when it is written to"),
        ),
    ],
)
def test_a_destination_that_is_no_jsonl_file_is_refused_before_any_request(destination):
    refused(LessonspaceListSessionsOperator, "destination=", destination=destination)


@pytest.mark.parametrize("destination", ["sessions/x.jsonl", "x.jsonl", "./x.jsonl", "../x.jsonl", "file:x.jsonl"])
def test_a_file_that_would_be_where_the_worker_runs_is_refused_before_any_request(destination):
    refused(LessonspaceListSessionsOperator, "destination=.*with its whole path", destination=destination)


def test_no_filter_is_taken_for_a_parameter_of_the_hook():
    refused(LessonspaceListSessionsOperator, "Unknown filter 'space_id'", space_id="s", filters={"space_id": "t"})


def test_a_list_can_go_into_a_file(tmp_path):
    path = f"file://{tmp_path}/a/sessions.jsonl"
    result, _ = run(LessonspaceListSessionsOperator, destination=path, fields=["uuid"])
    assert result == {"path": path, "count": 1}
    assert (tmp_path / "a" / "sessions.jsonl").read_text() == f'{{"uuid": "{SESSION_ID}"}}\n'


def test_a_list_too_large_for_xcom_advises_to_use_destination(monkeypatch):
    monkeypatch.setattr(lists, "XCOM_LIMIT", 10)
    with pytest.raises(LessonspaceInputError, match=r"too large for XCom.*Give destination"):
        run(LessonspaceListSessionsOperator)


# Get


def test_a_session_is_reduced_to_ids_times_and_counts_by_default():
    result, asked = run(LessonspaceGetSessionOperator, session_id=SESSION_ID, hook=Hook({**SESSION, **KEYS}))
    assert asked == [("get", SESSION_ID)]
    assert (result["session_id"], result["participants"]) == (SESSION_ID, 1)
    assert not any(word in json.dumps(result) for word in ("Ann", "ann@", "SECRET"))


def test_a_whole_session_can_be_asked_for_without_its_keys():
    result, _ = run(LessonspaceGetSessionOperator, session_id=SESSION_ID, fields="all", hook=Hook({**SESSION, **KEYS}))
    assert result["profiles"] == SESSION["profiles"]
    assert "SECRET" not in json.dumps(result)


@pytest.mark.parametrize(
    "operator_class",
    [LessonspaceGetSessionOperator, LessonspaceUpdateSessionOperator, LessonspaceGetRecordingUrlOperator],
)
@pytest.mark.parametrize("session_id", [7, "7", "lesson", None])
def test_a_session_id_that_is_no_uuid_is_refused_before_any_request(operator_class, session_id):
    refused(operator_class, "session_id=", session_id=session_id)


# Update


def test_a_policy_alone_reads_the_session_once_and_sends_its_name():
    result, asked = run(LessonspaceUpdateSessionOperator, session_id=SESSION_ID, recording_access_policy=["teacher"])
    assert asked == [("get", SESSION_ID), ("update", "Algebra", ["teacher"])]
    assert result == {
        "session_id": SESSION_ID,
        "updated": True,
        "old": {"name": "Algebra", "recording_access_policy": ["teacher", "admin"]},
        "new": {"name": "Algebra", "recording_access_policy": ["teacher"]},
    }


def test_a_name_alone_leaves_the_policy():
    result, asked = run(LessonspaceUpdateSessionOperator, session_id=SESSION_ID, name="Geometry")
    assert asked[1:] == [("update", "Geometry", None)]
    assert result["new"] == {"name": "Geometry", "recording_access_policy": ["teacher", "admin"]}


def test_the_organisations_policy_is_sent_as_an_empty_list():
    _, asked = run(LessonspaceUpdateSessionOperator, session_id=SESSION_ID, recording_access_policy=[])
    assert asked[1:] == [("update", "Algebra", [])]


SAME = [
    {"name": "Algebra"},
    {"name": "Algebra "},
    {"recording_access_policy": ["admin", "teacher"]},
    {"name": "Algebra", "recording_access_policy": ["teacher", "admin"]},
]


@pytest.mark.parametrize("parameters", SAME)
def test_what_would_change_nothing_is_not_sent_and_the_log_reports_it(parameters, capsys):
    result, asked = run(LessonspaceUpdateSessionOperator, session_id=SESSION_ID, **parameters)
    assert asked == [("get", SESSION_ID)]
    assert f"Session {SESSION_ID} already has these values: nothing was sent" in capsys.readouterr().out
    assert not result["updated"]
    assert result["old"] == result["new"]


@pytest.mark.parametrize("parameters", SAME)
def test_force_sends_what_would_change_nothing(parameters):
    result, asked = run(LessonspaceUpdateSessionOperator, session_id=SESSION_ID, force=True, **parameters)
    assert len(asked) == 2
    assert result["updated"]


@pytest.mark.parametrize("present", [None, "teacher"])
def test_a_policy_that_no_one_can_read_is_not_taken_for_the_one_that_is_asked_for(present):
    hook = Hook({**SESSION, "recording_access_policy": present})
    _, asked = run(LessonspaceUpdateSessionOperator, session_id=SESSION_ID, recording_access_policy=[], hook=hook)
    assert asked[1:] == [("update", "Algebra", [])]


def test_a_policy_that_the_api_did_not_take_fails_the_task():
    hook = Hook(answer={"name": "Algebra", "recording_access_policy": ["public"]})
    with pytest.raises(LessonspaceServerError, match=rf"Session {SESSION_ID}.* the API returned public\."):
        run(LessonspaceUpdateSessionOperator, session_id=SESSION_ID, recording_access_policy=["admin"], hook=hook)


def test_a_policy_for_a_session_without_a_name_asks_for_one():
    hook = Hook({**SESSION, "name": None})
    with pytest.raises(LessonspaceInputError, match="no name"):
        run(LessonspaceUpdateSessionOperator, session_id=SESSION_ID, recording_access_policy=["admin"], hook=hook)
    assert hook.asked == [("get", SESSION_ID)]


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({}, "give name, recording_access_policy, or both"),
        ({"name": " "}, "name="),
        ({"name": 7}, "name="),
        ({"recording_access_policy": "teacher"}, "recording_access_policy=.*participant, admin"),
        ({"recording_access_policy": ["parents"]}, "recording_access_policy=.*participant, admin"),
    ],
)
def test_a_bad_update_is_refused_before_any_request(parameters, message):
    refused(LessonspaceUpdateSessionOperator, message, session_id=SESSION_ID, **parameters)


# Recording


def test_the_link_to_a_recording_is_delivered_and_not_in_the_result():
    delivered = []
    result, _ = run(
        LessonspaceGetRecordingUrlOperator, session_id=SESSION_ID, deliver=lambda *both: delivered.append(both)
    )
    assert delivered == [({"session_id": SESSION_ID, "recording_url": LINK}, {})]
    assert result == {"session_id": SESSION_ID, "delivered": True}


def post(recording, context):
    """Deliver a link to nowhere."""


@pytest.mark.parametrize(
    ("operator_class", "parameters", "line"),
    [
        (LessonspaceGetSessionOperator, {}, "Read session {}: 8 fields are in the result."),
        (LessonspaceUpdateSessionOperator, {"name": "Geometry"}, "Session {} was updated: name."),
        (LessonspaceGetRecordingUrlOperator, {"deliver": post}, "recording of session {} was delivered with post."),
        (LessonspaceGetRecordingUrlOperator, {"push_recording_url": True}, "recording of session {} is in XCom"),
        (LessonspaceGetRecordingUrlOperator, {}, "Session {} has a recording, but its link was not delivered"),
    ],
)
def test_each_task_logs_what_it_did(operator_class, parameters, line, capsys):
    run(operator_class, session_id=SESSION_ID, **parameters)
    logged = "".join(capsys.readouterr())
    assert line.format(SESSION_ID) in logged
    assert "SECRET" not in logged


def test_the_link_to_a_recording_is_in_the_result_only_when_it_is_asked_for():
    assert "SECRET" not in json.dumps(run(LessonspaceGetRecordingUrlOperator, session_id=SESSION_ID)[0])
    result, _ = run(LessonspaceGetRecordingUrlOperator, session_id=SESSION_ID, push_recording_url=True)
    assert result == {"session_id": SESSION_ID, "delivered": False, "recording_url": LINK}


def test_a_delivery_that_fails_fails_the_task_and_reports_it_without_the_link(capsys):
    def failing(recording, context):
        raise RuntimeError(f"no mail for {recording['recording_url']}")

    with pytest.raises(LessonspaceError, match=f"recording of session {SESSION_ID} was not delivered") as caught:
        run(LessonspaceGetRecordingUrlOperator, session_id=SESSION_ID, deliver=failing)
    told = "".join(traceback.format_exception(caught.type, caught.value, caught.tb))
    logged = capsys.readouterr().out
    assert "SECRET" not in told + logged
    assert f'File "{__file__}", line ' in logged
    assert "in failing" in logged


def test_what_can_not_deliver_is_refused_before_any_request():
    refused(
        LessonspaceGetRecordingUrlOperator,
        "Give the function itself, deliver=send",
        session_id=SESSION_ID,
        deliver="mail it",
    )


# All


@pytest.mark.parametrize(
    ("operator_class", "fixed", "mapped"),
    [
        (LessonspaceListSessionsOperator, {"fields": ["uuid"]}, {"space_id": ["a", "b"]}),
        (LessonspaceGetSessionOperator, {}, {"session_id": [SESSION_ID]}),
        (LessonspaceUpdateSessionOperator, {"recording_access_policy": []}, {"session_id": [SESSION_ID]}),
        (LessonspaceGetRecordingUrlOperator, {"deliver": post}, {"session_id": [SESSION_ID]}),
    ],
)
def test_each_can_be_mapped_over_what_is_templated(operator_class, fixed, mapped):
    with DAG("school"):
        assert operator_class.partial(task_id="it", **fixed).expand(**mapped).is_mapped
    assert set(mapped) < set(operator_class.template_fields)


def test_a_session_with_odd_fields_is_named_and_its_summary_has_none_of_them(capfd):
    result, _ = run(LessonspaceGetSessionOperator, session_id=SESSION_ID, hook=Hook({**SESSION, "end_time": "10:"}))
    assert result["end_time"] is None
    assert f"Session {SESSION_ID} has fields that can't be read: end_time" in "".join(capfd.readouterr())
