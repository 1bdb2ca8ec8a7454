# SPDX-License-Identifier: Apache-2.0
"""Processes that call a server at once, as so many tasks and a triggerer would."""

from __future__ import annotations

import asyncio
import multiprocessing
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Event

from benchmarks.rate_limit.ways import Place, Way, call_from_loop, make_caller

SPAWN = multiprocessing.get_context("spawn")
READY_SECONDS = 120.0
TICK_SECONDS = 0.01


@dataclass(frozen=True)
class Caller:
    """
    A process to start.

    :param name: in the server's log.
    :param calls: how many it makes, one after the other; on a loop: how many waiters make one each, all at once.
    """

    name: str
    way: Way
    place: Place
    calls: int
    on_loop: bool = False


@dataclass(frozen=True)
class Finished:
    """
    What a process measured of itself.

    :param cpu_seconds: that it used for its calls.
    :param loop_lag: the longest time that its event loop was late, in seconds.
    """

    cpu_seconds: float
    loop_lag: float


class Crew:
    """Processes that are calling."""

    def __init__(self, results: dict[str, Connection]) -> None:
        self._results = results

    def wait(self, seconds: float) -> dict[str, Finished]:
        """Wait for all to finish; callers that failed or were too slow are missing from the result."""
        deadline = time.monotonic() + seconds
        finished = {}
        for name, result in self._results.items():
            try:
                if result.poll(max(0.0, deadline - time.monotonic())):
                    finished[name] = result.recv()
            except EOFError:  # it failed, and has printed why
                continue
        return finished


@contextmanager
def started(callers: Sequence[Caller]) -> Iterator[Crew]:
    """Start a process for each of the callers, and let all begin together; kill those that still run at the end."""
    start = SPAWN.Event()
    processes, results = [], {}
    try:
        for caller in callers:
            results[caller.name], answer = SPAWN.Pipe(duplex=False)
            process = SPAWN.Process(target=_work, args=(caller, start, answer), daemon=True)
            process.start()
            answer.close()
            processes.append(process)
        for name, result in results.items():
            if not result.poll(READY_SECONDS):
                raise RuntimeError(f"the caller {name} did not start")
            result.recv()
        start.set()
        yield Crew(results)
    finally:
        for process in processes:
            process.kill()
            process.join()


def _work(caller: Caller, start: Event, answer: Connection) -> None:
    call = None if caller.on_loop else make_caller(caller.way, caller.place, caller.name)
    answer.send("ready")
    start.wait()
    before, lag = time.process_time(), 0.0
    if call is None:
        lag = asyncio.run(_work_on_loop(caller))
    else:
        for _ in range(caller.calls):
            call()
    answer.send(Finished(time.process_time() - before, lag))


async def _work_on_loop(caller: Caller) -> float:
    lag = 0.0

    async def tick() -> None:
        nonlocal lag
        while True:
            before = time.monotonic()
            await asyncio.sleep(TICK_SECONDS)
            lag = max(lag, time.monotonic() - before - TICK_SECONDS)

    ticking = asyncio.create_task(tick())
    await call_from_loop(caller.way, caller.place, caller.name, caller.calls)
    ticking.cancel()
    return lag
