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

import json
import logging
import os
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from benchmarks.shared.report import Target, machine, options_of, publish, table, targets_list, wrapped
from benchmarks.shared.servers import NO_SESSIONS, RunningSandbox, lessonspace_connection, sandbox
from benchmarks.tables.cost import Cost, be_silent, night_cost
from benchmarks.tables.nights import LATE_BY, LATE_NIGHT, Size, fill, run_nights, window_of
from benchmarks.tables.queries import largest_difference, query_seconds
from scripts.progress import Progress

#: What nights cost, by the place of the archive and whether it has tables.
Costs = dict[tuple[str, bool], list[Cost]]

DISTRIBUTIONS = ("airflow-provider-lessonspace", "apache-airflow", "pyarrow", "duckdb", "s3fs", "moto")

FULL = Size(nights=30, sessions=200, kills=50, faulty_nights=2)
QUICK = Size(nights=6, sessions=12, kills=6, faulty_nights=1)

#: Requests a second of the nights that are timed, and of the others.
RATE, FULL_SPEED = 5, 1_000

#: How often a night is timed in each way.
REPEATS = 2

MOST_MORE_TIME, MOST_MORE_MEMORY, MOST_QUERY_SECONDS, MOST_DIFFERENCE = 0.05, 100_000_000, 1.0, 0.001

EXPLAINED = """\
Cost: a night of {sessions} sessions, archived {repeats} times in each way, each time in a process of its own with a new
archive and a sandbox of its own that accepts {rate} calls a second; the four ways run at the same time. Seconds are
those of the task's work, the median counts.

Calls: {nights} nights of {sessions} sessions, of which every tenth has no transcript, archived with tables and without.

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
    with TemporaryDirectory(prefix="lessonspace-benchmark-") as name, s3_connection() as bucket:
        folder = Path(name)
        os.environ["AIRFLOW_HOME"] = str(folder / "airflow")
        places = {"disk": f"file://{folder}", "S3": f"s3://aws_default@{bucket}"}
        costs = measured_costs(folder, places, size, progress)
        with sandbox(folder / "nights", FULL_SPEED, *NO_SESSIONS) as server:
            os.environ["AIRFLOW_CONN_LESSONSPACE_DEFAULT"] = lessonspace_connection(server, FULL_SPEED)
            targets = [
                *[target for place in places for target in judged_costs(place, costs, in_time=not options.quick)],
                judged_calls(server, places["disk"], size, progress),
                *[target for place, url in places.items() for target in nights_of(server, place, url, size, progress)],
            ]
        for place, url in places.items():
            seconds = min(query_seconds(f"{url}/archive") for _ in range(3))
            targets.append(
                Target(
                    f"{place}: one line of DuckDB over all nights in {seconds:.2f} s, at most {MOST_QUERY_SECONDS:g} s",
                    seconds <= MOST_QUERY_SECONDS,
                )
            )
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


@contextmanager
def s3_connection() -> Iterator[str]:
    """Serve an S3 API for the connection ``aws_default``; give the name of a bucket in it."""
    import boto3
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.WARNING)  # which has a line for each request
    moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    moto.start()
    host, port = moto.get_host_and_port()
    key = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing", "region_name": "us-east-1"}
    boto3.resource("s3", endpoint_url=f"http://{host}:{port}", **key).Bucket("school").create()
    extra = {"endpoint_url": f"http://{host}:{port}", "region_name": key["region_name"]}
    connection = {"conn_type": "aws", "login": "testing", "password": "testing", "extra": extra}
    os.environ["AIRFLOW_CONN_AWS_DEFAULT"] = json.dumps(connection)
    try:
        yield "school"
    finally:
        moto.stop()


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


def judged_calls(server: RunningSandbox, url: str, size: Size, progress: Progress) -> Target:
    """Run all nights undisturbed, with tables and without, and compare the calls of each night."""
    quiet = replace(size, kills=0, faulty_nights=0)
    calls = {}
    for tables in (False, True):
        calls[tables] = run_nights(server, f"{url}/quiet-{tables}", quiet, tables=tables).calls
        progress.say(f"{size.nights} nights {'with' if tables else 'without'} tables: {sum(calls[tables])} calls")
    text = (
        f"in each of {size.nights} nights as many calls as without tables: {sum(calls[True])} and {sum(calls[False])}"
    )
    return Target(text, calls[True] == calls[False])


def nights_of(server: RunningSandbox, place: str, url: str, size: Size, progress: Progress) -> list[Target]:
    """Run all nights with kills and faults, and judge whether the tables agreed with the manifests."""
    done = run_nights(server, f"{url}/archive", size, tables=True)
    progress.say(f"{size.nights} nights on {place}: {done.killed} runs killed")
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
