# SPDX-License-Identifier: Apache-2.0
"""
The tables of the archive: what they cost, and whether they agree with the manifests.

Usage: python -m benchmarks.tables [--quick] [--output benchmarks/tables/results.md]

Nights are archived with and without tables at 5 requests a second, each in a process of its own. Then 30 nights are
archived at full speed, on disk and on the S3 API of a moto server: runs are killed, and in some nights a fifth of all
answers is faulty. All servers are this run's own, on loopback. Takes about half an hour, ``--quick`` two minutes; a
quick run does not judge time and memory. Exit status: 1 if a target was missed.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from benchmarks.shared.report import Target, machine, options_of, publish, table, targets_list, wrapped
from benchmarks.shared.servers import NO_SESSIONS, RunningSandbox, lessonspace_connection, sandbox
from benchmarks.tables.cost import Cost, night_cost
from benchmarks.tables.nights import LATE_BY, LATE_NIGHT, Nights, Size, fill, run_nights, window_of
from benchmarks.tables.queries import largest_difference, query_seconds
from scripts.progress import Progress

DISTRIBUTIONS = ("airflow-provider-lessonspace", "apache-airflow", "pyarrow", "duckdb", "s3fs", "moto")

FULL = Size(nights=30, sessions=200, kills=50, faulty_nights=5)
QUICK = Size(nights=6, sessions=12, kills=6, faulty_nights=1)

#: Requests a second of the nights that are timed, and of the others.
RATE, FULL_SPEED = 5, 1_000

#: How often a night is timed in each way.
REPEATS = 3

MOST_MORE_TIME, MOST_MORE_MEMORY, MOST_QUERY_SECONDS, MOST_DIFFERENCE = 0.05, 100_000_000, 1.0, 0.001

EXPLAINED = """\
Cost: a night of {sessions} sessions, archived {repeats} times in each way, each time in a process of its own with a new
archive; the sandbox accepts {rate} calls a second. Seconds are those of the task's work, the median counts.

Agreement: {nights} nights of {sessions} sessions, of which every tenth has no transcript. {kills} runs are killed at
random moments, and in {faulty} nights a fifth of all answers is faulty. After each night, the rows are compared with
the manifests. A transcript of one night comes {late} nights late.

The reference of talk shares is computed in SQL, from the archive's JSON files."""


def main() -> int:
    """Run it, print the result, and write it if asked to."""
    options = options_of("tables", quick="a few sessions")
    size = QUICK if options.quick else FULL
    where, progress = machine(DISTRIBUTIONS), Progress()
    logging.disable(logging.CRITICAL)
    with TemporaryDirectory(prefix="lessonspace-benchmark-") as name, s3_connection() as bucket:
        folder = Path(name)
        os.environ["AIRFLOW_HOME"] = str(folder / "airflow")
        costs = {tables: measured_costs(folder, size, progress, tables=tables) for tables in (False, True)}
        disk = folder / "disk"
        with sandbox(folder / "nights", FULL_SPEED, *NO_SESSIONS) as server:
            os.environ["AIRFLOW_CONN_LESSONSPACE_DEFAULT"] = lessonspace_connection(server, FULL_SPEED)
            places = {"disk": f"file://{disk}", "S3": f"s3://aws_default@{bucket}/archive"}
            nights = {place: counted(server, url, size, progress) for place, url in places.items()}
        seconds = min(query_seconds(disk) for _ in range(3))
        compared, difference = largest_difference(disk)
    targets = [
        *judged_costs(costs, in_time=not options.quick),
        *[target for place, done in nights.items() for target in judged_nights(place, done, size)],
        Target(
            f"one line of DuckDB over all nights in {seconds:.2f} s, at most {MOST_QUERY_SECONDS:g} s", seconds <= 1
        ),
        Target(
            f"talk shares of {compared} people within {difference:.5%} of the reference, at most {MOST_DIFFERENCE:.1%}",
            compared > 0 and difference <= MOST_DIFFERENCE,
        ),
    ]
    text = EXPLAINED.format(
        sessions=size.sessions,
        repeats=REPEATS,
        rate=RATE,
        nights=size.nights,
        kills=size.kills,
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


def measured_costs(folder: Path, size: Size, progress: Progress, *, tables: bool) -> list[Cost]:
    """Archive the first night several times, each time into an archive of its own."""
    costs = []
    for number in range(REPEATS):
        place = folder / f"cost-{tables}-{number}"
        with sandbox(place / "sandbox", RATE, *NO_SESSIONS) as server:
            server.control.reset(now=window_of(0)[1], speed=0.0, days=0, sessions_per_day=0)
            fill(server, 0, size.sessions)
            costs.append(night_cost(server, place, window_of(0), RATE, tables=tables))
        progress.say(f"a night {'with' if tables else 'without'} tables: {costs[-1].seconds:.1f} s")
    return costs


def counted(server: RunningSandbox, destination: str, size: Size, progress: Progress) -> Nights:
    """Run all nights with tables."""
    done = run_nights(server, destination, size, tables=True)
    progress.say(f"{size.nights} nights in {destination.partition(':')[0]}: {done.killed} runs killed")
    return done


def cost_table(costs: dict[bool, list[Cost]]) -> str:
    """Write what the nights took."""
    rows = [
        [
            "with tables" if tables else "without",
            ", ".join(f"{cost.seconds:.1f}" for cost in found),
            ", ".join(f"{cost.above_idle / 1_000_000:.0f}" for cost in found),
            ", ".join(str(cost.calls) for cost in found),
        ]
        for tables, found in costs.items()
    ]
    return table(("a night", "seconds", "MB above idle", "calls to the API and the store"), rows)


def judged_costs(costs: dict[bool, list[Cost]], *, in_time: bool) -> list[Target]:
    """
    Judge what tables cost.

    :param in_time: whether to judge time and memory.
    """
    calls = {cost.calls for found in costs.values() for cost in found}
    targets = [Target(f"as many calls as without tables: {sorted(calls)}", len(calls) == 1)]
    if in_time:
        without, with_tables = (median(cost.seconds for cost in costs[tables]) for tables in (False, True))
        more = with_tables / without - 1
        targets.append(Target(f"{more:.1%} more time, at most {MOST_MORE_TIME:.0%}", more <= MOST_MORE_TIME))
        memory = max(c.above_idle for c in costs[True]) - min(c.above_idle for c in costs[False])
        text = f"{memory / 1_000_000:.0f} MB more memory, at most {MOST_MORE_MEMORY // 1_000_000} MB"
        targets.append(Target(text, memory <= MOST_MORE_MEMORY))
    return targets


def judged_nights(place: str, done: Nights, size: Size) -> Sequence[Target]:
    """Judge whether the tables agreed with the manifests."""
    late, own = (window_of(night)[0].date().isoformat() for night in (LATE_NIGHT, LATE_NIGHT + LATE_BY))
    agree = f"{place}: rows equal manifests after each of {size.nights} nights, with {done.killed} runs killed"
    if done.problems:
        agree += f" ({'; '.join(done.problems[:3])})"
    return [
        Target(agree, not done.problems and done.killed >= size.kills // 2),
        Target(f"{place}: the late transcript adds one day, {late}, to {own}", done.late_days == [late, own]),
    ]


if __name__ == "__main__":
    raise SystemExit(main())
