# SPDX-License-Identifier: Apache-2.0
"""Nights of a school under a clock that is moved: some runs are killed, and some answers are faulty."""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

import time_machine

from benchmarks.shared.servers import NO_SESSIONS, RunningSandbox, lessonspace_connection, sandbox
from benchmarks.tables.cost import archive_window, be_silent, calls_of
from lessonspace_provider.exceptions import LessonspaceError
from lessonspace_provider.sandbox.messages import NewSession

DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)
FIRST_NIGHT = datetime(2026, 9, 7, tzinfo=timezone.utc)

#: The night one of whose transcripts comes three nights late.
LATE_NIGHT, LATE_BY = 1, 3

#: Requests a second, more than are ever made.
FULL_SPEED = 1_000

#: How many runs of a night are started at most for each that is to be killed: some end before.
MOST_ATTEMPTS = 4

#: Each run that is to be killed is forked from a process that has imported all this.
FORK = multiprocessing.get_context("forkserver")
FORK.set_forkserver_preload(["benchmarks.tables.nights", "lessonspace_provider.operators.archive", "pyarrow.parquet"])


@dataclass(frozen=True)
class Size:
    """
    How much is archived.

    :param nights: windows of a day, from midnight to midnight in UTC.
    :param sessions: of each night; every 20th has no transcript.
    :param kills: runs that are killed.
    :param faulty_nights: nights in which a fifth of all answers is faulty.
    """

    nights: int
    sessions: int
    kills: int = 0
    faulty_nights: int = 0


@dataclass
class Nights:
    """
    What the nights came to.

    :param killed: how many runs were killed.
    :param torn: after how many of them tables and manifests did not agree.
    :param problems: where tables and manifests did not agree after a night.
    :param late_days: the days that changed in the run in which the late transcript came.
    :param late_partitions: the partitions of that run's asset event; none before Airflow 3.3.
    :param calls: to the API and the store in each night.
    """

    killed: int = 0
    torn: int = 0
    problems: list[str] = field(default_factory=list)
    late_days: list[str] = field(default_factory=list)
    late_partitions: list[str] = field(default_factory=list)
    calls: list[int] = field(default_factory=list)


def window_of(night: int) -> tuple[datetime, datetime]:
    """Give the window of a night, from 0."""
    return FIRST_NIGHT + night * DAY, FIRST_NIGHT + (night + 1) * DAY


def fill(server: RunningSandbox, night: int, sessions: int) -> None:
    """Let a night's sessions have been."""
    start, _ = window_of(night)
    new = []
    for number in range(sessions):
        end = start + DAY * (number + 1) / (sessions + 2)
        kind: dict[str, Any] = {"transcript": "never"} if number % 20 == 9 else {"transcript": "ready"}
        if (night, number) == (LATE_NIGHT, 0):
            kind = {"transcript_delay": (LATE_BY + 0.5) * DAY.total_seconds()}
        new.append(NewSession(end - 45 * MINUTE, end, **kind))
    server.control.add_sessions(new)


def nights_alone(environment: dict[str, str], folder: Path, destination: str, size: Size, tables: bool) -> Nights:
    """
    Run nights with a sandbox of their own.

    :param environment: of Airflow.
    :param folder: for the sandbox.
    """
    os.environ.update(environment)
    be_silent()
    with sandbox(folder, FULL_SPEED, *NO_SESSIONS) as server:
        os.environ["AIRFLOW_CONN_LESSONSPACE_DEFAULT"] = lessonspace_connection(server, FULL_SPEED)
        return run_nights(server, destination, size, tables=tables)


def run_nights(server: RunningSandbox, destination: str, size: Size, *, tables: bool, seed: int = 1) -> Nights:
    """
    Run all nights; check the tables after each.

    :param destination: of the archive, empty.
    """
    chance, done, seconds = random.Random(seed), Nights(), 0.0
    server.control.reset(now=FIRST_NIGHT, speed=0.0, days=0, sessions_per_day=0)
    for night in range(size.nights):
        window = window_of(night)
        now = window[1] + 5 * MINUTE
        server.control.set_clock(now)
        fill(server, night, size.sessions)
        before, began = calls_of(server), time.monotonic()
        with _faulty(server, night >= size.nights - size.faulty_nights, chance):
            # None in the first night, whose time decides when to kill.
            _kill_runs(done, size.kills * night // (size.nights - 1), destination, (window, now), seconds, chance)
            days, partitions = _completed(destination, window, now, tables=tables)
        seconds = seconds or time.monotonic() - began
        done.calls.append(calls_of(server) - before)
        if night == LATE_NIGHT + LATE_BY:
            done.late_days, done.late_partitions = days, partitions
        if tables:
            done.problems += [f"night {night}: {problem}" for problem in disagreements(destination)]
    return done


def _completed(
    destination: str, window: tuple[datetime, datetime], now: datetime, *, tables: bool
) -> tuple[list[str], list[str]]:
    """Run the task, and again where it fails, as Airflow would."""
    for _ in range(4):
        try:
            with time_machine.travel(now):
                return archive_window(destination, *(bound.isoformat() for bound in window), is_wanted=tables)
        except LessonspaceError:
            now += 5 * MINUTE
    raise RuntimeError(f"the night of {window[0]} failed four times")


def _kill_runs(
    done: Nights,
    wanted: int,
    destination: str,
    run: tuple[tuple[datetime, datetime], datetime],
    seconds: float,
    chance: random.Random,
) -> None:
    """
    Kill runs of a night until so many have been killed in all.

    :param run: its window, and the time.
    :param seconds: what a whole run takes; a run that was in time has left less to do to the next.
    """
    for attempt in range(MOST_ATTEMPTS * (wanted - done.killed)):
        if done.killed < wanted and _was_killed(destination, *run, chance.uniform(0, seconds / (1 + attempt))):
            done.killed += 1
            done.torn += bool(disagreements(destination))


def _was_killed(destination: str, window: tuple[datetime, datetime], now: datetime, after: float) -> bool:
    """Run the task in a process that is killed after some seconds of work; return whether it was still there."""
    environment = {name: value for name, value in os.environ.items() if name.startswith("AIRFLOW_")}
    begun = FORK.Event()
    process = FORK.Process(target=_run_alone, args=(environment, destination, window, now, begun), daemon=True)
    process.start()
    begun.wait(60)
    process.join(after)
    was_alive = process.is_alive()
    process.kill()
    process.join()
    return was_alive


def _run_alone(
    environment: dict[str, str], destination: str, window: tuple[datetime, datetime], now: datetime, begun: Event
) -> None:
    os.environ.update(environment)
    be_silent()
    begun.set()
    with time_machine.travel(now):
        archive_window(destination, *(bound.isoformat() for bound in window), is_wanted=True)


@contextmanager
def _faulty(server: RunningSandbox, is_faulty: bool, chance: random.Random) -> Iterator[None]:
    """Spoil a fifth of all answers in four ways."""
    kinds: list[Any] = ["reset", "status", "not_json", "truncated"] if is_faulty else []
    for target in ("api", "store"):
        for kind in kinds:
            more: dict[str, Any] = {"status": 503} if kind == "status" else {}
            share = {"probability": 0.05, "seed": chance.randrange(1000)}
            server.control.inject_fault(kind, target=target, **share, **more)
    try:
        yield
    finally:
        if is_faulty:
            server.control.clear_faults()


def disagreements(destination: str) -> list[str]:
    """Compare the rows of an archive's sessions with the entries of its manifests, by DuckDB and by JSON."""
    import io

    import pyarrow.parquet as pq
    from airflow.sdk import ObjectStoragePath

    folder = ObjectStoragePath(destination)
    store, root = folder.fs, folder.path.rstrip("/") + "/"
    store.invalidate_cache()
    entries, rows, segments = [], [], 0
    for path in store.find(f"{root}manifests"):
        if path.endswith("Z.json"):
            account = json.loads(store.cat_file(path))
            entries += [(one["session_id"], one["status"], one["segments"]) for one in account["sessions"]]
    for path in store.find(f"{root}tables/sessions"):
        if path.endswith(".parquet"):
            read = pq.read_table(io.BytesIO(store.cat_file(path)), columns=["session_id", "status", "segments"])
            rows += [tuple(row.values()) for row in read.to_pylist()]
    for path in store.find(f"{root}tables/segments"):
        if path.endswith(".parquet"):
            segments += pq.read_metadata(io.BytesIO(store.cat_file(path))).num_rows
    problems = []
    if sorted(entries, key=str) != sorted(rows, key=str):
        problems.append(f"{len(set(entries) ^ set(rows))} sessions differ")
    if (wanted := sum(number or 0 for *_, number in entries)) != segments:
        problems.append(f"{segments} rows of segments, {wanted} in the manifests")
    return problems
