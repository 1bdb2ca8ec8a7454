# SPDX-License-Identifier: Apache-2.0
"""
A morning's classes with a mapped task for each link, at the API's usual limit and at one that Airflow keeps up with.

Usage: python -m benchmarks.classes [--quick] [--output benchmarks/classes/results.md]

The DAG runs once for each limit, on an Airflow of its own (LocalExecutor, PostgreSQL), against a sandbox of its own,
and writes the links into a folder. All servers are this run's own, on loopback. Takes about five minutes, ``--quick``
two, most of it Airflow's start, and does not judge how much of a limit was used. ``benchmarks.bulk`` measures the form
with one task.
Exit status: 1 if a target was missed.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.shared.airflow_runs import BEHIND_THE_SERVERS, DagRun, cpu_seconds, ended, ended_run, nothing_left
from benchmarks.shared.local_airflow import local_airflow
from benchmarks.shared.measures import Arrival, refused, share_of
from benchmarks.shared.postgres import postgres_server
from benchmarks.shared.report import Target, machine, options_of, publish, table, targets_list, wrapped
from benchmarks.shared.servers import NO_SESSIONS, RunningSandbox, lessonspace_connection, sandbox
from scripts.processes import CHECKOUT
from scripts.progress import Progress

DISTRIBUTIONS = ("airflow-provider-lessonspace", "apache-airflow", "requests", "psycopg2-binary")

DAG_ID = "mapped_classes"
EXAMPLES = CHECKOUT / "dags_examples"
OWN_DAGS = CHECKOUT / "benchmarks" / "classes" / "dags"

DEADLINE_SECONDS = 1200.0
TASKS_AT_ONCE = 8

#: Of the lower limit, this share is to be used.
LEAST_SHARE = 0.9

EXPLAINED = """\
{lessons} lessons of {people} people, each a mapped task with one launch: first the teachers', which make the rooms,
then the students'. The sandbox accepts {rates} calls in any second and answers 429 to more; the connection says the
same. LocalExecutor with {tasks_at_once} tasks at once, PostgreSQL, everything on this one machine, whose CPU Airflow
shares with all servers, at a lower priority (nice 10): the API's server would not be late because a task is busy. The
share of the limit is that between the first call and the last, the pause between teachers and students included. Where
the CPU is used up, the share tells how many tasks Airflow can start on this machine, and nothing of the limit."""


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
    :param cpu_busy: share of the machine's CPU time that was used, from the first call to the end of the run.
    """

    calls: Sequence[Arrival]
    dag_run: DagRun
    links: int
    rooms: int
    cpu_busy: float

    @property
    def call_seconds(self) -> float:
        """From the first call to the last."""
        times = [call.at for call in self.calls]
        return max(times) - min(times)


FULL, QUICK = Size(lessons=30, people=4), Size(lessons=4, people=2)

#: Calls per second: what the API usually allows, and what a machine with two cores can start as many tasks as.
USUAL, LOW = RATES = (5, 1)


def main() -> int:
    """Run it, print the result, and write it if asked to."""
    options = options_of("classes", quick="a few lessons")
    size = QUICK if options.quick else FULL
    where, progress = machine(DISTRIBUTIONS), Progress()
    with TemporaryDirectory(prefix="lessonspace-benchmark-") as folder:
        outcomes = {rate: run(size, rate, Path(folder) / f"at-{rate}", progress) for rate in RATES}
    targets = judged(outcomes, size, used=not options.quick)
    parts = ["# Classes", where, explained(size), comparison(outcomes, size), "## Targets", targets_list(targets)]
    result = "\n\n".join(parts) + "\n"
    publish(result, options.output)
    return int(not all(target.met for target in targets))


def run(size: Size, rate: int, folder: Path, progress: Progress) -> Outcome:
    """
    Let the DAG run once, and stop everything that was started for it.

    :param rate: calls per second that the server accepts, and that the connection says.
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
    """Write the connection and where to put links as environment variables."""
    return {
        "AIRFLOW_CONN_LESSONSPACE_DEFAULT": lessonspace_connection(server, rate),
        "AIRFLOW_VAR_LESSONSPACE_LINKS_FOLDER": str(links),
    }


def measure(server: RunningSandbox, database: str, links: Path, cpu_before: tuple[float, float]) -> Outcome:
    """Look at what came of a run."""
    (busy_before, all_before), (busy_after, all_after) = cpu_before, cpu_seconds()
    calls = server.control.calls(target="api", method="POST")
    texts = [file.read_text() for file in links.glob("*.txt")]
    delivered = {link for text in texts for link in re.findall(r"^http\S+$", text, re.MULTILINE)}
    return Outcome(
        calls=[Arrival(DAG_ID, call.arrived, call.status != HTTPStatus.TOO_MANY_REQUESTS) for call in calls],
        dag_run=ended_run(database, DAG_ID),
        links=len(delivered),
        rooms=len({link.partition("?")[0] for link in delivered}),
        cpu_busy=(busy_after - busy_before) / (all_after - all_before),
    )


def explained(size: Size) -> str:
    """Write what was done."""
    return wrapped(
        EXPLAINED.format(
            lessons=size.lessons,
            people=size.people,
            rates=" or ".join(map(str, RATES)),
            tasks_at_once=TASKS_AT_ONCE,
        )
    )


def comparison(outcomes: Mapping[int, Outcome], size: Size) -> str:
    """Write the table of the limits."""
    columns = [figures(outcome, rate, size) for rate, outcome in outcomes.items()]
    rows = [[what, *(column[what] for column in columns)] for what in columns[0]]
    return table(("what", *(f"{rate} per second" for rate in outcomes)), rows)


def figures(outcome: Outcome, rate: int, size: Size) -> dict[str, str]:
    """Write what there is to say of a run."""
    return {
        "links delivered": f"{outcome.links} of {size.launches}",
        "rooms": f"{outcome.rooms} of {size.lessons}",
        "calls": str(len(outcome.calls)),
        "answers of 429": str(refused(outcome.calls)),
        "seconds from the first call to the last": f"{outcome.call_seconds:.1f}",
        "share of the limit": f"{share_of(rate, outcome.calls):.2f}",
        "CPU time used of the machine's": f"{outcome.cpu_busy:.0%}",
        "seconds of the DAG run": f"{outcome.dag_run.seconds:.0f}",
        "tasks": str(outcome.dag_run.tasks),
        "tasks tried again": str(outcome.dag_run.retries),
        "tasks failed in the end": str(outcome.dag_run.failed_tasks),
    }


def judged(outcomes: Mapping[int, Outcome], size: Size, *, used: bool) -> list[Target]:
    """
    Judge the runs.

    :param used: whether to judge how much of the lower limit was used.
    """
    both = outcomes.values()
    targets = [
        Target("everybody has a link of their own", all(outcome.links == size.launches for outcome in both)),
        Target("a room for each lesson", all(outcome.rooms == size.lessons for outcome in both)),
        Target(
            "no task failed, none was tried again", not any(o.dag_run.failed_tasks or o.dag_run.retries for o in both)
        ),
        Target("no answer of 429", not any(refused(outcome.calls) for outcome in both)),
    ]
    if used:
        met = share_of(LOW, outcomes[LOW].calls) >= LEAST_SHARE
        targets.append(Target(f"at {LOW} per second, at least {LEAST_SHARE:g} of the limit used", met))
    return targets


if __name__ == "__main__":
    raise SystemExit(main())
