# SPDX-License-Identifier: Apache-2.0
"""Lists that change and items of odd shapes, over a real socket against the sandbox."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone

import pytest

from lessonspace_provider.attendance import attendance, billable_minutes
from lessonspace_provider.hooks.lessonspace import LessonspaceHook
from lessonspace_provider.operators.sessions import LessonspaceListSessionsOperator
from lessonspace_provider.sensors.sessions import LessonspaceSessionEndSensor

NOON = datetime.now(timezone.utc).replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days=2)
SINGLE_USERS_TOO = {"include_single_user": True}

#: JSON texts of fields, as a server may send them.
SHAPES = [
    {"end_time": '"10:"'},
    {"start_time": '{"at": 9}', "end_time": "7"},
    {"name": r'"Zo\ud83d\u0000"'},
    {"name": '{"en": "Algebra"}'},
    {"billable_seconds": "1e999"},
    {"billable_seconds": "1" + "0" * 400},
    {"billable_seconds": "9" * 5000},
    {"billable_seconds": "NaN"},
    {"billable_seconds": '"3600"'},
    {"billable_seconds": "true"},
    {"profiles": '{"0": {"user": 1}}', "guests": '"none"'},
    {"profiles": '[{"user": {"id": []}}, null, 7]', "guests": "[[]]"},
    {"logs": '{"log_type": "user-joined"}'},
    {"logs": '[null, {"log_type": {}}, {"log_type": "user-left", "date": "10:", "profile": 1e999}]'},
    {"space": '{"id": {}, "slug": []}'},
    {"space": "null"},
]


@pytest.fixture
def control(lessonspace_sandbox):
    lessonspace_sandbox.control.reset(sessions_per_day=0, page_size=2)
    return lessonspace_sandbox.control


@pytest.fixture
def room(control, lessonspace_connection):
    """Sessions of one room: an odd one, which a test shapes, between two good ones; and the room's id."""
    hours = [NOON - timedelta(hours=hour) for hour in (4, 2, 0)]
    ids = [control.add_session(hours[0] - timedelta(hours=1), hours[0], users=["Ada", "Ben"], launch_id="maths")]
    room_id = next(truth.room_id for truth in control.sessions() if truth.session_id == ids[0])
    ids += [control.add_session(at - timedelta(hours=1), at, users=["Ada", "Ben"], space=room_id) for at in hours[1:]]
    return room_id, ids


def test_a_deleted_session_makes_the_list_be_read_again(control, lessonspace_connection):
    ids = [
        control.add_session(NOON + timedelta(minutes=n), NOON + timedelta(minutes=n + 9), launch_id=f"room {n}")
        for n in range(5)
    ]
    control.delete_session(ids[-1], after_page=1)
    bounds = {"start_time_after": NOON - timedelta(seconds=1), "start_time_before": NOON + timedelta(hours=1)}
    listing = LessonspaceHook().list_sessions(**bounds, **SINGLE_USERS_TOO)
    assert {session["uuid"] for session in listing} >= set(ids[:-1])
    assert listing.incomplete is None
    assert len(control.calls(path="/sessions/$")) == 4


def test_a_list_that_does_not_change_costs_its_pages(control, room):
    assert len(list(LessonspaceHook().list_sessions(launch_id="maths"))) == 3
    assert len(control.calls(path="/sessions/$")) == 2


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_an_odd_session_stops_no_other(control, room, shape, tmp_path):
    room_id, (first, odd, last) = room
    control.set_raw_fields(odd, shape)

    listed = LessonspaceListSessionsOperator(task_id="list", space_id=room_id, filters=SINGLE_USERS_TOO).execute({})
    assert {entry["session_id"] for entry in listed} == {first, odd, last}
    json.dumps(listed, allow_nan=False, ensure_ascii=False).encode()

    file = tmp_path / "sessions.jsonl"
    destination = f"file://{file}"
    LessonspaceListSessionsOperator(
        task_id="list", fields="all", destination=destination, filters=SINGLE_USERS_TOO
    ).execute({})
    assert len([json.loads(line, parse_constant=pytest.fail) for line in file.read_text().splitlines()]) >= 3

    sensor = LessonspaceSessionEndSensor(
        task_id="wait", space_id=room_id, window_start=NOON - timedelta(hours=1), window_end=NOON
    )
    ended = sensor.execute({})
    assert getattr(ended, "xcom_value", ended)["session_id"] == last

    sessions = list(LessonspaceHook().list_space_sessions(room_id, **SINGLE_USERS_TOO))
    there = attendance(sessions, now=NOON)
    assert sum(person.minutes for person in there.people) >= 2 * 2 * 59
    assert sum(billable_minutes(session) or 0 for session in sessions) >= 120
