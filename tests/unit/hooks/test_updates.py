# SPDX-License-Identifier: Apache-2.0
"""Renaming a session and setting who may watch its recording; removing a user."""

from __future__ import annotations

import pytest

from lessonspace_provider.exceptions import (
    LessonspaceBadRequestError,
    LessonspaceInputError,
    LessonspaceNotFoundError,
    LessonspaceServerError,
)
from tests.unit.hooks.known import API, SESSION, SESSION_PATH, USERS_PATH, sent

URL = API + SESSION_PATH


def bodies(requests_mock):
    return [request.json() for request in requests_mock.request_history if request.method == "PATCH"]


def test_a_name_alone_is_one_call_and_leaves_the_policy(hook, requests_mock):
    requests_mock.patch(URL, json={"name": "Geometry", "recording_access_policy": ["teacher"]})
    answer = hook.update_session(SESSION, name="Geometry")
    assert answer == {"name": "Geometry", "recording_access_policy": ["teacher"]}
    assert bodies(requests_mock) == [{"name": "Geometry"}]
    assert len(sent(requests_mock)) == 1


def test_name_and_policy_together_are_one_call(hook, requests_mock):
    requests_mock.patch(URL, json={})
    hook.update_session(SESSION, name="Geometry", recording_access_policy=["admin"])
    assert bodies(requests_mock) == [{"name": "Geometry", "recording_access_policy": ["admin"]}]
    assert len(sent(requests_mock)) == 1


@pytest.mark.parametrize("policy", [["teacher", "participant"], [], ("admin",)])
def test_a_policy_alone_reads_the_name_first_and_keeps_it(hook, requests_mock, policy):
    requests_mock.get(URL, json={"uuid": SESSION, "name": "Algebra", "recording_access_policy": ["public"]})
    requests_mock.patch(URL, json={})
    hook.update_session(SESSION, recording_access_policy=policy)
    assert [method for method, _, _ in sent(requests_mock)] == ["GET", "PATCH"]
    assert bodies(requests_mock) == [{"name": "Algebra", "recording_access_policy": list(policy)}]


@pytest.mark.parametrize("session", [{"name": None}, {"name": ""}, {}])
def test_a_policy_for_a_session_without_a_name_asks_for_one(hook, requests_mock, session):
    requests_mock.get(URL, json=session)
    with pytest.raises(LessonspaceInputError, match=f"Session {SESSION} .* no name.* Give name together"):
        hook.update_session(SESSION, recording_access_policy=["admin"])
    assert bodies(requests_mock) == []


def test_a_policy_for_a_session_that_is_not_there_changes_nothing(hook, requests_mock):
    requests_mock.get(URL, status_code=404)
    with pytest.raises(LessonspaceNotFoundError):
        hook.update_session(SESSION, recording_access_policy=["admin"])
    assert len(sent(requests_mock)) == 1


def test_what_the_server_refuses_is_reported_with_its_words(hook, requests_mock):
    requests_mock.patch(URL, status_code=400, json={"recording_access_policy": ['"public" is not a valid choice.']})
    with pytest.raises(LessonspaceBadRequestError, match='recording_access_policy: "public" is not a valid choice'):
        hook.update_session(SESSION, name="Algebra", recording_access_policy=["public"])


def test_an_update_that_is_answered_with_another_shape_is_a_server_error(hook, requests_mock):
    requests_mock.patch(URL, json=["Algebra"])
    with pytest.raises(LessonspaceServerError, match=f"PATCH {SESSION_PATH}"):
        hook.update_session(SESSION, name="Algebra")


def test_a_user_who_is_not_there_can_not_be_removed(hook, requests_mock):
    requests_mock.delete(f"{API}{USERS_PATH}7/", status_code=404)
    with pytest.raises(LessonspaceNotFoundError, match=f"DELETE {USERS_PATH}7/"):
        hook.remove_user(7)
