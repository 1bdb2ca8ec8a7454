# SPDX-License-Identifier: Apache-2.0
"""
One night of the archive in a process of its own, with and without tables. Linux only.

As a program, ``python -m benchmarks.tables.cost <destination> <start> <end> <tables: 0 or 1>`` archives a window with
the connection ``lessonspace_default`` of its environment, and prints ``[seconds, bytes above idle]``.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from benchmarks.shared.process_memory import idle_memory, peak_memory
from benchmarks.shared.servers import RunningSandbox, lessonspace_connection
from scripts.processes import CHECKOUT

#: Archived first, so that all that is needed without tables has been imported.
EMPTY_WINDOW = ("2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z")


@dataclass(frozen=True)
class Cost:
    """
    What a night took.

    :param seconds: of the task's work.
    :param above_idle: bytes of memory above what the process had before.
    :param calls: to the API and to the store.
    """

    seconds: float
    above_idle: int
    calls: int


def night_cost(
    server: RunningSandbox, folder: Path, window: tuple[datetime, datetime], rate: int, *, tables: bool
) -> Cost:
    """
    Archive a night in a process of its own.

    :param folder: for the archive and the process's files.
    """
    home = folder / "airflow"
    home.mkdir(parents=True)
    bounds = [bound.isoformat() for bound in window]
    before = calls_of(server)
    completed = subprocess.run(
        [sys.executable, "-m", "benchmarks.tables.cost", f"file://{folder}/archive", *bounds, str(int(tables))],
        env={
            **os.environ,
            "AIRFLOW_HOME": str(home),
            "AIRFLOW_CONN_LESSONSPACE_DEFAULT": lessonspace_connection(server, rate),
        },
        cwd=CHECKOUT,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    seconds, above_idle = json.loads(completed.stdout.splitlines()[-1])
    return Cost(seconds, above_idle, calls_of(server) - before)


def calls_of(server: RunningSandbox) -> int:
    """Count all calls that a sandbox has had."""
    state = server.control.state()
    return state.api_calls + state.store_calls


def main(destination: str, window_start: str, window_end: str, tables: str) -> None:
    """Archive a window, and print what it took."""
    logging.disable(logging.CRITICAL)
    archive_window(destination, *EMPTY_WINDOW, is_wanted=False)
    idle, began = idle_memory(), time.monotonic()
    archive_window(destination, window_start, window_end, is_wanted=bool(int(tables)))
    print(json.dumps([time.monotonic() - began, peak_memory() - idle]))


def archive_window(destination: str, window_start: str, window_end: str, *, is_wanted: bool) -> list[str]:
    """Run the operator as a task would; return the days whose tables changed."""
    from airflow.sdk import Context

    from lessonspace_provider.operators.archive import LessonspaceArchiveTranscriptsOperator

    operator = LessonspaceArchiveTranscriptsOperator(
        task_id="archive",
        destination=destination,
        window_start=window_start,
        window_end=window_end,
        formats=["json"],
        tables=is_wanted,
    )
    operator.log.info = operator.log.warning = lambda *_: None  # structlog's, which logging does not disable
    return operator.execute(Context())["days"]


if __name__ == "__main__":
    main(*sys.argv[1:])
