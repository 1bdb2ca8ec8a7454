# SPDX-License-Identifier: Apache-2.0
"""What a server may do to its sessions: correct their times, delete them, send them in odd shapes."""

from __future__ import annotations

import json
from datetime import timedelta
from email.utils import parsedate_to_datetime

import pytest

from lessonspace_provider.sandbox import NewSession, SandboxControlError

HOUR = timedelta(hours=1)


def truth_of(control, session_id):
    return next(session for session in control.sessions() if session.session_id == session_id)


def listed(client, **filters):
    return [session["uuid"] for session in client.sessions(**filters)]


def iso(moment):
    return moment.isoformat().replace("+00:00", "Z")


def test_a_running_session_ends_in_the_past(client, control, now):
    session_id = control.add_session(now - 2 * HOUR)
    assert client.session(session_id).json()["end_time"] is None
    control.correct_times(session_id, end=now - HOUR)
    assert client.session(session_id).json()["end_time"] == iso(now - HOUR)
    assert session_id in listed(client, end_time_before=iso(now - HOUR))
    assert session_id not in listed(client, in_progress_only="true")


def test_times_are_corrected_even_to_what_cannot_be(client, control, now):
    first, second = control.add_sessions([NewSession(now - hours * HOUR, now) for hours in (3, 2)])
    control.correct_times(first, start=now - HOUR, end=now - 2 * HOUR)
    detail = client.session(first).json()
    assert (detail["start_time"], detail["end_time"]) == (iso(now - HOUR), iso(now - 2 * HOUR))
    order = listed(client, end_time_after=iso(now - 3 * HOUR))
    assert order.index(first) < order.index(second)


def test_a_deleted_session_is_known_to_the_control_only(client, control, now):
    session_id = control.add_session(now - HOUR, now, transcript="ready")
    link = client.session(session_id, "transcript/").json()["transcriptionUrl"]
    control.delete_session(session_id)
    assert client.session(session_id).status_code == 404
    assert client.session(session_id, "transcript/").status_code == 404
    assert client.http.get(link, headers={"Authorization": None}).status_code == 404
    assert session_id not in listed(client)
    truth = truth_of(control, session_id)
    assert (truth.deleted, truth.end_time) == (True, now)
    assert not truth_of(control, listed(client)[0]).deleted
    with pytest.raises(SandboxControlError, match=session_id):
        control.delete_session(session_id)


def test_a_running_session_can_be_deleted(client, control, now):
    session_id = control.add_session(now - HOUR, launch_id="gone")
    control.delete_session(session_id)
    assert session_id not in listed(client, in_progress_only="true")
    assert control.join("gone", name="Ann").session_id != session_id


def test_a_session_deleted_between_two_pages_hides_another(client, control):
    control.reset(page_size=10)
    before = listed(client)
    control.delete_session(before[3], after_page=1)
    path = client.organisation("/sessions/")
    first = client.get(path, include_single_user="true")
    second = client.call("GET", first.json()["next"])
    seen = [session["uuid"] for answer in (first, second) for session in answer.json()["results"]]
    assert before[10] not in seen
    assert seen == before[:10] + before[11:21]
    assert (first.json()["count"], second.json()["count"]) == (len(before), len(before) - 1)
    assert truth_of(control, before[3]).deleted


def test_a_list_of_one_page_deletes_nothing(client, control):
    session_id = listed(client)[0]
    control.delete_session(session_id, after_page=1)
    client.sessions(search=session_id)
    assert session_id in listed(client, search=session_id)


def test_a_deleted_recording_takes_the_transcript_with_it(client, control, now):
    session_id = control.add_session(now - HOUR, now, transcript="ready")
    control.delete_recording(session_id)
    detail = client.session(session_id).json()
    assert (detail["recording_deleted"], detail["recording_available"]) == (True, False)
    assert client.session(session_id, "transcript/").status_code == 404


def test_fields_are_served_as_the_text_that_was_given(client, control, now):
    session_id = control.add_session(now - HOUR, now, launch_id="odd")
    raw = {"name": '"\\ud800"', "billable_seconds": "1e999", "end_time": '"10:"', "brand_new": "[]"}
    control.set_raw_fields(session_id, raw)
    for answer in (
        client.session(session_id),
        client.get(client.organisation("/sessions/"), end_time_after=iso(now)),
        client.get(f"/spaces/{truth_of(control, session_id).room_id}/sessions/"),
    ):
        assert all(f'"{name}": {text}' in answer.text for name, text in raw.items())
        assert session_id in answer.text
    control.set_raw_fields(session_id, {})
    assert client.session(session_id).json()["end_time"] == iso(now)


def test_a_transcript_may_be_empty_at_first(client, control, now):
    session_id = control.add_session(now - HOUR, now, transcript="ready", segments=[])

    def segments():
        link = client.session(session_id, "transcript/").json()["transcriptionUrl"]
        return json.loads(client.http.get(link, headers={"Authorization": None}).content)

    assert segments() == []
    said = {"start_time": 0.0, "end_time": 1.0, "user": {"id": 1, "name": "A"}, "breakout_id": "main", "text": "Hi"}
    control.set_transcript(session_id, "ready", segments=[said])
    assert segments() == [said]
    control.set_transcript(session_id, "ready")
    assert segments() == [said]


def test_every_answer_has_the_date_of_the_sandboxs_clock(client, control, now):
    control.advance_clock(86400.5)
    control.inject_fault("status", path="/spaces/")
    answers = client.get("/hello/"), client.get(client.organisation("/spaces/")), client.get("/nowhere/")
    assert [parsedate_to_datetime(answer.headers["Date"]) for answer in answers] == [now + timedelta(days=1)] * 3
