# SPDX-License-Identifier: Apache-2.0
"""The rest of what tests can see and do through the control endpoints."""

from __future__ import annotations

import time
from datetime import datetime, timedelta, timezone

import pytest
import requests

from lessonspace_provider.sandbox import NewSession, SandboxControl, SandboxControlError, Visit


def test_calls_are_kept_in_order_without_the_key(client, control, sandbox):
    before = time.monotonic()
    client.get(client.organisation("/sessions/"), search="ä b", tags="")
    client.call("GET", "/hello/", headers={"Authorization": "Bearer x", "X-Test": "1"})
    client.launch("a")
    after = time.monotonic()
    first, second, third = control.calls()
    assert (first.target, first.method, first.path) == ("api", "GET", "/v2" + client.organisation("/sessions/"))
    assert first.query == [("search", "ä b"), ("tags", "")]
    assert (first.status, first.authorised, first.fault) == (200, True, None)
    assert (second.status, second.authorised) == (401, False)
    assert "authorization" in second.header_names
    assert second.headers["x-test"] == "1"
    assert (third.method, third.path, third.status) == ("POST", "/v2/spaces/launch/", 201)
    assert before <= first.arrived < second.arrived < third.arrived <= after
    for call in (first, second, third):
        assert "authorization" not in call.headers
        assert sandbox.api_key not in repr(call)
    assert control.calls(method="POST") == [third]
    assert control.calls(path="/hello/$") == [second]


def test_store_calls_are_kept_without_the_signature(client, control, now):
    session_id = control.add_session(now, now, transcript="ready")
    url = client.session(session_id, "transcript/").json()["transcriptionUrl"]
    assert requests.get(url, timeout=30).status_code == 200
    requests.get(url + "0", timeout=30)
    right, wrong = control.calls(target="store")
    assert (right.status, right.authorised, wrong.status, wrong.authorised) == (200, True, 403, False)
    assert "authorization" not in right.header_names
    assert url.split("X-Amz-Signature=")[1] not in repr(right)
    state = control.state()
    assert (state.api_calls, state.store_calls) == (1, 2)


def test_control_calls_are_not_recorded(control):
    control.state()
    assert control.calls() == []


def test_reset_makes_the_same_world_and_forgets_everything(client, control):
    before = control.sessions()
    launched = client.launch(name="x").json()
    control.join(launched["session_id"], name="A")
    client.call("PATCH", client.organisation(f"/sessions/{before[0].session_id}/"), json={"name": "changed"})
    control.advance_clock(86400)
    control.inject_fault("status")
    control.set_rate(1)
    state = control.reset()
    assert control.sessions() == before
    assert (state.api_calls, state.accepted, state.rate, state.faults, state.reservations) == (0, 0, 0, [], 0)
    assert control.calls() == control.launches() == []


def test_reset_can_change_settings_until_the_next_reset(control):
    state = control.reset(seed=5, sessions_per_day=3, days=2, rate=9)
    assert (state.seed, state.rate) == (5, 9)
    assert state.sessions < 15
    state = control.reset()
    assert (state.seed, state.rate) == (1, 0)
    moved = control.reset(now=datetime(2026, 1, 1, tzinfo=timezone.utc))
    assert moved.now == datetime(2026, 1, 1, tzinfo=timezone.utc)


@pytest.mark.parametrize("payload", [{"port": 1}, {"api_key": "x"}, {"colour": "red"}, {"page_size": 0}, {"now": "x"}])
def test_reset_refuses_what_cannot_change(sandbox, control, payload):
    before = control.state()
    answer = requests.post(f"{sandbox.root_url}/sandbox/reset/", json=payload, timeout=30)
    assert answer.status_code == 400
    assert control.state() == before


def test_the_clock_moves_forward_only(control, now):
    assert control.state().now == now
    assert control.advance_clock(90) == now + timedelta(seconds=90)
    assert control.set_clock(now + timedelta(days=1)) == now + timedelta(days=1)
    with pytest.raises(SandboxControlError, match="only moves forward"):
        control.advance_clock(-1)
    with pytest.raises(SandboxControlError, match="only moves forward"):
        control.set_clock(now)


def test_the_clock_can_run_fast(control, now):
    control.reset(speed=100_000)
    first = control.state().now
    while control.state().now < first + timedelta(hours=1):
        pass
    assert control.calls() == []


def test_an_added_session_is_as_it_was_described(client, control, now):
    start, end = now - timedelta(days=2, hours=1), now - timedelta(days=2)
    known = control.sessions()[0].user_ids[0]
    session_id = control.add_session(
        start,
        end,
        users=[known, "Newcomer"],
        guests=2,
        name="Added / 1",
        launch_id="added-1",
        tags={"a": "b"},
        summary="Fractions",
    )
    session = client.session(session_id).json()
    assert (session["name"], session["summary"]) == ("Added / 1", "Fractions")
    assert datetime.fromisoformat(session["start_time"].replace("Z", "+00:00")) == start
    assert datetime.fromisoformat(session["end_time"].replace("Z", "+00:00")) == end
    assert session["profiles"][0]["user"] == known
    assert session["profiles"][1]["name"] == "Newcomer"
    assert len(session["guests"]) == 2
    assert [s["uuid"] for s in client.sessions(launch_id="added-1")] == [session_id]
    listed = client.sessions()
    assert listed == sorted(listed, key=lambda s: s["start_time"], reverse=True)
    again = control.add_session(start, end, space="added-1")
    assert {s["uuid"] for s in client.sessions(launch_id="added-1")} == {session_id, again}


def test_visits_define_when_people_came_and_went_and_others_were_there_all_the_time(client, control, now):
    start, end = now - timedelta(hours=2), now - timedelta(hours=1)

    def at(minutes):
        return start + timedelta(minutes=minutes)

    def time_of(row):
        return datetime.fromisoformat(row["date"].replace("Z", "+00:00"))

    visits = [Visit("Ben", at(30), at(50)), Visit("Ben", at(5), at(20))]
    session_id = control.add_session(start, end, users=["Ada", "Ben"], visits=visits, launch_id="a")
    space = next(truth.space_id for truth in control.sessions() if truth.session_id == session_id)
    (session,) = client.get(f"/spaces/{space}/sessions/").json()["results"]
    names = {profile["user"]: profile["name"] for profile in session["profiles"]}
    rows = [(names[row["profile"]], row["log_type"], time_of(row)) for row in session["logs"]]
    assert rows == [
        ("Ada", "user-joined", start),
        ("Ada", "user-left", end - timedelta(seconds=30)),
        ("Ben", "user-joined", at(5)),
        ("Ben", "user-left", at(20)),
        ("Ben", "user-joined", at(30)),
        ("Ben", "user-left", at(50)),
    ]


@pytest.mark.parametrize(("user", "joined", "left"), [("Cem", 0, 1), ("Ben", -1, 1), ("Ben", 0, 61), ("Ben", 2, 1)])
def test_a_visit_that_cannot_be_is_refused(control, now, user, joined, left):
    start = now - timedelta(hours=1)
    visit = Visit(user, start + timedelta(minutes=joined), start + timedelta(minutes=left))
    with pytest.raises(SandboxControlError, match=f"'{user}'"):
        control.add_session(start, now, users=["Ada", "Ben"], visits=[visit])
    with pytest.raises(SandboxControlError, match="within a session that has ended"):
        control.add_session(start, users=["Ben"], visits=[Visit("Ben", start, now)])


def test_many_sessions_are_added_at_once(client, control, now):
    new = [NewSession(now - timedelta(hours=n + 1), now - timedelta(hours=n), name=f"bulk {n}") for n in range(50)]
    ids = control.add_sessions(new)
    assert len(set(ids)) == 50
    assert [s["uuid"] for s in client.sessions(search="bulk")] == ids


def test_a_session_added_without_an_end_runs_until_its_people_leave(client, control, now):
    session_id = control.add_session(now - timedelta(minutes=10), users=["A", "B"])
    control.advance_clock(86400)
    assert client.session(session_id).json()["end_time"] is None
    control.leave(session_id)
    control.advance_clock(31)
    assert client.session(session_id).json()["end_time"] is not None


@pytest.mark.parametrize("hours", [0, 1])
def test_a_session_that_cannot_be_is_refused(control, now, hours):
    naive = (now + timedelta(hours=hours)).replace(tzinfo=None)
    with pytest.raises(SandboxControlError, match="aware"):
        control.add_session(naive, naive)
    with pytest.raises(SandboxControlError, match="cannot end"):
        control.add_session(now, now - timedelta(hours=1 + hours))


def test_an_unknown_command_lists_those_there_are(sandbox):
    answer = requests.post(f"{sandbox.root_url}/sandbox/explode/", timeout=30)
    assert answer.status_code == 404
    assert "advance-clock" in answer.json()["detail"]


def test_a_control_client_works_from_the_base_url_as_well(sandbox):
    assert SandboxControl(sandbox.base_url).state() == SandboxControl(sandbox.root_url).state()
    with pytest.raises(ValueError, match="http://"):
        SandboxControl("file:///etc")


def test_a_second_session_of_a_launched_space_is_refused_with_the_parameter_to_give(control, now):
    began, ended = now - timedelta(hours=2), now - timedelta(hours=1)
    control.add_session(began, ended, launch_id="maths-7b", users=["Ms Byron"])
    with pytest.raises(SandboxControlError, match="give space='maths-7b' instead of launch_id"):
        control.add_session(began, ended, launch_id="maths-7b", users=["Ms Byron"])
    assert control.add_session(began, ended, space="maths-7b", users=["Ms Byron"])
