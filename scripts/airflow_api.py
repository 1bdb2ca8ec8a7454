# SPDX-License-Identifier: Apache-2.0
"""The few calls the demo makes to Airflow's REST API."""

from __future__ import annotations

import http.client
from collections.abc import Mapping
from typing import Literal, TypedDict, cast
from urllib.parse import quote, urlencode

import requests

REQUEST_SECONDS = 10.0


class ImportProblem(TypedDict):
    """A DAG file that Airflow could not load."""

    filename: str
    stack_trace: str


class DagRun(TypedDict):
    """One run of a DAG, with the fields that the demo reads."""

    dag_run_id: str
    state: Literal["queued", "running", "success", "failed"]
    data_interval_start: str
    data_interval_end: str


class TaskInstance(TypedDict):
    """One task of a run; its state is None before it is scheduled."""

    task_id: str
    state: str | None


class AirflowApiError(Exception):
    """Airflow answered a request with an error."""

    def __init__(self, request: str, status: int, body: str) -> None:
        super().__init__(f"Airflow answered {status} to {request}: {body[:500]}")
        self.status = status


class AirflowApi:
    """Airflow's REST API on a port of 127.0.0.1.

    :param user: its name.
    :param password: the user's.
    :param base_path: of Airflow's base URL, such as ``/air``.

    Every method raises OSError while nothing answers there, and :class:`AirflowApiError` when the answer is an error.
    """

    def __init__(self, port: int, user: str, password: str, *, base_path: str = "") -> None:
        self._port = port
        self._base_path = base_path
        self._login = {"username": user, "password": password}
        self._session = requests.Session()
        self._session.trust_env = False  # no proxy leads to this machine

    def log_in(self) -> str:
        """Get the token that the other calls need, and give it."""
        answer = cast("dict[str, str]", self.request("POST", "/auth/token", self._login))
        self._session.headers["Authorization"] = f"Bearer {answer['access_token']}"
        return answer["access_token"]

    def add_connection(self, connection: Mapping[str, str | int]) -> None:
        """Store a connection in the metadata database.

        :param connection: connection_id, conn_type, and what else the API knows; `extra` as JSON text.
        """
        self.request("POST", "/api/v2/connections", connection)

    def set_variables(self, variables: Mapping[str, tuple[str, str]]) -> None:
        """Store Airflow Variables in the metadata database, in one request, replacing those that are there.

        :param variables: name -> value and description.
        """
        entities = [{"key": name, "value": value, "description": about} for name, (value, about) in variables.items()]
        action = {"action": "create", "action_on_existence": "overwrite", "entities": entities}
        self.request("PATCH", "/api/v2/variables", {"actions": [action]})

    def has_dag(self, dag_id: str) -> bool:
        """Whether the DAG processor has loaded this DAG."""
        try:
            self.request("GET", f"/api/v2/dags/{quote(dag_id)}")
        except AirflowApiError as error:
            if error.status == http.client.NOT_FOUND:
                return False
            raise
        return True

    def import_problems(self) -> list[ImportProblem]:
        """The DAG files that could not be loaded."""
        answer = cast("dict[str, list[ImportProblem]]", self.request("GET", "/api/v2/importErrors"))
        return answer["import_errors"]

    def unpause(self, dag_id: str) -> None:
        """Let the scheduler run this DAG."""
        self.request("PATCH", f"/api/v2/dags/{quote(dag_id)}?update_mask=is_paused", {"is_paused": False})

    def latest_run(self, dag_id: str) -> DagRun | None:
        """The DAG's latest run, or None before its first."""
        query = urlencode({"order_by": "-run_after", "limit": 1})
        answer = self.request("GET", f"/api/v2/dags/{quote(dag_id)}/dagRuns?{query}")
        runs = cast("dict[str, list[DagRun]]", answer)["dag_runs"]
        return runs[0] if runs else None

    def task_instances(self, dag_id: str, run_id: str) -> list[TaskInstance]:
        """List the task instances of a run, those of mapped tasks one by one."""
        answer = self.request("GET", f"/api/v2/dags/{quote(dag_id)}/dagRuns/{quote(run_id)}/taskInstances?limit=1000")
        return cast("dict[str, list[TaskInstance]]", answer)["task_instances"]

    def request(self, method: str, path: str, body: object = None) -> object:
        """Make any call, with a body of JSON, and give the JSON of its answer."""
        url = f"http://127.0.0.1:{self._port}{self._base_path}{path}"
        answer = self._session.request(method, url, json=body, timeout=REQUEST_SECONDS, allow_redirects=False)
        if not answer.ok:
            raise AirflowApiError(f"{method} {path}", answer.status_code, answer.text)
        return answer.json() if answer.content else None
