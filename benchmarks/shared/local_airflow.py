# SPDX-License-Identifier: Apache-2.0
"""An Airflow of a benchmark's own that runs tasks in parallel on this machine: LocalExecutor on PostgreSQL."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks.shared.airflow_runs import BINARIES, MARKER, migrate, settings_on
from scripts.processes import GuardedProcess
from scripts.standalone import airflow_settings, private_environment, reserve_loopback_port


@contextmanager
def local_airflow(
    folder: Path,
    dags_folder: Path,
    database: str,
    tasks_at_once: int,
    environment: Mapping[str, str],
    *,
    before_commands: Sequence[str] = (),
) -> Iterator[list[GuardedProcess]]:
    """
    Run Airflow's components; its DAGs are not paused, so they start once they are read.

    :param folder: for all its files.
    :param database: an empty one for the metadata, without a scheme.
    :param environment: what the DAGs need besides: connections and variables.
    :param before_commands: what the components are started with, such as ``nice``.
    :return: the processes.
    """
    (folder / "tmp").mkdir(parents=True)
    with reserve_loopback_port() as reserved, ExitStack() as running:
        port: int = reserved.getsockname()[1]
        everything = {
            **private_environment(os.environ, home=folder, binaries=BINARIES),
            **airflow_settings(home=folder, dags_folder=dags_folder, port=port, jwt_secret=secrets.token_urlsafe(64)),
            **settings_on(database),
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
            "AIRFLOW__CORE__PARALLELISM": str(tasks_at_once),
            **environment,
            MARKER: str(folder),
        }
        migrate(everything, folder / "migrate.log")
        processes = []
        for name, command in {
            "api-server": ["api-server", "--workers", "1"],
            "scheduler": ["scheduler", "--skip-serve-logs"],
            "dag-processor": ["dag-processor"],
        }.items():
            log = folder / f"{name}.log"
            whole = [*before_commands, str(BINARIES / "airflow"), *command]
            process = GuardedProcess(name, whole, environment=everything, log=log)
            processes.append(running.enter_context(process))
        yield processes
