# SPDX-License-Identifier: Apache-2.0
"""Runs of the archive in processes of their own, which a test may kill."""

from __future__ import annotations

import logging
import multiprocessing
import os
from collections.abc import Mapping

from lessonspace_provider.operators.transcripts import LessonspaceArchiveTranscriptsOperator

#: Each run is forked from a process that has imported all this and runs nothing.
FORK = multiprocessing.get_context("forkserver")
FORK.set_forkserver_preload([__name__, "lessonspace_provider.hooks.lessonspace"])


def archive(environment: dict[str, str], parameters: dict[str, object]) -> None:
    """Run the archive operator as a task would, to its end."""
    os.environ.update(environment)
    logging.disable(logging.CRITICAL)
    LessonspaceArchiveTranscriptsOperator(task_id="archive", **parameters).execute({})


def start_run(
    parameters: dict[str, object], environment: Mapping[str, str] | None = None
) -> multiprocessing.process.BaseProcess:
    """Start a run with the Lessonspace connection of this test, and further environment variables."""
    connection = "AIRFLOW_CONN_LESSONSPACE_DEFAULT"
    run = FORK.Process(
        target=archive, args=({connection: os.environ[connection], **(environment or {})}, parameters), daemon=True
    )
    run.start()
    return run
