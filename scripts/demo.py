# SPDX-License-Identifier: Apache-2.0
"""The demo: the nightly archive, run by a real Airflow against the sandbox, on this machine alone.

Kept running, it is a place to try all example DAGs: their Variables are stored, and the sandbox has had the sample
timetable's lessons.

Usage: python -m scripts.demo [--keep-running]

Exit status: 0 if a night was archived, 1 if not, 128 plus the signal's number if a signal stopped it.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import secrets
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import IO, NoReturn, TypedDict, cast
from urllib.parse import urlsplit

from scripts.airflow_api import AirflowApi, AirflowApiError, DagRun
from scripts.examples import (
    DAGS_FOLDER,
    WAITING_DAGS,
    example_dags,
    history_days,
    shown_archives,
    variables,
    what_to_trigger,
)
from scripts.logs import file_tail, newest_task_log, readable_log_line
from scripts.processes import CHECKOUT, GuardedProcess, end_leftovers
from scripts.progress import DemoError, Progress, check_alive
from scripts.report import damaged_files, read_manifest, session_table, summary, transcript_beginning
from scripts.run_folder import RunFolder
from scripts.standalone import (
    USER,
    airflow_settings,
    private_environment,
    reserve_loopback_port,
    write_airflow_launcher,
    write_password,
)
from scripts.table_answer import table_answer

DAG_ID = "nightly_transcript_archive"
CONNECTION_ID = "lessonspace_default"
BINARIES = Path(sys.prefix) / "bin"
SANDBOX_SEED = 7
REQUESTS_PER_SECOND = 5
EARLIER_RUN_SECONDS = 30.0
LOG_LINES = 40
LOG_COLUMNS = 400
TRANSCRIPT_LINES = 8
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(BaseException):
    """A signal asked the demo to stop."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


class SandboxReady(TypedDict):
    """What the sandbox writes when it serves, as far as the demo uses it."""

    base_url: str
    api_key: str


def main() -> int:
    """Run the demo, and stop everything that it started."""
    parser = argparse.ArgumentParser(prog="python -m scripts.demo")
    parser.add_argument("--keep-running", action="store_true", help="leave Airflow running until Ctrl-C")
    keep_running: bool = parser.parse_args().keep_running
    for number in STOP_SIGNALS:
        signal.signal(number, _interrupt)

    progress = Progress()
    run = RunFolder(CHECKOUT / ".demo" / ("ui" if keep_running else "demo"))
    place = f"{run.root.relative_to(CHECKOUT)}/"
    try:
        with run.claim() or progress.wait_for(
            f"the earlier run in {place} to end", run.claim, deadline=EARLIER_RUN_SECONDS
        ) as claim:
            # No one had the claim, so what an earlier run may have left has no owner.
            end_unwatched(run, progress)
            run.empty()
            try:
                run_demo(run, claim, progress, keep_running=keep_running)
            finally:
                end_unwatched(run, progress)
                progress.say("nothing is left running")
    except Interrupted as interruption:
        progress.say(f"stopped by {interruption}")
        return 128 + interruption.number
    except (DemoError, AirflowApiError) as error:
        progress.say(f"FAILED: {error}")
        return 1
    except PermissionError as error:
        progress.say(f"FAILED: {run.root.parent} can't be used ({error.strerror}): remove it")
        return 1
    progress.say(f"done; archive and logs stay in {place}")
    return 0


def _interrupt(number: int, _: object) -> NoReturn:
    # One interruption is enough: a second one must not cut the stopping short.
    for stop_signal in STOP_SIGNALS:
        signal.signal(stop_signal, signal.SIG_IGN)
    raise Interrupted(number)


def run_demo(run: RunFolder, claim: IO[str], progress: Progress, *, keep_running: bool) -> None:
    """Start the sandbox and Airflow, have one night archived, show it, and stop them.

    :param claim: stays open until every process of the run has ended.
    :raises DemoError: after printing the ends of the logs.
    """
    environment = private_environment(os.environ, home=run.airflow_home, binaries=BINARIES)
    password = write_password(run.airflow_home)
    days = history_days(datetime.now(timezone.utc))
    sandbox_options = ("--days", str(days)) if keep_running else ()
    with reserve_loopback_port() as reserved:
        port: int = reserved.getsockname()[1]
        with (
            start_sandbox(run, claim, environment, sandbox_options) as sandbox,
            start_standalone(run, claim, environment, port) as standalone,
        ):
            processes = (sandbox, standalone)
            try:
                airflow = AirflowApi(port, USER, password)
                served = progress.wait_for("the sandbox to serve", lambda: _sandbox_ready(run), processes)
                space_id = fill_school(run, served, progress) if keep_running else ""
                configure_airflow(run, airflow, served, processes, progress)
                if keep_running:
                    start_waiting_dags(airflow, processes, progress)
                archive_one_night(airflow, processes, progress)
                show(run)
                if keep_running:
                    progress.say(f"Airflow: http://127.0.0.1:{port}  user {USER}, password {password}")
                    progress.say("Ctrl-C here stops everything")
                    progress.say(what_to_trigger(space_id))
                    while True:
                        check_alive(processes)
                        time.sleep(1)
            except (DemoError, AirflowApiError):
                show_logs(run)
                raise
            finally:
                progress.say("stopping Airflow and the sandbox")


def start_sandbox(
    run: RunFolder, claim: IO[str], environment: Mapping[str, str], options: Sequence[str]
) -> GuardedProcess:
    """Start a local Lessonspace on a free port.

    :param options: further ones of its command line.
    """
    command = [str(BINARIES / "python"), "-m", "lessonspace_provider.sandbox", "--port", "0"]
    command += ["--rate", str(REQUESTS_PER_SECOND), "--seed", str(SANDBOX_SEED), *options]
    command += ["--ready-file", str(run.sandbox_ready), "--log-file", str(run.sandbox_calls)]
    return GuardedProcess("the sandbox", command, environment=environment, log=run.sandbox_log, held=claim.fileno())


def start_standalone(run: RunFolder, claim: IO[str], environment: Mapping[str, str], port: int) -> GuardedProcess:
    """Start `airflow standalone` with the example DAGs, all paused."""
    write_airflow_launcher(run.launcher, BINARIES / "airflow")
    settings = airflow_settings(
        home=run.airflow_home, dags_folder=DAGS_FOLDER, port=port, jwt_secret=secrets.token_urlsafe(64)
    )
    path = {"PATH": f"{run.launcher}:{environment['PATH']}"}
    return GuardedProcess(
        "airflow standalone",
        [str(run.launcher / "airflow"), "standalone"],
        environment={**environment, **settings, **shown_archives(run), **path},
        log=run.standalone_log,
        held=claim.fileno(),
    )


def fill_school(run: RunFolder, sandbox: SandboxReady, progress: Progress) -> str:
    """Let the sandbox have had the sample timetable's lessons, and two people leave.

    :return: the id of a space with transcripts.
    """
    sys.path.append(str(DAGS_FOLDER))  # as Airflow does
    from scripts.sample_school import SampleSchool

    school = SampleSchool(sandbox["base_url"], sandbox["api_key"], DAGS_FOLDER / "timetable.csv")
    held = school.open(run.leavers)
    progress.say(f"the sandbox has had {held} lessons of the sample timetable, since Monday of last week")
    return school.busy_space()


def configure_airflow(
    run: RunFolder,
    airflow: AirflowApi,
    sandbox: SandboxReady,
    processes: tuple[GuardedProcess, ...],
    progress: Progress,
) -> None:
    """Store what the example DAGs need where the UI shows it, as soon as Airflow takes it.

    :raises DemoError: something ended or did not come.
    """
    connection: dict[str, str | int] = {
        "connection_id": CONNECTION_ID,
        "conn_type": "lessonspace",
        "description": "The demo's sandbox",
        "host": sandbox["base_url"],
        "port": urlsplit(sandbox["base_url"]).port or 80,  # without it, the UI can't test the connection
        "password": sandbox["api_key"],
        "extra": json.dumps({"rate_limit_per_second": REQUESTS_PER_SECOND}),
    }

    def store() -> bool:
        try:
            airflow.add_connection(connection)
        except AirflowApiError as error:
            # An earlier attempt may have stored it although its answer was an error.
            if error.status != http.client.CONFLICT:
                raise
        airflow.set_variables(variables(run))
        return True

    progress.wait_for("Airflow's API server to answer", airflow.log_in, processes)
    progress.wait_for(f"the connection {CONNECTION_ID} and the examples' variables to be stored", store, processes)


def start_waiting_dags(airflow: AirflowApi, processes: tuple[GuardedProcess, ...], progress: Progress) -> None:
    """Unpause the DAGs that run when something has happened, as soon as all examples are loaded.

    :raises DemoError: a DAG cannot be loaded.
    """
    progress.wait_for("all example DAGs to be loaded", lambda: _dags_loaded(airflow, example_dags()), processes)
    for dag_id in WAITING_DAGS:
        progress.wait_for(f"{dag_id} to be unpaused", partial(_done, partial(airflow.unpause, dag_id)), processes)


def archive_one_night(airflow: AirflowApi, processes: tuple[GuardedProcess, ...], progress: Progress) -> None:
    """Unpause the nightly DAG, and wait until the scheduler has run it.

    :raises DemoError: something ended, failed, or did not come.
    """
    progress.wait_for(f"the DAG {DAG_ID} to be loaded", lambda: _dags_loaded(airflow, [DAG_ID]), processes)
    progress.wait_for("the DAG to be unpaused", lambda: _done(lambda: airflow.unpause(DAG_ID)), processes)
    finished = progress.wait_for("the scheduler to run the archive", lambda: _run_ended(airflow), processes)
    interval = f"{finished['data_interval_start']} to {finished['data_interval_end']}"
    if finished["state"] != "success":
        raise DemoError(f"the run of {DAG_ID} for {interval} ended as {finished['state']}")
    progress.say(f"archived the sessions of {interval}")


def _done(act: Callable[[], object]) -> bool:
    act()
    return True


def _sandbox_ready(run: RunFolder) -> SandboxReady | None:
    if not run.sandbox_ready.exists():
        return None
    return cast("SandboxReady", json.loads(run.sandbox_ready.read_text()))


def _dags_loaded(airflow: AirflowApi, dag_ids: list[str]) -> bool | None:
    for problem in airflow.import_problems():
        if Path(problem["filename"]).stem in dag_ids:
            raise DemoError(f"Airflow cannot load {problem['filename']}:\n{problem['stack_trace']}")
    return all(airflow.has_dag(dag_id) for dag_id in dag_ids) or None


def _run_ended(airflow: AirflowApi) -> DagRun | None:
    run = airflow.latest_run(DAG_ID)
    if run is None:
        return None
    for task in airflow.task_instances(DAG_ID, run["dag_run_id"]):
        if task["state"] == "up_for_retry":  # a school waits for the next attempt; anyone who watches a demo does not
            raise DemoError(f"an attempt of the task {task['task_id']} failed")
    return run if run["state"] in {"success", "failed"} else None


def show(run: RunFolder) -> None:
    """Print what was archived, the beginning of one transcript, and an answer of the tables.

    :raises DemoError: nothing was archived, or a file differs from the manifest.
    """
    manifest = read_manifest(run.archive)
    print(f"\n{summary(manifest)}\n\n{session_table(manifest)}\n")
    if problems := damaged_files(manifest, run.archive):
        raise DemoError("; ".join(problems))
    beginning = transcript_beginning(manifest, run.archive, lines=TRANSCRIPT_LINES)
    if beginning is None:
        raise DemoError("no transcript was archived")
    print(f"{beginning}\n")
    try:
        print(f"{table_answer(run.archive)}\n", flush=True)
    except ValueError as error:
        raise DemoError(str(error)) from None


def show_logs(run: RunFolder) -> None:
    """Print the ends of the logs that show why a demo failed."""
    logs = [run.sandbox_log, run.standalone_log]
    if task_log := newest_task_log(run.task_logs, DAG_ID):
        logs.append(task_log)
    for log in logs:
        print(f"\n--- the end of {log.relative_to(CHECKOUT)}")
        for line in file_tail(log, LOG_LINES):
            print(f"    {readable_log_line(line)[:LOG_COLUMNS]}")
    print(flush=True)


def end_unwatched(run: RunFolder, progress: Progress) -> None:
    """End the processes of this run's folder that no guard watches any more: normally there are none."""
    if killed := end_leftovers("AIRFLOW_HOME", str(run.airflow_home)):
        progress.say(f"killed {len(killed)} processes that were still there")


if __name__ == "__main__":
    raise SystemExit(main())
