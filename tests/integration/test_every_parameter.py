# SPDX-License-Identifier: Apache-2.0
"""Every documented parameter, sent to the sandbox over a real socket: each is taken, and what can be seen of it is."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from lessonspace_provider.api.filters import (
    SEARCH_FILTERS,
    SESSION_FILTERS,
    SPACE_FILTERS,
    SPACE_SESSION_FILTERS,
    USER_FILTERS,
)
from lessonspace_provider.api.times import write_time
from lessonspace_provider.api.types import LaunchOptions
from lessonspace_provider.hooks.lessonspace import LessonspaceHook
from lessonspace_provider.operators.spaces import LessonspaceLaunchSpaceOperator

START = datetime.now(timezone.utc).replace(minute=0, second=0, microsecond=0) - timedelta(hours=30)
END = START + timedelta(minutes=50)


@pytest.fixture
def hook(lessonspace_connection):
    return LessonspaceHook(lessonspace_connection)


@pytest.fixture
def lesson(lessonspace_sandbox):
    """A session that every filter below matches, as the sandbox knows it."""
    session_id = lessonspace_sandbox.control.add_session(
        START, END, name="Fractions XIV", launch_id="class-7b", tags={"subject": "maths"}, transcript="ready"
    )
    return next(truth for truth in lessonspace_sandbox.control.sessions() if truth.session_id == session_id)


def session_filters(lesson):
    return {
        "search": "fractions xiv",
        "page": 1,
        "include_single_user": True,
        "duration_min": 2999,
        "duration_max": 3001,
        "start_time_after": START - timedelta(seconds=1),
        "start_time_before": START + timedelta(seconds=1),
        "end_time_after": END - timedelta(seconds=1),
        "end_time_before": END + timedelta(seconds=1),
        "date_after": START - timedelta(seconds=1),
        "date_before": END + timedelta(seconds=1),
        "user": lesson.user_ids,
        "launch_id": "class-7b",
        "in_progress_only": False,
        "tags": {"subject": ""},
        "user_external_id": None,
        "user_name": "ada",
        "space": [lesson.space_id],
    }


def test_every_session_filter_finds_the_lesson(hook, lesson):
    filters = session_filters(lesson)
    assert set(filters) == set(SESSION_FILTERS)
    assert [session["uuid"] for session in hook.list_sessions(**filters)] == [lesson.session_id]
    for name, value in filters.items():
        assert lesson.session_id in {session["uuid"] for session in hook.list_sessions(**{name: value})}, name


def test_every_filter_of_a_spaces_sessions_finds_the_lesson(hook, lesson):
    filters = {name: value for name, value in session_filters(lesson).items() if name != "space"}
    assert set(filters) == set(SPACE_SESSION_FILTERS)
    assert [session["uuid"] for session in hook.list_space_sessions(lesson.room_id, **filters)] == [lesson.session_id]


def test_filters_that_do_not_match_find_nothing(hook, lesson):
    for filters in (
        {"duration_max": 60},
        {"tags": {"subject": "art"}},
        {"user_name": "nobody"},
        {"user_external_id": "nobody"},
        {"in_progress_only": True},
        {"end_time_before": START},
    ):
        assert list(hook.list_sessions(launch_id="class-7b", **filters)) == [], filters


def test_every_space_filter_is_taken_and_finds_the_space(hook, lesson):
    filters = {
        "session": [lesson.session_id],
        "date": None,
        "tag_key": None,
        "tag_value": None,
        "user": lesson.user_ids,
        "assigned_to": None,
        "search": None,
        "page": 1,
        "date_after": START - timedelta(seconds=1),
        "date_before": END + timedelta(seconds=1),
    }
    assert set(filters) == set(SPACE_FILTERS)
    assert [space["id"] for space in hook.list_spaces(**filters)] == [lesson.space_id]
    for others in ({"date": START.date()}, {"tag_key": "a", "tag_value": "b"}, {"assigned_to": 1}, {"search": "x"}):
        list(hook.list_spaces(**others))


def test_every_user_filter_finds_who_was_there(hook, lesson):
    filters = {"role": None, "space": lesson.space_id, "session": [lesson.session_id], "search": "ada", "page": 1}
    assert set(filters) == set(USER_FILTERS)
    assert [user["name"] for user in hook.list_users(**filters)] == ["Ada Teacher"]
    for role in ("teacher", "student", "admin"):
        assert {user["role"] for user in hook.list_users(role=role)} <= {role}


def test_transcript_and_recording_take_their_parameters(hook, lesson, lessonspace_sandbox):
    more = {"search": "x", "page": 1}
    assert set(more) == set(SEARCH_FILTERS)
    assert hook.get_transcript(lesson.session_id, **more)
    assert hook.get_recording_url(lesson.session_id, **more)
    for path in ("/transcript/$", "/playback/$"):
        (call,) = lessonspace_sandbox.control.calls(target="api", path=path)
        assert [list(pair) for pair in call.query] == [["search", "x"], ["page", "1"]]


def every_launch_field():
    url = "https://example.org/hook"
    soon = datetime.now(timezone.utc).replace(microsecond=0) + timedelta(hours=1)
    options = {
        "name": "Algebra",
        "allow_guests": True,
        "record_av": True,
        "record_content": False,
        "transcribe": True,
        "summarise": True,
        "user": {
            "name": "Ann",
            "id": "ann-1",
            "email": "ann@example.org",
            "leader": True,
            "profile_picture": url,
            "camera_background_url": url,
            "single_use": False,
            "session_limit": False,
            "custom_jwt_parameters": {"meta": {"a": 1}},
            "record": True,
            "ghost": False,
            "role": "teacher",
        },
        "webhooks": {
            "session": {"start": url, "idle": url, "end": url},
            "user": {"join": url, "idle": url, "leave": url},
            "transcription": {"finish": url},
            "cobrowser": {"start": url, "stop": url},
            "chat": {"message": url},
        },
        "timeouts": {"not_before": write_time(soon), "not_after": write_time(soon + timedelta(hours=1))},
        "features": {"chat": False},
        "theme": {"brand": "blue"},
        "video_layout_mode": "grid",
        "locale": "fr",
        "server": "eu-west-1",
        "session_tags": {"subject": "maths"},
        "space_tags": {"class": "7b"},
        "invite_url": url,
        "resource_url": url,
        "holodeck_parameters": {"a": True},
        "auth_external": {"method": "child", "url": url, "token": "t", "ephemeral": True},
    }
    assert set(options) == set(LaunchOptions.__annotations__)
    return options


def test_a_launch_with_every_field_arrives_with_every_field(hook, lessonspace_sandbox):
    options = every_launch_field()
    launch = hook.launch_space("class-8a", client_ip="203.0.113.7", extra_options={"new_field": 1}, **options)
    assert launch["created"]
    (taken,) = lessonspace_sandbox.control.launches()
    assert taken.body == {"id": "class-8a", "new_field": 1, **options}
    assert taken.headers["x-forwarded-for"] == "203.0.113.7"


def test_the_operator_sends_every_launch_field_as_the_hook_does(lessonspace_connection, lessonspace_sandbox):
    options = every_launch_field()
    operator = LessonspaceLaunchSpaceOperator(
        task_id="launch", launch_id="class-8a", client_ip="203.0.113.7", extra_options={"new_field": 1}, **options
    )
    operator.execute({})
    (taken,) = lessonspace_sandbox.control.launches()
    assert taken.body == {"id": "class-8a", "new_field": 1, **options}
    assert taken.headers["x-forwarded-for"] == "203.0.113.7"
