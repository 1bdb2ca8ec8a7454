# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from lessonspace_provider.bulk.items import Row
from lessonspace_provider.bulk.rows import as_defaults
from lessonspace_provider.bulk.updates import FIELDS, UNCHANGED, plan_updates, send_update
from lessonspace_provider.exceptions import LessonspaceInputError, LessonspaceServerError

SESSION, OTHER = "5b5f1a2c-3d4e-4f5a-8b9c-0d1e2f3a4b5c", "6c6f1a2c-3d4e-4f5a-8b9c-0d1e2f3a4b5c"
STORED = {"uuid": SESSION, "name": "Algebra", "recording_access_policy": ["teacher"]}


class Sessions:
    """Stands in for the hook: remembers its calls, and answers an update with what was sent."""

    def __init__(self, session=STORED, policy=None):
        self.session, self.policy, self.calls = session, policy, []

    def get_session(self, session_id):
        self.calls.append("GET")
        return self.session

    def update_session(self, session_id, *, name, recording_access_policy):
        self.calls.append(("PATCH", name, recording_access_policy))
        return {"name": name, "recording_access_policy": self.policy or recording_access_policy}


def plan(*updates, defaults=None):
    rows = [Row(f"item {number}", update) for number, update in enumerate(updates, start=1)]
    return plan_updates(rows, lambda *identity: "|".join(identity), defaults=defaults or {})


def sent(update, sessions=None):
    sessions = sessions or Sessions()
    (item,) = plan({"session_id": SESSION, **update}).items
    return send_update(sessions, item), sessions.calls


@pytest.mark.parametrize(
    ("update", "remark", "calls"),
    [
        ({"name": "Geometry"}, "updated name", [("PATCH", "Geometry", None)]),
        (
            {"name": "Geometry", "recording_access_policy": []},
            "updated name and recording_access_policy",
            [("PATCH", "Geometry", [])],
        ),
        (
            {"recording_access_policy": ["admin"]},
            "updated recording_access_policy",
            ["GET", ("PATCH", "Algebra", ["admin"])],
        ),
        ({"recording_access_policy": ["teacher"]}, UNCHANGED, ["GET"]),
        (
            {"recording_access_policy": ["admin"], "current": {"name": "Algebra"}},
            "updated recording_access_policy",
            [("PATCH", "Algebra", ["admin"])],
        ),
        ({"recording_access_policy": ["teacher"], "current": STORED}, UNCHANGED, []),
        ({"name": "Algebra", "current": STORED}, UNCHANGED, []),
        ({"name": "Geometry", "current": STORED}, "updated name", [("PATCH", "Geometry", None)]),
    ],
)
def test_a_second_call_is_made_only_for_an_unknown_name(update, remark, calls):
    assert sent(update) == (remark, calls)


def test_a_session_without_a_name_can_not_get_a_policy_alone():
    with pytest.raises(LessonspaceInputError, match="no name"):
        sent({"recording_access_policy": ["admin"]}, Sessions({**STORED, "name": None}))


def test_a_policy_that_the_api_did_not_take_is_a_failure():
    with pytest.raises(LessonspaceServerError, match=SESSION):
        sent({"name": "x", "recording_access_policy": ["admin"]}, Sessions(policy=["public"]))


@pytest.mark.parametrize(
    ("update", "reason"),
    [
        ({"session_id": 7, "name": "x"}, "session_id=7 was refused"),
        ({"name": "x"}, "session_id=None was refused"),
        ({"session_id": SESSION}, "give name, recording_access_policy, or both"),
        ({"id": SESSION, "name": "x"}, "Unknown field of an update 'id'. Did you mean 'session_id'?"),
        ({"session_id": SESSION, "policy": []}, "Unknown field of an update 'policy'"),
        (
            {"session_id": SESSION, "recording_access_policy": ["parents"]},
            "recording_access_policy=['parents'] was refused",
        ),
        ({"session_id": SESSION, "name": "x", "current": "Old"}, "current was refused"),
        ({"session_id": OTHER.upper(), "name": "x"}, "this session has an update already, see item 1"),
    ],
)
def test_a_bad_update_is_refused_and_the_others_are_planned(update, reason):
    planned = plan({"session_id": OTHER, "name": "Geometry"}, update)
    assert [item.label for item in planned.items] == [OTHER]
    (refusal,) = planned.refusals
    assert refusal.item.place == "item 2"
    assert reason in refusal.reason


def test_a_session_id_of_thousands_of_digits_is_refused_and_the_others_are_planned():
    planned = plan({"session_id": 10**5000, "name": "x"}, {"session_id": OTHER, "name": "Geometry"})
    assert [(refusal.item.label, refusal.item.place) for refusal in planned.refusals] == [("<int>", "item 1")]
    assert [item.label for item in planned.items] == [OTHER]


def test_a_reason_has_no_name_of_a_session():
    (refusal,) = plan({"session_id": 7, "name": "Ann and Ben", "recording_access_policy": ["Ann and Ben"]}).refusals
    assert "Ann" not in refusal.reason


def test_another_wanted_value_is_another_item():
    keys = {plan({"session_id": SESSION, "name": name}).items[0].key for name in ("Algebra", "Geometry")}
    assert len(keys) == 2


def test_defaults_hold_where_an_update_gives_nothing():
    defaults = as_defaults({"recording_access_policy": []}, FIELDS)
    planned = plan(
        {"session_id": SESSION}, {"session_id": OTHER, "recording_access_policy": ["admin"]}, defaults=defaults
    )
    assert [item.task.wanted["recording_access_policy"] for item in planned.items] == [[], ["admin"]]


@pytest.mark.parametrize("defaults", [["x"], {"session_id": SESSION}, {"policy": []}])
def test_bad_defaults_are_refused(defaults):
    with pytest.raises(LessonspaceInputError, match="defaults"):
        as_defaults(defaults, FIELDS)
