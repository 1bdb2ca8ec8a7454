# SPDX-License-Identifier: Apache-2.0
"""How calls pass the gate, behind a real socket: each attempt, and what a 429 does."""

from __future__ import annotations

import pytest

from lessonspace_provider.api.retries import ATTEMPTS
from lessonspace_provider.exceptions import LessonspaceInputError, LessonspaceRateLimitedError
from tests.recorded_stats import record_stats
from tests.unit.hooks.servers import GOOD, RESET, Gate, reply, too_many


def test_every_attempt_passes_the_gate_and_a_429_holds_everyone_back(serve, transport_to):
    gate = Gate()
    server = serve(RESET, too_many(3), too_many(), GOOD)
    transport_to(server.url, gate).call("GET", "/hello/")
    assert gate.events == ["permit", "permit", ("pause", 3.0), "permit", ("pause", None), "permit"]
    assert server.requests == 4


def test_one_absurd_retry_after_does_not_stop_the_key_for_good(serve, transport_to):
    gate = Gate()
    server = serve(too_many(99999999))
    with pytest.raises(LessonspaceRateLimitedError):
        transport_to(server.url, gate, max_wait=60).call("GET", "/hello/")
    assert gate.events == ["permit", ("pause", 30)]


@pytest.mark.parametrize("queued", [1.0, 599.0, 100_000.0])
def test_a_call_that_queued_for_long_has_its_retries_anyway(serve, transport_to, clock, queued):
    server = serve(*[RESET] * (ATTEMPTS - 1), GOOD)
    queues = iter([queued])

    def wait():
        clock.now += next(queues, 0.0)

    transport_to(server.url, Gate(wait)).call("GET", "/hello/")
    assert server.requests == ATTEMPTS


def test_but_queues_between_its_attempts_count(serve, transport_to, clock):
    server = serve(too_many(5))
    queues = iter([0.0, 50.0, 50.0])

    def wait():
        clock.now += next(queues)

    with pytest.raises(LessonspaceRateLimitedError):
        transport_to(server.url, Gate(wait), max_wait=60).call("GET", "/hello/")
    assert server.requests == 2


@pytest.mark.parametrize(
    "refusal", [LessonspaceRateLimitedError("The queue is too long."), LessonspaceInputError("No.")]
)
def test_the_gates_own_refusal_is_not_tried_again(serve, transport_to, clock, refusal):
    server = serve(GOOD)

    def refuse():
        raise refusal

    gate = Gate(refuse)
    with pytest.raises(type(refusal), match=str(refusal)):
        transport_to(server.url, gate).call("GET", "/hello/")
    assert gate.events == ["permit"]
    assert clock.waits == []
    assert server.requests == 0


def test_a_download_does_not_pass_the_gate(serve, transport_to):
    gate = Gate()
    server = serve(reply(503), reply(429), reply(200, b"[]"))
    assert list(transport_to(server.url, gate).download(f"{server.url}/file", "transcript file")) == []
    assert gate.events == []
    assert server.requests == 3


def test_each_attempt_is_counted_by_its_status_and_a_download_is_not(serve, transport_to, monkeypatch):
    recorded = record_stats(monkeypatch)
    server = serve(RESET, too_many(3), reply(503), GOOD, reply(200, b"[]"))
    transport = transport_to(server.url, Gate())
    transport.call("GET", "/hello/")
    transport.download(f"{server.url}/file", "transcript file")
    counted = {name.removeprefix("lessonspace.api.requests."): number for name, number in recorded.counters.items()}
    assert counted == {"no_reply": 1, "429": 1, "5xx": 1, "200": 1}
    assert len(recorded.timers["lessonspace.rate_limit.wait"]) == 4


def test_a_metric_that_fails_fails_no_call(serve, transport_to, monkeypatch):
    def unavailable():
        raise RuntimeError("metrics are broken")

    monkeypatch.setattr("lessonspace_provider.metrics.sending._stats", unavailable)
    server = serve(too_many(), GOOD)
    assert transport_to(server.url, Gate()).call("GET", "/hello/").status == 200
