# SPDX-License-Identifier: Apache-2.0
"""Launching spaces."""

from __future__ import annotations

import base64
import json
from datetime import timedelta

import pytest

FIELDS = {"client_url", "api_base", "room_id", "secret", "session_id", "user_id", "room_settings"}


def space_of(client, room_id):
    return client.all_pages(client.organisation("/spaces/"), search=room_id)[0]


def token(launch):
    payload = launch["client_url"].split("user=")[1].split(".")[1]
    return json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))


def test_a_new_id_makes_a_space_and_a_known_one_gives_it_again(client):
    first, second = client.launch("a/b ü 1"), client.launch("a/b ü 1")
    assert (first.status_code, second.status_code) == (201, 200)
    assert set(first.json()) == set(second.json()) == FIELDS
    for field in ("room_id", "secret", "session_id"):
        assert first.json()[field] == second.json()[field]
    assert first.json()["client_url"] != second.json()["client_url"]
    assert client.launch("another").json()["room_id"] != first.json()["room_id"]


def test_an_id_of_the_seeded_school_gives_its_space(client, control):
    session = next(s for s in control.sessions() if s.launch_id)
    answer = client.launch(session.launch_id)
    assert (answer.status_code, answer.json()["room_id"]) == (200, session.room_id)


@pytest.mark.parametrize("body", [{}, {"id": None}, {"id": ""}, {"id": "x" * 65}, {"id": ["a"]}])
def test_a_launch_needs_an_id_of_at_most_64_characters(client, control, body):
    answer = client.call("POST", "/spaces/launch/", json=body)
    assert (answer.status_code, list(answer.json())) == (400, ["id"])
    assert control.launches() == []
    assert client.launch("x" * 64).status_code == 201


@pytest.mark.parametrize(
    ("options", "name"), [({}, "maths-7b"), ({"name": "Maths"}, "Maths"), ({"name": None}, None), ({"name": ""}, "")]
)
def test_the_id_becomes_the_name_only_when_none_is_sent(client, options, name):
    assert space_of(client, client.launch(**options).json()["room_id"])["name"] == name


@pytest.mark.parametrize(
    "body",
    [
        {"record_av": "yes"},
        {"transcribe": 1},
        {"user": "Zoe"},
        {"user": {"name": "Zoe", "email": "zoe"}},
        {"webhooks": ["x"]},
        {"timeouts": {"not_after": "soon"}},
        {"session_tags": "a"},
    ],
)
def test_what_cannot_be_taken_gets_400_and_changes_nothing(client, control, body):
    before = control.state()
    answer = client.launch("refused", **body)
    assert answer.status_code == 400
    assert list(answer.json()) == list(body)
    assert control.state() == before.__class__(**{**before.__dict__, "api_calls": 1, "accepted": 1})


def test_a_body_that_is_no_json_gets_400_and_another_type_415(client):
    json_type = {"Content-Type": "application/json"}
    assert client.call("POST", "/spaces/launch/", data="{", headers=json_type).status_code == 400
    assert client.call("POST", "/spaces/launch/", data={"id": "a"}).status_code == 415


def test_a_link_works_for_seven_days_at_most(client, now):
    def window(**timeouts):
        return client.launch("timed", timeouts={name: at.isoformat() for name, at in timeouts.items()})

    assert window(not_after=now + timedelta(days=7)).status_code < 300
    assert window(not_after=now + timedelta(days=7, seconds=1)).status_code == 400
    assert window(not_before=now + timedelta(days=10), not_after=now + timedelta(days=11)).status_code < 300
    assert window(not_before=now + timedelta(days=10), not_after=now + timedelta(days=18)).status_code == 400
    assert window(not_before=now + timedelta(days=2), not_after=now + timedelta(days=1)).status_code == 400
    opens = now + timedelta(days=10)
    assert token(window(not_before=opens).json())["exp"] == (opens + timedelta(days=7)).timestamp()
    assert token(window().json())["exp"] == (now + timedelta(days=7)).timestamp()


def test_the_same_user_id_or_else_name_is_the_same_person(client):
    def user_id(**user):
        return client.launch("class", user=user).json()["user_id"]

    assert user_id(id="u1", name="Ann") == user_id(id="u1", name="Ann B.")
    assert user_id(name="Carl") == user_id(name="Carl")
    assert user_id(id="u2", name="Ann") != user_id(id="u1", name="Ann")
    assert user_id(id="student-1") in {
        u["user"]["id"] for u in client.all_pages(client.organisation("/users/"), search="Amelia")
    }


def test_a_launch_without_user_is_a_guests(client, control):
    before = control.state().users
    launched = client.launch("open").json()
    assert isinstance(launched["user_id"], int)
    assert control.state().users == before
    joined = control.join(launched["session_id"], user_id=launched["user_id"])
    session = client.session(joined.session_id).json()
    assert session["profiles"] == []
    assert [guest["uuid"] for guest in session["guests"]] == [joined.guest]


def test_an_unknown_role_and_unknown_keys_are_tolerated(client):
    answer = client.launch("tolerant", user={"name": "A", "role": "headmaster"}, brand_new=True)
    assert answer.status_code == 201


def test_what_came_can_be_seen_by_tests_without_the_key(client, control, sandbox):
    body = {"name": "N", "user": {"name": "A"}, "brand_new": {"x": 1}}
    headers = {"X-Forwarded-For": "203.0.113.7"}
    answer = client.call("POST", "/spaces/launch/", json={"id": "seen", **body}, headers=headers).json()
    (launch,) = control.launches()
    assert launch.body == {"id": "seen", **body}
    assert launch.headers["x-forwarded-for"] == "203.0.113.7"
    assert "authorization" not in launch.headers
    assert sandbox.api_key not in repr(launch)
    assert (launch.created, launch.room_id, launch.session_id, launch.user_id) == (
        True,
        answer["room_id"],
        answer["session_id"],
        answer["user_id"],
    )


def test_webhooks_are_replaced_whole_removed_by_null_and_kept_when_left_out(client, control):
    start, end = {"session": {"start": "https://a.example/"}}, {"session": {"end": "https://b.example/"}}
    for webhooks, expected in [(start, start), (end, end), ("left out", end), (None, {}), (start, start), ("", {})]:
        client.launch("hooked", **({} if webhooks == "left out" else {"webhooks": webhooks}))
        assert control.launches()[-1].webhooks == expected


@pytest.mark.parametrize("webhooks", [{"recording": {"finish": "u"}}, {"session": {"end": "u", "stop": "u"}}])
def test_an_unknown_webhook_stops_all_webhooks_of_the_space(client, control, webhooks):
    client.launch(webhooks={"chat": {"message": "u"}})
    assert client.launch(webhooks={"user": {"join": "u"}, **webhooks}).status_code == 200
    assert control.launches()[-1].webhooks == {}


def test_room_settings_and_space_hold_the_same_settings(client):
    launched = client.launch(record_av=True, record_content=False, transcribe=True, summarise=True).json()
    settings = {"record_av": True, "record_content": False, "transcribe": True, "summarise": True}
    assert launched["room_settings"] == {**settings, "waiting_room": False}
    space = space_of(client, launched["room_id"])
    assert {name: space[name] for name in ("record_av", "transcribe", "summarise")} == {
        "record_av": True,
        "transcribe": True,
        "summarise": True,
    }


def test_a_plan_without_transcripts_leaves_them_off(client, control):
    control.reset(transcription_addon=False)
    answer = client.launch(transcribe=True, summarise=True)
    assert answer.status_code == 201
    assert (answer.json()["room_settings"]["transcribe"], answer.json()["room_settings"]["summarise"]) == (False, False)
    joined = control.join("maths-7b", name="Ann")
    control.join("maths-7b", name="Ben")
    control.advance_clock(3000)
    control.end_session("maths-7b")
    assert next(s for s in control.sessions() if s.session_id == joined.session_id).transcript == "not-transcribed"


@pytest.mark.parametrize("options", [{}, {"transcribe": False}, {"transcribe": True, "record_av": False}])
def test_a_summary_needs_recording_and_transcript(client, options):
    answer = client.launch(summarise=True, **options)
    assert (answer.status_code, list(answer.json())) == (400, ["summarise"])


def test_a_later_launch_without_transcribe_turns_it_off(client, control):
    first = client.launch(transcribe=True)
    assert first.json()["room_settings"]["transcribe"] is True
    assert client.launch().json()["room_settings"]["transcribe"] is False


def test_the_region_is_the_one_asked_for(client):
    assert space_of(client, client.launch(server="us-east-1").json()["room_id"])["region"] == "us-east-1"


def test_tags_reach_the_space_and_its_next_session(client, control):
    launched = client.launch(space_tags={"year": "7"}, session_tags={"topic": "Brüche"}).json()
    joined = control.join(launched["session_id"], name="A")
    session = client.session(joined.session_id).json()
    assert json.loads(session["tags"]) == {"topic": "Brüche"}
    assert json.loads(session["space"]["tags"]) == {"year": "7"}
