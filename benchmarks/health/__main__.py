# SPDX-License-Identifier: Apache-2.0
"""
An archive of 90 nights with 200 sessions each: what its health costs a run, and what its page costs a request.

Usage: python -m benchmarks.health [--quick] [--output benchmarks/health/results.md]

The S3 API is moto's, on loopback. Takes half a minute. Exit status: 1 if a target was missed.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from tempfile import TemporaryDirectory

from airflow.sdk import ObjectStoragePath

from benchmarks.health.other_pages import measured_apart
from benchmarks.shared.report import Target, machine, options_of, publish, table, targets_list, wrapped
from benchmarks.shared.servers import s3_bucket
from lessonspace_provider.api.times import write_time
from lessonspace_provider.archive.entry import Entry, by_session
from lessonspace_provider.archive.health.page import health_page
from lessonspace_provider.archive.health.store import HEALTH, read_health, update_health
from lessonspace_provider.archive.manifest import Manifest
from lessonspace_provider.archive.windows import Window
from lessonspace_provider.output.files import write_whole
from lessonspace_provider.waiting.transcripts import TranscriptStatus

DISTRIBUTIONS = ("airflow-provider-lessonspace", "apache-airflow", "s3fs", "moto")

#: Requests per second of an API key: the least time that a night's archive takes is a call per session.
RATE = 5

#: What the page may take from each store, in seconds; the share of an archive's time that the update may take; and how
#: large the file of a year may be.
MOST_SECONDS = {"disk": 0.3, "S3": 1.0}
MOST_SHARE, MOST_BYTES = 0.02, 200_000

#: How much longer another page of Airflow's may take with the plugin, which is what two equal series differ by.
MOST_RATIO = 1.1

#: How often the nightly update and the page are measured; the medians count.
NIGHTLY, PAGES = 7, 11

FIRST, DAY = datetime(2026, 1, 1, 2, tzinfo=timezone.utc), timedelta(days=1)

EXPLAINED = """\
A night has 75 % archived sessions, the last ones also pending. First update: all manifests are read. Nightly update:
after one manifest was written. Page: reading health.json and making HTML of it, without the cache of a minute. Both are
medians. The share is of the least time that archiving a night takes, one call per session at {rate} calls per
second. A file of a year is that of 365 such nights. Airflow's other pages are requested from its application in one
process, with the provider's plugin and without it in turn; medians, without a network."""


@dataclass(frozen=True)
class Cost:
    """
    What one store took, in seconds.

    :param first: the first update.
    :param nightly: an update after one manifest was written.
    :param page: a page.
    """

    first: float
    nightly: float
    page: float


def manifest_of(night: int, sessions: int, *, is_last: bool) -> bytes:
    """Make the manifest of a night."""
    window = Window(FIRST + night * DAY, FIRST + (night + 1) * DAY)
    end = write_time(window.start + timedelta(hours=9))

    def entry(number: int) -> Entry:
        session_id = f"00000000-0000-4000-8000-{night:06d}{number:06d}"
        status: TranscriptStatus = "archived" if number % 4 else ("pending" if is_last else "not_eligible")
        reason = {"pending": "no transcript yet", "not_eligible": "one person only: a transcript needs more than one"}
        return Entry(
            session_id,
            name=f"Lesson {number}",
            end_time=end,
            roles={"1": "teacher", "2": "student"},
            path=f"2026/{session_id}",
            status=status,
            reason=reason.get(status),
        )

    manifest = Manifest(window, by_session(map(entry, range(sessions))))
    return manifest.to_json()


def name_of(night: int) -> str:
    """Name the manifest of a night."""
    return Manifest(Window(FIRST + night * DAY, FIRST + (night + 1) * DAY)).name


def fill(folder: ObjectStoragePath, nights: int, sessions: int) -> None:
    """Write the manifests of an archive."""
    for night in range(nights):
        data = manifest_of(night, sessions, is_last=night >= nights - 2)
        write_whole(folder / "manifests" / name_of(night), data)


def seconds_of(function: Callable[[], object], times: int = 1) -> float:
    """Measure a function, the median of some calls."""
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        function()
        taken.append(time.perf_counter() - began)
    return statistics.median(taken)


def cost_of(folder: ObjectStoragePath, nights: int, sessions: int) -> Cost:
    """Measure an archive's health in one store."""
    fill(folder, nights, sessions)
    first = seconds_of(lambda: update_health(folder))
    nightly = statistics.median(
        _nightly(folder, nights, sessions, is_last=bool(number % 2)) for number in range(NIGHTLY)
    )
    page = seconds_of(lambda: health_page(read_health(folder), place=str(folder)), PAGES)
    return Cost(first, nightly, page)


def _nightly(folder: ObjectStoragePath, nights: int, sessions: int, *, is_last: bool) -> float:
    """Measure an update after the last night's manifest was written."""
    write_whole(folder / "manifests" / name_of(nights - 1), manifest_of(nights - 1, sessions, is_last=is_last))
    return seconds_of(lambda: update_health(folder))


def year_size(folder: ObjectStoragePath, sessions: int) -> int:
    """Measure the file of a year."""
    fill(folder, 365, sessions)
    update_health(folder)
    return len((folder / HEALTH).read_bytes())


def result_of(
    costs: dict[str, Cost], size: int, pages: dict[str, tuple[float, float]], nights: int, sessions: int, where: str
) -> tuple[str, bool]:
    """
    Write the result, and whether all targets were met.

    :param where: the machine, described before the run.
    """
    least = sessions / RATE
    rows = [
        [
            name,
            *(f"{1000 * value:.0f} ms" for value in (cost.first, cost.nightly, cost.page)),
            f"{cost.nightly / least:.2%}",
        ]
        for name, cost in costs.items()
    ]
    targets = [
        *(
            Target(f"a page from {name} in under {MOST_SECONDS[name]:g} s", cost.page < MOST_SECONDS[name])
            for name, cost in costs.items()
        ),
        *(
            Target(
                f"a nightly update on {name} under {MOST_SHARE:.0%} of an archive's time",
                cost.nightly / least < MOST_SHARE,
            )
            for name, cost in costs.items()
        ),
        Target(f"health.json under {MOST_BYTES // 1000} kB for a year: {size / 1000:.0f} kB", size < MOST_BYTES),
        *(
            Target(f"Airflow's {page} in at most {MOST_RATIO:g} times its time without the plugin", ratio <= MOST_RATIO)
            for page, ratio in ((page, having / lacking) for page, (having, lacking) in pages.items())
        ),
    ]
    header = ["store", "first update", "nightly update", "page", "nightly update's share"]
    parts = [
        "# Health of an archive",
        wrapped(EXPLAINED.format(rate=RATE).replace("\n", " ")),
        f"{nights} nights with {sessions} sessions each:",
        table(header, rows),
        table(
            ["page of Airflow", "with the plugin", "without"],
            [[page, *(f"{value:.2f} ms" for value in both)] for page, both in pages.items()],
        ),
        targets_list(targets),
        wrapped(where),
    ]
    return "\n\n".join(parts) + "\n", all(target.met for target in targets)


def main() -> int:
    """Measure, and publish the result."""
    options = options_of("health", "9 nights with 20 sessions each")
    nights, sessions = (9, 20) if options.quick else (90, 200)
    where = machine(DISTRIBUTIONS)
    with TemporaryDirectory() as folder, s3_bucket() as bucket:
        places = {
            "disk": ObjectStoragePath(f"file://{Path(folder)}/archive"),
            "S3": ObjectStoragePath(f"{bucket}/archive"),
        }
        costs = {name: cost_of(place, nights, sessions) for name, place in places.items()}
        size = year_size(ObjectStoragePath(f"file://{Path(folder)}/year"), sessions)
        pages = measured_apart(Path(folder) / "airflow")
    result, all_met = result_of(costs, size, pages, nights, sessions, where)
    publish(result, options.output)
    return 0 if all_met else 1


if __name__ == "__main__":
    sys.exit(main())
