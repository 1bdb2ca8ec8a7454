# SPDX-License-Identifier: Apache-2.0
"""The pace in a real Redis: no lost change, few round trips, and what an outage costs."""

from __future__ import annotations

import json
import multiprocessing
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from redis import Redis

from lessonspace_provider.rate_limit.gate import RateLimitSettings, gate_for
from lessonspace_provider.rate_limit.pace import SLOW_DOWN, Pace
from lessonspace_provider.rate_limit.redis_client import REDIS_TIMEOUT
from lessonspace_provider.rate_limit.stores import CONTENDED_WAIT, LocalPaceStore, RedisPaceStore
from tests.integration.rate_limit.far_redis import way_to_redis

SPAWN = multiprocessing.get_context("spawn")
KEY = "pace"


@pytest.fixture
def redis(redis_server):
    with Redis.from_url(redis_server[1]) as client:
        yield client


def test_store_uses_the_clock_of_redis(redis):
    store = RedisPaceStore(redis, KEY)
    assert store.take(5.0, "a") == 0.0
    assert 0.15 < store.take(5.0, "a") <= 0.21
    store.slow_down(None)
    assert 0.9 < store.take(5.0, "a") <= 1.0
    store.slow_down(77.5)
    assert 77 < store.take(5.0, "a") <= 77.5
    assert 80_000 < redis.ttl(KEY) <= 86_400


def test_a_pace_far_ahead_of_redis_clock_stops_no_one(redis):
    store = RedisPaceStore(redis, KEY)
    store.take(5.0, "a")
    redis.set(KEY, Pace(2e10, 1.0, 2e10, {"a": 2e10}).encode())
    assert store.take(5.0, "a") == 0.0


def damaged(**fields):
    return json.dumps({"next_slot": 1.0, "slowness": 1.0, "paused_until": 0.0, "slots": {}, **fields})


@pytest.mark.parametrize(
    "damage",
    [
        "",
        "x",
        b"\xff\x00",
        "[" * 50_000,
        damaged(next_slot=float("nan")),
        damaged(next_slot=float("inf")),
        damaged(next_slot=-1),
        damaged(next_slot=1e300),
        damaged(slowness=1e9),
        damaged(slowness=0.001),
        damaged(slowness=float("nan")),
        damaged(paused_until=2e10),
        damaged(paused_until=float("nan")),
        damaged(unknown=1),
        damaged(slots={"b": 2e10}),
        damaged(slots={str(number): 1 for number in range(10_000)}),
        "x" * 2**21,
    ],
    ids=lambda damage: str(damage[:40]),
)
def test_damaged_pace_in_redis_is_reset(redis, damage):
    store = RedisPaceStore(redis, KEY)
    for ask in (lambda: store.slow_down(5.0), lambda: store.delay(0.1), lambda: None):
        redis.set(KEY, damage)
        ask()
        waits = [store.take(5.0, host) for host in "abc"]
        assert waits == sorted(waits)
        assert 0 <= waits[0] <= 5.0
        assert 0.15 < waits[1] - waits[0] < 0.4
        kept = Pace.decode(redis.get(KEY))
        assert 1.0 <= kept.slowness <= SLOW_DOWN
        assert kept.slots.keys() <= set("abc")


def test_key_of_another_type_is_replaced(redis):
    redis.rpush(KEY, "x")
    store = RedisPaceStore(redis, KEY)
    assert store.take(5.0, "a") == 0.0
    assert 0.15 < store.take(5.0, "a") <= 0.21


def test_machines_that_change_the_pace_at_once_lose_no_change(redis, redis_server):
    """Eight machines take a permit for the same moment: each gets a slot of its own."""
    stores = [RedisPaceStore(Redis.from_url(redis_server[1]), KEY) for _ in range(8)]
    together = threading.Barrier(8)

    def take_one(number):
        together.wait()
        return stores[number].take(5.0, f"host {number}")

    with ThreadPoolExecutor(8) as pool:
        waits = sorted(pool.map(take_one, range(8)))
    assert waits[0] == 0.0
    assert all(later - earlier > 0.15 for earlier, later in zip(waits, waits[1:], strict=False))


def test_change_that_others_always_forestall_ends_in_a_wait(redis, monkeypatch):
    store = RedisPaceStore(redis, KEY)
    monkeypatch.setattr(store, "_compare_and_set", lambda *_: [b"", b"1", b"0"])
    assert store.take(5.0, "a") == CONTENDED_WAIT


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
            gate_for("far", "http://far", RateLimitSettings(rate, 600.0, str(tmp_path / name), "far"), far_client(way))
            for name in "ab"[:machines]
        ]
        given = take_permits(gates, count)
        trips = way.round_trips
    permits = 2 * machines * count
    assert len(given) == permits
    assert (permits - 1) / rate / (given[-1] - given[0]) > 0.65, "a busy machine may cost something"
    # Two for the slot and two when it comes, one more for each change that another machine forestalls.
    assert trips <= 6 * permits + 10 * machines


def far_client(way):
    return Redis.from_url(f"redis://127.0.0.1:{way.port}/0")


def pass_gate(settings, url):
    gate = gate_for("silent", "http://silent", settings, Redis.from_url(url, socket_timeout=REDIS_TIMEOUT))
    for _ in range(5):
        gate.acquire()


def test_a_silent_redis_costs_the_machine_its_timeout_once(tmp_path):
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
        settings = RateLimitSettings(1000, 600.0, str(tmp_path), "silent")
        processes = [SPAWN.Process(target=pass_gate, args=(settings, url), daemon=True) for _ in range(4)]
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
    settings = RateLimitSettings(1000, 600.0, str(tmp_path), "closed")
    gate = gate_for("closed", "http://closed", settings, Redis.from_url(redis_server[1]))
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
