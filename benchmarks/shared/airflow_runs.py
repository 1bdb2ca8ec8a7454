# SPDX-License-Identifier: Apache-2.0
"""What the benchmarks with an Airflow of their own share: its settings, what became of a DAG's run, and cleaning up."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg2
from cryptography.fernet import Fernet

from scripts.logs import file_tail
from scripts.processes import end_leftovers
from scripts.progress import Progress

BINARIES = Path(sys.prefix) / "bin"

#: The servers have machines of their own as a rule, and don't answer late because Airflow's tasks keep them waiting.
BEHIND_THE_SERVERS = ("nice", "-n", "10")

LOG_LINES = 30

#: Which processes belong to a run, should a guard be killed.
MARKER = "LESSONSPACE_BENCHMARK"


@dataclass(frozen=True)
class DagRun:
    """
    What Airflow has of a DAG's run that has ended.

    :param seconds: from its start to its end.
    :param states: task instances per state.
    :param retries: tries of tasks beyond their first.
    """

    seconds: float
    states: Mapping[str, int]
    retries: int

    @property
    def tasks(self) -> int:
        """All task instances."""
        return sum(self.states.values())

    @property
    def failed_tasks(self) -> int:
        """Tasks that failed in the end, or could not run because another did."""
        return self.states.get("failed", 0) + self.states.get("upstream_failed", 0)


@contextmanager
def nothing_left(folder: Path, progress: Progress) -> Iterator[None]:
    """
    Print the ends of the logs when the block fails, and kill what is still there after it.

    :param folder: of Airflow's logs; its processes have it as ``MARKER``.
    """
    try:
        yield
    except Exception:
        show_logs(folder)
        raise
    finally:
        if killed := end_leftovers(MARKER, str(folder)):
            progress.say(f"killed {len(killed)} processes that were still there")
        progress.say("nothing is left running")


def show_logs(folder: Path) -> None:
    """Print the ends of the logs that show why a run failed."""
    for log in sorted(folder.glob("*.log")):
        print(f"\n--- the end of {log.name}", *file_tail(log, LOG_LINES), sep="\n    ", file=sys.stderr)


def settings_on(database: str) -> dict[str, str]:
    """
    Airflow's configuration where it differs from the demo's whatever the executor, as environment variables.

    :param database: for the metadata, without a scheme.
    """
    return {
        "AIRFLOW__CORE__FERNET_KEY": Fernet.generate_key().decode(),
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "AIRFLOW__API__SECRET_KEY": secrets.token_urlsafe(32),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"postgresql+psycopg2://{database}",
    }


def migrate(environment: Mapping[str, str], log: Path) -> None:
    """Make the metadata database's tables."""
    with log.open("wb") as output:
        command = [str(BINARIES / "airflow"), "db", "migrate"]
        subprocess.run(command, env=dict(environment), check=True, stdout=output, stderr=subprocess.STDOUT)


def query(database: str, statement: str, *values: str) -> list[tuple[object, ...]]:
    """Ask the metadata database."""
    connection = psycopg2.connect(f"postgresql://{database}")
    try:
        with connection.cursor() as cursor:
            cursor.execute(statement, values)
            return list(cursor.fetchall())
    finally:
        connection.close()


def ended(database: str, dag_id: str) -> bool | None:
    """Whether a DAG's only run has ended; None for not yet."""
    statement = "SELECT 1 FROM dag_run WHERE dag_id = %s AND state IN ('success', 'failed')"
    return bool(query(database, statement, dag_id)) or None


def ended_run(database: str, dag_id: str) -> DagRun:
    """Read a DAG's only run, after its end."""
    statement = "SELECT extract(epoch FROM end_date - start_date) FROM dag_run WHERE dag_id = %s"
    [(seconds,)] = query(database, statement, dag_id)
    statement = "SELECT greatest(try_number - 1, 0) FROM task_instance WHERE dag_id = %s"
    retries = sum(int(str(number)) for (number,) in query(database, statement, dag_id))
    return DagRun(float(str(seconds)), task_states(database, dag_id), retries)


def task_states(database: str, dag_id: str) -> Counter[str]:
    """Count a DAG's task instances per state."""
    return Counter(str(s) for (s,) in query(database, "SELECT state FROM task_instance WHERE dag_id = %s", dag_id))


def cpu_seconds() -> tuple[float, float]:
    """Read how many seconds this machine's cores were busy, and how many in all, since its start."""
    ticks_per_second = os.sysconf("SC_CLK_TCK")
    times = [float(field) / ticks_per_second for field in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    return sum(times) - times[3] - times[4], sum(times)
