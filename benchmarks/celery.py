# SPDX-License-Identifier: Apache-2.0
"""
The provider on Airflow's distributed engine: CeleryExecutor, a Redis broker, PostgreSQL, two workers, the triggerer.

Usage: python -m benchmarks.celery [--quick] [--output benchmarks/celery.md]

The two workers share no directory, so they keep one limit through the gate's redis backend. All servers are this
run's own, on loopback. Takes about three minutes, ``--quick`` one to two, most of it Airflow's start.
Exit status: 1 if a task failed, a transcript is missing, or the server had to answer more than one 429.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from http import HTTPStatus
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg2  # type: ignore[import-untyped]  # it ships no types
from cryptography.fernet import Fernet

from benchmarks.measures import Arrival, refused, share_of
from benchmarks.postgres import postgres_server
from benchmarks.report import Target, machine, table, targets_list
from benchmarks.servers import RunningSandbox, redis_server, sandbox
from lessonspace_provider.sandbox.messages import NewSession
from lessonspace_provider.sandbox.settings import ORGANISATION_ID
from scripts.logs import file_tail
from scripts.processes import CHECKOUT, GuardedProcess, end_leftovers
from scripts.progress import Progress
from scripts.standalone import airflow_settings, private_environment, reserve_loopback_port

DISTRIBUTIONS = (
    "airflow-provider-lessonspace",
    "apache-airflow",
    "apache-airflow-providers-celery",
    "celery",
    "redis",
    "psycopg2-binary",
)
BINARIES = Path(sys.prefix) / "bin"
DAGS_FOLDER = CHECKOUT / "benchmarks" / "celery_dags"

#: The DAGs there. Deferred waits are to be one more, beside the transcripts.
DAG_IDS = ("transcripts",)

#: What the DAG searches for: the sandbox has sessions of its own.
SESSION_NAME = "Celery benchmark"

WORKERS = ("worker-1", "worker-2")
RATE = 5
DEADLINE_SECONDS = 1200.0
MOST_REFUSED = 1
LOG_LINES = 30

#: Which processes belong to a run, should a guard be killed.
MARKER = "LESSONSPACE_BENCHMARK"

NOT_IN_THE_RUN = (
    "Not part of this run: deferred waits on the same key. The provider has no deferrable sensor yet; the triggerer "
    "runs, with nothing to do."
)


@dataclass(frozen=True)
class Size:
    """
    How much work there is.

    :param sessions: with a transcript, a mapped task each.
    :param concurrency: tasks that one worker runs at once.
    """

    sessions: int
    concurrency: int


@dataclass(frozen=True)
class Outcome:
    """
    What came of a run.

    :param calls: of all tasks, as the sandbox saw them.
    :param states: task instances per state.
    :param per_worker: mapped tasks that each worker ran.
    :param transcripts: files in the archive.
    :param cpu_busy: share of the machine's CPU time that was used, between the first task and the last.
    """

    calls: list[Arrival]
    states: Mapping[str, int]
    per_worker: Sequence[int]
    transcripts: int
    cpu_busy: float


def main() -> int:
    """Run it, print the result, and write it if asked to."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.celery")
    parser.add_argument("--quick", action="store_true", help="a few sessions, to see that it works")
    parser.add_argument("--output", type=Path, help="write the result there, as Markdown")
    options = parser.parse_args()
    size = Size(sessions=12, concurrency=2) if options.quick else Size(sessions=200, concurrency=8)
    where = machine(DISTRIBUTIONS)
    with TemporaryDirectory(prefix="lessonspace-benchmark-") as folder:
        outcome = run(size, Path(folder), Progress())
    targets = judged(outcome, size)
    result = f"# Celery\n\n{where}\n\n{described(outcome, size)}\n\n## Targets\n\n{targets_list(targets)}\n"
    print(result)
    if options.output:
        options.output.write_text(result)
    return int(not all(target.met for target in targets))


def run(size: Size, folder: Path, progress: Progress) -> Outcome:
    """Start all servers and Airflow's components, let the DAGs run once, and stop everything."""
    try:
        with (
            sandbox(folder / "sandbox", RATE, "--days", "0", "--sessions-per-day", "0") as server,
            redis_server(folder / "redis") as redis,
            postgres_server() as database,
        ):
            server.control.add_sessions(sessions_with_transcript(size.sessions))
            progress.say("the sandbox, Redis and PostgreSQL serve")
            provider = provider_settings(server, redis.url(1), folder / "archive")
            with airflow(folder, size, database, redis.url(0), provider, progress) as processes:
                return measure(folder, server, database, processes, progress)
    except Exception:
        show_logs(folder)
        raise
    finally:
        if killed := end_leftovers(MARKER, str(folder)):
            progress.say(f"killed {len(killed)} processes that were still there")
        progress.say("nothing is left running")


def show_logs(folder: Path) -> None:
    """Print the ends of the logs that tell why a run failed."""
    for log in sorted(folder.glob("*.log")):
        print(f"\n--- the end of {log.name}", *file_tail(log, LOG_LINES), sep="\n    ", file=sys.stderr)


def sessions_with_transcript(number: int) -> list[NewSession]:
    """Make sessions that ended today and can have a transcript."""
    end = datetime.now(timezone.utc) - timedelta(hours=1)
    lesson = timedelta(minutes=45)
    return [
        NewSession(end - lesson, end, name=f"{SESSION_NAME} {count}", transcript="ready") for count in range(number)
    ]


def provider_settings(server: RunningSandbox, gate_redis: str, archive: Path) -> dict[str, str]:
    """Write the connection and the archive's place as environment variables, the same on both workers."""
    archive.mkdir()
    extra = {
        "organisation_id": ORGANISATION_ID,
        "rate_limit_per_second": RATE,
        "rate_limit_backend": "redis",
        "rate_limit_redis_url": gate_redis,
    }
    connection = {"conn_type": "lessonspace", "host": server.base_url, "password": server.api_key, "extra": extra}
    return {
        "AIRFLOW_CONN_LESSONSPACE_DEFAULT": json.dumps(connection),
        "AIRFLOW_VAR_LESSONSPACE_ARCHIVE": f"file://{archive}",
    }


@contextmanager
def airflow(
    folder: Path, size: Size, database: str, broker: str, provider: Mapping[str, str], progress: Progress
) -> Iterator[list[GuardedProcess]]:
    """
    Run Airflow's components, the DAG processor last, since its DAGs start at once.

    :param database: of the metadata, without a scheme.
    :param broker: address of Celery's Redis.
    """
    with reserve_loopback_port() as reserved, ExitStack() as running:
        port: int = reserved.getsockname()[1]
        everywhere = {**provider, **celery_settings(size, database, broker), MARKER: str(folder)}
        secret = secrets.token_urlsafe(64)

        def environment(home: Path) -> dict[str, str]:
            (home / "tmp").mkdir(parents=True, exist_ok=True)
            private = private_environment(os.environ, home=home, binaries=BINARIES)
            common = airflow_settings(home=home, dags_folder=DAGS_FOLDER, port=port, jwt_secret=secret)
            return {**private, **common, **everywhere}

        processes: list[GuardedProcess] = []

        def start(name: str, home: str, *command: str) -> None:
            process = GuardedProcess(
                name,
                [str(BINARIES / "airflow"), *command],
                environment=environment(folder / home),
                log=folder / f"{name}.log",
            )
            processes.append(running.enter_context(process))

        migrate(environment(folder / "airflow"), folder / "migrate.log")
        progress.say("the metadata database is made")
        start("api-server", "airflow", "api-server", "--workers", "1")
        start("scheduler", "airflow", "scheduler", "--skip-serve-logs")
        start("triggerer", "airflow", "triggerer", "--skip-serve-logs")
        for worker in WORKERS:
            hostname = f"{worker}@localhost"
            start(worker, worker, "celery", "worker", "--skip-serve-logs", "--celery-hostname", hostname)
        logs = [folder / f"{name}.log" for name in WORKERS]
        progress.wait_for("the workers", lambda: all(" ready" in log.read_text() for log in logs) or None, processes)
        start("dag-processor", "airflow", "dag-processor")
        yield processes


def celery_settings(size: Size, database: str, broker: str) -> dict[str, str]:
    """Airflow's configuration where it differs from the demo's, as environment variables."""
    return {
        "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
        "AIRFLOW__CORE__FERNET_KEY": Fernet.generate_key().decode(),
        "AIRFLOW__CORE__PARALLELISM": "64",
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "AIRFLOW__API__SECRET_KEY": secrets.token_urlsafe(32),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"postgresql+psycopg2://{database}",
        "AIRFLOW__CELERY__BROKER_URL": broker,
        "AIRFLOW__CELERY__RESULT_BACKEND": f"db+postgresql+psycopg2://{database}",
        "AIRFLOW__CELERY__WORKER_CONCURRENCY": str(size.concurrency),
    }


def migrate(environment: Mapping[str, str], log: Path) -> None:
    """Make the metadata database's tables."""
    with log.open("wb") as output:
        command = [str(BINARIES / "airflow"), "db", "migrate"]
        subprocess.run(command, env=dict(environment), check=True, stdout=output, stderr=subprocess.STDOUT)


def measure(
    folder: Path, server: RunningSandbox, database: str, processes: Sequence[GuardedProcess], progress: Progress
) -> Outcome:
    """Wait until every DAG has had its run, and look at what came of it."""
    progress.wait_for(
        "the first call", lambda: server.control.state().api_calls or None, processes, deadline=DEADLINE_SECONDS
    )
    busy_before, all_before = cpu_seconds()
    progress.wait_for("the runs to end", lambda: ended(database), processes, deadline=DEADLINE_SECONDS)
    busy_after, all_after = cpu_seconds()
    calls = server.control.calls(target="api")
    return Outcome(
        calls=[Arrival("task", call.arrived, call.status != HTTPStatus.TOO_MANY_REQUESTS) for call in calls],
        states=task_states(database),
        per_worker=[len(list((folder / name / "logs").rglob("task_id=transcript/**/*.log"))) for name in WORKERS],
        transcripts=len(list((folder / "archive").rglob("*.txt"))),
        cpu_busy=(busy_after - busy_before) / (all_after - all_before),
    )


def ended(database: str) -> bool | None:
    """Whether every DAG's run has ended; None for not yet."""
    states = query(database, "SELECT dag_id, state FROM dag_run")
    done = {dag_id for dag_id, state in states if state in ("success", "failed")}
    return True if done >= set(DAG_IDS) else None


def task_states(database: str) -> Counter[str]:
    """Count the task instances per state."""
    return Counter(str(state) for (state,) in query(database, "SELECT state FROM task_instance"))


def query(database: str, statement: str) -> list[tuple[object, ...]]:
    """Ask the metadata database."""
    connection = psycopg2.connect(f"postgresql://{database}")
    try:
        with connection.cursor() as cursor:
            cursor.execute(statement)
            return list(cursor.fetchall())
    finally:
        connection.close()


def cpu_seconds() -> tuple[float, float]:
    """Read how long this machine's cores were busy, and how long in all, since its start."""
    ticks = [float(field) for field in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    return sum(ticks) - ticks[3] - ticks[4], sum(ticks)


def busiest_minute(calls: Sequence[Arrival]) -> int:
    """Count the accepted calls of the minute that had the most."""
    times = sorted(call.at for call in calls if call.accepted)
    return max((sum(begin <= at < begin + 60 for at in times) for begin in times), default=0)


def described(outcome: Outcome, size: Size) -> str:
    """Write the table and what belongs to it."""
    times = [call.at for call in outcome.calls]
    seconds = max(times) - min(times)
    accepted = len(outcome.calls) - refused(outcome.calls)
    rows = [
        ("transcript tasks, mapped", str(size.sessions)),
        ("tasks per state", ", ".join(f"{state} {count}" for state, count in sorted(outcome.states.items()))),
        ("mapped tasks per worker", ", ".join(map(str, outcome.per_worker))),
        ("transcripts archived", str(outcome.transcripts)),
        ("API calls accepted", str(accepted)),
        ("answers of 429", str(refused(outcome.calls))),
        ("seconds from the first call to the last", f"{seconds:.0f}"),
        (f"share of the limit of {RATE} per second", f"{share_of(RATE, outcome.calls):.2f}"),
        ("the same in the busiest minute", f"{busiest_minute(outcome.calls) / min(60.0, seconds) / RATE:.2f}"),
        ("CPU time used of the machine's", f"{outcome.cpu_busy:.0%}"),
    ]
    engine = (
        f"CeleryExecutor, Redis as broker, PostgreSQL, two workers of {size.concurrency} tasks at once with a state "
        f"directory each, the gate's redis backend, the sandbox at {RATE} calls per second; everything on one "
        f"machine, whose CPU Airflow's tasks share with all servers."
    )
    return f"{engine}\n\n{table(('what', 'figure'), rows)}\n\n{NOT_IN_THE_RUN}"


def judged(outcome: Outcome, size: Size) -> list[Target]:
    """Judge the run. Not its throughput: with so little CPU per task, it is the machine's and not the gate's."""
    return [
        Target("every task succeeded", set(outcome.states) == {"success"}),
        Target("every transcript archived", outcome.transcripts == size.sessions),
        Target("both workers took part", all(outcome.per_worker)),
        Target(f"at most {MOST_REFUSED} answer of 429", refused(outcome.calls) <= MOST_REFUSED),
    ]


if __name__ == "__main__":
    raise SystemExit(main())
