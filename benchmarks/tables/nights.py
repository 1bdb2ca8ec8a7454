# SPDX-License-Identifier: Apache-2.0
"""Nights of a school under a clock that is moved: some runs are killed, and some answers are faulty."""

from __future__ import annotations

import json
import logging
import multiprocessing
import os
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any

import time_machine

from benchmarks.shared.servers import RunningSandbox
from benchmarks.tables.cost import archive_window, calls_of
from lessonspace_provider.exceptions import LessonspaceError
from lessonspace_provider.sandbox.messages import NewSession

DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)
FIRST_NIGHT = datetime(2026, 9, 7, tzinfo=timezone.utc)

#: The night one of whose transcripts comes three nights late.
LATE_NIGHT, LATE_BY = 1, 3

#: Each run that is to be killed is forked from a process that has imported all this.
FORK = multiprocessing.get_context("forkserver")
FORK.set_forkserver_preload(["benchmarks.tables.cost", "lessonspace_provider.hooks.lessonspace", "pyarrow.parquet"])


@dataclass(frozen=True)
class Size:
    """
    How much is archived.

    :param nights: windows of a day, from midnight to midnight in UTC.
    :param sessions: of each night; every tenth has no transcript.
    :param kills: runs that are killed.
    :param faulty_nights: nights in which a fifth of all answers is faulty.
    """

    nights: int
    sessions: int
    kills: int
    faulty_nights: int


@dataclass
class Nights:
    """
    What the nights came to.

    :param killed: how many runs were killed in fact.
    :param problems: where tables and manifests did not agree after a night.
    :param late_days: the days that changed in the run in which the late transcript came.
    :param calls: to the API and the store, of the nights without kills and faults.
    """

    destination: str
    killed: int = 0
    problems: list[str] = field(default_factory=list)
    late_days: list[str] = field(default_factory=list)
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
        kind: dict[str, Any] = {"transcript": "never"} if number % 10 == 9 else {"transcript": "ready"}
        if (night, number) == (LATE_NIGHT, 0):
            kind = {"transcript_delay": (LATE_BY - 0.5) * DAY.total_seconds()}
        new.append(NewSession(end - 45 * MINUTE, end, **kind))
    server.control.add_sessions(new)


def run_nights(server: RunningSandbox, destination: str, size: Size, *, tables: bool, seed: int = 1) -> Nights:
    """
    Run all nights, with tables those that are disturbed, too; check the tables after each.

    :param destination: of the archive, empty.
    """
    chance, done = random.Random(seed), Nights(destination)
    server.control.reset(now=FIRST_NIGHT, speed=0.0, days=0, sessions_per_day=0)
    for night in range(size.nights):
        window = window_of(night)
        now = window[1] + 5 * MINUTE
        server.control.set_clock(now)
        fill(server, night, size.sessions)
        before = calls_of(server)
        kills = size.kills * (night + 1) // size.nights - size.kills * night // size.nights
        is_faulty = night >= size.nights - size.faulty_nights
        if tables:
            for _ in range(kills):
                done.killed += _killed(server, destination, window, now, chance)
        with _faulty(server, is_faulty, chance):
            days = _completed(destination, window, now, tables=tables)
        done.calls.append(calls_of(server) - before)
        if night == LATE_NIGHT + LATE_BY:
            done.late_days = days
        if tables:
            done.problems += [f"night {night}: {problem}" for problem in disagreements(destination)]
    return done


def _completed(destination: str, window: tuple[datetime, datetime], now: datetime, *, tables: bool) -> list[str]:
    """Run the task, and again where it fails, as Airflow would."""
    for _ in range(4):
        try:
            with time_machine.travel(now):
                return archive_window(destination, *(bound.isoformat() for bound in window), is_wanted=tables)
        except LessonspaceError:
            now += 5 * MINUTE
    raise RuntimeError(f"the night of {window[0]} failed four times")


def _killed(
    server: RunningSandbox,
    destination: str,
    window: tuple[datetime, datetime],
    now: datetime,
    chance: random.Random,
) -> bool:
    """Run the task in a process that is killed after some calls and a moment; return whether it was still there."""
    environment = {name: value for name, value in os.environ.items() if name.startswith("AIRFLOW_")}
    process = FORK.Process(target=_run_alone, args=(environment, destination, window, now), daemon=True)
    calls, left = calls_of(server), chance.randint(0, 30)
    process.start()
    deadline = time.monotonic() + 60
    while process.is_alive() and calls_of(server) < calls + left and time.monotonic() < deadline:
        process.join(0.02)
    process.join(chance.uniform(0.0, 1.5))
    was_alive = process.is_alive()
    process.kill()
    process.join()
    return was_alive


def _run_alone(environment: dict[str, str], destination: str, window: tuple[datetime, datetime], now: datetime) -> None:
    os.environ.update(environment)
    logging.disable(logging.CRITICAL)
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
