# SPDX-License-Identifier: Apache-2.0
"""The pace in a real Redis: the same answers as in Python, few round trips, and what an outage costs."""

from __future__ import annotations

import multiprocessing
import random
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from redis import Redis

from lessonspace_provider.pace import LONGEST_PAUSE, SLOW_DOWN, SLOWEST, Pace, delay, slow_down, take
from lessonspace_provider.pace_script import pace_script
from lessonspace_provider.pace_stores import LocalPaceStore, RedisPaceStore
from lessonspace_provider.rate_limit import RateLimitSettings, gate_for
from tests.integration.rate_limit.far_redis import way_to_redis

SPAWN = multiprocessing.get_context("spawn")
KEY = "pace"
HOSTS = ["a", "b", "host:/var/lib x", "slot a", "ü", "next_slot"]


@pytest.fixture
def redis(redis_server):
    with Redis.from_url(redis_server[1]) as client:
        yield client


@pytest.fixture
def at(redis):
    """Run the script at a time of the test's choosing, and give its answer."""
    script = redis.register_script(pace_script(clock="local now = tonumber(table.remove(ARGV))"))

    def run(now, *arguments):
        return float(script(keys=[KEY], args=[*arguments, repr(now)]))

    return run


def written(pace):
    fields = {"next_slot": pace.next_slot, "slowness": pace.slowness, "paused_until": pace.paused_until}
    fields.update({f"slot {host}": slot for host, slot in pace.slots.items()})
    return {name: repr(value) for name, value in fields.items()}


def stored(redis):
    fields = {name.decode(): float(value) for name, value in redis.hgetall(KEY).items()}
    slots = {name[5:]: fields.pop(name) for name in list(fields) if name.startswith("slot ")}
    return Pace(**fields, slots=slots)


def close(pace):
    """What two calculations may differ in: the last digit of a power."""
    return Pace(
        pytest.approx(pace.next_slot, rel=1e-12),
        pytest.approx(pace.slowness, rel=1e-12),
        pytest.approx(pace.paused_until, rel=1e-12),
        {host: pytest.approx(slot, rel=1e-12) for host, slot in pace.slots.items()},
    )


def some_pace(chance, now):
    """Any state around now: idle, busy, late, paused, or of a clock that was set back."""
    far = chance.choice([0.5, 3.0, 30.0, LONGEST_PAUSE + 10, 1e6])

    def near():
        return now + chance.choice([-1, 1, 1]) * chance.choice([0.0, 0.01, 0.2, 1.0]) * chance.uniform(0, far)

    return Pace(
        near(),
        chance.choice([1.0, 1.25, SLOWEST, chance.uniform(1.0, SLOWEST)]),
        near(),
        {host: near() for host in chance.sample(HOSTS, chance.randrange(len(HOSTS)))},
    )


def test_the_script_and_python_agree_on_thousands_of_states(redis, at):
    chance, permits, waits, anew = random.Random(7), 0, 0, 0
    for _ in range(3000):
        now = chance.choice([100.0, 1.7e9]) + chance.uniform(0, 1000)
        before = Pace.decode(some_pace(chance, now).encode())
        redis.delete(KEY)
        redis.hset(KEY, mapping=written(before))
        drawn = chance.random()
        if drawn < 0.1:
            wanted = delay(before, 0.06)
            at(now, "delay", "0.06")
        elif drawn < 0.8:
            per_second, host = chance.choice([0.1, 5.0, 20.0]), chance.choice(HOSTS)
            wanted, wait = take(before, now, per_second=per_second, host=host)
            assert at(now, "take", repr(per_second), host) == pytest.approx(wait, rel=1e-9, abs=1e-9)
            permits, waits, anew = permits + (not wait), waits + bool(wait), anew + (before.next_slot > now + 1000)
        else:
            retry_after = chance.choice([0.0, 0.5, 7.0, 1e6])
            wanted = slow_down(before, now, retry_after=retry_after)
            at(now, "slow_down", repr(retry_after))
        assert stored(redis) == close(wanted)
    assert min(permits, waits, anew) > 100, "all of the policy was asked for"


def test_the_script_and_python_agree_over_a_long_run(redis, at):
    chance, pace, now = random.Random(11), Pace(), 1.7e9
    for _ in range(2000):
        now += chance.choice([0.0, 0.003, 0.1, 0.3, 5.0])
        host = chance.choice("abc")
        if chance.random() < 0.03:
            pace = slow_down(pace, now, retry_after=1.0)
            at(now, "slow_down", "1.0")
        else:
            pace, wait = take(pace, now, per_second=5.0, host=host)
            assert at(now, "take", "5.0", host) == pytest.approx(wait, abs=1e-6)
        assert stored(redis).slowness == pytest.approx(pace.slowness, rel=1e-9)


def test_the_store_asks_the_script_under_the_clock_of_redis(redis):
    store = RedisPaceStore(redis, KEY)
    assert store.take(5.0, "a") == 0.0
    assert 0.15 < store.take(5.0, "a") <= 0.21
    store.slow_down(None)
    assert 0.9 < store.take(5.0, "a") <= 1.0
    store.slow_down(77.5)
    assert 77 < store.take(5.0, "a") <= 77.5
    assert 80_000 < redis.ttl(KEY) <= 86_400


def test_a_pace_far_ahead_of_redis_clock_stops_nobody(redis):
    store = RedisPaceStore(redis, KEY)
    store.take(5.0, "a")
    redis.hset(KEY, mapping=written(Pace(2e10, 1.0, 2e10, {"a": 2e10})))
    assert store.take(5.0, "a") == 0.0


@pytest.mark.parametrize(
    "damage",
    [
        {"next_slot": "nan"},
        {"next_slot": "inf"},
        {"next_slot": "-1"},
        {"next_slot": "x"},
        {"next_slot": "1e300"},
        {"next_slot": "2e10"},
        {"slowness": "nan"},
        {"slowness": "0.001"},
        {"slowness": "-1"},
        {"slowness": "1e9"},
        {"slowness": "1e999"},
        {"paused_until": "nan"},
        {"paused_until": "inf"},
        {"paused_until": "-1"},
        {"paused_until": "2e10"},
        {"slot a": "nan"},
        {"slot a": "inf"},
        {"slot a": "-1"},
        {"slot a": ""},
        {"slot b": "2e10"},
        {"unknown": "1"},
        {f"slot {number}": "1" for number in range(10_000)},
    ],
    ids=lambda damage: str(next(iter(damage.items()))),
)
def test_damaged_pace_in_redis_is_reset(redis, damage):
    store = RedisPaceStore(redis, KEY)
    now = redis.time()[0]
    for ask in (lambda: store.slow_down(5.0), lambda: store.delay(0.1), lambda: None):
        redis.delete(KEY)
        redis.hset(KEY, mapping={**written(Pace(float(now), 1.0, 0.0)), **damage})
        ask()
        waits = [store.take(5.0, host) for host in "abc"]
        assert waits == sorted(waits)
        assert 0 <= waits[0] <= 5.0
        assert 0.15 < waits[1] - waits[0] < 0.4
        kept = stored(redis)
        assert 1.0 <= kept.slowness <= SLOW_DOWN
        assert kept.slots.keys() <= set("abc")


@pytest.mark.parametrize("kind", ["text", "list"])
def test_key_of_another_type_is_replaced(redis, kind):
    redis.delete(KEY)
    redis.set(KEY, "x") if kind == "text" else redis.rpush(KEY, "x")
    store = RedisPaceStore(redis, KEY)
    assert store.take(5.0, "a") == 0.0
    assert 0.15 < store.take(5.0, "a") <= 0.21


def take_permits(gates, count):
    """Let two callers of each gate take permits; say when each was given, by the clock of this machine."""
    given = []

    def take_some(gate):
        for _ in range(count):
            gate.acquire()
            given.append(time.monotonic())

    with ThreadPoolExecutor() as pool:
        for done in [pool.submit(take_some, gate) for gate in gates for _ in range(2)]:
            done.result()
    return sorted(given)


@pytest.mark.parametrize("machines", [1, 2])
def test_a_redis_40_ms_away_costs_no_share_of_the_rate(tmp_path, redis_server, machines):
    port = int(redis_server[1].rpartition(":")[2].partition("/")[0])
    rate, count = 5.0, 12
    with way_to_redis(port, round_trip=0.04) as way:
        gates = [
            gate_for("far", "http://far", RateLimitSettings(rate, 600.0, str(tmp_path / name), way_url(way)))
            for name in "ab"[:machines]
        ]
        given = take_permits(gates, count)
        trips = way.round_trips
    permits = 2 * machines * count
    assert len(given) == permits
    assert (permits - 1) / rate / (given[-1] - given[0]) > 0.65, "a busy machine may cost something"
    # One for the slot and one when it comes, which is asked ahead; and a few to begin with.
    assert trips <= 2.5 * permits + 10 * machines


def way_url(way):
    return f"redis://127.0.0.1:{way.port}/0"


def pass_gate(settings):
    gate = gate_for("silent", "http://silent", settings)
    for _ in range(5):
        gate.acquire()


def test_a_redis_that_says_nothing_costs_the_machine_its_timeout_once(tmp_path):
    connected = []
    with socket.create_server(("127.0.0.1", 0)) as silent:

        def accept():
            while True:
                try:
                    connected.append(silent.accept())
                except OSError:
                    return

        thread = threading.Thread(target=accept)
        thread.start()
        url = f"redis://127.0.0.1:{silent.getsockname()[1]}/0"
        settings = RateLimitSettings(1000, 600.0, str(tmp_path), url)
        processes = [SPAWN.Process(target=pass_gate, args=(settings,), daemon=True) for _ in range(4)]
        for process in processes:
            process.start()
        for process in processes:
            process.join(60)
        assert [process.exitcode for process in processes] == [0] * 4
        silent.shutdown(socket.SHUT_RDWR)
    thread.join()
    for connection, _ in connected:
        connection.close()
    assert len(connected) == 1


def test_a_connection_that_redis_has_closed_is_no_outage(redis, redis_server, tmp_path, caplog):
    gate = gate_for("closed", "http://closed", RateLimitSettings(1000, 600.0, str(tmp_path), redis_server[1]))
    gate.acquire()
    for _ in range(3):
        redis.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        gate.acquire()
    assert caplog.records == []


def test_a_redis_that_lost_its_scripts_is_given_them_again(redis):
    store = RedisPaceStore(redis, KEY)
    store.take(5.0, "a")
    redis.script_flush()
    assert store.take(5.0, "a") > 0


def test_the_local_store_gives_the_same_answers(tmp_path, redis):
    stores = [LocalPaceStore(tmp_path / "p"), RedisPaceStore(redis, KEY)]
    for ask in (
        lambda store: store.take(0.01, "a"),
        lambda store: store.slow_down(60.0),
        lambda store: store.delay(30.0),
    ):
        for store in stores:
            ask(store)
    waits = [store.take(0.01, "a") for store in stores]
    assert waits[0] == pytest.approx(waits[1], rel=0.05)
    assert waits[0] > 60.0
