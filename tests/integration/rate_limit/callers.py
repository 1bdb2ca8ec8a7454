# SPDX-License-Identifier: Apache-2.0
"""Processes that call the sandbox through the gate, as so many Airflow tasks would."""

from __future__ import annotations

import logging
import multiprocessing
from collections import Counter
from contextlib import contextmanager

from redis import Redis

from lessonspace_provider.api.connection import ConnectionSettings
from lessonspace_provider.api.transport import Transport
from lessonspace_provider.rate_limit.gate import RateLimitSettings, gate_for

SPAWN = multiprocessing.get_context("spawn")


def make_transport(base_url: str, key: str, settings: RateLimitSettings, redis_url: str | None = None) -> Transport:
    """Make what a hook of one task would call through."""
    connection = ConnectionSettings(conn_id="test", base_url=base_url, api_key=key)
    gate = gate_for(key, base_url, settings, Redis.from_url(redis_url) if redis_url else None)
    return Transport(connection, gate, logging.getLogger("callers"))


def _call(name, transport_arguments, count, ready, start, finished):
    from airflow.providers.common.compat.sdk import Stats  # noqa: F401 - loaded in a task before it calls the API

    transport = make_transport(*transport_arguments)
    ready.release()
    start.wait()
    for _ in range(count):
        transport.call("GET", "/my-organisation/")
        finished.send(name)


@contextmanager
def callers(arguments_of_each, *, count):
    """
    Start a process for each of the arguments, let all begin together, and give the pipe that tells who finished a call.

    Processes that still run at the end of the block are killed.
    """
    ready, start = SPAWN.Semaphore(0), SPAWN.Event()
    # No queue: whoever is killed while it puts something in there locks all others out. A short write needs no lock.
    finished, telling = SPAWN.Pipe(duplex=False)
    processes = [
        SPAWN.Process(target=_call, args=(name, arguments, count, ready, start, telling), daemon=True)
        for name, arguments in enumerate(arguments_of_each)
    ]
    try:
        for process in processes:
            process.start()
        for _ in processes:
            assert ready.acquire(timeout=60)
        start.set()
        yield processes, finished
    finally:
        for process in processes:
            process.kill()
            process.join()
        finished.close()
        telling.close()


def who_finished(finished, count) -> list[int]:
    """Read who finished a call, in the order of finishing."""
    order = []
    for _ in range(count):
        assert finished.poll(120), f"nobody has finished a call for two minutes, after {len(order)} of {count}"
        order.append(finished.recv())
    return order


def jain(order: list[int], processes: int) -> float:
    """Jain's fairness of the first three quarters of all calls: 1 when every process had the same share."""
    counts = Counter(order[: len(order) * 3 // 4])
    served = [counts[name] for name in range(processes)]
    return sum(served) ** 2 / (processes * sum(number**2 for number in served))
