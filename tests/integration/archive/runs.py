# SPDX-License-Identifier: Apache-2.0
"""Runs of the archive, in processes of their own too, which a test may kill; and what they leave."""

from __future__ import annotations

import json
import logging
import multiprocessing
import os
from datetime import datetime, timedelta, timezone
from typing import Any

from airflow.sdk import ObjectStoragePath

from lessonspace_provider.archive.health.store import HEALTH, HEALTH_PAGE
from lessonspace_provider.operators.transcripts import LessonspaceArchiveTranscriptsOperator

END = datetime.now(timezone.utc).replace(minute=0, second=0, microsecond=0) - timedelta(hours=3)
START = END - timedelta(hours=1)

#: Each run is forked from a process that has imported all this, as slow to import as it is, and runs nothing.
FORK = multiprocessing.get_context("forkserver")
FORK.set_forkserver_preload([__name__, "lessonspace_provider.hooks.lessonspace", "airflow.providers.amazon.aws.fs.s3"])


def parameters(destination: object, **more: object) -> dict[str, Any]:
    """Give the operator's parameters for the window of these tests."""
    return {"destination": str(destination), "window_start": START, "window_end": END, **more}


def run(destination: object, **more: object) -> Any:
    """Run the archive in this process, to its end."""
    return LessonspaceArchiveTranscriptsOperator(task_id="archive", **parameters(destination, **more)).execute({})


def start_run(destination: object) -> multiprocessing.process.BaseProcess:
    """Start a run in a process of its own, with the connections of this test."""
    connections = {name: value for name, value in os.environ.items() if name.startswith("AIRFLOW_CONN_")}
    # The process has imported this module at another time, perhaps in another hour.
    window = {"window_start": START, "window_end": END}
    process = FORK.Process(target=_run_with, args=(connections, str(destination), window), daemon=True)
    process.start()
    return process


def _run_with(connections: dict[str, str], destination: str, window: dict[str, datetime]) -> None:
    os.environ.update(connections)
    logging.disable(logging.CRITICAL)
    run(destination, **window)


def finished(process: multiprocessing.process.BaseProcess) -> int | None:
    """Wait for a run's end, and give its exit code."""
    process.join(120)
    return process.exitcode


def tree(folder: ObjectStoragePath) -> dict[str, bytes]:
    """
    Read all files below a folder, by their paths in it.

    Left out are part files of killed runs, which stay for a day, and the health, which has the times of runs.
    """
    store, root = folder.fs, folder.path.rstrip("/") + "/"
    store.invalidate_cache()
    found = (path for path in store.find(root) if not path.endswith((".part", HEALTH, HEALTH_PAGE)))
    return {path.removeprefix(root): store.cat_file(path) for path in found}


def manifest_in(folder: ObjectStoragePath) -> Any:
    """Read the only manifest in an archive."""
    (data,) = (data for path, data in tree(folder).items() if path.startswith("manifests/"))
    return json.loads(data)
