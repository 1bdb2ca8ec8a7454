# SPDX-License-Identifier: Apache-2.0
"""A few threads that work on a job's items; one bad item stops no other."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable
from contextvars import copy_context
from typing import Generic, TypeVar

from lessonspace_provider.bulk.items import Item

Task = TypeVar("Task")

#: Threads of a job: enough that deliveries and slow answers never hold up the next call to the API.
WORKERS = 8

#: The most threads that a caller may ask for.
MOST_WORKERS = 64

#: Seconds between two checks whether the task was killed.
POLL_INTERVAL = 0.2

#: Seconds that a stopped job waits for the items in flight; Airflow kills a task 5 s after it asked it to end.
PATIENCE = 4.0


class WorkerThreads(Generic[Task]):
    """
    Works on items in a few threads.

    The threads are daemons: a process that has to end does not wait for them.

    :param work: works on one item, and records what became of it. What it raises ends the job: it has to handle an
        item's own errors.
    :param workers: how many threads.
    :param patience: seconds that a run that ends early waits for the items in flight.
    """

    def __init__(
        self, work: Callable[[Item[Task]], None], *, workers: int = WORKERS, patience: float = PATIENCE
    ) -> None:
        self._work = work
        self._workers = workers
        self._patience = patience
        self._changed = threading.Condition()
        self._ready: deque[Item[Task]] = deque()
        self._waiting: dict[str, list[Item[Task]]] = {}
        self._in_flight: dict[str, Item[Task]] = {}
        self._stopped = False
        self._failure: BaseException | None = None

    def run(self, items: Iterable[Item[Task]], *, tick: Callable[[], None], is_killed: Callable[[], bool]) -> None:
        """
        Work on all items, in their order as far as ``after`` allows.

        :param tick: called in this thread a few times a second, for progress.
        :param is_killed: asked in this thread a few times a second; True ends the job after the items in flight.
        :raises BaseException: what ``work`` raised, or what interrupted this thread, after the items in flight.
        """
        planned = self._plan(items)
        threads = [self._thread(number) for number in range(min(self._workers, planned))]
        try:
            for thread in threads:
                thread.start()
            while any(thread.is_alive() for thread in threads):
                self._join(threads, POLL_INTERVAL)
                if is_killed():
                    self.stop()
                    break
                tick()
        finally:
            self.stop()
            self._join(threads, self._patience)
        if self._failure is not None:
            raise self._failure

    def stop(self) -> None:
        """Begin no further item."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def _plan(self, items: Iterable[Item[Task]]) -> int:
        items = list(items)
        keys = {item.key for item in items}
        for item in items:
            if item.after is None or item.after not in keys:
                self._ready.append(item)
            else:
                self._waiting.setdefault(item.after, []).append(item)
        return len(items)

    def _thread(self, number: int) -> threading.Thread:
        # With the caller's context variables, which hold where Airflow logs to.
        run = copy_context().run
        return threading.Thread(target=run, args=(self._loop,), name=f"lessonspace-worker-{number}", daemon=True)

    def _join(self, threads: list[threading.Thread], seconds: float) -> None:
        """Wait until all items are finished, or so long."""
        with self._changed:
            self._changed.wait_for(lambda: self._is_over() and not self._in_flight, timeout=seconds)
        if self._is_over() and not self._in_flight:
            for thread in threads:
                thread.join(seconds)

    def _is_over(self) -> bool:
        return self._stopped or not (self._ready or self._waiting)

    def _loop(self) -> None:
        while (item := self._next()) is not None:
            try:
                self._work(item)
            except BaseException as error:  # also what only ends a thread, as SystemExit
                with self._changed:
                    self._failure = self._failure or error
                    self._stopped = True
            finally:
                self._finish(item)

    def _next(self) -> Item[Task] | None:
        with self._changed:
            self._changed.wait_for(lambda: self._ready or self._stopped or not self._waiting)
            if self._stopped or not self._ready:
                return None
            item = self._ready.popleft()
            self._in_flight[item.key] = item
            return item

    def _finish(self, item: Item[Task]) -> None:
        with self._changed:
            del self._in_flight[item.key]
            self._ready.extend(self._waiting.pop(item.key, ()))
            self._changed.notify_all()
