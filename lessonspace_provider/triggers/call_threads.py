# SPDX-License-Identifier: Apache-2.0
"""The threads in which a connection's calls run in a triggerer."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

Result = TypeVar("Result")


class CallThreads:
    """
    Runs functions in a few threads, in the order in which they were given.

    The threads are daemons, which an executor's are not: a triggerer that stops must not wait for a call that is being
    retried.

    :param name: of the threads.
    :param count: how many functions run at once.
    """

    def __init__(self, name: str, count: int) -> None:
        self._count = count
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        for _ in range(count):
            threading.Thread(target=self._work, name=name, daemon=True).start()

    async def run(self, function: Callable[[], Result]) -> Result:
        """Run a function, and wait for its result without holding up the event loop."""
        future: Future[Result] = Future()

        def job() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                future.set_result(function())
            except BaseException as error:
                future.set_exception(error)

        self._jobs.put(job)
        return await asyncio.wrap_future(future)

    def close(self) -> None:
        """Let the threads end after what waits."""
        for _ in range(self._count):
            self._jobs.put(None)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()
