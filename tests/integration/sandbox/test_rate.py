# SPDX-License-Identifier: Apache-2.0
"""The rate limit."""

from __future__ import annotations

import pytest


def call_until(client, path, status, at_most=5000):
    for _ in range(at_most):
        answer = client.get(path)
        if answer.status_code == status:
            return answer
    raise AssertionError(f"no {status} in {at_most} calls")


def check_window(calls, rate):
    """Every call was judged rightly by what was accepted in the second before its arrival."""
    accepted: list[float] = []
    for call in calls:
        in_window = sum(call.arrived - 1.0 < moment for moment in accepted)
        assert (call.status == 429) == (in_window >= rate), call
        if call.status != 429:
            accepted.append(call.arrived)


def test_no_second_holds_more_accepted_calls_than_the_rate_and_none_is_refused_below_it(client, control):
    control.set_rate(5)
    refused = call_until(client, client.organisation("/sessions/"), 429)
    assert list(refused.json()) == ["detail"]
    assert refused.headers["Retry-After"] == "1"
    call_until(client, client.organisation("/spaces/"), 200)
    call_until(client, client.organisation("/spaces/"), 429)
    calls = control.calls(target="api")
    check_window(calls, 5)
    state = control.state()
    assert state.refused == sum(call.status == 429 for call in calls) > 0
    assert state.accepted == sum(call.status == 200 for call in calls) > 5


def test_retry_after_can_be_left_out(client, control):
    control.reset(rate=1, retry_after=False)
    assert "Retry-After" not in call_until(client, "/my-organisation/", 429).headers


def test_every_operation_but_hello_counts(client, control):
    control.set_rate(1)
    call_until(client, "/my-organisation/", 429)
    for _ in range(20):
        assert client.get("/hello/").status_code == 200
    state = control.state()
    assert state.accepted + state.refused == len(control.calls(path="my-organisation"))


def test_a_redirect_and_a_wrong_key_do_not_count(client, control):
    control.set_rate(1000)
    client.call("GET", client.organisation("/sessions"), allow_redirects=False)
    client.call("GET", client.organisation("/sessions/"), headers={"Authorization": "Organisation x"})
    assert control.state().accepted == 0


def test_the_store_is_not_limited(client, control):
    ready = next(s for s in control.sessions() if s.transcript == "ready")
    link = client.session(ready.session_id, "transcript/").json()["transcriptionUrl"]
    control.set_rate(1)
    answers = [client.call("GET", link, headers={"Authorization": None}) for _ in range(10)]
    assert [answer.status_code for answer in answers] == [200] * 10


def test_the_rate_can_change_while_it_runs(client, control):
    control.set_rate(1)
    call_until(client, "/my-organisation/", 429)
    control.set_rate(0)
    assert [client.get("/my-organisation/").status_code for _ in range(30)] == [200] * 30
    with pytest.raises(Exception, match="must not be negative"):
        control.set_rate(-1)
