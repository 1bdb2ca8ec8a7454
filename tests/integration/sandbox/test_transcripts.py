# SPDX-License-Identifier: Apache-2.0
"""Which transcripts there are, when, and the store that holds them."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
import requests

MINUTE = timedelta(minutes=1)


def link(client, session_id):
    answer = client.session(session_id, "transcript/")
    assert answer.status_code == 200
    assert list(answer.json()) == ["transcriptionUrl"]
    return answer.json()["transcriptionUrl"]


def download(url, **options):
    return requests.get(url, timeout=30, **options)


@pytest.fixture
def ready(control, now):
    return control.add_session(now - 60 * MINUTE, now - 20 * MINUTE, transcript="ready")


# Whether and when


def test_an_eligible_session_is_404_first_and_ready_after_its_delay(client, control, now):
    session_id = control.add_session(now - 60 * MINUTE, now, transcript_delay=1800)
    control.advance_clock(1799)
    assert client.session(session_id, "transcript/").json() == {"detail": "Not found."}
    control.advance_clock(2)
    assert download(link(client, session_id)).status_code == 200


@pytest.mark.parametrize(
    ("options", "state"),
    [
        ({"users": ["Alone"]}, "single-user"),
        ({"start": 300}, "too-short"),
        ({"recorded": False}, "not-recorded"),
        ({"transcribe": False}, "not-transcribed"),
        ({"transcript": "never"}, "never"),
    ],
)
def test_the_others_are_404_for_ever(client, control, now, options, state):
    start = now - timedelta(seconds=options.pop("start", 3600))
    session_id = control.add_session(start, now, transcript_delay=0, **options)
    control.advance_clock(30 * 86400)
    answer = client.session(session_id, "transcript/")
    assert (answer.status_code, answer.json()) == (404, {"detail": "Not found."})
    assert next(s.transcript for s in control.sessions() if s.session_id == session_id) == state


def test_301_seconds_and_two_people_of_whom_one_is_a_guest_are_enough(client, control, now):
    session_id = control.add_session(now - timedelta(seconds=301), now, users=["Host"], guests=1, transcript_delay=0)
    assert client.session(session_id, "transcript/").status_code == 200


def test_a_running_session_has_none_yet(client, control, now):
    session_id = control.add_session(now - 60 * MINUTE, transcript_delay=0)
    assert client.session(session_id, "transcript/").status_code == 404
    control.end_session(session_id)
    assert client.session(session_id, "transcript/").status_code == 200


@pytest.mark.parametrize(
    ("second_launch", "state"), [(None, "pending"), ({"transcribe": True}, "pending"), ({}, "not-transcribed")]
)
def test_the_last_launch_before_the_end_decides_about_the_transcript(client, control, second_launch, state):
    session_id = client.launch(transcribe=True).json()["session_id"]
    control.join(session_id, name="A")
    control.join(session_id, name="B")
    if second_launch is not None:
        client.launch(**second_launch)
    control.advance_clock(600)
    control.end_session(session_id)
    client.launch(transcribe=state != "pending")
    assert next(s.transcript for s in control.sessions() if s.session_id == session_id) == state


def test_a_transcript_needs_audio_and_video(client, control):
    session_id = client.launch(transcribe=True, record_av=False).json()["session_id"]
    control.join(session_id, name="A")
    control.join(session_id, name="B")
    control.advance_clock(600)
    control.end_session(session_id)
    assert next(s.transcript for s in control.sessions() if s.session_id == session_id) == "not-recorded"
    assert client.session(session_id, "playback/").status_code == 200


def test_it_can_be_made_ready_or_taken_away_by_hand(client, control, now):
    session_id = control.add_session(now - 60 * MINUTE, now)
    assert client.session(session_id, "transcript/").status_code == 404
    control.set_transcript(session_id, "ready")
    assert client.session(session_id, "transcript/").status_code == 200
    control.set_transcript(session_id, "never")
    assert client.session(session_id, "transcript/").status_code == 404


def test_a_removed_recording_takes_the_transcript_with_it(client, control):
    control.reset(days=21)
    removed = [s for s in control.sessions() if s.transcript == "recording-removed"]
    assert removed
    for session in removed:
        assert client.session(session.session_id).json()["recording_deleted"] is True
        assert client.session(session.session_id, "transcript/").status_code == 404
        assert client.session(session.session_id, "playback/").status_code == 404


# The store


def test_each_call_gives_a_fresh_link_to_another_port(client, ready, sandbox):
    first, second = link(client, ready), link(client, ready)
    assert first != second
    assert first.startswith(sandbox.store_url + "/")
    assert not first.startswith(sandbox.base_url.removesuffix("/v2"))
    assert download(first).content == download(second).content


def test_the_store_rejects_a_request_that_carries_a_key_too(client, ready):
    answer = download(link(client, ready), headers={"Authorization": "Organisation whatever"})
    assert answer.status_code == 400
    assert answer.headers["Content-Type"].startswith("application/xml")


def test_a_wrong_or_missing_signature_and_another_file_get_403(client, ready, control):
    url = link(client, ready)
    other = next(s.session_id for s in control.sessions() if s.transcript == "ready")
    for wrong in (url[:-1] + ("0" if url[-1] != "0" else "1"), url.split("?")[0], url.replace(ready, other)):
        assert download(wrong).status_code == 403
    assert download(url).status_code == 200


def test_a_link_expires_on_the_sandboxs_clock_and_a_new_one_works(client, control, ready):
    url = link(client, ready)
    control.advance_clock(43199)
    assert download(url).status_code == 200
    control.advance_clock(2)
    answer = download(url)
    assert answer.status_code == 403
    assert "Request has expired" in answer.text
    assert download(link(client, ready)).status_code == 200


def test_the_lifetime_can_be_chosen_and_all_links_expired_by_hand(client, control, now):
    control.reset(link_lifetime=60)
    session_id = control.add_session(now - 60 * MINUTE, now, transcript="ready")
    url = link(client, session_id)
    control.expire_links()
    assert download(url).status_code == 403
    fresh = link(client, session_id)
    assert download(fresh).status_code == 200
    control.advance_clock(61)
    assert download(fresh).status_code == 403


def test_an_expired_link_can_be_answered_with_400(client, control, ready):
    control.reset(expired_link_status=400)
    session_id = next(s.session_id for s in control.sessions() if s.transcript == "ready")
    url = link(client, session_id)
    control.expire_links()
    answer = download(url)
    assert (answer.status_code, "ExpiredRequest" in answer.text) == (400, True)


# The file


def test_the_file_is_a_list_of_segments_by_people_who_were_there(client, control):
    sessions = [s for s in control.sessions() if s.transcript == "ready"][:40]
    texts = []
    for session in sessions:
        detail = client.session(session.session_id).json()
        answer = download(link(client, session.session_id))
        assert answer.headers["Content-Type"] == "application/json"
        segments = json.loads(answer.content.decode("utf-8"))
        assert 20 <= len(segments) <= 400
        names = {p["user"]: p["name"] for p in detail["profiles"]}
        length = (session.end_time - session.start_time).total_seconds()
        starts = [segment["start_time"] for segment in segments]
        assert starts == sorted(starts)
        for segment in segments:
            assert list(segment) == ["start_time", "end_time", "user", "breakout_id", "text"]
            assert 0 <= segment["start_time"] <= segment["end_time"] <= length + 0.01
            assert names[segment["user"]["id"]] == segment["user"]["name"]
            assert segment["breakout_id"] == "main"
            assert segment["text"].strip()
        texts += [segment["text"] for segment in segments]
    everything = "".join(texts)
    for letter in "öçñżعשは":
        assert letter in everything, letter
    assert "👏" in everything


def test_a_file_is_the_same_at_every_download_and_after_a_reset(client, control):
    session_id = next(s.session_id for s in control.sessions() if s.transcript == "ready")
    first = download(link(client, session_id)).content
    control.reset()
    assert download(link(client, session_id)).content == first


def test_a_file_can_be_as_large_as_wanted_or_hold_given_segments(client, control, now):
    large = control.add_session(now - 60 * MINUTE, now, transcript="ready", transcript_bytes=1_000_000)
    assert 1_000_000 <= len(download(link(client, large)).content) < 2_000_000
    segments = [
        {"start_time": 0.5, "end_time": 2.0, "user": {"id": 7, "name": None}, "breakout_id": "main", "text": "Hé 👋"}
    ]
    given = control.add_session(now - 60 * MINUTE, now, transcript="ready", segments=segments)
    assert download(link(client, given)).json() == segments
    empty = control.add_session(now - 60 * MINUTE, now, transcript="ready", segments=[])
    assert download(link(client, empty)).json() == []


def test_the_list_form_pages_and_searches_the_segments(client, control):
    session_id = next(s.session_id for s in control.sessions() if s.transcript == "ready")
    segments = download(link(client, session_id)).json()
    control.reset(transcript_list_form=True)
    path = client.organisation(f"/sessions/{session_id}/transcript/")
    assert client.all_pages(path) == segments
    word = segments[0]["text"].split()[0].strip(".,!?").lower()
    assert client.all_pages(path, search=word.upper()) == [s for s in segments if word in s["text"].lower()]
