# SPDX-License-Identifier: Apache-2.0
"""The pace of a key, without any clock or disk: these tests are its simulation."""

from __future__ import annotations

import heapq
import random
from collections import Counter, deque
from dataclasses import replace

import pytest

from lessonspace_provider.rate_limit.pace import (
    LONGEST_PAUSE,
    MOST_HOSTS,
    RECOVERY,
    SHORTEST_PAUSE,
    SLOW_DOWN,
    SLOWEST,
    SPACING_MARGIN,
    Pace,
    slow_down,
    take,
)

GAP = SPACING_MARGIN / 5


def permits(pace, now, count, host="a", per_second=5.0):
    """Take permits one after the other, as one host's queue does, and say when each was given."""
    moments = []
    while len(moments) < count:
        pace, wait = take(pace, now, per_second=per_second, host=host)
        now += wait
        if not wait:
            moments.append(now)
    return pace, moments


@pytest.mark.parametrize("per_second", [5.0, 0.5, 20.0])
def test_permits_are_evenly_spaced_a_little_under_the_limit(per_second):
    _, moments = permits(Pace(), 100.0, 6, per_second=per_second)
    gaps = [later - earlier for earlier, later in zip(moments, moments[1:])]
    assert gaps == pytest.approx([SPACING_MARGIN / per_second] * 5)


def test_time_that_no_one_used_is_not_saved_up_for_a_burst():
    pace, _ = permits(Pace(), 100.0, 3)
    _, moments = permits(pace, 200.0, 3)
    assert [moment - 200.0 for moment in moments] == pytest.approx([0.0, GAP, 2 * GAP])


def test_hosts_take_turns():
    pace, served = Pace(), []
    asking = [(0.0, "a"), (0.0, "b"), (0.0, "c")]
    while len(served) < 12:
        now, host = heapq.heappop(asking)
        pace, wait = take(pace, now, per_second=5.0, host=host)
        if not wait:
            served.append(host)
        heapq.heappush(asking, (now + wait, host) if wait else (now + 0.003, host))
    assert Counter(served) == {"a": 4, "b": 4, "c": 4}


def test_a_reservation_belongs_to_the_host_so_a_killed_process_loses_no_slot():
    pace, _ = permits(Pace(), 100.0, 1)
    pace, wait = take(pace, 100.01, per_second=5.0, host="a")
    _, wait_of_the_next_process = take(pace, 100.05, per_second=5.0, host="a")
    assert 100.05 + wait_of_the_next_process == pytest.approx(100.01 + wait)


def test_a_reservation_that_no_one_came_for_lapses_instead_of_making_a_burst():
    pace, _ = permits(Pace(), 100.0, 1, host="a")
    pace, _ = take(pace, 100.0, per_second=5.0, host="b")  # and b dies
    pace, moments = permits(pace, 110.0, 1, host="a")
    _, wait = take(pace, 110.01, per_second=5.0, host="b")
    assert moments == [110.0]
    assert wait == pytest.approx(GAP - 0.01)


@pytest.mark.parametrize("late", [0.01, 0.05, 0.1, 0.2, 3.0])
def test_a_late_caller_leaves_the_next_host_its_distance(late):
    pace, _ = permits(Pace(), 100.0, 1, host="c")
    pace, wait = take(pace, 100.0, per_second=5.0, host="a")
    pace, _ = take(pace, 100.0, per_second=5.0, host="b")
    woken = 100.0 + wait + late
    pace, wait = take(pace, woken, per_second=5.0, host="a")
    assert wait == 0.0
    _, moments = permits(pace, woken, 1, host="b")
    assert moments[0] - woken >= GAP * 0.89


@pytest.mark.parametrize("lateness", [0.06, 0.25, 0.8])
@pytest.mark.parametrize("who_is_late", ["c", "abc"])
def test_hosts_that_are_always_late_are_served_anyway(lateness, who_is_late):
    pace, served = Pace(), Counter()
    asking = [(0.0, "a"), (0.0, "b"), (0.0, "c")]
    while (now := asking[0][0]) < 120.0:
        _, host = heapq.heappop(asking)
        pace, wait = take(pace, now, per_second=5.0, host=host)
        served[host] += not wait
        late = lateness if wait and host in who_is_late else 0.0
        heapq.heappush(asking, (now + (wait + late or 0.003), host))
    assert min(served.values()) > 0.3 * max(served.values())
    assert sum(served.values()) > 120 * 5 * 0.2


def test_after_a_429_everyone_pauses_and_continues_more_slowly_then_recovers():
    pace, _ = permits(Pace(), 100.0, 1)
    pace = slow_down(pace, 100.1, retry_after=7.0)
    pace, moments = permits(pace, 100.2, 200)
    assert moments[0] == pytest.approx(107.1)
    gaps = [later - earlier for earlier, later in zip(moments, moments[1:])]
    assert gaps[0] > GAP * 1.2
    assert gaps == sorted(gaps, reverse=True)
    assert gaps[-1] == pytest.approx(GAP, rel=0.02)


@pytest.mark.parametrize(
    ("retry_after", "pause"),
    [
        (None, SHORTEST_PAUSE),
        (0.0, SHORTEST_PAUSE),
        (0.3, SHORTEST_PAUSE),
        (7.0, 7.0),
        (1e9, LONGEST_PAUSE),
    ],
)
def test_a_pause_is_what_the_server_asks_for_within_reason(retry_after, pause):
    _, moments = permits(slow_down(Pace(), 100.0, retry_after=retry_after), 100.0, 1)
    assert moments == [pytest.approx(100.0 + pause)]


@pytest.mark.parametrize("retry_after", [None, 0.0, 0.01, 1.0])
def test_the_429s_of_calls_that_were_on_their_way_count_as_one(retry_after):
    pace = Pace()
    for number in range(30):
        pace = slow_down(pace, 100.0 + number / 40, retry_after=retry_after)
    assert pace.slowness == SLOW_DOWN


def test_a_429_after_the_pause_is_another_one():
    pace = slow_down(Pace(), 100.0, retry_after=0.0)
    pace = slow_down(pace, pace.paused_until, retry_after=0.0)
    assert pace.slowness == SLOW_DOWN**2


def test_several_429_of_one_incident_count_once():
    once = slow_down(Pace(), 100.0, retry_after=1.0)
    thrice = slow_down(slow_down(once, 100.05, retry_after=1.0), 100.1, retry_after=3.0)
    assert thrice.slowness == once.slowness
    assert thrice.paused_until == pytest.approx(103.1)


def test_reservations_made_before_a_429_are_void_so_that_no_burst_follows_the_pause():
    pace = Pace()
    for host in "abcd":
        pace, _ = take(pace, 100.0, per_second=5.0, host=host)
    pace = slow_down(pace, 100.1, retry_after=5.0)
    waits = []
    for host in "abcd":
        pace, wait = take(pace, 100.2, per_second=5.0, host=host)
        waits.append(wait)
    gaps = [later - earlier for earlier, later in zip(waits, waits[1:])]
    assert min(waits) > 4.8
    assert min(gaps) >= GAP * 0.999


def test_slowness_has_an_end():
    pace = Pace()
    for second in range(100):
        pace = slow_down(replace(pace, paused_until=0.0), float(second), retry_after=0.0)
    assert pace.slowness == SLOWEST


def test_slots_that_no_one_used_count_as_much_as_those_that_were():
    slow = Pace(next_slot=100.0, slowness=3.0)
    idle, _ = take(slow, 100.0 + 10 * 3 * GAP, per_second=5.0, host="a")
    assert idle.slowness - 1 == pytest.approx(2 * RECOVERY**11)


def test_a_key_that_was_idle_for_an_hour_is_not_slow():
    pace = Pace(next_slot=100.0, slowness=SLOWEST, paused_until=100.0)
    _, moments = permits(pace, 3700.0, 3)
    assert [moment - 3700.0 for moment in moments] == pytest.approx([0.0, GAP, 2 * GAP], rel=0.01)


@pytest.mark.parametrize(
    "ahead",
    [
        Pace(next_slot=86_400.0),
        Pace(paused_until=86_400.0, next_slot=86_400.0),
        Pace(next_slot=86_400.0, slots={"a": 86_399.0}),
        Pace(next_slot=100.0, slots={"a": 86_399.0}),
        Pace(next_slot=100.0, slots={"b": 86_399.0, "a": 100.0}),
    ],
)
def test_times_that_a_clock_set_back_has_left_far_ahead_stop_no_one(ahead):
    pace, moments = permits(replace(ahead, slowness=2.0), 100.0, 2)
    assert moments == pytest.approx([100.0, 100.0 + 2 * GAP], rel=0.01)
    assert pace.slowness > 1.9


def test_the_longest_pause_is_heeded_by_any_number_of_hosts():
    pace = slow_down(Pace(), 100.0, retry_after=LONGEST_PAUSE)
    waits = []
    for host in range(50):
        pace, wait = take(pace, 100.1, per_second=5.0, host=str(host))
        waits.append(wait)
    assert waits == sorted(waits)
    assert waits[0] == pytest.approx(LONGEST_PAUSE - 0.1)


@pytest.mark.parametrize("step", [1.0, 20.0, 60.0, 299.0, 310.0, 3600.0, 1e9])
def test_a_clock_set_back_is_waited_out_for_no_longer_than_slow_slots_take(step):
    pace, _ = permits(Pace(), 2e9, 10)
    _, moments = permits(pace, 2e9 - step, 1)
    assert moments[0] - (2e9 - step) < 3 * SLOWEST * GAP


def test_a_clock_set_back_in_a_pause_is_waited_out_for_no_longer_than_a_pause():
    pace = slow_down(Pace(), 2e9, retry_after=LONGEST_PAUSE)
    for step in (1.0, 60.0, 3600.0):
        _, moments = permits(pace, 2e9 - step, 1)
        assert moments[0] - (2e9 - step) <= LONGEST_PAUSE


@pytest.mark.parametrize("seed", range(20))
def test_no_one_passes_before_the_slot_that_busy_late_and_refused_hosts_have_left(seed):
    chance, pace = random.Random(seed), Pace()
    hosts = [str(number) for number in range(chance.choice([1, 2, 8, 60]))]
    asking = [(0.0, host) for host in hosts]
    for _ in range(2000):
        now, host = heapq.heappop(asking)
        slot = pace.slots.get(host, pace.next_slot)
        pace, wait = take(pace, now, per_second=5.0, host=host)
        assert wait > 0 or slot <= now, "the state was taken for one of a clock set back"
        if not wait and chance.random() < 0.05:
            pace = slow_down(pace, now, retry_after=chance.choice([None, 1.0, 60.0, LONGEST_PAUSE]))
        late = chance.choice([0.0, 0.0, 0.05, 1.0, 5.0]) if wait else 0.003
        heapq.heappush(asking, (now + wait + late, host))


@pytest.mark.parametrize(
    "left_behind",
    [
        None,
        b"",
        b'{"next_slot": 12',
        b'{"unknown": 1}',
        b"[1]",
        b'{"slots": null}',
        b'{"slots": {"a": "x"}}',
        b'{"next_slot": "x"}',
        b'{"slots": []}',
        b'{"slots": {"a": {"b": 1}}}',
        b"[" * 100_000,
        b"\xff",
    ],
)
def test_what_a_killed_writer_left_behind_is_a_fresh_pace(left_behind):
    assert Pace.decode(left_behind) == Pace()


NO_TIMES = ["NaN", "Infinity", "-Infinity", "-1", "-1e-9", "1e300", "1" * 400, "true", "null", '"1"', "[1]"]


@pytest.mark.parametrize("value", NO_TIMES)
@pytest.mark.parametrize("field", ["next_slot", "paused_until", "slots"])
def test_time_that_can_be_none_resets_the_pace(field, value):
    written = f'{{"{field}": {value}}}' if field != "slots" else f'{{"slots": {{"a": 5.0, "b": {value}}}}}'
    assert Pace.decode(written) == Pace()


@pytest.mark.parametrize("value", [*NO_TIMES, "0", "0.99", f"{SLOWEST + 0.1}"])
def test_slowness_that_no_429_can_have_led_to_resets_the_pace(value):
    assert Pace.decode(f'{{"next_slot": 100.0, "slowness": {value}}}') == Pace()


def test_more_reservations_than_there_can_be_hosts_reset_the_pace():
    many = Pace(slots={str(number): 1.0 for number in range(MOST_HOSTS + 1)})
    assert Pace.decode(many.encode()) == Pace()


@pytest.mark.parametrize(
    "absurd", [Pace(100.0, 1.0, 1e9), Pace(1e9, 1.0, 1e9), Pace(1e9), Pace(100.0, slots={"b": 1e9})]
)
def test_absurd_pause_does_not_swallow_the_pause_of_a_429(absurd):
    pace = slow_down(absurd, 100.0, retry_after=7.0)
    pace, moments = permits(pace, 100.1, 2)
    assert moments[0] == pytest.approx(107.0)
    assert pace.slowness == pytest.approx(SLOW_DOWN, rel=0.02)


def test_a_pace_survives_being_written():
    pace = Pace(1.5, 1.25, 3.0, {"a": 2.0})
    assert Pace.decode(pace.encode()) == pace


def simulate(limit_at, *, per_second=5.0, hosts="ab", count=130):
    """Let hosts call a strict sliding-window server, and count its answers."""
    pace, accepted, refused, window = Pace(), [], 0, deque()
    asking = [(0.0, host) for host in hosts]
    while len(accepted) < count:
        now, host = heapq.heappop(asking)
        pace, wait = take(pace, now, per_second=per_second, host=host)
        if not wait:
            while window and window[0] <= now - 1:
                window.popleft()
            if len(window) < limit_at(now):
                window.append(now)
                accepted.append(now)
            else:
                refused += 1
                pace = slow_down(pace, now, retry_after=1.0)
        heapq.heappush(asking, (now + (wait or 0.003), host))
    return accepted, refused


@pytest.mark.parametrize("hosts", ["a", "ab", "abcd"])
def test_an_honest_limit_is_never_hit_and_almost_used_up(hosts):
    accepted, refused = simulate(lambda _: 5, hosts=hosts)
    assert refused == 0
    assert (len(accepted) - 1) / 5 / accepted[-1] > 0.93


@pytest.mark.parametrize("hosts", [1, 2, 4, 16, 100])
def test_when_the_limit_falls_most_of_the_new_one_is_used_with_few_429(hosts):
    names = [str(number) for number in range(hosts)]
    accepted, refused = simulate(lambda now: 5 if now < 5 else 3, hosts=names, count=300)
    after = [moment for moment in accepted if moment > 5]
    assert refused <= 13
    assert len(after) / 3 / (after[-1] - 5) > 0.75
    assert max(later - earlier for earlier, later in zip(after, after[1:])) < 2 * SHORTEST_PAUSE


def test_a_slow_key_keeps_its_distance_through_a_429():
    pace, (given,) = permits(Pace(), 100.0, 1, per_second=0.1)
    pace, _ = take(pace, 100.0, per_second=0.1, host="a")
    _, moments = permits(slow_down(pace, 101.0, retry_after=None), 101.0, 1, per_second=0.1)
    assert moments[0] - given >= 10.0
