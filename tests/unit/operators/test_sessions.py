# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from lessonspace_provider.exceptions import LessonspaceInputError
from lessonspace_provider.operators.sessions import LessonspaceListSessionsOperator

SESSION = {
    "uuid": "5b5f1a2c-3d4e-4f5a-8b9c-0d1e2f3a4b5c",
    "name": "Algebra",
    "profiles": [{"user": 1, "name": "Ann"}],
    "end_time": None,
    "brand_new_field": 1,
}


class Hook:
    """Stands in for the hook and remembers what it was asked."""

    def __init__(self):
        self.asked = []

    def list_sessions(self, **filters):
        self.asked.append(("organisation", filters))
        return iter([SESSION])

    def list_space_sessions(self, space_id, **filters):
        self.asked.append((space_id, filters))
        return iter([SESSION])


def run(**parameters):
    operator = LessonspaceListSessionsOperator(task_id="list", **parameters)
    operator.hook = Hook()
    return operator.execute({}), operator.hook.asked


def test_by_default_no_people_are_in_the_result():
    result, asked = run(filters={"in_progress_only": True})
    assert asked == [("organisation", {"in_progress_only": True})]
    assert result[0]["session_id"] == SESSION["uuid"]
    assert "Ann" not in str(result)


def test_a_space_id_lists_that_space():
    assert run(space_id="my-room")[1] == [("my-room", {})]


def test_all_fields_or_some_can_be_asked_for():
    assert run(fields="all")[0] == [SESSION]
    assert run(fields=["uuid", "brand_new_field"])[0] == [{"uuid": SESSION["uuid"], "brand_new_field": 1}]


@pytest.mark.parametrize("fields", [None, "all", ["playback_url", "playback_password", "space", "uuid"]])
def test_nothing_that_opens_a_recording_or_a_space_is_ever_in_the_result(fields, monkeypatch):
    keys = {"playback_url": "https://x/SECRET", "playback_password": "SECRET", "space": {"id": "s", "url": "x?SECRET"}}
    monkeypatch.setitem(globals(), "SESSION", {**SESSION, **keys})
    (session,), _ = run(fields=fields)
    assert "SECRET" not in str(session)
    if fields is not None:
        assert session["space"] == {"id": "s"}


@pytest.mark.parametrize("fields", ["uuid", [1]])
def test_fields_of_the_wrong_kind_are_refused_before_any_request(fields):
    operator = LessonspaceListSessionsOperator(task_id="list", fields=fields)
    operator.hook = Hook()
    with pytest.raises(LessonspaceInputError, match="fields="):
        operator.execute({})
    assert operator.hook.asked == []
