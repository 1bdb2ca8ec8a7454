# SPDX-License-Identifier: Apache-2.0
"""What a launch's parameters become. Each field on the wire is tested with the hook."""

from __future__ import annotations

import inspect
from datetime import datetime, timedelta, timezone

import pytest

from lessonspace_provider.api.launch_request import LAUNCH_PARAMETERS, launch_request
from lessonspace_provider.api.types import LaunchOptions
from lessonspace_provider.exceptions import LessonspaceInputError
from lessonspace_provider.operators.spaces import LessonspaceLaunchSpaceOperator

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
    assert request.options == {"user": {"name": "Ann"}}
    assert (request.extra_options, request.client_ip, request.warnings) == (None, None, ())


def test_a_lesson_becomes_the_window_of_the_link():
    request = launch_request(
        {"launch_id": "maths", "lesson_start": START.isoformat(), "lesson_end": END, "join_early": 60}
    )
    assert request.options["timeouts"] == {
        "not_before": START - timedelta(minutes=1),
        "not_after": END + timedelta(minutes=15),
    }


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({}, "launch_id=None was refused"),
        ({"launch_id": "None"}, "launch_id='None' was refused"),
        ({"launch_id": "maths", "usr": {}}, "Unknown launch parameter 'usr'. Did you mean 'user'?"),
        ({"launch_id": "maths", "user": {"email": "ann"}}, "user.email was refused: it must be an e-mail address"),
        ({"launch_id": "maths", "user": {"name": None}}, "Space 'maths' was not launched: all of user is None"),
        ({"launch_id": "maths", "lesson_start": "2026-11-23T09:00:00", "lesson_end": END}, "lesson_start="),
        ({"launch_id": "maths", "lesson_start": START}, "lesson_end=None"),
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
        ({"name": "None"}, ["name is the text 'None', which a template makes of a missing value"]),
        ({"user": {"name": "None"}}, ["user.name is the text 'None', which a template makes of a missing value"]),
        (
            {"features": {"chatt": True, "chat": True}},
            [
                "unknown features 'chatt' (did you mean 'chat'?): Lessonspace drops a name that it does not know, "
                "without an error"
            ],
        ),
    ],
)
def test_what_is_allowed_and_odd_is_warned_of(parameters, warnings):
    assert list(launch_request({"launch_id": "maths", **parameters}).warnings) == warnings


def test_a_request_shows_nothing_of_what_is_in_it():
    external = {"method": "child", "url": "https://s.example", "token": "t0ken"}
    assert "t0ken" not in repr(launch_request({"launch_id": "maths", "auth_external": external}))
