# SPDX-License-Identifier: Apache-2.0
"""One run of a DAG that archives a day's transcripts, and what the server, Airflow and the archive show of it."""

from __future__ import annotations

import json
import math
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from http import HTTPStatus
from pathlib import Path
from typing import Literal

from benchmarks.shared.airflow_runs import DagRun, ended, ended_run, nothing_left, query
from benchmarks.shared.code_lines import code_lines
from benchmarks.shared.local_airflow import local_airflow
from benchmarks.shared.postgres import postgres_server
from benchmarks.shared.servers import NO_SESSIONS, RunningSandbox, lessonspace_connection, sandbox
from lessonspace_provider.sandbox.messages import NewSession
from lessonspace_provider.sandbox.settings import ORGANISATION_ID
from scripts.processes import CHECKOUT
from scripts.progress import Progress

Way = Literal["provider", "http_operator"]

#: Its folders are called like the ways, and the DAG in each of them like this.
DAGS, DAG_ID = CHECKOUT / "benchmarks" / "archive" / "dags", "archive"

RATE = 5
PAGE_SIZE = 20
DEADLINE_SECONDS = 1800.0

#: A link to a transcript that anybody may open holds this.
SIGNATURE = "X-Amz-Signature"

MINUTE = timedelta(minutes=1)


@dataclass(frozen=True)
class Size:
    """
    How much work there is.

    :param ready: sessions whose transcript is ready.
    :param others: sessions of each kind without one: it is pending, it never comes, one person was alone.
    :param fault_every: each call of this number to the API, and to the store, is answered with 503; resets are half as
        many.
    :param tasks_at_once: as LocalExecutor runs them.
    :param megabytes: how large large transcripts are, all of a run together.
    """

    ready: int
    others: int
    fault_every: int
    tasks_at_once: int
    megabytes: int

    @property
    def sessions(self) -> int:
        """All of them."""
        return self.ready + 3 * self.others

    @property
    def fewest_calls(self) -> int:
        """How many calls to the API it takes at least: the list's pages, and one per transcript that may be there."""
        return math.ceil(self.sessions / PAGE_SIZE) + self.ready + 2 * self.others

    @property
    def ideal_seconds(self) -> float:
        """How long these take at the full rate."""
        return self.fewest_calls / RATE


@dataclass(frozen=True)
class Outcome:
    """
    What came of a DAG's run.

    :param dag_run: as Airflow has it.
    :param call_seconds: from the first call to the last, the store's included.
    :param api_calls: calls that count against the limit.
    :param refused: responses of status 429.
    :param spoiled: calls that a fault spoiled.
    :param lost: sessions whose transcript was ready, and is not in the archive as whole JSON.
    :param accounted: sessions without a transcript whose reason is in the archive.
    :param stored_links: rows of Airflow's database that hold a signed link.
    :param lines: of the DAG's code.
    """

    dag_run: DagRun
    call_seconds: float
    api_calls: int
    refused: int
    spoiled: int
    lost: int
    accounted: int
    stored_links: int
    lines: int


def run(way: Way, size: Size, folder: Path, progress: Progress) -> Outcome:
    """Let one of the DAGs run once, and stop everything that was started for it."""
    airflow_home, archive = folder / "airflow", folder / "archive"
    archive.mkdir(parents=True)
    with (
        nothing_left(airflow_home, progress),
        sandbox(folder / "sandbox", RATE, *NO_SESSIONS) as server,
        postgres_server() as database,
    ):
        server.control.add_sessions(sessions_of_yesterday(size))
        inject_faults(server, size)
        progress.say(f"{way}: the sandbox and PostgreSQL serve")
        environment = connections(server, archive)
        with local_airflow(airflow_home, DAGS / way, database, size.tasks_at_once, environment) as processes:
            progress.wait_for("the run to end", lambda: ended(database, DAG_ID), processes, deadline=DEADLINE_SECONDS)
            return measure(way, server, database, archive)


def sessions_of_yesterday(size: Size) -> list[NewSession]:
    """
    Make sessions that ended in the last whole day (UTC), which is the data interval of a daily DAG's first run.

    Sessions without a transcript are among the others.
    """
    noon = datetime.now(timezone.utc).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(hours=12)
    lesson = 45 * MINUTE
    sessions = []
    for number in range(size.others):
        end = noon + 10 * number * MINUTE
        sessions += [
            NewSession(end - lesson, end, transcript_delay=timedelta(days=30).total_seconds()),
            NewSession(end - lesson, end + MINUTE, transcript="never"),
            NewSession(end - lesson, end + 2 * MINUTE, users=["Ada Teacher"]),
        ]
    for number in range(size.ready):
        end = noon + number * MINUTE
        sessions.append(NewSession(end - lesson, end, transcript="ready"))
    return sessions


def inject_faults(server: RunningSandbox, size: Size) -> None:
    """Let some calls go wrong that go right when they are made again."""
    unavailable = HTTPStatus.SERVICE_UNAVAILABLE
    for target in ("api", "store"):
        server.control.inject_fault("status", status=unavailable, target=target, every=size.fault_every)
        server.control.inject_fault("reset", target=target, every=2 * size.fault_every)


def connections(server: RunningSandbox, archive: Path) -> dict[str, str]:
    """Write what the DAGs need as environment variables."""
    key = {"Authorization": f"Organisation {server.api_key}"}
    return {
        "AIRFLOW_CONN_LESSONSPACE_DEFAULT": lessonspace_connection(server, RATE),
        "AIRFLOW_CONN_LESSONSPACE_API": json.dumps({"conn_type": "http", "host": server.base_url, "extra": key}),
        "AIRFLOW_CONN_TRANSCRIPT_STORE": json.dumps({"conn_type": "http", "host": server.store_url}),
        "AIRFLOW_VAR_LESSONSPACE_ORGANISATION": str(ORGANISATION_ID),
        "AIRFLOW_VAR_LESSONSPACE_ARCHIVE": f"file://{archive}",
    }


def measure(way: Way, server: RunningSandbox, database: str, archive: Path) -> Outcome:
    """Measure a run."""
    calls = server.control.calls()
    arrived = [call.arrived for call in calls]
    truths = server.control.sessions()
    ready = {truth.session_id for truth in truths if truth.transcript == "ready"}
    others = {truth.session_id for truth in truths} - ready
    return Outcome(
        dag_run=ended_run(database, DAG_ID),
        call_seconds=max(arrived) - min(arrived),
        api_calls=sum(call.target == "api" for call in calls),
        refused=sum(call.status == HTTPStatus.TOO_MANY_REQUESTS for call in calls),
        spoiled=sum(call.fault is not None for call in calls),
        lost=len(ready - whole_transcripts(archive)),
        accounted=len(others & explained_sessions(archive)),
        stored_links=stored_links(database),
        lines=code_lines((DAGS / way / "archive.py").read_text()),
    )


def whole_transcripts(archive: Path) -> set[str]:
    """Find the sessions of which the archive has a transcript that can be read."""
    found = set()
    for file in archive.rglob("*.json"):
        with suppress(ValueError):
            if file.parent.name != "manifests" and json.loads(file.read_bytes()):
                found.add(file.stem)
    return found


def explained_sessions(archive: Path) -> set[str]:
    """Find the sessions whose reason for a missing transcript is in a manifest."""
    manifests = [json.loads(file.read_bytes()) for file in archive.glob("manifests/*.json")]
    return {entry["session_id"] for account in manifests for entry in account["sessions"] if entry["reason"]}


def stored_links(database: str) -> int:
    """Count the rows that hold a signed link: results of tasks, and their rendered fields."""
    like = f"%{SIGNATURE}%"
    results = query(database, "SELECT 1 FROM xcom WHERE value::text LIKE %s", like)
    fields = query(database, "SELECT 1 FROM rendered_task_instance_fields WHERE rendered_fields::text LIKE %s", like)
    return len(results) + len(fields)
