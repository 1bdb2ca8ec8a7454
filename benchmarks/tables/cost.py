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
    :param above_idle: bytes of memory above what the process had before, with all that is imported meanwhile.
    :param calls: to the API and to the store.
    """

    seconds: float
    above_idle: int
    calls: int


def night_cost(
    server: RunningSandbox,
    destination: str,
    folder: Path,
    window: tuple[datetime, datetime],
    rate: int,
    *,
    tables: bool,
) -> Cost:
    """
    Archive a night in a process of its own.

    :param destination: of the archive, empty.
    :param folder: for the process's files.
    """
    home = folder / "airflow"
    home.mkdir(parents=True)
    bounds = [bound.isoformat() for bound in window]
    before = calls_of(server)
    completed = subprocess.run(
        [sys.executable, "-m", "benchmarks.tables.cost", destination, *bounds, str(int(tables))],
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
    """Count the calls that a sandbox has answered: none that came too early, on a busy machine, and was repeated."""
    state = server.control.state()
    return state.api_calls + state.store_calls - state.refused


def main(destination: str, window_start: str, window_end: str, tables: str) -> None:
    """Archive a window, and print what it took."""
    be_silent()
    archive_window(destination, *EMPTY_WINDOW, is_wanted=False)
    idle, began = idle_memory(), time.monotonic()
    archive_window(destination, window_start, window_end, is_wanted=bool(int(tables)))
    print(json.dumps([time.monotonic() - began, peak_memory() - idle]))


def be_silent() -> None:
    """Write no line of a log, neither that of ``logging`` nor that of Airflow's tasks."""
    import airflow.sdk  # noqa: F401  # which configures structlog
    import structlog

    logging.disable(logging.CRITICAL)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))


def archive_window(
    destination: str, window_start: str, window_end: str, *, is_wanted: bool
) -> tuple[list[str], list[str]]:
    """
    Run the operator as a task would.

    :return: the days whose tables changed, and the partitions of the asset's event; none before Airflow 3.3.
    """
    from airflow.sdk import Asset, Context
    from airflow.sdk.execution_time.context import OutletEventAccessors

    from lessonspace_provider.operators.archive import LessonspaceArchiveTranscriptsOperator

    archive, events = Asset("archive"), OutletEventAccessors()
    operator = LessonspaceArchiveTranscriptsOperator(
        task_id="archive",
        destination=destination,
        window_start=window_start,
        window_end=window_end,
        formats=["json"],
        tables=is_wanted,
        outlets=[archive],
    )
    days = operator.execute(Context(outlet_events=events))["days"]
    return days, sorted(key for key in getattr(events[archive], "partition_keys", ()) if key)


if __name__ == "__main__":
    main(*sys.argv[1:])
