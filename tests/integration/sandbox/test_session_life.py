# SPDX-License-Identifier: Apache-2.0
"""From a reservation to the end of a session."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from lessonspace_provider.sandbox import SandboxControlError


def parse(text):
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def test_a_launch_only_reserves_a_session_until_someone_joins(client, control):
    launched = client.launch(user={"id": "t", "name": "Tess", "role": "teacher"}).json()
    session_id = launched["session_id"]
    before = control.state()
    for rest in ("", "transcript/", "playback/"):
        assert client.session(session_id, rest).status_code == 404
    assert client.sessions(launch_id="maths-7b") == []
    assert client.get(f"/spaces/{launched['room_id']}/sessions/").json()["count"] == 0

    joined = control.join(session_id, user_id=launched["user_id"])

    assert joined.session_id == session_id
    session = client.session(session_id).json()
    assert session["end_time"] is None
    assert parse(session["start_time"]) == before.now
    assert [(p["user"], p["name"], p["role"]) for p in session["profiles"]] == [
        (launched["user_id"], "Tess", "teacher")
    ]
    assert [s["uuid"] for s in client.sessions(launch_id="maths-7b")] == [session_id]
    after = control.state()
    assert (before.reservations, after.reservations, after.running) == (1, 0, before.running + 1)


@pytest.mark.parametrize("how", ["session_id", "room_id", "launch_id"])
def test_a_space_can_be_joined_by_any_of_its_names(client, control, how):
    launched = {**client.launch().json(), "launch_id": "maths-7b"}
    assert control.join(launched[how], name="A").session_id == launched["session_id"]


def test_it_ends_30_seconds_after_the_last_one_left(client, control):
    session_id = client.launch().json()["session_id"]
    control.join(session_id, name="A")
    control.join(session_id, name="B")
    control.advance_clock(600)
    control.leave(session_id, name="A")
    control.advance_clock(3600)
    assert client.session(session_id).json()["end_time"] is None
    control.leave(session_id, name="B")
    left = control.state().now
    control.advance_clock(29.9)
    assert client.session(session_id).json()["end_time"] is None
    control.advance_clock(3600)
    assert parse(client.session(session_id).json()["end_time"]) == left + timedelta(seconds=30)


def test_coming_back_within_30_seconds_keeps_it_running_and_is_logged(client, control):
    launched = client.launch().json()
    control.join(launched["room_id"], name="A")
    for _ in range(2):
        control.advance_clock(60)
        control.leave(launched["room_id"])
        control.advance_clock(20)
        control.join(launched["room_id"], name="A")
    control.advance_clock(3600)
    (session,) = client.get(f"/spaces/{launched['room_id']}/sessions/", include_single_user="true").json()["results"]
    assert session["end_time"] is None
    assert [row["log_type"] for row in session["logs"]] == [
        "user-joined", "user-left", "user-joined", "user-left", "user-joined"
    ]  # fmt: skip
    assert len(session["profiles"]) == 1


def test_it_ends_when_all_have_been_idle_for_five_minutes(client, control):
    session_id = client.launch().json()["session_id"]
    control.join(session_id, name="A")
    guest = control.join(session_id).guest
    control.idle(session_id, name="A")
    control.advance_clock(1000)
    assert client.session(session_id).json()["end_time"] is None
    control.idle(session_id, guest=guest)
    all_idle = control.state().now
    control.advance_clock(200)
    control.join(session_id, name="A")
    control.advance_clock(1000)
    assert client.session(session_id).json()["end_time"] is None
    control.idle(session_id)
    control.advance_clock(400)
    end = parse(client.session(session_id).json()["end_time"])
    assert end == all_idle + timedelta(seconds=200 + 1000 + 300)


def test_a_control_call_ends_it_at_once(client, control):
    session_id = client.launch().json()["session_id"]
    control.join(session_id, name="A")
    control.end_session(session_id)
    assert parse(client.session(session_id).json()["end_time"]) == control.state().now
    with pytest.raises(SandboxControlError):
        control.end_session(session_id)


def test_the_next_launch_after_the_end_gives_a_new_session_of_the_same_space(client, control):
    first = client.launch().json()
    control.join(first["session_id"], name="A")
    during = client.launch().json()
    assert during["session_id"] == first["session_id"]
    control.end_session(first["session_id"])
    second, again = client.launch().json(), client.launch().json()
    assert second["room_id"] == first["room_id"]
    assert second["session_id"] == again["session_id"] != first["session_id"]
    control.join(second["session_id"], name="B")
    found = client.sessions(launch_id="maths-7b")
    assert {s["uuid"] for s in found} == {first["session_id"], second["session_id"]}


def test_the_schools_running_sessions_end_by_themselves(client, control):
    running = client.sessions(in_progress_only="true")
    control.advance_clock(3600)
    ended = [client.session(session["uuid"]).json() for session in running]
    assert all(session["end_time"] for session in ended)
    assert control.state().running == 0


def test_leaving_where_one_is_not_is_refused_with_the_reason(client, control):
    session_id = client.launch().json()["session_id"]
    with pytest.raises(SandboxControlError, match="no session runs"):
        control.leave(session_id)
    control.join(session_id, name="A")
    with pytest.raises(SandboxControlError, match="not connected"):
        control.leave(session_id, name="B")
    with pytest.raises(SandboxControlError, match="no space"):
        control.join("nowhere", name="A")
