# SPDX-License-Identifier: Apache-2.0
"""The one thread in which a connection's calls run in a triggerer."""

from __future__ import annotations

import asyncio
import itertools
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

Result = TypeVar("Result")


class CallThread:
    """
    Runs functions one after another in a thread of its own.

    It is a daemon, which an executor's is not: a triggerer that stops must not wait for a call that is being retried.

    :param name: of the thread.
    """

    def __init__(self, name: str) -> None:
        self._jobs: queue.PriorityQueue[tuple[int, int, Callable[[], None] | None]] = queue.PriorityQueue()
        self._order = itertools.count()
        threading.Thread(target=self._work, name=name, daemon=True).start()

    async def run(self, function: Callable[[], Result], *, first: bool = False) -> Result:
        """
        Run a function, and wait for its result without holding up the event loop.

        :param first: before all others that wait.
        """
        future: Future[Result] = Future()

        def job() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                future.set_result(function())
            except BaseException as error:
                future.set_exception(error)

        self._jobs.put((0 if first else 1, next(self._order), job))
        return await asyncio.wrap_future(future)

    def close(self) -> None:
        """Let the thread end after what waits."""
        self._jobs.put((2, next(self._order), None))

    def _work(self) -> None:
        while (job := self._jobs.get()[2]) is not None:
            job()
