# SPDX-License-Identifier: Apache-2.0
"""Renaming sessions and setting who may watch their recordings; recordings."""

from __future__ import annotations

import pytest
import requests


@pytest.fixture
def session(client):
    return client.sessions(duration_min=600)[0]


@pytest.fixture
def patch(client, session):
    return lambda **body: client.call("PATCH", client.organisation(f"/sessions/{session['uuid']}/"), json=body)


def test_the_answer_holds_name_and_policy_only_and_the_session_has_them(client, session, patch):
    answer = patch(name="Brüche / 1", recording_access_policy=["participant", "teacher"])
    assert answer.status_code == 200
    assert answer.json() == {"name": "Brüche / 1", "recording_access_policy": ["participant", "teacher"]}
    stored = client.session(session["uuid"]).json()
    assert {**session, **answer.json()} == stored


def test_the_lists_show_the_new_name_too(client, session, patch):
    patch(name="Renamed")
    assert [s["uuid"] for s in client.sessions(search="renamed")] == [session["uuid"]]


def test_a_policy_left_out_stays_and_an_empty_one_is_stored(client, session, patch):
    patch(name="a", recording_access_policy=["admin"])
    assert patch(name="b").json()["recording_access_policy"] == ["admin"]
    assert patch(name="c", recording_access_policy=[]).json()["recording_access_policy"] == []


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({}, {"name": ["This field is required."]}),
        ({"recording_access_policy": []}, {"name": ["This field is required."]}),
        ({"name": None}, {"name": ["This field may not be null."]}),
        ({"name": " "}, {"name": ["This field may not be blank."]}),
        ({"name": "a", "recording_access_policy": ["parents"]},
         {"recording_access_policy": ['"parents" is not a valid choice.']}),
        ({"name": "a", "recording_access_policy": "admin"},
         {"recording_access_policy": ["Expected a list of items."]}),
    ],
)  # fmt: skip
def test_bad_input_gets_400_that_names_the_reason_and_changes_nothing(client, session, patch, body, error):
    answer = patch(**body)
    assert (answer.status_code, answer.json()) == (400, error)
    assert client.session(session["uuid"]).json() == session


def test_a_recording_is_given_at_both_paths_and_can_be_watched_without_the_key(client, control):
    recorded = next(s for s in control.sessions() if s.recorded and s.end_time)
    short = client.get(f"/sessions/{recorded.session_id}/playback/")
    assert list(short.json()) == list(client.session(recorded.session_id, "playback/").json()) == ["recording_url"]
    assert requests.get(short.json()["recording_url"], timeout=30).status_code == 200


def test_what_was_not_recorded_or_still_runs_has_no_recording(client, control, now):
    unrecorded = control.add_session(now, now, recorded=False)
    running = next(s.session_id for s in control.sessions() if s.end_time is None)
    for session_id in (unrecorded, running):
        assert client.get(f"/sessions/{session_id}/playback/").status_code == 404
        assert client.session(session_id).json()["playback_url"] is None
        assert client.session(session_id).json()["recording_available"] is False
