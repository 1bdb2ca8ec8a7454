# SPDX-License-Identifier: Apache-2.0
"""
The rate gate beside what a user would write without it, on the same server and work.

Usage: python -m benchmarks.rate_limit [--quick] [--output benchmarks/rate_limit/results.md]

Takes about a quarter of an hour; ``--quick`` about a minute, to see that everything still works, and judges nothing.
Exit status: 1 if the gate missed a target.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from http import HTTPStatus
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory, mkdtemp

from benchmarks.rate_limit.callers import Caller, Finished, started
from benchmarks.rate_limit.killed_holders import seconds_until_next
from benchmarks.rate_limit.ways import CALLER_HEADER, PATH, WAYS, Place, Way
from benchmarks.shared.measures import Arrival, all_served_after, jain, refused, served_at_three_quarters, share_of
from benchmarks.shared.report import Target, machine, options_of, publish, table, targets_list
from benchmarks.shared.servers import RunningRedis, RunningSandbox, redis_server, sandbox

DISTRIBUTIONS = ("airflow-provider-lessonspace", "requests", "httpx", "tenacity", "pyrate-limiter", "filelock", "redis")

#: Another key than the sandbox's own, for a second sandbox.
SECOND_KEY = "00000000-0000-4000-8000-000000000002"

#: How much longer than at the full rate a run may take before it is given up.
PATIENCE = 5.0

MOST_REFUSED = 1
LEAST_SHARE = 0.93
LEAST_JAIN = 0.95
LATEST_FIRST_CALL = 3.0
MOST_REFUSED_AT_A_LOWER_LIMIT = 9
LEAST_SHARE_OF_A_LOWER_LIMIT = 0.75
LONGEST_AFTER_A_KILL = 0.1

COMPARED = """\
The server accepts {rate} calls in any second, and answers others with 429 and `Retry-After: 1`; it is a process of
its own. Share: of that rate, between the first and the last accepted call (bursts may reach a little more than 1).
Jain: fairness over the processes when three quarters of their calls were done, with the fewest and the most calls
that one of them had by then. All served: seconds until every process had its first call. CPU: seconds of all
clients together. Lag: the longest time that the event loop was late. Done: callers whose calls were all accepted
within {patience:.0f} times the ideal time; the others were given up."""


OF_THE_LOOP = """\
The gate's waiters call through one dedicated thread; the others use `httpx.AsyncClient` with `asyncio.sleep`, tenacity
on a coroutine, or `try_acquire_async` over pyrate-limiter's `BucketAsyncWrapper`. Jain, fewest:most and all served: of
the processes."""


@dataclass(frozen=True)
class Size:
    """
    How much work there is.

    :param rate: the server's limit, per second.
    :param lower_rate: what it falls to.
    :param processes: that call.
    :param calls: of each process.
    :param waiters: on the event loop, one call each.
    :param lower_processes: that call where the limit is lower than configured.
    :param lower_calls: of each of those.
    :param kills: of the lock's holder.
    """

    rate: int
    lower_rate: int
    processes: int
    calls: int
    waiters: int
    lower_processes: int
    lower_calls: int
    kills: int


FULL = Size(rate=5, lower_rate=3, processes=8, calls=20, waiters=50, lower_processes=10, lower_calls=13, kills=20)
QUICK = Size(rate=20, lower_rate=12, processes=2, calls=8, waiters=8, lower_processes=2, lower_calls=16, kills=3)


@dataclass(frozen=True)
class Run:
    """
    What came of callers that called at once.

    :param callers: as they were started.
    :param arrivals: all calls, as the server saw them.
    :param finished: what each caller measured, those that failed or were too slow left out.
    """

    callers: Sequence[Caller]
    arrivals: list[Arrival]
    finished: dict[str, Finished]

    @property
    def processes(self) -> list[str]:
        """Names of the callers with equal work: all but the event loop."""
        return [caller.name for caller in self.callers if not caller.on_loop]

    @property
    def served(self) -> list[int]:
        """Calls that each process had when three quarters were done."""
        return served_at_three_quarters(self.arrivals, self.processes)

    @property
    def complete(self) -> bool:
        """Whether every call of every caller was accepted in the end."""
        return len(self.finished) == len(self.callers)


class Bench:
    """Starts callers against a sandbox, and asks it afterwards what it saw."""

    def __init__(self, size: Size, folder: Path, server: RunningSandbox) -> None:
        self.size = size
        self.folder = folder
        self.server = server

    def place(self, server: RunningSandbox | None = None, redis_url: str | None = None) -> Place:
        """Make the place of a new machine, whose directory is empty."""
        server = server or self.server
        directory = Path(mkdtemp(dir=self.folder))
        return Place(server.base_url, server.api_key, self.size.rate, directory, redis_url)

    def tasks(
        self, way: Way, place: Place | None = None, name: str = "process", *, processes: int = 0, calls: int = 0
    ) -> list[Caller]:
        """Describe processes of one machine that make calls one after the other."""
        place = place or self.place()
        return [
            Caller(f"{name}-{number}", way, place, calls or self.size.calls)
            for number in range(processes or self.size.processes)
        ]

    def lower_tasks(self) -> list[Caller]:
        """Describe the gate's processes for a limit that is lower than configured."""
        return self.tasks("gate", processes=self.size.lower_processes, calls=self.size.lower_calls)

    def run(self, what: str, callers: Sequence[Caller], during: Callable[[], None] | None = None, rate: int = 0) -> Run:
        """
        Let callers call until they have finished, or have taken far too long.

        :param what: this is, for the progress.
        :param during: is called after their start.
        :param rate: of the server, if not the usual one.
        """
        print(f"{datetime.now():%H:%M:%S} {what}", file=sys.stderr, flush=True)
        self.server.control.reset(rate=rate or self.size.rate)
        patience = PATIENCE * sum(caller.calls for caller in callers) / (rate or self.size.rate)
        with started(callers) as crew:
            if during:
                during()
            finished = crew.wait(patience)
        return Run(callers, arrivals_at(self.server), finished)

    def wait_for_half(self, calls: int) -> None:
        """Wait until the server has accepted half of so many calls."""
        while self.server.control.state().accepted < calls / 2:
            time.sleep(0.02)


def arrivals_at(server: RunningSandbox) -> list[Arrival]:
    """Ask a sandbox for the calls that callers made."""
    return [
        Arrival(call.headers[CALLER_HEADER], call.arrived, call.status == HTTPStatus.OK)
        for call in server.control.calls(path=PATH)
    ]


def main() -> int:
    """Run everything, print the result, and write it if asked to."""
    options = options_of("rate_limit", quick="a minute's run")
    where = machine(DISTRIBUTIONS)
    with TemporaryDirectory(prefix="lessonspace-benchmark-") as folder:
        text, targets = run_all(QUICK if options.quick else FULL, Path(folder))
    verdict = "Not judged: `--quick` is too short." if options.quick else targets_list(targets)
    result = f"# Rate limit\n\n{where}\n\n{text}\n\n## Targets of the gate\n\n{verdict}\n"
    publish(result, options.output)
    return int(not options.quick and not all(target.met for target in targets))


def run_all(size: Size, folder: Path) -> tuple[str, list[Target]]:
    """Run every comparison and scenario: their text, and the gate's targets."""
    with sandbox(folder / "sandbox", size.rate) as server:
        bench = Bench(size, folder, server)
        processes = {way: bench.run(title, bench.tasks(way)) for way, title in WAYS.items()}
        mixed = {way: bench.run(f"{title}, mixed", mixed_callers(bench, way)) for way, title in WAYS.items()}
        rows, targets = gate_alone(bench)
    text = "\n\n".join(
        [
            COMPARED.format(rate=size.rate, patience=PATIENCE),
            f"## {size.processes} processes, {size.calls} calls each, one key",
            comparison(processes, size.rate),
            f"## The same, and an event loop with {size.waiters} waiters of one call each",
            OF_THE_LOOP,
            comparison(mixed, size.rate),
            "## The gate alone",
            "Share: of the limit that holds on the server; where it falls, of the lower one from then on.",
            table(("what", "calls", "share", "429", "Jain", "fewest:most", "all served s", "done"), rows),
        ]
    )
    first = [
        *steady_targets("processes", processes["gate"], size.rate),
        *steady_targets("processes and an event loop", mixed["gate"], size.rate),
    ]
    return text, [*first, *targets]


def mixed_callers(bench: Bench, way: Way) -> list[Caller]:
    """Describe the usual processes, and an event loop on the same machine."""
    tasks = bench.tasks(way)
    return [*tasks, Caller("loop", way, tasks[0].place, bench.size.waiters, on_loop=True)]


def comparison(runs: Mapping[Way, Run], rate: float) -> str:
    """Write the table of the ways."""
    header = ("way", "share", "429", "Jain", "fewest:most", "all served s", "CPU s", "lag ms", "done")
    rows = []
    for way, run in runs.items():
        share, *figures, done = row(run, rate, run.arrivals)
        lag = max((finished.loop_lag for finished in run.finished.values()), default=0.0)
        cpu = sum(finished.cpu_seconds for finished in run.finished.values())
        rows.append([WAYS[way], share, *figures, f"{cpu:.1f}", f"{lag * 1000:.0f}" if lag else "-", done])
    return table(header, rows)


def row(run: Run, rate: float, for_share: Sequence[Arrival]) -> list[str]:
    """Write share, 429, Jain, fewest:most, all served, done."""
    return [
        f"{share_of(rate, for_share):.2f}",
        str(refused(run.arrivals)),
        f"{jain(run.served):.2f}",
        f"{min(run.served)}:{max(run.served)}",
        f"{all_served_after(run.arrivals, run.processes):.1f}",
        f"{len(run.finished)}/{len(run.callers)}",
    ]


def gate_alone(bench: Bench) -> tuple[list[list[str]], list[Target]]:
    """Run the scenarios of the gate alone: rows of the table, and targets."""
    rows: list[list[str]] = []
    targets: list[Target] = []
    for scenario in (falling_limit, limit_below_the_configured, two_keys, redis_for_two_machines, redis_stopped, kills):
        more_rows, more_targets = scenario(bench)
        rows += more_rows
        targets += more_targets
    return rows, targets


Scenario = tuple[list[list[str]], list[Target]]


def falling_limit(bench: Bench) -> Scenario:
    """Let the server's limit fall when half of the calls are done."""
    size, callers, fallen_at = bench.size, bench.lower_tasks(), [0.0]

    def fall() -> None:
        bench.wait_for_half(calls_of(callers))
        bench.server.control.set_rate(size.lower_rate)
        fallen_at[0] = time.monotonic()

    run = bench.run("falling limit", callers, during=fall)
    afterwards = [arrival for arrival in run.arrivals if arrival.at > fallen_at[0]]
    what = f"limit falls from {size.rate} to {size.lower_rate} at half"
    return lower_limit(what, run, size.lower_rate, afterwards)


def limit_below_the_configured(bench: Bench) -> Scenario:
    """Let the server's limit be lower than the connection's, from the beginning."""
    size = bench.size
    run = bench.run("lower limit", bench.lower_tasks(), rate=size.lower_rate)
    return lower_limit(f"limit of {size.lower_rate}, {size.rate} configured", run, size.lower_rate, run.arrivals)


def lower_limit(what: str, run: Run, rate: float, arrivals: Sequence[Arrival]) -> Scenario:
    """Write and judge a run whose limit was lower than configured."""
    share, calls = share_of(rate, arrivals), calls_of(run.callers)
    few = refused(run.arrivals) <= MOST_REFUSED_AT_A_LOWER_LIMIT
    targets = [
        Target(f"{what}: over {LEAST_SHARE_OF_A_LOWER_LIMIT:.0%} of it", share > LEAST_SHARE_OF_A_LOWER_LIMIT),
        Target(f"{what}: at most {MOST_REFUSED_AT_A_LOWER_LIMIT} responses of status 429 in {calls} calls", few),
        Target(f"{what}: every call made in the end", run.complete),
    ]
    return [[what, str(calls), *row(run, rate, arrivals)]], targets


def two_keys(bench: Bench) -> Scenario:
    """Use two keys from one machine at once; each has a sandbox of its own."""
    directory = bench.place()
    with sandbox(bench.folder / "second-sandbox", bench.size.rate, "--api-key", SECOND_KEY) as second_server:
        half = max(2, bench.size.processes // 2)
        second_place = replace(directory, base_url=second_server.base_url, api_key=second_server.api_key)
        first = bench.tasks("gate", directory, "first-key", processes=half)
        second = bench.tasks("gate", second_place, "second-key", processes=half)
        both = bench.run("two keys", [*first, *second])
        runs = [part(both, first, both.arrivals), part(both, second, arrivals_at(second_server))]
    rows, targets = [], []
    for what, run in zip(("two keys at once: one", "two keys at once: the other"), runs):
        rows.append([what, str(calls_of(run.callers)), *row(run, bench.size.rate, run.arrivals)])
        targets += steady_targets(what, run, bench.size.rate)
    return rows, targets


def part(run: Run, callers: Sequence[Caller], arrivals: list[Arrival]) -> Run:
    """Reduce a run to some of its callers."""
    names = {caller.name for caller in callers}
    return Run(callers, arrivals, {name: finished for name, finished in run.finished.items() if name in names})


def redis_for_two_machines(bench: Bench) -> Scenario:
    """Share one key through Redis between machines that share no directory."""
    with redis_server(bench.folder / "redis") as redis:
        run = bench.run("two machines", two_machines(bench, redis.url()))
    what = "two machines through Redis"
    figures = [[what, str(calls_of(run.callers)), *row(run, bench.size.rate, run.arrivals)]]
    return figures, steady_targets(what, run, bench.size.rate)


def redis_stopped(bench: Bench) -> Scenario:
    """Stop Redis when half of the calls are done: on one machine, and on two that then know nothing of each other."""
    rows, targets = [], []
    for what, make, judge in (
        ("one machine, Redis stopped at half", one_machine, steady_targets),
        ("two machines, Redis stopped at half", two_machines, completion_target),
    ):
        with redis_server(bench.folder / what.partition(",")[0].replace(" ", "-")) as redis:
            callers = make(bench, redis.url())

            def stop(callers: Sequence[Caller] = callers, redis: RunningRedis = redis) -> None:
                bench.wait_for_half(calls_of(callers))
                redis.process.stop()

            run = bench.run(what, callers, during=stop)
        rows.append([what, str(calls_of(callers)), *row(run, bench.size.rate, run.arrivals)])
        targets += judge(what, run, bench.size.rate)
    return rows, targets


def one_machine(bench: Bench, redis_url: str) -> list[Caller]:
    """Describe the usual processes, with Redis."""
    return bench.tasks("gate", bench.place(redis_url=redis_url))


def two_machines(bench: Bench, redis_url: str) -> list[Caller]:
    """Describe processes on two machines that share Redis and nothing else."""
    half = max(2, bench.size.processes // 2)
    return [
        caller
        for name in ("machine-1", "machine-2")
        for caller in bench.tasks("gate", bench.place(redis_url=redis_url), name, processes=half)
    ]


def kills(bench: Bench) -> Scenario:
    """Kill the process that holds the lock."""
    waited = seconds_until_next(bench.place().directory / "file_lock", bench.size.kills)
    figures = f"median {median(waited) * 1000:.1f} ms, most {max(waited) * 1000:.1f} ms until the next one has it"
    what = f"the lock's holder killed {len(waited)} times: {figures}"
    return [[what, *["-"] * 7]], [
        Target(f"{what}: under {LONGEST_AFTER_A_KILL * 1000:.0f} ms", max(waited) < LONGEST_AFTER_A_KILL)
    ]


def calls_of(callers: Sequence[Caller]) -> int:
    """Count the calls that callers are to make."""
    return sum(caller.calls for caller in callers)


def steady_targets(what: str, run: Run, rate: float) -> list[Target]:
    """Judge a run of the gate under an honest, steady limit."""
    first_calls = all_served_after(run.arrivals, run.processes)
    return [
        Target(f"{what}: at most {MOST_REFUSED} response of status 429", refused(run.arrivals) <= MOST_REFUSED),
        Target(f"{what}: over {LEAST_SHARE:.0%} of the rate", share_of(rate, run.arrivals) > LEAST_SHARE),
        Target(f"{what}: Jain's fairness over {LEAST_JAIN}", jain(run.served) > LEAST_JAIN),
        Target(f"{what}: every process served within {LATEST_FIRST_CALL:g} s", first_calls <= LATEST_FIRST_CALL),
        *completion_target(what, run, rate),
    ]


def completion_target(what: str, run: Run, _: float) -> list[Target]:
    """Judge a run of machines that know nothing of each other, and so use more than the limit together."""
    return [Target(f"{what}: every call made in the end", run.complete)]


if __name__ == "__main__":
    raise SystemExit(main())
