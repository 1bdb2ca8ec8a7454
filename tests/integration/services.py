# SPDX-License-Identifier: Apache-2.0
"""Airflow's own services, each as a process of its own, so that a test can kill one and start it again."""

from __future__ import annotations

import os
import secrets
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from http.client import HTTPException
from pathlib import Path

from scripts.airflow_api import AirflowApi, AirflowApiError
from scripts.processes import GuardedProcess
from scripts.standalone import USER, airflow_settings, private_environment, reserve_loopback_port, write_password

BINARIES = Path(sys.executable).parent
LONGEST_WAIT = 240.0


class ServicesApi(AirflowApi):
    """What only tests ask Airflow's API to do."""

    def trigger(self, dag_id: str, conf: dict[str, str]) -> str:
        """Start a run of a DAG now, with parameters, and give its id."""
        answer = self.request("POST", f"/api/v2/dags/{dag_id}/dagRuns", {"logical_date": None, "conf": conf})
        return str(answer["dag_run_id"])

    def clear(self, dag_id: str, run_id: str) -> None:
        """Let all tasks of a run run again."""
        body = {"dag_run_id": run_id, "dry_run": False, "only_failed": False, "reset_dag_runs": True}
        self.request("POST", f"/api/v2/dags/{dag_id}/clearTaskInstances", body)


class AirflowServices:
    """
    Scheduler, triggerer, DAG processor and API server on SQLite, in a private home.

    :param folder: an empty folder for the home and the logs.
    :param dags: the DAG folder.
    :param settings: environment variables beside the usual ones, such as connections.
    :param ui_only: start the API server alone, without the part of it that tasks talk to.
    :param path: of the base URL, such as ``/air``.
    """

    def __init__(
        self, folder: Path, dags: Path, settings: Mapping[str, str], *, ui_only: bool = False, path: str = ""
    ) -> None:
        self.folder = folder
        self._ui_only = ui_only
        (folder / "tmp").mkdir()
        self._stack = ExitStack()
        port = self._stack.enter_context(reserve_loopback_port()).getsockname()[1]
        self.url = f"http://127.0.0.1:{port}{path}"
        self.password = write_password(folder)
        self.api = ServicesApi(port, USER, self.password, base_path=path)
        self._environment = {
            **private_environment(os.environ, home=folder, binaries=BINARIES),
            **airflow_settings(home=folder, dags_folder=dags, port=port, jwt_secret=secrets.token_urlsafe(64)),
            "AIRFLOW__API__BASE_URL": self.url,
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self.url}/execution/",
            "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
            **settings,
        }
        self._running: dict[str, GuardedProcess] = {}

    def __enter__(self) -> AirflowServices:
        with ExitStack() as undo:
            undo.callback(self._stack.close)
            migration = self._start("migrate", "db", "migrate")
            self.wait_for("the database", lambda: migration.exit_status() is not None)
            self.start("api-server")
            self.wait_for("the API server", self._logged_in)  # Airflow 3.0 gives up a task that does not find it
            for name in () if self._ui_only else ("dag-processor", "scheduler", "triggerer"):
                self.start(name)
            undo.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def start(self, name: str) -> None:
        """Start a service."""
        options = ["--skip-serve-logs"] if name in ("scheduler", "triggerer") else []
        if self._ui_only:
            options = ["--apps", "core"]
        self._running[name] = self._start(name, name, *options)

    def stop(self, name: str) -> None:
        """End a service and its children."""
        self._running.pop(name).stop()

    def log(self, name: str) -> str:
        """What a service has printed."""
        return (self.folder / f"{name}.log").read_text(errors="replace")

    def wait_for(self, what: str, condition: Callable[[], object]) -> None:
        """Wait until something is true; an API that does not answer yet counts as false."""
        deadline = time.monotonic() + LONGEST_WAIT
        while time.monotonic() < deadline:
            for name, process in self._running.items():
                assert process.exit_status() is None, f"{name} ended:\n{self.log(name)[-3000:]}"
            try:
                if condition():
                    return
            except (OSError, HTTPException, AirflowApiError):
                pass
            time.sleep(0.2)
        logs = "\n".join(f"--- {name}\n{self.log(name)[-3000:]}" for name in self._running)
        raise AssertionError(f"No {what} within {LONGEST_WAIT:.0f} s.\n{logs}")

    def _logged_in(self) -> str:
        return self.api.log_in()

    def _start(self, name: str, *command: str) -> GuardedProcess:
        process = GuardedProcess(
            name,
            [str(BINARIES / "airflow"), *command],
            environment=self._environment,
            log=self.folder / f"{name}.log",
        )
        return self._stack.enter_context(process)
