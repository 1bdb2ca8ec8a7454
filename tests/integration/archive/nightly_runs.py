# SPDX-License-Identifier: Apache-2.0
"""Nightly runs of the archive under a clock that the test moves, some of them disturbed; and what they leave."""

from __future__ import annotations

import errno
import json
import logging
import os
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import time_machine
from airflow.sdk import ObjectStoragePath

from lessonspace_provider.exceptions import LessonspaceError
from lessonspace_provider.operators.transcripts import LessonspaceArchiveTranscriptsOperator
from lessonspace_provider.sandbox import SandboxControl
from lessonspace_provider.sandbox.messages import FaultKind, Target
from tests.integration.archive.interruptions import Interruption, Killed, Reads, interrupted
from tests.integration.archive.runs import FORK, tree
from tests.integration.archive.school_year import DAY, MINUTE, School

Window = tuple[datetime, datetime]

_ANY_FAULTS: list[tuple[FaultKind, dict[str, Any]]] = [
    ("reset", {}),
    ("status", {"status": 503}),
    ("not_json", {}),
    ("truncated", {}),
]
_EXPIRED = "<Error><Code>ExpiredRequest</Code><Message>Request has expired</Message></Error>"

#: Five ways in which an answer may be wrong.
FAULTS: dict[Target, list[tuple[FaultKind, dict[str, Any]]]] = {
    "api": [*_ANY_FAULTS, ("slow", {"seconds": 0.01})],
    "store": [*_ANY_FAULTS, ("status", {"status": 400, "body": _EXPIRED})],
}


@dataclass
class Night:
    """
    What happens in a run of the archive.

    :param delay: how long after the window's end it starts.
    :param clock_error: how far the worker's clock is ahead. One that is an hour ahead starts the run early, too.
    :param trouble: ``kill`` and ``disk`` happen at a random step, ``sigkill`` to a process of its own.
    :param may_fail: whether a session of this night makes the run fail at its end.
    :param faulty: whether a fifth of all answers is wrong.
    """

    delay: timedelta = 5 * MINUTE
    clock_error: timedelta = timedelta(0)
    trouble: str | None = None
    may_fail: bool = False
    faulty: bool = False


@dataclass
class Nights:
    """
    Runs the archive as Airflow would: window after window, with retries, and again where an operator cleared a task.

    :param school: whose clock is the true one.
    :param destination: of the archive.
    :param chance: where all chance comes from.
    :param tables: whether the runs write tables.
    """

    school: School
    control: SandboxControl
    destination: ObjectStoragePath
    chance: random.Random
    tables: bool = False
    warnings: list[str] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)
    runs: int = 0
    interrupted: int = 0
    is_complete: bool = False
    _is_spoilt: bool = False

    def run(self, window: Window, now: datetime, night: Night | None = None) -> bool:
        """
        Run the archive for a window, with up to three retries; return whether it needs to be run again.

        :param now: the true time; the clock is moved to it.
        """
        night = night or Night()
        self._spoil_answers(night)
        for number in range(4):
            self.school.move_clock(now)
            error = self._try(window, now + night.clock_error, night.trouble if number == 0 else None)
            self.is_complete = error is None
            if error is None:
                return False
            if not (night.may_fail or night.faulty or night.trouble):
                self.unexpected.append(f"{window[0]}: {type(error).__name__}: {error}")
            if number == 0 and type(error) is LessonspaceError and self.chance.random() < 0.7:
                break  # a session failed: whether its task is run again makes no difference to the others
            now += 5 * MINUTE
        return not self._has_manifest(window)

    def _try(self, window: Window, worker_now: datetime, trouble: str | None) -> BaseException | None:
        self.runs += 1
        if trouble == "sigkill":
            return self._killed_process(window, worker_now)
        interruption = self._interruption(trouble)
        try:
            Reads.folder = f"{self.destination.path}/manifests"
            with interrupted(interruption), time_machine.travel(worker_now):
                archive(self.destination, window, self.warnings.append, tables=self.tables)
        except (LessonspaceError, Killed) as error:
            self.interrupted += bool(interruption and interruption.fired)
            return error
        return None

    def _spoil_answers(self, night: Night) -> None:
        if self._is_spoilt:
            self.control.clear_faults()
        self._is_spoilt = night.faulty
        if not night.faulty:
            return
        for target in ("api", "store"):
            for kind, more in FAULTS[target]:
                seed = self.chance.randrange(1000)
                self.control.inject_fault(kind, target=target, probability=0.2 / 5, seed=seed, **more)

    def warned_of_gap(self, start: datetime, end: datetime) -> bool:
        """Whether a run has warned that no manifest accounts for this time."""
        bounds = [f"{bound:%Y-%m-%dT%H:%M:%S}" for bound in (start, end)]
        return any(all(bound in warning for bound in bounds) for warning in self.warnings)

    @property
    def manifest_reads(self) -> int:
        """How often a manifest on this machine was opened to be read."""
        return Reads.count

    def _interruption(self, trouble: str | None) -> Interruption | None:
        after = int(self.chance.expovariate(1 / 12))
        if trouble == "kill":
            return Interruption(Killed(), after, requests=True)
        if trouble == "disk":
            return Interruption(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), after // 2, requests=False)
        return None

    def _killed_process(self, window: Window, worker_now: datetime) -> BaseException:
        connections = {name: value for name, value in os.environ.items() if name.startswith("AIRFLOW_CONN_")}
        calls = self._calls()
        asks = self.chance.randint(0, 12)
        process = FORK.Process(
            target=archive_in_process,
            args=(connections, str(self.destination), window, worker_now, self.tables),
            daemon=True,
        )
        process.start()
        while process.is_alive() and self._calls() < calls + asks:
            process.join(0.02)
        process.join(self.chance.uniform(0.0, 0.02))
        self.interrupted += process.is_alive()
        process.kill()
        process.join()
        return Killed()

    def _calls(self) -> int:
        state = self.control.state()
        return state.api_calls + state.store_calls

    def _has_manifest(self, window: Window) -> bool:
        return any(
            (manifest["window_start"], manifest["window_end"]) == tuple(_text(bound) for bound in window)
            for manifest in manifests_in(tree(self.destination)).values()
        )


def archive(destination: object, window: Window, warn: Callable[[str], None], *, tables: bool = False) -> Any:
    """Run the archive operator for a window."""
    operator = LessonspaceArchiveTranscriptsOperator(
        task_id="archive",
        destination=str(destination),
        window_start=window[0],
        window_end=window[1],
        formats=["json"],
        tables=tables,
    )
    operator.log.warning = lambda message, *said: warn(message % said)
    operator.log.info = lambda *_: None
    return operator.execute({})


def archive_in_process(
    connections: dict[str, str], destination: str, window: Window, worker_now: datetime, tables: bool = False
) -> None:
    """Run the archive in a process of its own."""
    os.environ.update(connections)
    logging.disable(logging.CRITICAL)
    with time_machine.travel(worker_now):
        archive(destination, window, lambda _: None, tables=tables)


def manifests_in(files: dict[str, bytes]) -> dict[str, Any]:
    """Read the manifests among an archive's files, by their paths."""
    read = {path: json.loads(data) for path, data in files.items() if _is_manifest(path)}
    return {path: manifest for path, manifest in read.items() if "window_start" in manifest}


def _is_manifest(path: str) -> bool:
    return path.startswith("manifests/") and path.endswith(".json") and not path.rpartition("/")[2].startswith(".")


def entries_in(files: dict[str, bytes]) -> Iterator[tuple[str, Any]]:
    """Give all entries of an archive's manifests, each with its manifest's path."""
    for path, manifest in manifests_in(files).items():
        for entry in manifest["sessions"]:
            yield path, entry


def _text(bound: datetime) -> str:
    return bound.isoformat().replace("+00:00", "Z")


def windows(first: datetime, last: datetime) -> list[Window]:
    """Cut a time into windows of a day."""
    days = (last - first) // DAY
    return [(first + number * DAY, first + (number + 1) * DAY) for number in range(days)]
