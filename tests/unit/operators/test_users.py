# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json

import pytest
from airflow.sdk import DAG

from lessonspace_provider.exceptions import LessonspaceAuthError, LessonspaceInputError, LessonspaceNotFoundError
from lessonspace_provider.operators.users import LessonspaceListUsersOperator, LessonspaceRemoveUserOperator

USERS = [
    {
        "user": {"id": 5, "username": "eve@example.org"},
        "role": "admin",
        "active": True,
        "name": "Eve",
        "url": "https://x",
    },
    {"id": 99, "user": 7, "name": "Ann", "email": "ann@example.org", "role": "teacher"},
    {"id": 8, "name": "Ben", "role": None},
    {"id": None, "user": {"name": "Cy"}, "role": "{{ 1 }}"},
]


class Hook:
    """Stands in for the hook: removes whom it knows, and lists users unless the organisation is not there."""

    def __init__(self, known=(7,), list_error=None):
        self.known = known
        self.list_error = list_error
        self.asked = []

    def list_users(self, **filters):
        self.asked.append(("list", filters))
        if self.list_error:
            raise self.list_error
        return iter(USERS)

    def remove_user(self, user_id):
        self.asked.append(("remove", user_id))
        if user_id not in self.known:
            raise LessonspaceNotFoundError("404", status=404)


def remove(hook=None, **parameters):
    operator = LessonspaceRemoveUserOperator(task_id="remove", **parameters)
    operator.hook = hook or Hook()
    return operator.execute({}), operator.hook.asked


def listed(**parameters):
    operator = LessonspaceListUsersOperator(task_id="list", **parameters)
    operator.hook = Hook()
    return operator.execute({})


def test_a_list_of_users_has_neither_names_nor_e_mails():
    result = listed(filters={"role": "teacher"})
    assert result == [
        {"user_id": 5, "role": "admin"},
        {"user_id": 7, "role": "teacher"},
        {"user_id": 8, "role": None},
        {"user_id": None, "role": None},
    ]
    assert not any(word in json.dumps(result) for word in ("Ann", "Ben", "Cy", "Eve", "example.org", "https"))


def test_names_are_listed_when_they_are_asked_for():
    assert listed(fields=["name"])[:2] == [{"name": "Eve"}, {"name": "Ann"}]


@pytest.mark.parametrize("user_id", [7, "7"])
def test_a_user_is_removed(user_id):
    assert remove(user_id=user_id) == ({"user_id": 7, "status": "removed"}, [("remove", 7)])


def test_a_user_who_was_removed_already_is_a_success():
    result, _ = remove(user_id=8)
    assert result == {"user_id": 8, "status": "already_gone"}


@pytest.mark.parametrize("error", [LessonspaceNotFoundError("no such organisation"), LessonspaceAuthError("403")])
def test_a_connection_that_leads_elsewhere_is_not_taken_for_a_removed_user(error):
    with pytest.raises(type(error), match=str(error)):
        remove(hook=Hook(list_error=error), user_id=8)


def test_a_dry_run_sends_nothing():
    assert remove(user_id=7, dry_run=True) == ({"user_id": 7, "status": "dry_run"}, [])


@pytest.mark.parametrize("user_id", [None, "", "None", "all", "ann@example.org", 0, -7, True, 7.0, [7], "7.0"])
@pytest.mark.parametrize("dry_run", [True, False])
def test_no_one_is_removed_without_an_integer_id(user_id, dry_run):
    hook = Hook()
    with pytest.raises(LessonspaceInputError, match=r"^user_id.*positive integer") as caught:
        remove(hook=hook, user_id=user_id, dry_run=dry_run)
    assert "ann@" not in str(caught.value)
    assert hook.asked == []


@pytest.mark.parametrize("dry_run", [None, "", 0, "False"])
def test_no_one_is_removed_for_a_dry_run_that_is_no_boolean(dry_run):
    hook = Hook()
    with pytest.raises(LessonspaceInputError, match=r"dry_run=.*True or False"):
        remove(hook=hook, user_id=7, dry_run=dry_run)
    assert hook.asked == []


def test_leavers_can_be_mapped():
    with DAG("school"):
        assert LessonspaceRemoveUserOperator.partial(task_id="remove").expand(user_id=[7, 8]).is_mapped
        assert LessonspaceListUsersOperator.partial(task_id="list").expand(filters=[{"role": "teacher"}]).is_mapped
