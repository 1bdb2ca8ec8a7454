# SPDX-License-Identifier: Apache-2.0
"""One night of the archive in a process of its own, with and without tables. Linux only."""

from __future__ import annotations

import logging
import multiprocessing
import os
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from importlib import import_module
from pathlib import Path

from benchmarks.shared.process_memory import idle_memory, peak_memory
from benchmarks.shared.servers import RunningSandbox, lessonspace_connection

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
    before = calls_of(server)
    environment = {
        "AIRFLOW_HOME": str(folder / "airflow"),
        "AIRFLOW_CONN_LESSONSPACE_DEFAULT": lessonspace_connection(server, rate),
    }
    bounds = [bound.isoformat() for bound in window]
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        seconds, above_idle = pool.submit(_measured, environment, destination, bounds, tables).result()
    return Cost(seconds, above_idle, calls_of(server) - before)


def _measured(environment: dict[str, str], destination: str, bounds: list[str], tables: bool) -> tuple[float, int]:
    """Archive a window; return the seconds, and the bytes above idle."""
    os.environ.update(environment)
    be_silent()
    archive_window(destination, *EMPTY_WINDOW, is_wanted=False)
    idle, began = idle_memory(), time.monotonic()
    archive_window(destination, *bounds, is_wanted=tables)
    return time.monotonic() - began, peak_memory() - idle


def calls_of(server: RunningSandbox) -> int:
    """Count the calls that a sandbox has answered: none that came too early, on a busy machine, and was repeated."""
    state = server.control.state()
    return state.api_calls + state.store_calls - state.refused


def be_silent() -> None:
    """Write no line of a log, neither that of ``logging`` nor that of Airflow's tasks."""
    import structlog

    import_module("airflow.sdk")  # which configures structlog when it is imported
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
