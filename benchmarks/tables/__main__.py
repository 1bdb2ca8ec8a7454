# SPDX-License-Identifier: Apache-2.0
"""
The tables of the archive: what they cost, and whether they agree with the manifests.

Usage: python -m benchmarks.tables [--quick] [--output benchmarks/tables/results.md]

Nights are archived with and without tables at 5 requests a second, each in a process of its own. Then 30 nights are
archived at full speed, on disk and on the S3 API of a moto server: runs are killed, and in some nights a fifth of all
answers is faulty. All servers are this run's own, on loopback. Takes about ten minutes, ``--quick`` one; a
quick run does not judge time and memory. Needs Airflow 3.3, whose asset events have partitions. Exit status: 1 if a
target was missed.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor, as_completed
from dataclasses import replace
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from benchmarks.shared.report import Target, machine, options_of, publish, table, targets_list, wrapped
from benchmarks.shared.servers import NO_SESSIONS, s3_bucket, sandbox
from benchmarks.tables.cost import Cost, be_silent, night_cost
from benchmarks.tables.nights import FORK, LATE_BY, LATE_NIGHT, Nights, Size, fill, nights_alone, window_of
from benchmarks.tables.queries import largest_difference, query_seconds
from scripts.progress import Progress

#: What nights cost, by the place of the archive and whether it has tables.
Costs = dict[tuple[str, bool], list[Cost]]

DISTRIBUTIONS = ("airflow-provider-lessonspace", "apache-airflow", "pyarrow", "duckdb", "s3fs", "moto")

FULL = Size(nights=30, sessions=200, kills=50, faulty_nights=2)
QUICK = Size(nights=6, sessions=12, kills=6, faulty_nights=1)

#: Requests a second of the nights that are timed.
RATE = 5

#: How often a night is timed in each way.
REPEATS = 2

MOST_MORE_TIME, MOST_MORE_MEMORY, MOST_QUERY_SECONDS, MOST_DIFFERENCE = 0.05, 100_000_000, 1.0, 0.001

EXPLAINED = """\
Cost: a night of {sessions} sessions, archived {repeats} times in each way, each time in a process of its own with a new
archive and a sandbox of its own that accepts {rate} calls a second; the four ways run at the same time. Seconds are
those of the task's work, the median counts.

Calls: {nights} nights of {sessions} sessions, of which every 20th has no transcript, archived with tables and without.

Agreement: the same nights with tables. Runs are killed at random moments, and in the last {faulty} nights a fifth of
all answers is faulty. After each night, the rows are compared with the manifests. A transcript of one night comes
{late} nights late.

The reference of talk shares is computed in SQL, from the archive's JSON files. On S3, DuckDB reads by way of s3fs."""


def main() -> int:
    """Run it, print the result, and write it if asked to."""
    options = options_of("tables", quick="a few sessions")
    size = QUICK if options.quick else FULL
    where, progress = machine(DISTRIBUTIONS), Progress()
    be_silent()
    with TemporaryDirectory(prefix="lessonspace-benchmark-") as name, s3_bucket() as bucket:
        folder = Path(name)
        os.environ["AIRFLOW_HOME"] = str(folder / "airflow")
        places = {"disk": f"file://{folder}", "S3": bucket}
        costs = measured_costs(folder, places, size, progress)
        nights = all_nights(folder, places, size, progress)
        targets = [
            *[target for place in places for target in judged_costs(place, costs, in_time=not options.quick)],
            judged_calls(nights["quiet, without"], nights["quiet"]),
            *[target for place in places for target in judged_nights(place, nights[place], size)],
        ]
        for place, url in places.items():
            seconds = min(query_seconds(f"{url}/archive") for _ in range(3))
            text = f"{place}: one line of DuckDB over all nights in {seconds:.2f} s, at most {MOST_QUERY_SECONDS:g} s"
            targets.append(Target(text, seconds <= MOST_QUERY_SECONDS))
        compared, difference = largest_difference(folder / "archive")
    text = f"talk shares of {compared} people within {difference:.5%} of the reference, at most {MOST_DIFFERENCE:.1%}"
    targets.append(Target(text, compared > 0 and difference <= MOST_DIFFERENCE))
    text = EXPLAINED.format(
        sessions=size.sessions,
        repeats=REPEATS,
        rate=RATE,
        nights=size.nights,
        faulty=size.faulty_nights,
        late=LATE_BY,
    )
    parts = ["# Tables", where, wrapped(text), cost_table(costs), "## Targets", targets_list(targets)]
    publish("\n\n".join(parts) + "\n", options.output)
    return int(not all(target.met for target in targets))


def measured_costs(folder: Path, places: Mapping[str, str], size: Size, progress: Progress) -> Costs:
    """Archive the first night several times in each way, with a sandbox and an archive of its own each time."""

    def measured(number: int, place: str, *, tables: bool) -> Cost:
        own = folder / f"cost-{place}-{tables}-{number}"
        with sandbox(own / "sandbox", RATE, *NO_SESSIONS) as server:
            server.control.reset(now=window_of(0)[1], speed=0.0, days=0, sessions_per_day=0)
            fill(server, 0, size.sessions)
            return night_cost(server, f"{places[place]}/{own.name}", own, window_of(0), RATE, tables=tables)

    ways = [(place, tables) for place in places for tables in (False, True)]
    costs: Costs = {way: [] for way in ways}
    with ThreadPoolExecutor(len(ways)) as pool:
        for number in range(REPEATS):
            begun = {(place, tables): pool.submit(measured, number, place, tables=tables) for place, tables in ways}
            for way, done in begun.items():
                costs[way].append(done.result())
            progress.say(f"a night in each way: {', '.join(f'{found[-1].seconds:.1f} s' for found in costs.values())}")
    return costs


def cost_table(costs: Costs) -> str:
    """Write what the nights took."""
    rows = [
        [
            f"{place}, {'with tables' if tables else 'without'}",
            ", ".join(f"{cost.seconds:.1f}" for cost in found),
            ", ".join(f"{cost.above_idle / 1_000_000:.0f}" for cost in found),
            ", ".join(str(cost.calls) for cost in found),
        ]
        for (place, tables), found in costs.items()
    ]
    return table(("a night", "seconds", "MB above idle", "calls to the API and the store"), rows)


def judged_costs(place: str, costs: Costs, *, in_time: bool) -> list[Target]:
    """
    Judge what tables cost in a night.

    :param in_time: whether to judge time and memory.
    """
    without, with_tables = costs[place, False], costs[place, True]
    calls = {cost.calls for cost in (*without, *with_tables)}
    targets = [Target(f"{place}: as many calls in a night as without tables: {sorted(calls)}", len(calls) == 1)]
    if in_time:
        more = median(cost.seconds for cost in with_tables) / median(cost.seconds for cost in without) - 1
        targets.append(Target(f"{place}: {more:.1%} more time, at most {MOST_MORE_TIME:.0%}", more <= MOST_MORE_TIME))
        memory = max(cost.above_idle for cost in with_tables) - min(cost.above_idle for cost in without)
        text = f"{place}: {memory / 1_000_000:.0f} MB more memory, at most {MOST_MORE_MEMORY // 1_000_000} MB"
        targets.append(Target(text, memory <= MOST_MORE_MEMORY))
    return targets


def all_nights(folder: Path, places: Mapping[str, str], size: Size, progress: Progress) -> dict[str, Nights]:
    """Run the nights several times, two of them at the same time, each in a process and with a sandbox of its own."""
    quiet, disk = replace(size, kills=0, faulty_nights=0), places["disk"]
    jobs = {
        "S3": (f"{places['S3']}/archive", size, True),
        "disk": (f"{disk}/archive", size, True),
        "quiet": (f"{disk}/quiet", quiet, True),
        "quiet, without": (f"{disk}/quiet-without", quiet, False),
    }
    with ProcessPoolExecutor(2, mp_context=FORK) as pool:
        environment = {name: value for name, value in os.environ.items() if name.startswith("AIRFLOW_")}
        begun = {
            pool.submit(nights_alone, environment, folder / f"nights, {name}", *job): name for name, job in jobs.items()
        }
        done = {}
        for future in as_completed(begun):
            done[begun[future]] = future.result()
            progress.say(f"{size.nights} nights, {begun[future]}: {future.result().killed} runs killed")
    return done


def judged_calls(without: Nights, with_tables: Nights) -> Target:
    """Compare the calls of each night of two runs that nothing disturbed."""
    calls = f"{sum(with_tables.calls)} and {sum(without.calls)} in all"
    text = f"in each of {len(without.calls)} nights as many calls as without tables: {calls}"
    return Target(text, with_tables.calls == without.calls)


def judged_nights(place: str, done: Nights, size: Size) -> list[Target]:
    """Judge whether the tables agreed with the manifests, in spite of kills and faults."""
    late, own = (window_of(night)[0].date().isoformat() for night in (LATE_NIGHT, LATE_NIGHT + LATE_BY))
    agree = (
        f"{place}: rows equal manifests after each of {size.nights} nights, with {done.killed} of {size.kills} runs "
        f"killed, after {done.torn} of which they did not"
    )
    if done.problems:
        agree += f" ({'; '.join(done.problems[:3])})"
    return [
        Target(agree, not done.problems and done.killed >= size.kills),
        Target(
            f"{place}: the late transcript adds {late} to the days of its run, {', '.join(done.late_days)}",
            done.late_days == [late, own],
        ),
        Target(
            f"{place}: that run's event has a partition for each: {', '.join(done.late_partitions)}",
            done.late_partitions == [late, own],
        ),
    ]


if __name__ == "__main__":
    raise SystemExit(main())
