# SPDX-License-Identifier: Apache-2.0
"""
Waiting for sessions to end, in a triggerer: this provider's trigger beside those of the http provider.

Usage: python -m benchmarks.waiting [--quick] [--output benchmarks/waiting/results.md]

Takes about a quarter of an hour; ``--quick`` about two minutes, to see that everything still works, and judges nothing.
Exit status: 1 if this provider's trigger missed a target.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from benchmarks.shared.report import Target, machine, options_of, publish, table, targets_list, wrapped
from benchmarks.waiting.runs import PAGE_SIZE, PATIENCE, Outcome, Plan, World, run_together
from benchmarks.waiting.waiters import LOADING_SECONDS
from benchmarks.waiting.ways import WAYS, Way
from lessonspace_provider.waiting.cursor import OVERLAP

DISTRIBUTIONS = (
    "airflow-provider-lessonspace",
    "apache-airflow",
    "apache-airflow-providers-http",
    "requests",
    "aiohttp",
)

#: What is shown for each number of waiters.
COMPARED: tuple[Way, ...] = ("shared", "http_event", "http_recording")

LONGEST_LAG = 0.1
MOST_CALLS_OF_ONE = 2.0

EXPLAINED = """\
{sessions} sessions run at first and end during {ends:.0f} s: {burst} of them within {burst_seconds:g} s, the others at
random moments. Every run has the same ends, and a server of its own. The server accepts {rate} calls in any second,
answers 429 to more, and lists {page} sessions a page. Every trigger checks each {interval:.0f} s. All triggers of a run
wait in one event loop, in a process of its own that has loaded what a triggerer has. They are made from what Airflow
stores of them, and start one after another during an interval, before the first end. Fewer waiters wait for some of the
sessions, the one that ends last included. Their runs are made at the same time, the others one by one. The first check,
which sensors make on the worker, is not measured.

Calls a minute: to the API, from the start to the last end. 429: in all. CPU and lag: of the waiters' process, the
measurement included. Lag is the longest time that the event loop was late: in the first {loading:.0f} s, when the code
of the first trigger is loaded, and later. Delay: from a session's end to its event. Too early: events of sessions that
were running. Lost: waiters that failed, or had no event {patience:g} intervals after the last end.

This provider's waiters share one poll. The poll lists again what ended in the {overlap:.0f} minutes before the newest
known end, for sessions that the API might list late. That takes many pages where hundreds of sessions end within
minutes, as they do here. It takes as many for one waiter as for all.

The http provider has no sensor that waits for a session's end in the triggerer. `HttpSensor` pokes on the worker as
soon as it is given a `response_check`, deferrable or not, and its trigger takes any status but 404 for the end. That
trigger is shown on the session, and on the recording's link, for which the sandbox returns 404 while a session runs
(the real API may not). `HttpEventTrigger` checks the response with a function that the user writes. For a task to wait
with it, the user has to write the sensor as well."""

RESTARTED = """\
The process of {waiters} of this provider's waiters is killed (SIGKILL) when the burst begins. Another process starts
{seconds:.0f} s later, with the triggers that had not fired, as Airflow stores them, all at once."""


@dataclass(frozen=True)
class Size:
    """
    How much work there is.

    :param few: numbers of waiters whose runs, since they cost little, are made at the same time.
    :param many: waiters whose runs are made one by one.
    :param killed_for: see ``Plan``, of the run with a restart.
    """

    world: World
    few: tuple[int, int]
    many: int
    killed_for: float


FULL = Size(
    World(rate=5, interval=30, ends=70, sessions=500, burst=100, burst_after=40, burst_seconds=3),
    few=(1, 50),
    many=500,
    killed_for=10,
)
QUICK = Size(
    World(rate=5, interval=5, ends=10, sessions=20, burst=5, burst_after=6, burst_seconds=1),
    few=(1, 5),
    many=20,
    killed_for=3,
)


def main() -> int:
    """Run everything, print the result, and write it if asked to."""
    options = options_of("waiting", quick="a short run")
    size = QUICK if options.quick else FULL
    where = machine(DISTRIBUTIONS)
    with TemporaryDirectory(prefix="lessonspace-benchmark-") as folder:
        os.environ["AIRFLOW_HOME"] = folder
        outcomes, restarted = run_all(size, Path(folder))
    targets = [*judged(outcomes, size), *judged_restart(restarted)]
    verdict = "Not judged: `--quick` is too short." if options.quick else targets_list(targets)
    described = "\n\n".join(
        [
            explained(size.world),
            comparison(outcomes),
            "## A restart",
            RESTARTED.format(waiters=restarted.plan.waiters, seconds=restarted.plan.killed_for),
            restart_table(restarted),
        ]
    )
    result = f"# Waiting\n\n{where}\n\n{described}\n\n## Targets of this provider's trigger\n\n{verdict}\n"
    publish(result, options.output)
    return int(not options.quick and not all(target.met for target in targets))


def run_all(size: Size, folder: Path) -> tuple[list[Outcome], Outcome]:
    """Make all runs: those to compare, in the order of the table, and the one with a restart."""
    few = [Plan(way, number) for number in size.few for way in COMPARED]
    few.append(Plan("http_session", size.few[-1]))
    outcomes = run_group(few, size.world, folder / "few")
    for way in COMPARED:
        outcomes += run_group([Plan(way, size.many)], size.world, folder / way)
    (restarted,) = run_group([Plan("shared", size.many, killed_for=size.killed_for)], size.world, folder / "restart")
    return outcomes, restarted


def run_group(plans: Sequence[Plan], world: World, folder: Path) -> list[Outcome]:
    """Make runs at the same time, and log it."""
    what = "; ".join(f"{plan.waiters} with {WAYS[plan.way]}" for plan in plans)
    print(f"{datetime.now():%H:%M:%S} {what}", file=sys.stderr, flush=True)
    return run_together(plans, world, folder)


def explained(world: World) -> str:
    """Write what the figures mean."""
    return wrapped(
        EXPLAINED.format(
            **asdict(world),
            page=PAGE_SIZE,
            patience=PATIENCE,
            loading=LOADING_SECONDS,
            overlap=OVERLAP.total_seconds() / 60,
        )
    )


def comparison(outcomes: Sequence[Outcome]) -> str:
    """Write the table of the ways."""
    measured = ("CPU s", "lag ms: loading", "later", "delay s: median", "most")
    header = ("waiters", "way", "calls a minute", "429", *measured, "too early", "lost")
    return table(header, [row(outcome) for outcome in outcomes])


def row(outcome: Outcome) -> list[str]:
    """Write one run."""
    return [
        str(outcome.plan.waiters),
        WAYS[outcome.plan.way],
        f"{outcome.calls_a_minute:.0f}",
        str(outcome.refused),
        f"{outcome.measured.cpu_seconds:.1f}",
        f"{outcome.measured.loading_lag * 1000:.0f}",
        f"{outcome.measured.loop_lag * 1000:.0f}",
        f"{median(outcome.delays):.1f}" if outcome.delays else "-",
        f"{max(outcome.delays):.1f}" if outcome.delays else "-",
        str(outcome.too_early),
        str(outcome.lost),
    ]


def restart_table(outcome: Outcome) -> str:
    """Write what came of the waiters whose process was killed."""
    longest = max((outcome.delay_of(name) for name in outcome.ended_meanwhile), default=0.0)
    rows = [
        ("events before the kill", str(outcome.told_before_kill)),
        ("sessions that ended while no process was there", str(len(outcome.ended_meanwhile))),
        ("delay s of those, most", f"{longest:.1f}"),
        ("429 responses", str(outcome.refused)),
        ("lost", str(outcome.lost)),
    ]
    return table(("what", "figure"), rows)


def judged(outcomes: Sequence[Outcome], size: Size) -> list[Target]:
    """Judge the runs of this provider's trigger."""
    shared = {outcome.plan.waiters: outcome for outcome in outcomes if outcome.plan.way == "shared"}
    one, many = shared[1], shared[size.many]
    of_many = f"waiters {size.many}"
    few_calls = many.calls_a_minute <= MOST_CALLS_OF_ONE * one.calls_a_minute
    in_time = not many.lost and max(many.delays) <= PATIENCE * size.world.interval
    return [
        *(Target(f"waiters {number}: none too early, none lost", all_fired(run)) for number, run in shared.items()),
        Target(f"{of_many}: no 429 response", not many.refused),
        Target(f"{of_many}: at most {MOST_CALLS_OF_ONE:g} times the calls of one", few_calls),
        Target(f"{of_many}: every event within {PATIENCE:g} intervals of the end", in_time),
        Target(f"{of_many}: lag under {LONGEST_LAG * 1000:.0f} ms once loaded", many.measured.loop_lag < LONGEST_LAG),
    ]


def judged_restart(outcome: Outcome) -> list[Target]:
    """Judge the run with a restart."""
    return [
        Target(
            "restart: sessions ended meanwhile, and none was lost", bool(outcome.ended_meanwhile) and all_fired(outcome)
        ),
        Target("restart: no 429 response", not outcome.refused),
    ]


def all_fired(outcome: Outcome) -> bool:
    """Whether every waiter had its event, and none before the end."""
    return not outcome.too_early and not outcome.lost


if __name__ == "__main__":
    raise SystemExit(main())
