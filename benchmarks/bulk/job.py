# SPDX-License-Identifier: Apache-2.0
"""
One task with many items, in a process of its own. Linux only.

As a program, ``python -m benchmarks.bulk.job <launches or updates> <input> <account> <deliveries> <threads>`` does the
job with the connection ``lessonspace_default`` of its environment. It appends a line to the file of deliveries for each
link, and prints a ``Cost`` as JSON.
"""

from __future__ import annotations

import gc
import json
import logging
import os
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from airflow.sdk import Context

    from lessonspace_provider.api.types import Launch, LaunchUser

#: What to write to a process's clear_refs to have its peak forgotten (proc(5)).
FORGET_PEAK = "5"

#: As a DAG would have them.
MOST_RETRIES = 3


@dataclass(frozen=True)
class Cost:
    """
    What a job took.

    :param seconds: from its start to its end.
    :param first: seconds from its start to the first delivery; None without one.
    :param cpu: seconds of CPU of this process.
    :param idle: resident memory before, when all that is needed was imported, in bytes.
    :param peak: the most of it meanwhile.
    :param retries: runs after the first, which some items failed.
    """

    seconds: float
    first: float | None
    cpu: float
    idle: int
    peak: int
    retries: int


class Deliveries:
    """Delivers links by appending a line to a file."""

    def __init__(self, delivered: str) -> None:
        self._delivered = os.open(delivered, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self.first: float | None = None

    def deliver(self, launch: Launch, context: Context) -> None:
        """Append the id of the link's person."""
        user = cast("LaunchUser", launch["request"]["user"])
        os.write(self._delivered, f"{user['id']}\n".encode())
        self.first = self.first or time.monotonic()


def run(kind: str, rows: str | list[dict[str, object]], account: str, deliveries: Deliveries, threads: int) -> None:
    """Do the job as a task does."""
    from lessonspace_provider.operators.sessions import LessonspaceUpdateSessionsOperator
    from lessonspace_provider.operators.spaces import LessonspaceLaunchSpacesOperator

    if kind == "launches":
        LessonspaceLaunchSpacesOperator(
            task_id="launch", launches=rows, account=account, deliver=deliveries.deliver, max_threads=threads
        ).execute({})
    else:
        LessonspaceUpdateSessionsOperator(task_id="update", updates=rows, account=account, max_threads=threads).execute(
            {}
        )


def run_with_retries(kind: str, rows: str, account: str, deliveries: Deliveries, threads: int) -> int:
    """Do the job, and again what has failed, as Airflow does; return how often again."""
    from lessonspace_provider.exceptions import LessonspaceJobError

    for retries in range(MOST_RETRIES):
        try:
            run(kind, rows, account, deliveries, threads)
        except LessonspaceJobError:
            continue
        return retries
    run(kind, rows, account, deliveries, threads)
    return MOST_RETRIES


def main(kind: str, rows: str, account: str, delivered: str, threads: str) -> None:
    """Do the job, and print what it took."""
    logging.disable(logging.CRITICAL)
    deliveries = Deliveries(delivered)
    run(kind, [], f"{account}-empty", deliveries, int(threads))  # imports what is needed
    gc.collect()
    Path("/proc/self/clear_refs").write_text(FORGET_PEAK)
    idle, began, cpu = resident_memory("VmRSS"), time.monotonic(), time.process_time()
    retries = run_with_retries(kind, rows, account, deliveries, int(threads))
    cost = Cost(
        seconds=time.monotonic() - began,
        first=None if deliveries.first is None else deliveries.first - began,
        cpu=time.process_time() - cpu,
        idle=idle,
        peak=resident_memory("VmHWM"),
        retries=retries,
    )
    print(json.dumps(asdict(cost)))


def resident_memory(field: str) -> int:
    """Read a field of this process's status, in bytes."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(f"{field}:"))
    return int(line.split()[1]) * 1024


if __name__ == "__main__":
    main(*sys.argv[1:])
