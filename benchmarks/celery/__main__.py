# SPDX-License-Identifier: Apache-2.0
"""
The provider on Airflow's distributed engine: CeleryExecutor, a Redis broker, PostgreSQL, two workers, the triggerer.

Usage: python -m benchmarks.celery [--quick] [--output benchmarks/celery/results.md]

Mapped tasks fetch transcripts, while mapped sensors wait in the triggerer for other sessions to end, all on one key.
The workers and the triggerer share no directory, so they keep one limit through the gate's redis backend. All servers
are this run's own, on loopback. Takes about three minutes, ``--quick`` one to two, most of it Airflow's start.
Exit status: 1 if a task failed, a transcript is missing, or the server had to answer a 429.
"""

from __future__ import annotations

import os
import secrets
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from http import HTTPStatus
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.shared.airflow_runs import (
    BEHIND_THE_SERVERS,
    BINARIES,
    MARKER,
    cpu_seconds,
    migrate,
    nothing_left,
    query,
    settings_on,
    task_states,
)
from benchmarks.shared.measures import Arrival, refused, share_of
from benchmarks.shared.postgres import postgres_server
from benchmarks.shared.report import Target, machine, options_of, publish, table, targets_list
from benchmarks.shared.servers import NO_SESSIONS, RunningSandbox, lessonspace_connection, redis_server, sandbox
from lessonspace_provider.sandbox.messages import NewSession, RecordedCall
from scripts.processes import CHECKOUT, GuardedProcess
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
DAGS_FOLDER = CHECKOUT / "benchmarks" / "celery" / "dags"

#: The DAGs there, and what their calls are called below.
TRANSCRIPTS, WAITS = DAG_IDS = ("transcripts", "waits")

#: What the DAGs search for.
SESSION_NAME, WAITED_FOR_NAME = "Celery benchmark", "Celery wait"

#: Only the poll and the list of what there is to wait for have these filters.
FILTERS_OF_WAITS = {"end_time_after", "in_progress_only"}

#: Seconds between two ends of sessions that are waited for.
BETWEEN_ENDS = 0.5

WORKERS = ("worker-1", "worker-2")

RATE = 5
DEADLINE_SECONDS = 1200.0


@dataclass(frozen=True)
class Size:
    """
    How much work there is.

    :param sessions: with a transcript, a mapped task each.
    :param waits: sessions that run, a mapped sensor each.
    :param concurrency: tasks that one worker runs at once.
    """

    sessions: int
    waits: int
    concurrency: int


@dataclass(frozen=True)
class Outcome:
    """
    What came of a run.

    :param calls: as the sandbox saw them; the caller is the DAG.
    :param states: task instances per state, for each DAG.
    :param per_worker: mapped transcript tasks that each worker ran.
    :param transcripts: files in the archive.
    :param unfinished: transcript tasks that were not done when the last session ended.
    :param last_wait: seconds from the end of the last session to that of the last sensor.
    :param cpu_busy: share of the machine's CPU time that was used, between the first task and the last.
    """

    calls: list[Arrival]
    states: Mapping[str, Mapping[str, int]]
    per_worker: Sequence[int]
    transcripts: int
    unfinished: int
    last_wait: float
    cpu_busy: float


def main() -> int:
    """Run it, print the result, and write it if asked to."""
    options = options_of("celery", quick="a few sessions")
    full, quick = Size(sessions=200, waits=50, concurrency=8), Size(sessions=30, waits=4, concurrency=2)
    size = quick if options.quick else full
    where = machine(DISTRIBUTIONS)
    with TemporaryDirectory(prefix="lessonspace-benchmark-") as folder:
        outcome = run(size, Path(folder), Progress())
    targets = judged(outcome, size)
    result = f"# Celery\n\n{where}\n\n{described(outcome, size)}\n\n## Targets\n\n{targets_list(targets)}\n"
    publish(result, options.output)
    return int(not all(target.met for target in targets))


def run(size: Size, folder: Path, progress: Progress) -> Outcome:
    """Start all servers and Airflow's components, let the DAGs run once, and stop everything."""
    with (
        nothing_left(folder, progress),
        sandbox(folder / "sandbox", RATE, *NO_SESSIONS) as server,
        redis_server(folder / "redis") as redis,
        postgres_server() as database,
    ):
        server.control.add_sessions(sessions_with_transcript(size.sessions))
        running = server.control.add_sessions(running_sessions(size.waits))
        progress.say("the sandbox, Redis and PostgreSQL serve")
        provider = provider_settings(server, redis.url(1), folder / "archive")
        with airflow(folder, size, database, redis.url(0), provider, progress) as processes:
            return measure(folder, server, running, database, processes, progress)


def sessions_with_transcript(number: int) -> list[NewSession]:
    """Make sessions that ended today and can have a transcript."""
    end = datetime.now(timezone.utc) - timedelta(hours=1)
    lesson = timedelta(minutes=45)
    return [
        NewSession(end - lesson, end, name=f"{SESSION_NAME} {count}", transcript="ready") for count in range(number)
    ]


def running_sessions(number: int) -> list[NewSession]:
    """Create sessions that run until they are ended."""
    start = datetime.now(timezone.utc) - timedelta(minutes=45)
    return [NewSession(start, name=f"{WAITED_FOR_NAME} {count}") for count in range(number)]


def provider_settings(server: RunningSandbox, gate_redis: str, archive: Path) -> dict[str, str]:
    """Write the connection and the archive's place as environment variables, the same everywhere."""
    archive.mkdir()
    shared = {"rate_limit_backend": "redis", "rate_limit_redis_conn_id": "gate"}
    return {
        "AIRFLOW_CONN_GATE": gate_redis,
        "AIRFLOW_CONN_LESSONSPACE_DEFAULT": lessonspace_connection(server, RATE, **shared),
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
                [*BEHIND_THE_SERVERS, str(BINARIES / "airflow"), *command],
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
        **settings_on(database),
        "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
        "AIRFLOW__CORE__PARALLELISM": "64",
        "AIRFLOW__CELERY__BROKER_URL": broker,
        "AIRFLOW__CELERY__RESULT_BACKEND": f"db+postgresql+psycopg2://{database}",
        "AIRFLOW__CELERY__WORKER_CONCURRENCY": str(size.concurrency),
    }


def measure(
    folder: Path,
    server: RunningSandbox,
    running: Sequence[str],
    database: str,
    processes: Sequence[GuardedProcess],
    progress: Progress,
) -> Outcome:
    """Let the sessions end once all sensors wait, wait for the end of every DAG, and measure."""
    progress.wait_for(
        "the first call", lambda: server.control.state().api_calls or None, processes, deadline=DEADLINE_SECONDS
    )
    busy_before, all_before = cpu_seconds()
    progress.wait_for(
        "the sensors to be deferred", lambda: deferred(database, running), processes, deadline=DEADLINE_SECONDS
    )
    for session_id in running:
        server.control.end_session(session_id)
        time.sleep(BETWEEN_ENDS)
    last_end = time.time()
    unfinished = unfinished_transcripts(database)
    progress.say(f"the sessions have ended, with {unfinished} transcript tasks still to be done")
    progress.wait_for("the runs to end", lambda: ended(database), processes, deadline=DEADLINE_SECONDS)
    busy_after, all_after = cpu_seconds()
    return Outcome(
        calls=[arrival(call, running) for call in server.control.calls(target="api")],
        states={dag_id: task_states(database, dag_id) for dag_id in DAG_IDS},
        per_worker=[len(list((folder / name / "logs").rglob("task_id=transcript/**/*.log"))) for name in WORKERS],
        transcripts=len(list((folder / "archive").rglob("*.txt"))),
        unfinished=unfinished,
        last_wait=last_wait_ended_at(database) - last_end,
        cpu_busy=(busy_after - busy_before) / (all_after - all_before),
    )


def arrival(call: RecordedCall, running: Sequence[str]) -> Arrival:
    """Find the DAG for which a call was made, sensors in the triggerer included."""
    filters = {name for name, _ in call.query}
    is_wait = bool(filters & FILTERS_OF_WAITS) or any(session_id in call.path for session_id in running)
    return Arrival(WAITS if is_wait else TRANSCRIPTS, call.arrived, call.status != HTTPStatus.TOO_MANY_REQUESTS)


def deferred(database: str, running: Sequence[str]) -> bool | None:
    """Whether there is a sensor in the triggerer for every session, unless it failed; None for not yet."""
    states = task_states(database, WAITS)
    return True if states["deferred"] + states["failed"] >= len(running) else None


def unfinished_transcripts(database: str) -> int:
    """Count the transcript tasks that are still to be done."""
    states = task_states(database, TRANSCRIPTS)
    return sum(count for state, count in states.items() if state not in ("success", "failed"))


def last_wait_ended_at(database: str) -> float:
    """Find when the last sensor ended, in epoch seconds."""
    ends = query(database, "SELECT extract(epoch FROM end_date) FROM task_instance WHERE dag_id = %s", WAITS)
    return max(float(str(end)) for (end,) in ends if end is not None)


def ended(database: str) -> bool | None:
    """Whether every DAG's run has ended; None for not yet."""
    states = query(database, "SELECT dag_id, state FROM dag_run")
    done = {dag_id for dag_id, state in states if state in ("success", "failed")}
    return True if done >= set(DAG_IDS) else None


def busiest_minute(calls: Sequence[Arrival]) -> int:
    """Count the accepted calls of the minute that had the most."""
    times = sorted(call.at for call in calls if call.accepted)
    return max((sum(begin <= at < begin + 60 for at in times) for begin in times), default=0)


def described(outcome: Outcome, size: Size) -> str:
    """Write the tables and what belongs to them."""
    engine = (
        f"CeleryExecutor, Redis as broker, PostgreSQL, two workers of {size.concurrency} tasks at once and a "
        f"triggerer, with a state directory each. The rate limit is kept in Redis; the sandbox accepts {RATE} calls "
        f"per second. Everything is on one machine, whose CPU Airflow shares with all servers, at a lower priority "
        f"(nice 10): the API's server would not be late because a task is busy. One DAG's mapped tasks fetch "
        f"transcripts; another's mapped sensors wait in the triggerer for sessions that end as soon as all sensors are "
        f"deferred, one each {BETWEEN_ENDS:g} s."
    )
    both = [[call for call in outcome.calls if call.caller == dag_id] for dag_id in DAG_IDS]
    callers = [*both, outcome.calls]
    rows = [
        ("mapped tasks", str(size.sessions), str(size.waits), str(size.sessions + size.waits)),
        ("tasks per state", *(written(states) for states in (*outcome.states.values(), all_states(outcome)))),
        ("API calls accepted", *(str(len(calls) - refused(calls)) for calls in callers)),
        ("429 responses", *(str(refused(calls)) for calls in callers)),
        ("seconds from the first call to the last", *(f"{seconds(calls):.0f}" for calls in callers)),
        (f"share of the limit of {RATE} per second", *(f"{share_of(RATE, calls):.2f}" for calls in callers)),
        ("the same in the busiest minute", *(f"{share_of_busiest_minute(calls):.2f}" for calls in callers)),
    ]
    facts = [
        ("transcripts archived", str(outcome.transcripts)),
        ("transcript tasks per worker", ", ".join(map(str, outcome.per_worker))),
        ("transcript tasks still to be done when the last session ended", str(outcome.unfinished)),
        ("seconds from then to the end of the last sensor", f"{outcome.last_wait:.0f}"),
        ("CPU time used of the machine's", f"{outcome.cpu_busy:.0%}"),
    ]
    compared = table(("what", "transcripts", "deferred waits", "together"), rows)
    return f"{engine}\n\n{compared}\n\n{table(('what', 'figure'), facts)}"


def all_states(outcome: Outcome) -> Counter[str]:
    """Count the task instances of both DAGs per state."""
    return sum((Counter(states) for states in outcome.states.values()), Counter())


def written(states: Mapping[str, int]) -> str:
    """Write how many tasks are in which state."""
    return ", ".join(f"{state} {count}" for state, count in sorted(states.items()))


def seconds(calls: Sequence[Arrival]) -> float:
    """Compute the seconds from the first call to the last."""
    times = [call.at for call in calls]
    return max(times) - min(times)


def share_of_busiest_minute(calls: Sequence[Arrival]) -> float:
    """Compute which share of the limit the minute with the most accepted calls used."""
    return busiest_minute(calls) / min(60.0, seconds(calls)) / RATE


def judged(outcome: Outcome, size: Size) -> list[Target]:
    """Judge the run. Not its throughput: with so little CPU per task, it is the machine's and not the gate's."""
    return [
        Target("every task succeeded", set(all_states(outcome)) == {"success"}),
        Target("every transcript archived", outcome.transcripts == size.sessions),
        Target("both workers took part", all(outcome.per_worker)),
        Target("the sessions ended while transcripts were fetched", outcome.unfinished > 0),
        Target("no 429 response", refused(outcome.calls) == 0),
    ]


if __name__ == "__main__":
    raise SystemExit(main())
