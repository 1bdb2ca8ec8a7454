# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given

from lessonspace_provider.api.shapes import odd_session_fields
from lessonspace_provider.exceptions import LessonspaceServerError
from lessonspace_provider.sessions import (
    ended_within,
    fields_that_change,
    has_ended,
    has_readable_times,
    is_policy,
    participant_count,
    space_id_of,
    start_time,
    summary,
)
from lessonspace_provider.waiting.transcripts import transcript_obstacle
from tests.odd_items import session_fields, values

NINE = datetime(2026, 11, 22, 9, 0, tzinfo=timezone.utc)
TEN = datetime(2026, 11, 22, 10, 0, tzinfo=timezone.utc)


def a_session(**fields):
    return {
        "id": 7,
        "uuid": "5b5f1a2c-3d4e-4f5a-8b9c-0d1e2f3a4b5c",
        "name": "Algebra",
        "space": {"id": "0d1e2f3a-5b5f-4a2c-8d4e-4f5a8b9c0d1e"},
        "start_time": "2026-11-22T09:00:00Z",
        "end_time": "2026-11-22T09:45:00.123456Z",
        "profiles": [{"user": 1, "name": "Ann", "email": "ann@example.org"}, {"user": 2, "name": "Ben"}],
        "guests": [],
        "record_av": True,
        "billable_seconds": 2700,
        **fields,
    }


def test_a_session_runs_as_long_as_its_end_is_null():
    assert has_ended(a_session())
    assert not has_ended(a_session(end_time=None))


@pytest.mark.parametrize(
    ("end", "inside"),
    [
        ("2026-11-22T08:59:59.999999Z", False),
        ("2026-11-22T09:00:00Z", True),
        ("2026-11-22T10:59:59+01:00", True),
        ("2026-11-22T10:00:00Z", False),
        ("2026-11-22T11:00:00+01:00", False),
        (None, False),
    ],
)
def test_a_boundary_belongs_to_the_window_that_begins_there(end, inside):
    assert ended_within(a_session(end_time=end), NINE, TEN) is inside


def test_an_end_belongs_to_exactly_one_of_two_adjoining_windows_when_clocks_change():
    # Berlin sets its clocks back on 2026-10-25 at 01:00 UTC, and 02:30 there happens twice.
    edge = datetime(2026, 10, 25, 2, 30, tzinfo=timezone(timedelta(hours=1)))
    for text in ("2026-10-25T02:30:00+02:00", "2026-10-25T02:30:00+01:00"):
        session = a_session(end_time=text)
        windows = [(edge - timedelta(days=1), edge), (edge, edge + timedelta(days=1))]
        assert sum(ended_within(session, *window) for window in windows) == 1


def test_people_are_counted_once_however_often_they_joined():
    profiles = [{"user": 1}, {"user": 2}, {"user": 1}]
    guests = [{"uuid": "a", "session": 1}]
    assert participant_count(a_session(profiles=profiles, guests=guests)) == 3


def test_lists_that_are_null_count_as_no_one():
    assert participant_count(a_session(profiles=None, guests=None)) == 0


@pytest.mark.parametrize(
    ("fields", "obstacle"),
    [
        ({}, None),
        ({"end_time": None}, "still runs"),
        ({"end_time": "2026-11-22T09:05:00Z"}, "too short: 300 s"),
        ({"end_time": "2026-11-22T09:05:01Z"}, None),
        ({"start_time": None}, None),
        ({"profiles": [{"user": 1}]}, "one person only"),
        ({"profiles": [{"user": 1}, {"user": 1}]}, "one person only"),
        ({"profiles": [{"user": 1}], "guests": [{"uuid": "a"}]}, None),
        ({"profiles": None}, None),
        ({"record_av": False}, "not recorded"),
        ({"record_av": None}, None),
        ({"start_time": "2026-11-22T10:45:00Z"}, None),
        ({"start_time": "2026-11-22T09:45:00.123456Z"}, None),
        ({"start_time": "soon"}, None),
        ({"start_time": {"at": 1}}, None),
        ({"start_time": "2026-11-22T09:44:00"}, None),
        ({"profiles": [], "guests": []}, None),
        ({"profiles": [{}, {}]}, None),
        ({"profiles": [{"user": None}]}, None),
        ({"profiles": [{"user": [1]}]}, None),
        ({"profiles": [{"user": 1}], "guests": 7}, None),
        ({"profiles": [{"user": 1}], "guests": [7]}, None),
        ({"record_av": False, "recording_available": True}, None),
        ({"record_av": False, "recording_available": False}, "not recorded"),
    ],
)
def test_what_prevents_a_transcript(fields, obstacle):
    found = transcript_obstacle(a_session(**fields))
    assert found is None if obstacle is None else obstacle in found


def test_the_summary_holds_no_people():
    kept = summary(a_session())
    assert kept == {
        "session_id": "5b5f1a2c-3d4e-4f5a-8b9c-0d1e2f3a4b5c",
        "space_id": "0d1e2f3a-5b5f-4a2c-8d4e-4f5a8b9c0d1e",
        "name": "Algebra",
        "start_time": "2026-11-22T09:00:00Z",
        "end_time": "2026-11-22T09:45:00.123456Z",
        "duration_seconds": 2700.123456,
        "participants": 2,
        "billable_seconds": 2700,
    }


def test_a_time_that_is_none_names_the_session():
    with pytest.raises(LessonspaceServerError, match=r"5b5f1a2c.*start_time 'soon'"):
        start_time(a_session(start_time="soon"))


@pytest.mark.parametrize(
    ("fields", "kept"),
    [
        ({"end_time": "10:"}, {"end_time": None, "duration_seconds": None}),
        ({"start_time": {"at": 9}}, {"start_time": None, "duration_seconds": None}),
        ({"name": {"en": "Algebra"}}, {"name": None}),
        ({"space": {"id": "{{ conn.x.password }}"}}, {"space_id": None}),
        ({"space": {"id": ["a"]}}, {"space_id": None}),
        ({"space": ["a"]}, {"space_id": None}),
        ({"profiles": {"0": {"user": 1}}}, {"participants": 0}),
        ({"billable_seconds": 2700.0}, {"billable_seconds": 2700}),
        ({"billable_seconds": "2700"}, {"billable_seconds": None}),
        ({"billable_seconds": True}, {"billable_seconds": None}),
        ({"billable_seconds": 10**400}, {"billable_seconds": None}),
        ({"billable_seconds": float("inf")}, {"billable_seconds": None}),
        ({"billable_seconds": float("nan")}, {"billable_seconds": None}),
    ],
)
def test_the_summary_leaves_out_what_it_can_not_read(fields, kept):
    assert summary(a_session(**fields)) == {**summary(a_session()), **kept}


@given(fields=session_fields, uuid=values)
def test_readers_take_a_session_of_any_shape(fields, uuid):
    session = {"uuid": uuid, **fields}
    json.dumps(summary(session), allow_nan=False)
    assert has_readable_times(session) or {"start_time", "end_time"} & set(odd_session_fields(session))
    assert participant_count(session) >= 0
    space_id = space_id_of(session)
    assert space_id is None or space_id.replace("-", "").replace("_", "").isalnum()
    assert is_policy(session, ["teacher"]) == (session.get("recording_access_policy") == ["teacher"])
    fields_that_change(session, {"name": "Algebra", "recording_access_policy": []})
