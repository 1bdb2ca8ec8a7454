# SPDX-License-Identifier: Apache-2.0
"""A DAG run with a mapped task for each link, on an Airflow of its own, against a sandbox of its own."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

from benchmarks.shared.airflow_runs import BEHIND_THE_SERVERS, DagRun, cpu_seconds, ended, ended_run, nothing_left
from benchmarks.shared.local_airflow import local_airflow
from benchmarks.shared.measures import Arrival
from benchmarks.shared.postgres import postgres_server
from benchmarks.shared.servers import NO_SESSIONS, RunningSandbox, lessonspace_connection, sandbox
from scripts.processes import CHECKOUT
from scripts.progress import Progress

DAG_ID = "mapped_classes"
EXAMPLES = CHECKOUT / "dags_examples"
OWN_DAGS = CHECKOUT / "benchmarks" / "classes" / "dags"

DEADLINE_SECONDS = 1200.0
TASKS_AT_ONCE = 8


@dataclass(frozen=True)
class Size:
    """
    How much work there is.

    :param people: of each lesson, its teacher included.
    """

    lessons: int
    people: int

    @property
    def launches(self) -> int:
        """One for each person of each lesson."""
        return self.lessons * self.people


@dataclass(frozen=True)
class Outcome:
    """
    What came of a run.

    :param calls: launches as the sandbox saw them.
    :param dag_run: as Airflow has it.
    :param links: different links that were delivered.
    :param rooms: different rooms to which they lead.
    :param cpu: seconds of CPU that all processes of the machine used, from the first call to the end of the run.
    :param cpu_busy: the same, as a share of what the machine has.
    """

    calls: Sequence[Arrival]
    dag_run: DagRun
    links: int
    rooms: int
    cpu: float
    cpu_busy: float

    @property
    def call_seconds(self) -> float:
        """From the first call to the last."""
        times = [call.at for call in self.calls]
        return max(times) - min(times)

    @property
    def cpu_per_link(self) -> float:
        """Milliseconds of CPU, all servers included."""
        return 1000 * self.cpu / self.links


FULL, QUICK = Size(lessons=30, people=4), Size(lessons=4, people=2)


def run(size: Size, rate: int, folder: Path, progress: Progress) -> Outcome:
    """
    Let the DAG run once, and stop everything that was started for it.

    :param rate: calls per second that the server accepts, and the connection's limit.
    """
    airflow_home, links = folder / "airflow", folder / "links"
    with (
        nothing_left(airflow_home, progress),
        sandbox(folder / "sandbox", rate, *NO_SESSIONS) as server,
        postgres_server() as database,
    ):
        progress.say(f"{rate} per second: the sandbox and PostgreSQL serve")
        dags, environment = dag_folder(folder / "dags", size), settings(server, rate, links)
        with local_airflow(
            airflow_home, dags, database, TASKS_AT_ONCE, environment, before_commands=BEHIND_THE_SERVERS
        ) as processes:
            state = server.control.state
            progress.wait_for("the first call", lambda: state().api_calls or None, processes)
            before = cpu_seconds()
            progress.wait_for("the run to end", lambda: ended(database, DAG_ID), processes, deadline=DEADLINE_SECONDS)
            return measure(server, database, links, before)


def dag_folder(folder: Path, size: Size) -> Path:
    """Make a DAG folder with the DAG, a timetable, and what triggers it."""
    folder.mkdir(parents=True)
    for path in (EXAMPLES / "class_timetable.py", EXAMPLES / "link_files.py", *OWN_DAGS.glob("*.py")):
        shutil.copy(path, folder)
    (folder / "timetable.csv").write_text(timetable(size))
    return folder


def timetable(size: Size) -> str:
    """Write a timetable of lessons on every day."""
    lines = ["lesson,subject,days,start,end,teacher,students,cancelled"]
    for lesson in range(size.lessons):
        teacher, *students = (f"P{lesson} {person} <p{lesson}-{person}@s.example>" for person in range(size.people))
        lines.append(f"lesson-{lesson},Lesson {lesson},daily,09:00,09:45,{teacher},{'; '.join(students)},")
    return "\n".join(lines)


def settings(server: RunningSandbox, rate: int, links: Path) -> dict[str, str]:
    """Write the connection and the folder of links as environment variables."""
    return {
        "AIRFLOW_CONN_LESSONSPACE_DEFAULT": lessonspace_connection(server, rate),
        "AIRFLOW_VAR_LESSONSPACE_LINKS_FOLDER": str(links),
    }


def measure(server: RunningSandbox, database: str, links: Path, cpu_before: tuple[float, float]) -> Outcome:
    """Measure a run."""
    (busy_before, all_before), (busy_after, all_after) = cpu_before, cpu_seconds()
    calls = server.control.calls(target="api", method="POST")
    texts = [file.read_text() for file in links.glob("*.txt")]
    delivered = {link for text in texts for link in re.findall(r"^http\S+$", text, re.MULTILINE)}
    return Outcome(
        calls=[Arrival(DAG_ID, call.arrived, call.status != HTTPStatus.TOO_MANY_REQUESTS) for call in calls],
        dag_run=ended_run(database, DAG_ID),
        links=len(delivered),
        rooms=len({link.partition("?")[0] for link in delivered}),
        cpu=busy_after - busy_before,
        cpu_busy=(busy_after - busy_before) / (all_after - all_before),
    )
