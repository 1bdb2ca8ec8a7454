# SPDX-License-Identifier: Apache-2.0
"""Deliveries, which may read connections, on versions of Airflow that mix up the replies to calls from threads."""

from __future__ import annotations

import contextlib
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from lessonspace_provider.output.supervisor_calls import lock_for
from tests.unit.output.test_delivery import Log, deliver

THREADS = 4


def most_at_once(version, monkeypatch, *, barrier_seconds):
    """Deliver from several threads, each of which waits for the others; return how many delivered at the same time."""
    monkeypatch.setattr("lessonspace_provider.output.delivery.supervisor_calls", lock_for(version))
    together, running, most = threading.Barrier(THREADS), [], []

    def wait_for_others(launch, context):
        running.append(1)
        most.append(len(running))
        with contextlib.suppress(threading.BrokenBarrierError):
            together.wait(barrier_seconds)
        running.pop()

    with ThreadPoolExecutor(THREADS) as pool:
        for done in [pool.submit(deliver, wait_for_others, Log()) for _ in range(THREADS)]:
            done.result()
    return max(most)


@pytest.mark.parametrize("version", ["3.0.0", "3.0.6", "3.1.8"])
def test_older_versions_deliver_one_at_a_time(version, monkeypatch):
    assert most_at_once(version, monkeypatch, barrier_seconds=0.05) == 1


@pytest.mark.parametrize("version", ["3.2.0", "3.3.2", "3.10.0"])
def test_newer_versions_deliver_from_all_threads(version, monkeypatch):
    assert most_at_once(version, monkeypatch, barrier_seconds=60) == THREADS
