# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import re
from datetime import timedelta

import pytest
from airflow.providers.common.compat.sdk import AirflowSkipException
from airflow.sdk import ObjectStoragePath

from lessonspace_provider.exceptions import (
    LessonspaceError,
    LessonspaceInputError,
    LessonspaceServerError,
    LessonspaceTranscriptNotReady,
)
from lessonspace_provider.operators.transcripts import (
    LessonspaceGetTranscriptOperator,
)
from lessonspace_provider.sessions import summary
from tests.unit.operators.kit import NOW, SEGMENTS, Hook, a_session, archiver, manifest_of


def getter(session=None, missing=False, found=True, **parameters):
    session = session or a_session(1)
    operator = LessonspaceGetTranscriptOperator(task_id="get", session_id=session["uuid"], **parameters)
    not_there = LessonspaceTranscriptNotReady("no transcript", status=404)
    operator.hook = Hook([session] if found else [], {session["uuid"]: not_there} if missing else {})
    return operator


def test_a_transcript_that_is_not_there_does_what_on_missing_requires():
    with pytest.raises(LessonspaceTranscriptNotReady):
        getter(missing=True).execute({})
    with pytest.raises(AirflowSkipException, match="is not ready yet"):
        getter(missing=True, on_missing="skip").execute({})
    assert getter(missing=True, on_missing="none").execute({}) is None
    with pytest.raises(LessonspaceInputError, match="on_missing='ignore'"):
        getter(missing=True, on_missing="ignore").execute({})


@pytest.mark.parametrize("on_missing", ["fail", "skip"])
@pytest.mark.parametrize(
    ("session", "message"),
    [
        pytest.param(
            None,
            r"There is no session 0000\S+ so far.*Check that it is not the id of a space.*set wait=True",
            id="no such session",
        ),
        pytest.param(a_session(1), r"is not ready yet, 2:\d\d:\d\d after.*set wait=True", id="not ready"),
        pytest.param(a_session(1, end_time=None), r"is not ready yet.*is running.*set wait=True", id="running"),
        pytest.param(a_session(1, profiles=[{"user": 1}]), r"will never come: one person only(?!.*wait=)", id="alone"),
        pytest.param(a_session(1, record_av=False), r"will never come: not recorded(?!.*wait=)", id="not recorded"),
        pytest.param(
            a_session(1, end=NOW - timedelta(days=9)),
            r"was given up: none 7 days.*transcribe=True(?!.*wait=)",
            id="given up",
        ),
    ],
)
def test_a_missing_transcript_names_the_reason_and_what_to_do(session, message, on_missing):
    with pytest.raises((LessonspaceTranscriptNotReady, AirflowSkipException)) as caught:
        getter(session, missing=True, found=session is not None, on_missing=on_missing).execute({})
    assert re.search(message, str(caught.value))
    assert "connection 'lessonspace_default'" in str(caught.value)
    assert str(caught.value).count("\n") == 0


def test_a_transcript_that_is_there_costs_no_question_about_its_session():
    operator = getter()
    operator.hook.get_session = None
    assert operator.execute({}) == SEGMENTS


def test_an_unknown_reason_is_an_error_and_skips_nothing():
    operator = getter(missing=True, on_missing="skip")

    def outage(session_id):
        raise LessonspaceServerError("503", status=503)

    operator.hook.get_session = outage
    with pytest.raises(LessonspaceServerError, match="503"):
        operator.execute({})


def test_a_transcript_of_a_session_without_an_end_is_not_filed(tmp_path):
    running = {**a_session(1), "end_time": None}
    with pytest.raises(LessonspaceError, match=f"{running['uuid']} has no end_time"):
        getter(running, destination=f"file://{tmp_path}").execute({})
    assert list(tmp_path.iterdir()) == []


def test_one_transcript_becomes_the_result_when_there_is_no_destination(capfd):
    assert getter().execute({}) == SEGMENTS
    assert f"Returned 1 segment(s) of session {a_session(1)['uuid']}" in "".join(capfd.readouterr())


def test_one_transcript_is_written_where_the_archive_would_write_it(tmp_path, capfd):
    paths = getter(destination=f"file://{tmp_path}", formats=["txt"]).execute({})
    assert f"Wrote 1 segment(s) of session {a_session(1)['uuid']} to {paths[0]}" in "".join(capfd.readouterr())
    assert [ObjectStoragePath(path).read_text() for path in paths] == ["[00:00:01] Ann: Hi\n"]
    archiver(tmp_path, [a_session(1)], formats=["txt"]).execute({})
    assert [file["path"] in paths[0] for file in manifest_of(tmp_path)["sessions"][0]["files"]] == [True]


def of_a_list(session, /, **parameters):
    operator = LessonspaceGetTranscriptOperator(task_id="get", **parameters)
    operator.hook = Hook([session], {})
    return operator


@pytest.mark.parametrize("shape", [summary, dict], ids=["short form", "whole"])
def test_a_session_of_a_list_needs_no_second_call_for_its_path(tmp_path, shape):
    session = a_session(1)
    by_id = of_a_list(session, session_id=session["uuid"], destination=f"file://{tmp_path}").execute({})
    operator = of_a_list(session, session=shape(session), destination=f"file://{tmp_path}")
    operator.hook.get_session = None
    assert operator.execute({}) == by_id


def test_a_session_of_a_list_may_have_its_uuid_in_capitals(tmp_path):
    session = a_session(0xABC) | {"uuid": "00000000-0000-4000-8000-000000000abc"}
    given = {**summary(session), "session_id": session["uuid"].upper()}
    paths = of_a_list(session, session=given, destination=f"file://{tmp_path}").execute({})
    assert paths[0].endswith(f"/{session['uuid']}.json")


def test_a_session_without_its_end_is_read(tmp_path):
    session = a_session(1)
    operator = of_a_list(session, session={"session_id": session["uuid"]}, destination=f"file://{tmp_path}")
    assert operator.execute({})[0].endswith(f"/{session['uuid']}.json")


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({}, "session_id=None was refused"),
        ({"session": {}}, "session['session_id']=None was refused"),
        ({"session": {"session_id": "../../etc"}}, "session['session_id']='../../etc' was refused"),
        ({"session": [{"session_id": "0"}]}, "session was refused: it must be one session of a list: map over it"),
        ({"session": {"session_id": "0"}, "session_id": "1"}, "session_id='1' was refused: it must be left out"),
    ],
)
def test_a_session_that_can_not_be_used_is_refused_before_any_call(parameters, message):
    operator = of_a_list(a_session(1), **parameters)
    operator.hook = None
    with pytest.raises(LessonspaceInputError) as caught:
        operator.execute({})
    assert message in str(caught.value)


def test_a_session_is_never_rendered():
    assert "session" not in LessonspaceGetTranscriptOperator.template_fields
