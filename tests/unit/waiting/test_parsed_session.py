# SPDX-License-Identifier: Apache-2.0
"""What waits take from a session that a server sends, whatever that is."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone

import pytest

from lessonspace_provider.exceptions import LessonspaceError
from lessonspace_provider.waiting.parsed_session import LONGEST_NAME, parse_session, parse_sessions

NINE = datetime(2026, 11, 23, 9, 0, tzinfo=timezone.utc)
SESSION_ID = "5b5f1a2c-3d4e-4f5a-8b9c-0d1e2f3a4b5c"
SPACE_ID = "0d1e2f3a-5b5f-4a2c-8d4e-4f5a8b9c0d1e"


def a_session(**fields):
    return {
        "uuid": SESSION_ID,
        "name": "Algebra",
        "space": {"id": SPACE_ID, "slug": "room-1", "url": "https://x/?jwt=SECRET"},
        "start_time": "2026-11-23T10:00:00+01:00",
        "end_time": "2026-11-23T09:45:00Z",
        "profiles": [{"user": 1, "name": "Ann", "email": "ann@example.org"}, {"user": 2, "name": "Ben"}],
        "guests": [{"uuid": "g", "name": "Cleo"}],
        "billable_seconds": 2700,
        **fields,
    }


def test_ids_times_and_counts_are_taken_and_no_people():
    parsed = parse_session(a_session(uuid=SESSION_ID.upper()))
    assert (parsed.session_id, parsed.spaces) == (SESSION_ID, (SPACE_ID, "room-1"))
    assert (parsed.start, parsed.end, parsed.participants) == (NINE, NINE + timedelta(minutes=45), 3)
    assert parsed.summary == {
        "session_id": SESSION_ID,
        "space_id": SPACE_ID,
        "name": "Algebra",
        "start_time": "2026-11-23T09:00:00Z",
        "end_time": "2026-11-23T09:45:00Z",
        "duration_seconds": 2700.0,
        "participants": 3,
        "billable_seconds": 2700,
    }
    assert not [word for word in ("Ann", "Cleo", "example.org", "SECRET") if word in repr(parsed)]


@pytest.mark.parametrize(
    ("odd", "taken"),
    [
        ({"end_time": None}, {"end_time": None, "duration_seconds": None}),
        ({"start_time": "soon"}, {"start_time": None, "duration_seconds": None}),
        ({"start_time": None}, {"start_time": None}),
        ({"space": 7}, {"space_id": None}),
        ({"space": {"id": ["x"], "slug": "room-1"}}, {"space_id": "room-1"}),
        ({"space": {"id": "{{ conn.x.password }}"}}, {"space_id": None}),
        ({"space": {"id": "x" * 10**6}}, {"space_id": None}),
        ({"profiles": 7, "guests": None}, {"participants": 0}),
        ({"profiles": [{"user": 10**5000}], "guests": None}, {"participants": 1}),
        ({"billable_seconds": float("inf")}, {"billable_seconds": None}),
        ({"billable_seconds": float("nan")}, {"billable_seconds": None}),
        ({"billable_seconds": 10**400}, {"billable_seconds": None}),
        ({"billable_seconds": "7"}, {"billable_seconds": None}),
        ({"billable_seconds": 7.5}, {"billable_seconds": None}),
        ({"name": ["x"]}, {"name": None}),
        ({"name": "x" * 10**6}, {"name": "x" * LONGEST_NAME}),
        ({"name": "a\ud800b\u202e\n"}, {"name": "a\ufffdb\ufffd\ufffd"}),
    ],
)
def test_what_is_odd_is_left_out_and_the_rest_is_taken(odd, taken):
    parsed = parse_session(a_session(**odd))
    assert {name: parsed.summary[name] for name in taken} == taken
    json.dumps(parsed.summary, allow_nan=False).encode()


@pytest.mark.parametrize(
    ("odd", "reason"),
    [
        ({"end_time": "10:"}, "has the end_time '10:', which is not a time"),
        ({"end_time": 7}, "has the end_time"),
        ({"end_time": "x" * 10**6}, "has the end_time"),
    ],
)
def test_a_session_that_cant_be_read_is_named(odd, reason):
    with pytest.raises(LessonspaceError) as caught:
        parse_session(a_session(**odd))
    assert SESSION_ID in str(caught.value)
    assert reason in str(caught.value)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    "uuid", [["x"], {"x": 1}, None, 7, "", "17", "{{ conn.x.password }}", "x" * 10**6, "\ud800" * 36]
)
def test_what_is_no_uuid_is_no_session(uuid):
    with pytest.raises(LessonspaceError, match="in place of a uuid") as caught:
        parse_session(a_session(uuid=uuid))
    assert len(str(caught.value)) < 300
    assert parse_session(a_session(uuid=uuid), SESSION_ID).session_id == SESSION_ID


def test_one_that_cant_be_read_stops_no_other():
    other = "11111111-3d4e-4f5a-8b9c-0d1e2f3a4b5c"
    parsed, problems = parse_sessions([a_session(end_time="10:"), a_session(uuid=["x"]), a_session(uuid=other)])
    assert [session.session_id for session in parsed] == [other]
    assert len(problems) == 2
    assert "end_time" in problems[SESSION_ID]
