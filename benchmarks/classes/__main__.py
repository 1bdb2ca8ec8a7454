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

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.classes.runs import FULL, QUICK, TASKS_AT_ONCE, Outcome, Size, run
from benchmarks.shared.measures import refused, share_of
from benchmarks.shared.report import Target, machine, options_of, publish, table, targets_list, wrapped
from scripts.progress import Progress

DISTRIBUTIONS = ("airflow-provider-lessonspace", "apache-airflow", "requests", "psycopg2-binary")

#: Of the lower limit, this share is to be used.
LEAST_SHARE = 0.9

EXPLAINED = """\
{lessons} lessons of {people} people, each a mapped task with one launch: first the teachers', which make the rooms,
then the students'. The sandbox accepts {rates} calls in any second and answers 429 to more; the connection has the same
limit. LocalExecutor with {tasks_at_once} tasks at once, PostgreSQL, everything on this one machine. Airflow shares the
CPU with all servers, at a lower priority (nice 10): the API's server would not be late because a task is busy. The
share of the limit is that between the first call and the last, the pause between teachers and students included. Where
the CPU is used up, the share shows how many tasks Airflow can start on this machine, and nothing of the limit."""


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
    """List the figures of a run."""
    return {
        "links delivered": f"{outcome.links} of {size.launches}",
        "rooms": f"{outcome.rooms} of {size.lessons}",
        "calls": str(len(outcome.calls)),
        "429 responses": str(refused(outcome.calls)),
        "seconds from the first call to the last": f"{outcome.call_seconds:.1f}",
        "share of the limit": f"{share_of(rate, outcome.calls):.2f}",
        "CPU time used of the machine's": f"{outcome.cpu_busy:.0%}",
        "CPU ms a link, all servers included": f"{outcome.cpu_per_link:.0f}",
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
        Target("every person has a link of their own", all(outcome.links == size.launches for outcome in both)),
        Target("a room for each lesson", all(outcome.rooms == size.lessons for outcome in both)),
        Target(
            "no task failed, none was tried again", not any(o.dag_run.failed_tasks or o.dag_run.retries for o in both)
        ),
        Target("no 429 response", not any(refused(outcome.calls) for outcome in both)),
    ]
    if used:
        met = share_of(LOW, outcomes[LOW].calls) >= LEAST_SHARE
        targets.append(Target(f"at {LOW} per second, at least {LEAST_SHARE:g} of the limit used", met))
    return targets


if __name__ == "__main__":
    raise SystemExit(main())
