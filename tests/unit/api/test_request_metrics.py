# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from lessonspace_provider.api.request_metrics import MeasuredRequest
from lessonspace_provider.exceptions import (
    LessonspaceConnectionError,
    LessonspaceRateLimitedError,
    LessonspaceServerError,
)
from tests.recorded_stats import record_stats

REQUESTS = "lessonspace.api.requests."


@pytest.fixture
def recorded(monkeypatch):
    return record_stats(monkeypatch)


class Gate:
    def __init__(self, error=None):
        self.error, self.seconds = error, 0.0

    def clock(self):
        return self.seconds

    def acquire(self):
        self.seconds += 2.5
        if self.error:
            raise self.error


def test_a_request_is_counted_by_status_and_its_wait_is_timed(recorded):
    gate = Gate()
    with MeasuredRequest(gate, gate.clock) as measured:
        measured.acquire()
        assert not recorded.timers, "nothing is sent between permit and request"
        gate.seconds += 40  # of the exchange
        measured.status = 404
    assert recorded.counters == {f"{REQUESTS}404": 1}
    assert recorded.timers == {"lessonspace.rate_limit.wait": [2500.0]}


@pytest.mark.parametrize(
    ("error", "end"),
    [
        (LessonspaceConnectionError("cut off"), "no_reply"),
        (LessonspaceServerError("too large", status=200), "200"),
        (KeyboardInterrupt(), "no_reply"),
    ],
)
def test_a_request_that_fails_is_counted_and_its_error_is_raised(recorded, error, end):
    gate = Gate()

    def fail():
        with MeasuredRequest(gate, gate.clock) as measured:
            measured.acquire()
            raise error

    with pytest.raises(type(error)):
        fail()
    assert recorded.counters == {f"{REQUESTS}{end}": 1}


def test_a_connection_that_fails_before_the_permit_counts_as_no_reply(recorded):
    with pytest.raises(LessonspaceConnectionError), MeasuredRequest(Gate()):
        raise LessonspaceConnectionError("refused")
    assert recorded.counters == {f"{REQUESTS}no_reply": 1}
    assert not recorded.timers


def test_a_wait_that_ends_without_a_permit_is_timed_and_is_no_request(recorded):
    gate = Gate(LessonspaceRateLimitedError("no permit"))
    with pytest.raises(LessonspaceRateLimitedError), MeasuredRequest(gate, gate.clock) as measured:
        measured.acquire()
    assert not recorded.counters
    assert recorded.timers == {"lessonspace.rate_limit.wait": [2500.0]}
