# SPDX-License-Identifier: Apache-2.0
"""Triggers that wait in one event loop, in a process of their own, as in a triggerer."""

from __future__ import annotations

import asyncio
import importlib
import multiprocessing
import os
import pkgutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Event
from pathlib import Path
from types import TracebackType

from benchmarks.waiting.ways import Serialized

SPAWN = multiprocessing.get_context("spawn")
READY_SECONDS = 120.0
TICK_SECONDS = 0.01
REPORT_SECONDS = 1.0

#: What a triggerer has loaded before its first trigger begins; it loads the trigger's own module in its event loop.
TRIGGERER = "airflow.jobs.triggerer_job_runner"

#: Seconds from the begin within which all code that the first trigger needs has been loaded.
LOADING_SECONDS = 5.0


@dataclass(frozen=True)
class Fired:
    """
    The event of a waiter, or why it fires none any more.

    :param waiter: for whom, see ``Waiters``.
    :param at: monotonic seconds.
    :param failure: the kind of what it raised; None for an event.
    """

    waiter: str
    at: float
    failure: str | None


@dataclass(frozen=True)
class Measured:
    """
    What a process measured of itself since it began.

    :param cpu_seconds: that it used.
    :param loading_lag: the longest time that its event loop was late during ``LOADING_SECONDS``, in seconds.
    :param loop_lag: the same afterwards.
    """

    cpu_seconds: float = 0.0
    loading_lag: float = 0.0
    loop_lag: float = 0.0


class Waiters:
    """
    A process full of waiters. The ``with`` block starts and kills it; they wait from ``begin`` on.

    :param triggers: what to wait with, by name of the waiter.
    :param environment: variables that the process gets besides those of this one.
    :param spread: seconds over which the waiters begin, one after the other.
    :param log: receives what they log and print.
    """

    def __init__(
        self, triggers: Mapping[str, Serialized], environment: Mapping[str, str], spread: float, log: Path
    ) -> None:
        self.fired: list[Fired] = []
        self.measured = Measured()
        self._begin = SPAWN.Event()
        self._news, answer = SPAWN.Pipe(duplex=False)
        job = (dict(triggers), dict(environment), spread, log, self._begin, answer)
        self._process = SPAWN.Process(target=_work, args=job, daemon=True)
        self._answer = answer

    def __enter__(self) -> Waiters:
        self._process.start()
        self._answer.close()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    def wait_until_ready(self) -> None:
        """Return when the process has loaded what it needs."""
        if not self._news.poll(READY_SECONDS):
            raise RuntimeError("the process of the waiters did not start")
        self.measured = self._news.recv()

    def begin(self) -> None:
        """Let them wait, as soon as the process is ready."""
        self._begin.set()

    def listen(self, until: float) -> None:
        """
        Read their events.

        :param until: monotonic seconds.
        """
        while self._news.poll(max(0.0, until - time.monotonic())):
            try:
                news = self._news.recv()
            except (EOFError, OSError):  # killed, perhaps in the middle of a word
                time.sleep(max(0.0, until - time.monotonic()))
                return
            if isinstance(news, Fired):
                self.fired.append(news)
            else:
                self.measured = news

    def kill(self) -> None:
        """Kill the process (SIGKILL)."""
        self._process.kill()
        self._process.join()


def _work(
    triggers: dict[str, Serialized],
    environment: dict[str, str],
    spread: float,
    log: Path,
    begin: Event,
    answer: Connection,
) -> None:
    os.environ.update(environment)
    with log.open("ab") as output:
        for stream in (1, 2):
            os.dup2(output.fileno(), stream)
    importlib.import_module(TRIGGERER)
    answer.send(Measured())
    begin.wait()
    asyncio.run(_wait(triggers, spread, answer))


async def _wait(triggers: dict[str, Serialized], spread: float, answer: Connection) -> None:
    reporting = asyncio.create_task(_report(answer))
    pause = spread / len(triggers)
    waiting = [
        _wait_for_one(waiter, trigger, number * pause, answer)
        for number, (waiter, trigger) in enumerate(triggers.items())
    ]
    await asyncio.gather(*waiting, reporting)


async def _wait_for_one(waiter: str, trigger: Serialized, pause: float, answer: Connection) -> None:
    await asyncio.sleep(pause)
    classpath, keywords = trigger
    fired = Fired(waiter, 0.0, "no event")
    try:
        async for event in pkgutil.resolve_name(classpath)(**keywords).run():
            fired = Fired(waiter, time.monotonic(), _failure_in(event.payload))
    except Exception as error:
        fired = Fired(waiter, time.monotonic(), type(error).__name__)
    answer.send(fired)


def _failure_in(payload: object) -> str | None:
    if isinstance(payload, dict) and payload.get("status") == "error":
        return str(payload.get("reason"))
    return None


async def _report(answer: Connection) -> None:
    cpu_before, began = time.process_time(), time.monotonic()
    loading_lag = lag = 0.0
    report_at = began
    while True:
        before = time.monotonic()
        await asyncio.sleep(TICK_SECONDS)
        late = time.monotonic() - before - TICK_SECONDS
        if before < began + LOADING_SECONDS:
            loading_lag = max(loading_lag, late)
        else:
            lag = max(lag, late)
        if before >= report_at:
            answer.send(Measured(time.process_time() - cpu_before, loading_lag, lag))
            report_at = before + REPORT_SECONDS
