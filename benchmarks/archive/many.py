# SPDX-License-Identifier: Apache-2.0
"""
A window of a thousand sessions, archived in one process: what it costs of calls, time and memory. Linux only.

Usage: python -m benchmarks.archive.many [--quick] [--output benchmarks/archive/results_many.md]

The sandbox is this run's own, on loopback. Takes about four minutes, ``--quick`` half a minute.
Exit status: 1 if a target was missed.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from http import HTTPStatus
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.archive.memory import archive_alone
from benchmarks.archive.runs import MINUTE, PAGE_SIZE, RATE
from benchmarks.shared.measures import Arrival, refused, share_of
from benchmarks.shared.report import Target, machine, options_of, publish, table, targets_list
from benchmarks.shared.servers import NO_SESSIONS, sandbox
from lessonspace_provider.sandbox.messages import NewSession

DISTRIBUTIONS = ("airflow-provider-lessonspace", "apache-airflow", "requests")

MANY, FEW = 1000, 50

#: What the window may cost: calls beside one per transcript and page, the least share of the rate that is used, and
#: memory above an idle process.
MORE_CALLS, LEAST_SHARE, MOST_BYTES = 2, 0.93, 150_000_000

MEGABYTE = 1_000_000

EXPLAINED = """\
One process that runs the archive operator on one window, JSON and text; one session of ten has one person only. Share:
of the rate of {rate} calls per second, between the first call and the last. The process was idle after it had archived
an empty window, for which all that is needed was imported."""

#: One of so many sessions has one person only, and so no transcript.
ONE_ALONE_OF = 10


@dataclass(frozen=True)
class Night:
    """
    What it took to archive a window.

    :param sessions: that ended in it.
    :param eligible: those of them that can have a transcript.
    :param counts: their statuses in the manifest.
    :param accounted: how many of them the manifest names.
    :param calls: to the API, as the sandbox saw them.
    :param downloads: calls to the store.
    :param idle: resident memory of the process before, in bytes.
    :param peak: the most of it meanwhile.
    """

    sessions: int
    eligible: int
    counts: Mapping[str, int]
    accounted: int
    calls: list[Arrival]
    downloads: int
    idle: int
    peak: int

    @property
    def pages(self) -> int:
        """Of the list that is read."""
        return math.ceil(self.sessions / PAGE_SIZE)

    @property
    def share(self) -> float:
        """Of the rate that was used."""
        return share_of(RATE, self.calls)

    @property
    def refused(self) -> int:
        """Responses of status 429."""
        return refused(self.calls)

    @property
    def above_idle(self) -> int:
        """What the work took of memory, in bytes."""
        return self.peak - self.idle


def measure_many(folder: Path, sessions: int) -> Night:
    """
    Archive a window with very many sessions.

    :param folder: for all files.
    :param sessions: how many; some have one person only.
    """
    alone = sessions // ONE_ALONE_OF
    end = datetime.now(timezone.utc) - timedelta(hours=3)
    archive = folder / "archive"
    with sandbox(folder, RATE, *NO_SESSIONS) as server:
        added = server.control.add_sessions(
            [a_session(end, second, alone=second < alone) for second in range(sessions)]
        )
        idle, peak = archive_alone(server, folder, archive, (end - timedelta(hours=2), end + MINUTE), "json,txt")
        calls = server.control.calls()
    accounts = [json.loads(path.read_bytes()) for path in (archive / "manifests").iterdir()]
    status = {entry["session_id"]: entry["status"] for account in accounts for entry in account["sessions"]}
    return Night(
        sessions=sessions,
        eligible=sessions - alone,
        counts=Counter(status.values()),
        accounted=len(status.keys() & set(added)),
        calls=[
            Arrival("archive", call.arrived, accepted=call.status != HTTPStatus.TOO_MANY_REQUESTS)
            for call in calls
            if call.target == "api"
        ],
        downloads=sum(call.target == "store" for call in calls),
        idle=idle,
        peak=peak,
    )


def a_session(end: datetime, seconds: int, *, alone: bool) -> NewSession:
    """Make a session of 40 minutes that ended so many seconds before ``end``, with a transcript unless alone."""
    ended = end - timedelta(seconds=seconds)
    began = ended - 40 * MINUTE
    if alone:
        return NewSession(began, ended, users=["Ada Teacher"])
    return NewSession(began, ended, transcript="ready")


def figures(many: Night) -> str:
    """Write the table."""
    counted = ", ".join(f"{number} {status}" for status, number in sorted(many.counts.items()))
    rows = [
        ("sessions in the window, pages of the list", f"{many.sessions}, {many.pages}"),
        ("of these in the manifest", str(many.accounted)),
        ("what became of them", counted),
        ("calls to the API", f"{len(many.calls)}: one for each of {many.eligible} transcripts, and the pages"),
        ("downloads from the store", str(many.downloads)),
        ("429 responses", str(many.refused)),
        ("share of the rate", f"{many.share:.3f}"),
        ("memory of the idle process, at the peak, above idle", in_megabytes(many.idle, many.peak, many.above_idle)),
    ]
    return table(("what", "figure"), rows)


def in_megabytes(*sizes: int) -> str:
    """Write sizes in bytes."""
    return ", ".join(f"{size / MEGABYTE:.0f} MB" for size in sizes)


def judged(many: Night) -> list[Target]:
    """Judge what it cost."""
    most_calls = many.eligible + many.pages + MORE_CALLS
    return [
        Target("every session in the manifest", many.accounted == many.sessions),
        Target("every transcript archived", many.counts["archived"] == many.eligible),
        Target(f"at most {most_calls} calls", len(many.calls) <= most_calls),
        Target("no 429 response", many.refused == 0),
        Target(f"over {LEAST_SHARE:.0%} of the rate", many.share > LEAST_SHARE),
        Target(f"under {in_megabytes(MOST_BYTES)} above idle", many.above_idle < MOST_BYTES),
    ]


def main() -> int:
    """Run it, print the result, and write it if asked to."""
    options = options_of("archive_many", quick="a few sessions")
    where = machine(DISTRIBUTIONS)
    with TemporaryDirectory(prefix="lessonspace-benchmark-") as folder:
        many = measure_many(Path(folder), FEW if options.quick else MANY)
    targets = judged(many)
    parts = ["# Many sessions", where, EXPLAINED.format(rate=RATE), figures(many), "## Targets", targets_list(targets)]
    result = "\n\n".join(parts) + "\n"
    publish(result, options.output)
    return int(not all(target.met for target in targets))


if __name__ == "__main__":
    raise SystemExit(main())
