# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from lessonspace_provider.exceptions import LessonspaceRateLimitedError
from lessonspace_provider.rate_limit import RateGate, gate_for


class Time:
    """A clock that only moves when somebody sleeps."""

    def __init__(self):
        self.now = 100.0
        self.naps = []

    def clock(self):
        return self.now

    def sleep(self, seconds):
        self.naps.append(seconds)
        self.now += seconds


@pytest.fixture
def time():
    return Time()


def a_gate(time, per_second=5.0, max_wait=600.0):
    return RateGate(per_second=per_second, max_wait=max_wait, clock=time.clock, sleep=time.sleep)


@pytest.mark.parametrize("per_second", [5.0, 0.5])
def test_permits_are_evenly_spaced_a_little_under_the_limit(time, per_second):
    gate = a_gate(time, per_second)
    moments = []
    for _ in range(6):
        gate.acquire()
        moments.append(time.now)
    gaps = [later - earlier for earlier, later in zip(moments, moments[1:])]
    assert gaps == pytest.approx([1.05 / per_second] * 5)


def test_zero_turns_the_gate_off(time):
    gate = a_gate(time, per_second=0)
    for _ in range(100):
        gate.acquire()
    assert time.naps == []


def test_a_pause_holds_back_whoever_comes_next(time):
    gate = a_gate(time)
    gate.pause(7.0)
    gate.acquire()
    assert time.now == pytest.approx(107.0)


def test_a_wait_that_would_be_too_long_is_refused_at_once_and_says_what_to_change(time):
    gate = a_gate(time, max_wait=3.0)
    gate.pause(60.0)
    with pytest.raises(LessonspaceRateLimitedError, match=r"60 s long.*rate_limit_max_wait"):
        gate.acquire()
    assert time.naps == []


def test_hooks_of_one_key_share_a_gate_and_other_keys_have_their_own():
    settings = {"per_second": 5.0, "max_wait": 600.0}
    assert gate_for("key", "http://a", **settings) is gate_for("key", "http://a", **settings)
    assert gate_for("key", "http://a", **settings) is not gate_for("other", "http://a", **settings)
