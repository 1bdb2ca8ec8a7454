# SPDX-License-Identifier: Apache-2.0
"""One run of waiters: sessions that end at the times of a timetable, and what the server and the waiters measured."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from functools import partial
from math import inf
from operator import itemgetter
from pathlib import Path
from random import Random

from benchmarks.shared.servers import NO_SESSIONS, RunningSandbox, sandbox
from benchmarks.waiting.waiters import Fired, Measured, Waiters
from benchmarks.waiting.ways import Serialized, Way, connection, serialized
from lessonspace_provider.sandbox.messages import NewSession

#: How many intervals after the last end a run continues for waiters without an event.
PATIENCE = 2.0

#: Sessions per page of the server's lists.
PAGE_SIZE = 20

#: How often to check whether all waiters had their events.
LOOK_SECONDS = 0.5


@dataclass(frozen=True)
class World:
    """
    What happens in every run, the same each time.

    :param rate: of the server, per second.
    :param interval: seconds between two checks of a waiter.
    :param ends: sessions end at random moments during so many seconds, once all waiters have started.
    :param sessions: that run at the start.
    :param burst: so many of them end within ``burst_seconds``, after ``burst_after`` seconds of that time.
    """

    rate: int
    interval: float
    ends: float
    sessions: int
    burst: int
    burst_after: float
    burst_seconds: float

    @property
    def burst_at(self) -> float:
        """Seconds from the begin until the burst. The waiters begin one after another, during the first interval."""
        return self.interval + self.burst_after

    @property
    def ends_at(self) -> list[float]:
        """Seconds from the begin until each of the sessions ends, in this order."""
        random = Random(1)
        single = [self.interval + random.uniform(0, self.ends) for _ in range(self.sessions - self.burst)]
        burst = [self.burst_at + random.uniform(0, self.burst_seconds) for _ in range(self.burst)]
        return sorted(single + burst)


@dataclass(frozen=True)
class Plan:
    """
    A run to make.

    :param waiters: how many sessions are waited for, that of the last end among them.
    :param killed_for: seconds until a killed process has a successor; it is killed when the burst begins. 0 for never.
    """

    way: Way
    waiters: int
    killed_for: float = 0.0


@dataclass(frozen=True)
class Outcome:
    """
    What came of a run. Times are monotonic seconds.

    :param ended: when each session that was waited for ended.
    :param fired: the events of waiters, by session.
    :param calls_a_minute: API calls, from the begin to the last end.
    :param refused: responses of status 429, in all.
    :param measured: by the process of the waiters; of two, by the later one.
    :param killed_at: when the process was killed; infinity for never.
    :param back_at: when its successor was started.
    """

    plan: Plan
    ended: Mapping[str, float]
    fired: Mapping[str, Fired]
    calls_a_minute: float
    refused: int
    measured: Measured
    killed_at: float
    back_at: float

    @property
    def delays(self) -> list[float]:
        """Seconds from the end of a session to its event, for events that came after it."""
        return [delay for name in self.ended if 0 <= (delay := self.delay_of(name)) < inf]

    @property
    def too_early(self) -> int:
        """How many events came before the end."""
        return sum(self.delay_of(name) < 0 for name in self.ended)

    @property
    def lost(self) -> int:
        """How many waiters failed, or had no event ``PATIENCE`` intervals after the last end."""
        return len(self.ended) - len(self.delays) - self.too_early

    @property
    def told_before_kill(self) -> int:
        """How many events came before the process was killed."""
        return sum(fired.at < self.killed_at for fired in self.fired.values())

    @property
    def ended_meanwhile(self) -> list[str]:
        """The sessions that ended while no process of waiters was there."""
        return [name for name, end in self.ended.items() if self.killed_at < end < self.back_at]

    def delay_of(self, name: str) -> float:
        """Seconds from the end of a session to its event; infinity for none."""
        fired = self.fired.get(name)
        return inf if fired is None or fired.failure is not None else fired.at - self.ended[name]


def run_together(plans: Sequence[Plan], world: World, folder: Path) -> list[Outcome]:
    """
    Make runs at the same time, each with a server and waiters of its own.

    :param folder: for their files.
    """
    with ExitStack() as running:
        runs = [
            running.enter_context(_prepared(plan, world, folder / f"{plan.way}-{number}"))
            for number, plan in enumerate(plans)
        ]
        for run in runs:
            run.wait_until_ready()
        with ThreadPoolExecutor(len(runs)) as threads:
            return list(threads.map(_Run.make, runs))


@contextmanager
def _prepared(plan: Plan, world: World, folder: Path) -> Iterator[_Run]:
    arguments = (*NO_SESSIONS, "--page-size", str(PAGE_SIZE))
    with sandbox(folder / "sandbox", world.rate, *arguments) as server, ExitStack() as opened:
        yield _Run(plan, world, server, folder, opened)


class _Run:
    """
    A run whose sessions run, and whose waiters do not wait yet.

    :param folder: for files.
    :param opened: kills the waiters at its end.
    """

    def __init__(self, plan: Plan, world: World, server: RunningSandbox, folder: Path, opened: ExitStack) -> None:
        self._plan = plan
        self._world = world
        self._server = server
        self._log = folder / "waiters.log"
        self._opened = opened
        start = datetime.now(timezone.utc) - timedelta(hours=1)
        self._sessions = server.control.add_sessions([NewSession(start) for _ in range(world.sessions)])
        awaited = self._sessions[:: -(world.sessions // plan.waiters)][: plan.waiters]
        asked_at = time.time()
        self._triggers = {name: serialized(plan.way, name, world.interval, asked_at) for name in awaited}
        self._ended: dict[str, float] = {}
        self._fired: dict[str, Fired] = {}
        self._killed_at = self._back_at = inf
        self._waiters = self._started(self._triggers, spread=world.interval)

    def wait_until_ready(self) -> None:
        """Return when the waiters could begin."""
        self._waiters.wait_until_ready()

    def make(self) -> Outcome:
        """Let the waiters wait and the sessions end."""
        began = time.monotonic()
        self._waiters.begin()
        for moment, event in self._timetable():
            self._listen(until=began + moment)
            event()
        last_end = time.monotonic()
        calls = self._server.control.state().api_calls
        self._listen_to_the_rest(last_end + PATIENCE * self._world.interval)
        return Outcome(
            self._plan,
            {name: self._ended[name] for name in self._triggers},
            self._fired,
            calls_a_minute=calls * 60 / (last_end - began),
            refused=self._server.control.state().refused,
            measured=self._waiters.measured,
            killed_at=self._killed_at,
            back_at=self._back_at,
        )

    def _timetable(self) -> list[tuple[float, Callable[[], None]]]:
        """What happens when, in seconds from the begin."""
        events: list[tuple[float, Callable[[], None]]] = [
            (moment, partial(self._end, name)) for name, moment in zip(self._sessions, self._world.ends_at)
        ]
        if self._plan.killed_for:
            burst = self._world.burst_at
            events += [(burst, self._kill), (burst + self._plan.killed_for, self._come_back)]
        return sorted(events, key=itemgetter(0))

    def _end(self, session_id: str) -> None:
        self._ended[session_id] = time.monotonic()
        self._server.control.end_session(session_id)

    def _kill(self) -> None:
        self._waiters.kill()
        self._killed_at = time.monotonic()
        self._listen(until=self._killed_at)

    def _come_back(self) -> None:
        """Start the waiters without an event again, all at once, from what Airflow has stored of them."""
        self._back_at = time.monotonic()
        self._waiters = self._started({n: trigger for n, trigger in self._triggers.items() if n not in self._fired})
        self._waiters.begin()

    def _started(self, triggers: Mapping[str, Serialized], spread: float = 0.0) -> Waiters:
        environment = connection(self._plan.way, self._server, self._world.rate)
        return self._opened.enter_context(Waiters(triggers, environment, spread, self._log))

    def _listen(self, until: float) -> None:
        self._waiters.listen(until)
        for fired in self._waiters.fired:
            self._fired.setdefault(fired.waiter, fired)

    def _listen_to_the_rest(self, until: float) -> None:
        while len(self._fired) < len(self._triggers) and (now := time.monotonic()) < until:
            self._listen(min(until, now + LOOK_SECONDS))
