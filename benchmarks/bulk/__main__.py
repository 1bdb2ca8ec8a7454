# SPDX-License-Identifier: Apache-2.0
"""
A network's morning in one task: launches and updates, at a lifted limit and at the usual one, killed, and with faults.

Usage: python -m benchmarks.bulk [--quick] [--output benchmarks/bulk/results.md]

The sandboxes are this run's own, on loopback. Takes about seven minutes, ``--quick`` two. Linux only.
Exit status: 1 if a target was missed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from http import HTTPStatus
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.bulk.job import Cost
from benchmarks.classes import runs as mapped_runs
from benchmarks.shared.measures import Arrival, refused, share_of
from benchmarks.shared.report import Target, machine, options_of, publish, table, targets_list, wrapped
from benchmarks.shared.servers import NO_SESSIONS, RunningSandbox, lessonspace_connection, sandbox
from lessonspace_provider.sandbox.messages import NewSession
from scripts.processes import CHECKOUT
from scripts.progress import Progress

DISTRIBUTIONS = ("airflow-provider-lessonspace", "apache-airflow", "requests")

RATE, THREADS, PEOPLE = 5, 8, 4

#: What an item may cost of CPU in milliseconds, a job of memory above idle in bytes, and a job's first link in seconds.
MOST_CPU, MOST_BYTES, LATEST_FIRST = 15.0, 60_000_000, 3.0

#: Of the rate, this share is to be used.
LEAST_SHARE = 0.95

MEGABYTE = 1_000_000
LONGEST_START = 120.0

EXPLAINED = """\
Each row is one task in a process of its own: the operator with a file of JSON Lines, {threads} threads and an account
on a local disk. A lesson has {people} people. At a lifted limit the sandbox accepts any number of calls; at {rate} a
second it answers 429 to more. CPU is that of the task's process, without the sandbox's. Memory is above the idle
process, which had imported all that is needed. Killed: with SIGKILL while it launches, {kills} times, then run to its
end; the figures are those of the last process, and a link counts as repeated when a person got it twice. Faulty: a
fifth of all answers are a 503, a reset connection or a 429. Retries are runs of the task after the first, as Airflow
makes them: they do what failed."""

MAPPED = """\
For comparison, a run of a DAG with a mapped task for each link, as in `benchmarks/classes`: {links} links in
{seconds:.0f} s at {rate} a second, {share:.2f} of the rate, {cpu:.0f} ms of CPU a link. This counts the CPU of all
processes of the machine, those of Airflow, PostgreSQL and the sandbox included."""


@dataclass(frozen=True)
class Size:
    """How much work there is."""

    lifted: int
    limited: int
    killed: int
    kills: int
    faulty: int


FULL, QUICK = Size(10_000, 600, 2_000, 20, 2_000), Size(1_000, 60, 200, 3, 200)


@dataclass(frozen=True)
class Row:
    """
    What a job took.

    :param what: names it.
    :param items: how many it had.
    :param delivered: how often each person got a link; for updates, how often each session was sent.
    :param done: items that are done in the account.
    :param calls: to the API.
    :param cost: of its last process.
    """

    what: str
    items: int
    delivered: Counter[str]
    done: int
    calls: list[Arrival]
    cost: Cost

    @property
    def repeated(self) -> int:
        """Links beyond the first of a person."""
        return sum(self.delivered.values()) - len(self.delivered)

    @property
    def cpu(self) -> float:
        """Milliseconds of CPU for an item."""
        return 1000 * self.cost.cpu / self.items


class Job:
    """The files of a job, and its processes."""

    def __init__(self, folder: Path, server: RunningSandbox, rate: float, kind: str) -> None:
        folder.mkdir(parents=True)
        self._folder = folder
        self._kind = kind
        self._rows = folder / "items.jsonl"
        self._delivered = folder / "delivered"
        (folder / "airflow").mkdir()
        self._environment = {
            **os.environ,
            "AIRFLOW_HOME": str(folder / "airflow"),
            "AIRFLOW_CONN_LESSONSPACE_DEFAULT": lessonspace_connection(server, rate),
        }

    def write(self, rows: list[dict[str, object]]) -> None:
        """Write the input."""
        self._rows.write_text("".join(json.dumps(row) + "\n" for row in rows))

    def start(self) -> subprocess.Popen[str]:
        """Start the task."""
        account = f"file://{self._folder}/account"
        files = [str(self._rows), account, str(self._delivered)]
        command = [sys.executable, "-m", "benchmarks.bulk.job", self._kind, *files, str(THREADS)]
        return subprocess.Popen(command, env=self._environment, cwd=CHECKOUT, stdout=subprocess.PIPE, text=True)

    def finish(self) -> Cost:
        """Run the task to its end."""
        output, _ = self.start().communicate()
        return Cost(**json.loads(output.splitlines()[-1]))

    def kill_after(self, deliveries: int) -> None:
        """Run the task, and kill it when so many links are delivered."""
        process = self.start()
        deadline = time.monotonic() + LONGEST_START
        while sum(self.delivered().values()) < deliveries:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("the task ended before it could be killed")
            time.sleep(0.005)
        process.kill()
        process.communicate()

    def delivered(self) -> Counter[str]:
        """Count how often each person got a link."""
        return Counter(self._delivered.read_text().splitlines()) if self._delivered.exists() else Counter()

    def done(self) -> int:
        """Count the items that are done."""
        _, *records = (self._folder / "account" / "account.jsonl").read_text().splitlines()
        return Counter(json.loads(record)["status"] for record in records)["done"]


def launches(number: int) -> list[dict[str, object]]:
    """Make the input of launches."""
    return [
        {
            "launch_id": f"lesson-{index // PEOPLE}",
            "name": f"Lesson {index // PEOPLE}",
            "transcribe": True,
            "user": {
                "id": f"person-{index}",
                "name": f"Person {index}",
                "email": f"person-{index}@school.example",
                "role": "student" if index % PEOPLE else "teacher",
            },
        }
        for index in range(number)
    ]


@contextmanager
def launching(folder: Path, number: int, rate: int) -> Iterator[tuple[Job, RunningSandbox]]:
    """Prepare launches against a sandbox."""
    with sandbox(folder / "sandbox", rate, *NO_SESSIONS) as server:
        job = Job(folder / "job", server, rate, "launches")
        job.write(launches(number))
        yield job, server


def measure_launches(
    what: str, folder: Path, number: int, rate: int, before: Callable[[Job, RunningSandbox], None] | None = None
) -> Row:
    """
    Launch, after something was done to the job or its sandbox.

    :param rate: that the sandbox accepts; 0 for any.
    """
    with launching(folder, number, rate) as (job, server):
        if before:
            before(job, server)
        cost = job.finish()
        return Row(what, number, job.delivered(), job.done(), calls_of(server), cost)


def measure_updates(what: str, folder: Path, number: int) -> Row:
    """Rename sessions."""
    end = datetime.now(timezone.utc) - timedelta(days=1)
    session = NewSession(end - timedelta(hours=1), end)
    with sandbox(folder / "sandbox", 0, *NO_SESSIONS) as server:
        ids = [added for _ in range(number // 200) for added in server.control.add_sessions([session] * 200)]
        job = Job(folder / "job", server, 0, "updates")
        job.write([{"session_id": session_id, "name": "Geometry"} for session_id in ids])
        cost = job.finish()
        calls = [call for call in server.control.calls() if call.method == "PATCH"]
        sent = Counter(call.path for call in calls)
        return Row(what, len(ids), sent, job.done(), calls_of(server), cost)


def calls_of(server: RunningSandbox) -> list[Arrival]:
    """Give the calls to the API."""
    return [
        Arrival("task", call.arrived, accepted=call.status != HTTPStatus.TOO_MANY_REQUESTS)
        for call in server.control.calls()
        if call.target == "api"
    ]


def with_faults(_: Job, server: RunningSandbox) -> None:
    """Let a fifth of all answers be faulty."""
    server.control.inject_fault("status", status=503, path="/spaces/launch/", probability=0.08)
    server.control.inject_fault("reset", path="/spaces/launch/", probability=0.08, seed=2)
    server.control.inject_fault("status", status=429, retry_after="0", path="/spaces/launch/", probability=0.06, seed=3)


def killed(kills: int, number: int) -> Callable[[Job, RunningSandbox], None]:
    """Kill the task so many times, at even distances."""

    def kill(job: Job, server: RunningSandbox) -> None:
        # Answers that come slowly enough for a kill between them.
        server.control.inject_fault("slow", seconds=0.05, path="/spaces/launch/")
        for kill in range(1, kills + 1):
            job.kill_after(kill * number // (kills + 2))

    return kill


def measure(folder: Path, size: Size) -> dict[str, Row]:
    """Do all jobs."""
    return {
        "lifted": measure_launches("launches, limit lifted", folder / "lifted", size.lifted, 0),
        "updates": measure_updates("updates, limit lifted", folder / "updates", size.lifted),
        "limited": measure_launches(f"launches at {RATE} a second", folder / "limited", size.limited, RATE),
        "killed": measure_launches(
            f"launches, killed {size.kills} times", folder / "killed", size.killed, 0, killed(size.kills, size.killed)
        ),
        "faulty": measure_launches("launches, a fifth faulty", folder / "faulty", size.faulty, 0, with_faults),
    }


def figures(rows: dict[str, Row]) -> str:
    """Write the table."""
    header = (
        "job",
        "items",
        "done",
        "calls",
        "429",
        "s",
        "first link, s",
        "CPU ms an item",
        "MB above idle",
        "repeated",
        "retries",
    )
    return table(
        header,
        [
            (
                row.what,
                str(row.items),
                str(row.done),
                str(len(row.calls)),
                str(refused(row.calls)),
                f"{row.cost.seconds:.0f}",
                "" if row.cost.first is None else f"{row.cost.first:.1f}",
                f"{row.cpu:.1f}" if name != "killed" else "",
                f"{(row.cost.peak - row.cost.idle) / MEGABYTE:.0f}",
                str(row.repeated),
                str(row.cost.retries),
            )
            for name, row in rows.items()
        ],
    )


def beside(mapped: mapped_runs.Outcome) -> str:
    """Write what the form with mapped tasks took."""
    share = share_of(RATE, mapped.calls)
    return wrapped(
        MAPPED.format(links=mapped.links, seconds=mapped.call_seconds, rate=RATE, share=share, cpu=mapped.cpu_per_link)
    )


def judged(rows: dict[str, Row], size: Size) -> list[Target]:
    """Judge the figures."""
    plain = [rows[name] for name in ("lifted", "updates", "limited")]
    share = share_of(RATE, rows["limited"].calls)
    most_repeated = size.kills * THREADS
    return [
        Target("every item of every job done", all(row.done == row.items for row in rows.values())),
        Target("every person has a link", all(len(row.delivered) == row.items for row in rows.values())),
        Target("as many calls as items", all(len(row.calls) == row.items for row in plain)),
        Target("nothing repeated without a kill", all(row.repeated == 0 for n, row in rows.items() if n != "killed")),
        Target(f"at most {most_repeated} links repeated", rows["killed"].repeated <= most_repeated),
        Target(f"{share:.3f} of the rate used, at least {LEAST_SHARE}", share >= LEAST_SHARE),
        Target("no 429 at the limit", refused(rows["limited"].calls) == 0),
        Target(f"at most {MOST_CPU:.0f} ms of CPU an item", all(row.cpu <= MOST_CPU for row in plain)),
        Target(
            f"at most {MOST_BYTES / MEGABYTE:.0f} MB above idle",
            all(row.cost.peak - row.cost.idle <= MOST_BYTES for row in rows.values()),
        ),
        Target(
            f"the first link within {LATEST_FIRST:.0f} s",
            all((rows[name].cost.first or 0) <= LATEST_FIRST for name in ("lifted", "limited")),
        ),
    ]


def main() -> int:
    """Run it, print the result, and write it if asked to."""
    options = options_of("bulk", quick="few items")
    size = QUICK if options.quick else FULL
    where = machine(DISTRIBUTIONS)
    with TemporaryDirectory(prefix="lessonspace-benchmark-") as folder:
        rows = measure(Path(folder), size)
        lessons = mapped_runs.QUICK if options.quick else mapped_runs.FULL
        mapped = mapped_runs.run(lessons, RATE, Path(folder) / "mapped", Progress())
    targets = judged(rows, size)
    explained = wrapped(EXPLAINED.format(threads=THREADS, people=PEOPLE, rate=RATE, kills=size.kills))
    parts = ["# Many items in one task", where, explained, figures(rows), beside(mapped)]
    parts += ["## Targets", targets_list(targets)]
    publish("\n\n".join(parts) + "\n", options.output)
    return int(not all(target.met for target in targets))


if __name__ == "__main__":
    raise SystemExit(main())
