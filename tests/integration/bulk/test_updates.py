# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta, timezone

import pytest

from lessonspace_provider.exceptions import LessonspaceJobError
from lessonspace_provider.hooks.lessonspace import LessonspaceHook
from lessonspace_provider.operators.sessions import LessonspaceUpdateSessionsOperator
from tests.integration.bulk.test_launches import account_of

NOON = datetime.now(timezone.utc).replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days=2)


@pytest.fixture
def sessions(control):
    """The uuids of thirty sessions."""
    return [control.add_session(NOON, NOON + timedelta(hours=1), name=f"Lesson {number}") for number in range(30)]


def update(updates, account=None, **parameters):
    return LessonspaceUpdateSessionsOperator(task_id="update", updates=updates, account=account, **parameters).execute(
        {}
    )


def methods(control):
    return Counter(call.method for call in control.calls(path="/sessions/"))


def test_a_rename_is_one_call_and_none_when_it_is_done(control, sessions, folder):
    renames = [{"session_id": session_id, "name": f"New {session_id[:4]}"} for session_id in sessions]
    assert update(renames, folder)["counts"]["done"] == 30
    assert methods(control) == {"PATCH": 30}
    assert update(renames, folder)["counts"]["done"] == 30
    assert methods(control) == {"PATCH": 30}
    assert {session["name"] for session in LessonspaceHook().list_sessions()} > {rename["name"] for rename in renames}


def test_policies_cost_a_second_call_unless_the_list_gave_the_names(control, sessions):
    listed = [entry for entry in LessonspaceHook().list_sessions() if entry["uuid"] in sessions]
    before = methods(control)["GET"]
    known = [{"session_id": entry["uuid"], "current": {"name": entry["name"]}} for entry in listed[:15]]
    unknown = [{"session_id": entry["uuid"]} for entry in listed[15:]]
    result = update([*known, *unknown], defaults={"recording_access_policy": ["teacher"]})
    assert result == {"counts": {"done": 30, "failed": 0, "refused": 0, "not_attempted": 0}, "account": None}
    assert methods(control) == {"PATCH": 30, "GET": before + 15}
    changed = [entry for entry in LessonspaceHook().list_sessions() if entry["uuid"] in sessions]
    assert {entry["name"] for entry in changed} == {entry["name"] for entry in listed}
    assert all(entry["recording_access_policy"] == ["teacher"] for entry in changed)


def test_what_fails_is_named_and_done_by_the_next_run(control, sessions, folder):
    control.inject_fault("status", status=400, method="PATCH", path=f"/sessions/{sessions[3]}/", count=1)
    updates = [{"session_id": session_id, "name": "Geometry"} for session_id in sessions]
    with pytest.raises(LessonspaceJobError, match=rf"1 of 30 updates are not done.*{sessions[3]}"):
        update(updates, folder)
    assert update(updates, folder)["counts"]["done"] == 30
    assert methods(control)["PATCH"] == 31
    assert Counter(record["tries"] for record in account_of(folder)) == {1: 29, 2: 1}
