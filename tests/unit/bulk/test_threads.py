# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import threading
from contextvars import ContextVar

import pytest

from lessonspace_provider.bulk.items import Item
from lessonspace_provider.bulk.threads import WorkerThreads

LONG = 30.0


def items(*keys, after=None):
    return [Item(key=key, label=key, place=key, task=key, after=after) for key in keys]


def run(work, planned, *, workers=4, tick=lambda: None, is_killed=lambda: False):
    pool = WorkerThreads(work, workers=workers)
    pool.run(planned, tick=tick, is_killed=is_killed)
    return pool


def test_each_item_is_worked_on_once_by_a_few_threads():
    seen, names, lock = [], set(), threading.Lock()

    def work(item):
        with lock:
            seen.append(item.key)
            names.add(threading.current_thread().name)

    run(work, items(*map(str, range(200))))
    assert sorted(seen, key=int) == [str(number) for number in range(200)]
    assert 1 <= len(names) <= 4


def test_as_many_items_as_threads_are_in_flight():
    barrier = threading.Barrier(4)
    run(lambda item: barrier.wait(LONG), items("a", "b", "c", "d"))


def test_no_items_are_no_work():
    run(lambda item: pytest.fail("there is no item"), [])


def test_an_item_waits_for_the_one_before_it_and_for_no_other():
    order, lock, joined = [], threading.Lock(), threading.Event()

    def work(item):
        if item.key == "slow":
            assert joined.wait(LONG)  # so what waits for another room has gone ahead
        with lock:
            order.append(item.key)
        if item.key == "pupil":
            joined.set()

    planned = [
        *items("slow", "teacher"),
        *items("pupil", after="teacher"),
        *items("of slow", after="slow"),
        *items("of nobody", after="not in this run"),
    ]
    run(work, planned, workers=2)
    assert order.index("teacher") < order.index("pupil") < order.index("slow") < order.index("of slow")
    assert len(order) == 5


def test_what_work_raises_ends_the_job_after_the_items_in_flight():
    begun, finished, both = [], [], threading.Barrier(2)

    def work(item):
        begun.append(item.key)
        both.wait(LONG)
        if item.key == "bad":
            raise ValueError("the account can't be written")
        while len(pool._in_flight) > 1:
            threading.Event().wait(0.001)
        finished.append(item.key)

    pool = WorkerThreads(work, workers=2)
    with pytest.raises(ValueError, match="account"):
        pool.run(items("bad", "good", "never", "never either"), tick=lambda: None, is_killed=lambda: False)
    assert finished == ["good"]
    assert sorted(begun) == ["bad", "good"]


def test_a_thread_that_exits_ends_the_job_with_its_reason():
    def work(item):
        raise SystemExit

    with pytest.raises(SystemExit):
        run(work, items("a"))


def test_a_kill_lets_the_items_in_flight_finish_and_begins_no_other():
    begun, killed, finished = threading.Event(), threading.Event(), []

    def work(item):
        begun.set()
        assert killed.wait(LONG)
        finished.append(item.key)

    def is_killed():
        if begun.is_set():
            threading.Timer(0.05, killed.set).start()
            return True
        return False

    run(work, items("in flight", "not attempted"), workers=1, is_killed=is_killed)
    assert finished == ["in flight"]


def test_an_interrupt_is_passed_on_and_begins_no_other_item():
    begun, released, seen = threading.Event(), threading.Event(), []

    def work(item):
        seen.append(item.key)
        begun.set()
        released.wait(LONG)

    def interrupt():
        if begun.is_set():
            raise KeyboardInterrupt

    pool = WorkerThreads(work, workers=1, patience=0.1)
    with pytest.raises(KeyboardInterrupt):
        pool.run(items("stuck", "never"), tick=interrupt, is_killed=lambda: False)
    assert list(pool._in_flight) == ["stuck"]
    released.set()
    assert seen == ["stuck"]


def test_threads_see_the_context_variables_of_the_task():
    variable, seen = ContextVar("variable", default="none"), []
    variable.set("the task's")
    run(lambda item: seen.append(variable.get()), items("a"))
    assert seen == ["the task's"]
