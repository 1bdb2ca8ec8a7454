# SPDX-License-Identifier: Apache-2.0
"""What is not seen on the wire. Every field on it, and the refusals, are tested with the hook."""

from __future__ import annotations

import inspect
from datetime import date, datetime, timedelta, timezone
from types import MappingProxyType

import pytest

from lessonspace_provider.api.launch import LAUNCH_PARAMETERS, launch_body, launch_request, refused_settings
from lessonspace_provider.api.times import write_time
from lessonspace_provider.api.types import LaunchOptions
from lessonspace_provider.exceptions import LessonspaceInputError
from lessonspace_provider.operators.spaces import LessonspaceLaunchSpaceOperator

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
def test_a_refusal_names_where_in_the_body_the_fault_is(options, words):
    with pytest.raises(LessonspaceInputError, match="Nothing was sent") as caught:
        launch_body("maths", options)
    assert words in str(caught.value)


def test_a_refusal_in_extra_options_reports_it():
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
        ({"transcribe": True, "record_av": False}, "transcribe=True with record_av=False has no effect"),
        ({"transcribe": "True", "record_av": "False"}, "transcribe=True with record_av=False has no effect"),
        ({"summarise": True, "transcribe": True, "record_av": False}, "record_av=False has no effect"),
        ({"summarise": True}, "needs transcribe=True"),
        ({"summarise": True, "transcribe": None}, "needs transcribe=True"),
        ({"summarise": True, "transcribe": "False"}, "needs transcribe=True"),
        ({"timeouts": {"not_before": SOON, "not_after": SOON}}, "would never work"),
        ({"timeouts": {"not_after": datetime(2026, 1, 1, tzinfo=timezone.utc)}}, "have not ended"),
        ({"timeouts": {"not_after": SOON + timedelta(days=7)}}, "set not_before"),
        ({"timeouts": {"not_before": SOON, "not_after": SOON + timedelta(days=7, seconds=1)}}, "7 days at most"),
        ({"user": {"id": "None"}}, r"user.id='None' was refused.* A template rendered to None"),
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
        ({}, {"timeouts": {"not_after": "2026-01-01T00:00:00Z"}}, "have not ended"),
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


START = datetime.now(timezone.utc).replace(microsecond=0) + timedelta(hours=3)
END = START + timedelta(hours=1)


def test_the_operator_takes_every_parameter_of_a_launch():
    taken = set(inspect.signature(LessonspaceLaunchSpaceOperator.__init__).parameters)
    assert set(LAUNCH_PARAMETERS) <= taken
    assert set(LaunchOptions.__annotations__) <= set(LAUNCH_PARAMETERS)


def test_none_is_the_same_as_left_out():
    request = launch_request(
        {**dict.fromkeys(LAUNCH_PARAMETERS), "launch_id": "maths", "user": {"name": "Ann", "id": None}}
    )
    assert request.body == {"id": "maths", "user": {"name": "Ann"}}
    assert (request.client_ip, request.warnings) == (None, ())


def test_a_lesson_becomes_the_window_of_the_link():
    request = launch_request(
        {"launch_id": "maths", "lesson_start": START.isoformat(), "lesson_end": END, "join_early": 60}
    )
    assert request.body["timeouts"] == {
        "not_before": write_time(START - timedelta(minutes=1)),
        "not_after": write_time(END + timedelta(minutes=15)),
    }


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({}, "launch_id=None was refused"),
        ({"launch_id": "None"}, "launch_id='None' was refused"),
        ({"launch_id": "maths", "usr": {}}, "Unknown launch parameter 'usr'. Did you mean 'user'?"),
        ({"launch_id": "maths", "user": {"email": "ann"}}, "user.email was refused: it must be an e-mail address"),
        ({"launch_id": "maths", "user": {"name": None}}, "Space 'maths' was not launched: all fields of user are None"),
        ({"launch_id": "maths", "lesson_start": "2026-11-23T09:00:00", "lesson_end": END}, "lesson_start="),
        ({"launch_id": "maths", "lesson_start": START}, "lesson_end was not given. Give lesson_start and lesson_end"),
        ({"launch_id": "maths", "lesson_end": END}, "lesson_start was not given. Give lesson_start and lesson_end"),
        ({"launch_id": "maths", "lesson_start": START, "lesson_end": END, "timeouts": {}}, "Give one of them"),
        ({"launch_id": "maths", "client_ip": "here"}, "client_ip='here'"),
        ({"launch_id": "maths", "webhooks": {"recording": {"finish": "https://x.example"}}}, "Unknown webhook"),
        ({"launch_id": "maths", "summarise": True}, "Space 'maths' was not launched: summarise=True needs"),
    ],
)
def test_what_can_be_refused_without_a_call_is(parameters, message):
    with pytest.raises(LessonspaceInputError) as caught:
        launch_request(parameters)
    assert message in str(caught.value)
    assert "Nothing was sent." in str(caught.value)


@pytest.mark.parametrize(
    ("parameters", "warnings"),
    [
        ({"name": "None"}, ["name is the text 'None', which a template renders for a missing value"]),
        ({"user": {"name": "None"}}, ["user.name is the text 'None', which a template renders for a missing value"]),
        (
            {"features": {"chatt": True, "chat": True}},
            ["unknown features 'chatt' (did you mean 'chat'?): Lessonspace drops unknown features without an error"],
        ),
    ],
)
def test_what_is_allowed_and_odd_is_warned_of(parameters, warnings):
    assert list(launch_request({"launch_id": "maths", **parameters}).warnings) == warnings


def test_a_request_shows_nothing_of_what_is_in_it():
    external = {"method": "child", "url": "https://s.example", "token": "t0ken"}
    assert "t0ken" not in repr(launch_request({"launch_id": "maths", "auth_external": external}))


@pytest.mark.parametrize(
    ("asked", "held", "words"),
    [
        (
            {"transcribe": True},
            {"transcribe": False},
            ("transcribe=True was sent", "no transcript", "add-on", "record_av"),
        ),
        ({"summarise": True}, {"summarise": False}, ("summarise=True was sent", "no summary", "add-on", "record_av")),
        ({"record_av": True}, {"record_av": False}, ("record_av=True was sent", "no recording", "transcript")),
        ({"record_av": False}, {"record_av": True}, ("record_av=False was sent", "are recorded")),
        ({"allow_guests": False}, {"allow_guests": True}, ("allow_guests=False was sent", "can join")),
        ({"transcribe": True}, {"record_av": False}, ("no transcript", "Send record_av=True")),
        ({"transcribe": True}, {"transcribe": True, "record_av": False}, ("no transcript", "Send record_av=True")),
        ({"waiting_room": True}, {"waiting_room": False}, ("waiting_room=True was sent, but the space has", "False")),
    ],
)
def test_a_setting_that_does_not_hold_is_described_with_what_follows(asked, held, words):
    (sentence,) = refused_settings({"id": "maths", **asked}, held)
    assert [word for word in words if word not in sentence] == []


def test_each_refused_setting_has_a_sentence_of_its_own():
    asked = {"record_av": True, "transcribe": True, "summarise": True}
    sentences = refused_settings(asked, dict.fromkeys(asked, False))
    assert [sentence.split("=")[0] for sentence in sentences] == ["record_av", "transcribe", "summarise"]


@pytest.mark.parametrize(
    "held",
    [None, "off", [], {}, {"transcribe": None}, {"transcribe": "false"}, {"transcribe": 0}, {"transcribe": True}],
)
def test_missing_and_odd_settings_are_not_reported(held):
    assert refused_settings({"transcribe": True}, held) == []


@pytest.mark.parametrize("asked", [{}, {"transcribe": None}, {"name": "x"}])
def test_what_was_not_asked_for_is_not_missed(asked):
    assert refused_settings(asked, {"transcribe": False, "record_av": False, "name": False}) == []
