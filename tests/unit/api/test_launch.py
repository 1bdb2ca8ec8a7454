# SPDX-License-Identifier: Apache-2.0
"""What is not seen on the wire. Every field on it, and the refusals, are tested with the hook."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone
from types import MappingProxyType

import pytest

from lessonspace_provider.api.launch import launch_body
from lessonspace_provider.exceptions import LessonspaceInputError

EIGHT = datetime(2026, 11, 23, 8, tzinfo=timezone.utc)


def test_the_body_of_a_plain_launch_is_its_id():
    assert launch_body("maths", {}) == {"id": "maths"}
    assert launch_body("maths", {}, None) == launch_body("maths", {}, {}) == {"id": "maths"}


def test_what_was_given_stays_as_it_was():
    options = {"user": {"custom_jwt_parameters": {"since": EIGHT}}, "session_tags": {"a": "b"}}
    extra = {"new": [EIGHT]}
    launch_body("maths", options, extra)["session_tags"]["a"] = "changed"
    assert options == {"user": {"custom_jwt_parameters": {"since": EIGHT}}, "session_tags": {"a": "b"}}
    assert extra == {"new": [EIGHT]}


def test_any_mapping_will_do():
    frozen = MappingProxyType
    body = launch_body("maths", frozen({"user": frozen({"name": "Ann"}), "features": frozen({"chat": frozen({})})}))
    assert body == {"id": "maths", "user": {"name": "Ann"}, "features": {"chat": {}}}


def test_free_fields_take_what_json_knows_and_times():
    given = {"a": [1, 2.5, "x", True, None, {"b": (EIGHT, date(2026, 11, 23))}]}
    written = {"a": [1, 2.5, "x", True, None, {"b": ["2026-11-23T08:00:00Z", "2026-11-23"]}]}
    for name in ("features", "theme", "holodeck_parameters"):
        assert launch_body("maths", {name: given}) == {"id": "maths", name: written}
    assert launch_body("maths", {}, given) == {"id": "maths", **written}


def test_text_in_a_free_field_is_not_taken_for_a_time():
    assert launch_body("maths", {"features": {"a": "2026-11-23"}})["features"] == {"a": "2026-11-23"}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"features": {"a": {"b": [{"c": object}]}}}, "features.a.b.c was refused"),
        (
            {"user": {"custom_jwt_parameters": {"meta": {"x": {1, 2}}}}},
            "user.custom_jwt_parameters.meta.x was refused",
        ),
        ({"webhooks": {"session": {"start": 7}}}, "webhooks.session.start was refused"),
        ({"theme": {"a": float("-inf")}}, "theme.a=-inf"),
    ],
)
def test_a_refusal_says_where_in_the_body_the_fault_lies(options, words):
    with pytest.raises(LessonspaceInputError, match="Nothing was sent") as caught:
        launch_body("maths", options)
    assert words in str(caught.value)


def test_a_refusal_in_extra_options_says_so():
    with pytest.raises(LessonspaceInputError, match=r"extra_options\.new was refused"):
        launch_body("maths", {}, {"new": b"x"})


@pytest.mark.parametrize("missing", ["method", "url", "token"])
def test_auth_external_is_whole_or_not_there(missing):
    whole = {"method": "redirect", "url": "https://school.example", "token": "t"}
    assert launch_body("maths", {"auth_external": whole})["auth_external"] == whole
    assert launch_body("maths", {"auth_external": None})["auth_external"] is None
    for part in ({k: v for k, v in whole.items() if k != missing}, {**whole, missing: None}, {**whole, missing: ""}):
        with pytest.raises(LessonspaceInputError, match=f"auth_external lacks {missing}"):
            launch_body("maths", {"auth_external": part})


SOON = datetime.now(timezone.utc).replace(microsecond=0) + timedelta(hours=3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"transcribe": True, "record_av": False}, "transcribe=True with record_av=False would give nothing"),
        ({"transcribe": "True", "record_av": "False"}, "transcribe=True with record_av=False would give nothing"),
        ({"summarise": True, "transcribe": True, "record_av": False}, "record_av=False would give nothing"),
        ({"summarise": True}, "needs transcribe=True"),
        ({"summarise": True, "transcribe": None}, "needs transcribe=True"),
        ({"summarise": True, "transcribe": "False"}, "needs transcribe=True"),
        ({"timeouts": {"not_before": SOON, "not_after": SOON}}, "would never work"),
        ({"timeouts": {"not_after": datetime(2026, 1, 1, tzinfo=timezone.utc)}}, "dead already"),
        ({"timeouts": {"not_after": SOON + timedelta(days=7)}}, "set not_before"),
        ({"timeouts": {"not_before": SOON, "not_after": SOON + timedelta(days=7, seconds=1)}}, "7 days at most"),
        ({"user": {"id": "None"}}, r"user.id='None' was refused.* A template has rendered to None"),
        ({"user": {"email": "ann"}}, "an e-mail address"),
        ({"user": {"profile_picture": "ann.png"}}, "a URL that begins with https://"),
        ({"webhooks": {"session": {"end": "example.org/hook"}}}, "webhooks.session.end was refused"),
        ({"auth_external": {"method": "child", "url": "x", "token": "t"}}, "auth_external.url was refused"),
    ],
)
def test_a_launch_that_would_lose_something_in_silence_is_refused(options, message):
    with pytest.raises(LessonspaceInputError, match=message):
        launch_body("maths", options)


@pytest.mark.parametrize(
    "options",
    [
        {"transcribe": True},
        {"transcribe": False, "record_av": False},
        {"timeouts": {"not_before": SOON + timedelta(days=10), "not_after": SOON + timedelta(days=17)}},
        {"timeouts": {"not_before": SOON}},
        {"timeouts": None},
        {"webhooks": {"session": {"end": ""}}},
        {"user": {"email": "ann.o'neil@school.example.org"}},
    ],
)
def test_a_launch_that_loses_nothing_is_not_refused(options):
    assert launch_body("maths", options)["id"] == "maths"


@pytest.mark.parametrize(
    ("options", "extra", "message"),
    [
        ({"transcribe": True}, {"record_av": False}, "transcribe=True with record_av=False"),
        ({"record_av": False}, {"transcribe": True}, "transcribe=True with record_av=False"),
        ({}, {"summarise": True}, "needs transcribe=True"),
        ({}, {"timeouts": {"not_after": "2026-01-01T00:00:00Z"}}, "dead already"),
    ],
)
def test_extra_options_do_not_hide_a_contradiction(options, extra, message):
    with pytest.raises(LessonspaceInputError, match=message):
        launch_body("maths", options, extra)


def test_extra_options_resolve_a_contradiction():
    body = launch_body("maths", {"transcribe": True, "record_av": False}, {"record_av": True})
    assert body == {"id": "maths", "transcribe": True, "record_av": True}


def test_empty_text_removes_webhooks():
    assert launch_body("maths", {"webhooks": ""})["webhooks"] == ""


def test_a_refusal_does_not_repeat_what_may_be_personal():
    with pytest.raises(LessonspaceInputError) as caught:
        launch_body("maths", {"user": {"email": "ann at school"}})
    assert str(caught.value) == (
        "user.email was refused: it must be an e-mail address: a name, an @ and a host. The given value is text "
        "of 13 characters; it is not repeated here. Nothing was sent."
    )


def test_a_switch_may_be_what_a_template_makes_of_it():
    body = launch_body("maths", {"transcribe": "True", "allow_guests": "False", "user": {"leader": "True"}})
    assert body == {"id": "maths", "transcribe": True, "allow_guests": False, "user": {"leader": True}}
