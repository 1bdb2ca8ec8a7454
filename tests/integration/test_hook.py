# SPDX-License-Identifier: Apache-2.0
"""Every operation of the API, over a real socket against the sandbox."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from uuid import UUID

import pytest

from lessonspace_provider.exceptions import (
    LessonspaceAuthError,
    LessonspaceConnectionError,
    LessonspaceNotFoundError,
    LessonspaceServerError,
    LessonspaceTranscriptNotReady,
)
from lessonspace_provider.hooks.lessonspace import LessonspaceHook
from lessonspace_provider.sessions import ended_within

NOON = datetime.now(timezone.utc).replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days=2)


@pytest.fixture
def hook(lessonspace_connection, monkeypatch):
    monkeypatch.setattr("lessonspace_provider.api.retries._backoff", lambda _: 0.0)
    return LessonspaceHook(lessonspace_connection)


@pytest.fixture
def control(lessonspace_sandbox):
    return lessonspace_sandbox.control


def test_the_connection_tests_well(hook, lessonspace_sandbox):
    good, message = hook.test_connection()
    assert good
    assert str(lessonspace_sandbox.organisation_id) in message


def test_a_wrong_key_is_reported(hook, monkeypatch):
    monkeypatch.setenv(
        "AIRFLOW_CONN_WRONG",
        json.dumps({"conn_type": "lessonspace", "password": str(UUID(int=0)), "host": hook.settings.base_url}),
    )
    good, message = LessonspaceHook("wrong").test_connection()
    assert not good
    assert "API key" in message
    with pytest.raises(LessonspaceAuthError):
        LessonspaceHook("wrong").hello()


def test_all_pages_of_a_list_are_read_and_each_session_is_there_once(hook, control):
    sessions = list(hook.list_sessions(include_single_user=True))
    assert len(sessions) > control.state().sessions * 0.9
    assert sorted(session["uuid"] for session in sessions) == sorted(truth.session_id for truth in control.sessions())


def test_filters_filter(hook):
    start, end = NOON - timedelta(days=1), NOON
    sessions = list(hook.list_sessions(end_time_after=start, end_time_before=end, include_single_user=True))
    assert sessions
    assert all(ended_within(session, start, end + timedelta(microseconds=1)) for session in sessions)


def test_a_spaces_sessions_carry_the_logs(hook, control):
    control.add_session(NOON, NOON + timedelta(hours=1), launch_id="maths")
    (session,) = hook.list_sessions(launch_id="maths")
    (same,) = hook.list_space_sessions(session["space"]["slug"])
    assert same["uuid"] == session["uuid"]
    assert same["logs"]


def test_a_session_is_got_by_its_uuid_with_fields_without_documentation(hook, control):
    session_id = control.add_session(NOON, NOON + timedelta(hours=1), name="Algebra")
    session = hook.get_session(session_id)
    assert session["name"] == "Algebra"
    assert "playback_password" in session


def test_a_launched_session_exists_once_someone_joins(hook, control):
    launch = hook.launch_space("one-to-one", user={"name": "Ann", "role": "teacher"}, transcribe=True)
    assert launch["created"]
    with pytest.raises(LessonspaceNotFoundError):
        hook.get_session(launch["session_id"])
    control.join(launch["session_id"], user_id=launch["user_id"])
    assert hook.get_session(launch["session_id"])["end_time"] is None
    assert not hook.launch_space("one-to-one", user={"name": "Ben"})["created"]


def test_a_launch_whose_answer_was_lost_is_made_again_in_the_same_room(hook, control):
    control.inject_fault("reset", method="POST", count=1, after=True)
    launch = hook.launch_space("one-to-one")
    assert {taken.room_id for taken in control.launches()} == {launch["room_id"]}
    assert [taken.created for taken in control.launches()] == [True, False]
    assert not launch["created"], "as the documentation says"


def test_the_policy_alone_can_be_updated_and_the_name_stays(hook, control):
    session_id = control.add_session(NOON, NOON + timedelta(hours=1), name="Algebra")
    assert hook.update_session(session_id, recording_access_policy=["teacher", "admin"]) == {
        "name": "Algebra",
        "recording_access_policy": ["teacher", "admin"],
    }
    assert hook.update_session(session_id, name="Geometry")["recording_access_policy"] == ["teacher", "admin"]


def test_a_transcript_comes_from_the_store_without_the_key(hook, control):
    segments = [
        {"start_time": 0.0, "end_time": 1.5, "user": {"id": 1, "name": "Ann"}, "breakout_id": "main", "text": "Hi 🎉"}
    ]
    session_id = control.add_session(NOON, NOON + timedelta(hours=1), transcript="ready", segments=segments)
    assert hook.get_transcript(session_id) == segments
    (download,) = control.calls(target="store")
    assert "authorization" not in download.header_names


def test_an_expired_link_is_asked_for_again(hook, control):
    session_id = control.add_session(NOON, NOON + timedelta(hours=1), transcript="ready")
    control.inject_fault("status", status=403, target="store", count=1)
    assert hook.get_transcript(session_id)
    assert len(control.calls(path="/transcript/$")) == 2


@pytest.mark.parametrize("kind", ["truncated", "not_json", "reset", "status"])
@pytest.mark.parametrize("target", ["api", "store"])
def test_an_answer_that_breaks_once_costs_one_more_call(hook, control, kind, target):
    session_id = control.add_session(NOON, NOON + timedelta(hours=1), transcript="ready")
    hook.organisation_id  # noqa: B018 - asked for here, so that the fault hits what comes next
    control.inject_fault(kind, target=target, count=1)
    assert hook.get_transcript(session_id)
    assert len(control.calls(target=target, path="transcript")) == 2


@pytest.mark.parametrize(
    ("kind", "error"), [("truncated", LessonspaceConnectionError), ("not_json", LessonspaceServerError)]
)
def test_a_file_that_stays_broken_is_an_error_without_its_link(hook, control, kind, error):
    session_id = control.add_session(NOON, NOON + timedelta(hours=1), transcript="ready")
    control.inject_fault(kind, target="store")
    with pytest.raises(error, match=session_id) as caught:
        hook.get_transcript(session_id)
    assert "ignature" not in str(caught.value)
    assert "?" not in str(caught.value)


def test_a_transcript_that_is_not_there_reports_it(hook, control):
    session_id = control.add_session(NOON, NOON + timedelta(hours=1), transcript="never")
    with pytest.raises(LessonspaceTranscriptNotReady, match=session_id):
        hook.get_transcript(session_id)


def test_the_list_form_of_a_transcript_is_accepted(hook, control):
    control.reset(transcript_list_form=True, page_size=7)
    session_id = control.add_session(NOON, NOON + timedelta(hours=1), transcript="ready")
    segments = hook.get_transcript(session_id)
    assert len(segments) > 7
    assert segments == sorted(segments, key=lambda segment: segment["start_time"])


def test_the_recording_has_a_link(hook, control):
    session_id = control.add_session(NOON, NOON + timedelta(hours=1))
    assert hook.get_recording_url(session_id).startswith("http")


def test_spaces_and_users_are_listed_and_users_removed(hook, control):
    assert len(list(hook.list_spaces())) == control.state().spaces
    users = list(hook.list_users())
    assert len(users) == control.state().users
    assert {user["role"] for user in hook.list_users(role="teacher")} == {"teacher"}
    hook.remove_user(users[0]["user"]["id"])
    assert users[0]["user"]["id"] not in {user["user"]["id"] for user in hook.list_users()}
    with pytest.raises(LessonspaceNotFoundError):
        hook.remove_user(users[0]["user"]["id"])


def test_a_429_is_waited_out(hook, control):
    control.inject_fault("status", status=429, retry_after="0", count=2)
    assert hook.hello()
    assert len(control.calls(path="/hello/")) == 3
