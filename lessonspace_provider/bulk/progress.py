# SPDX-License-Identifier: Apache-2.0
"""Log lines about a job: how far it is, and what became of its items."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping

from lessonspace_provider.bulk.items import STATUSES, Record, Status, count, described

#: Items of one status that are logged with their reasons; the account has them all.
MOST_LISTED = 500


def repeated(report: Callable[[], None], interval: float) -> Callable[[], None]:
    """
    Make a function that is called often report now and then.

    :param report: called in the same thread.
    :param interval: seconds between two reports, and before the first.
    """
    reported = time.monotonic()

    def tick() -> None:
        nonlocal reported
        if time.monotonic() - reported >= interval:
            reported = time.monotonic()
            report()

    return tick


def progress_line(counts: Mapping[Status, int], total: int, seconds: float) -> str:
    """
    Describe how far a job is.

    :param counts: the items that this run has finished, per status.
    :param total: how many there are in this run.
    :param seconds: since the first was begun.
    """
    finished = sum(counts.values())
    rate = finished / seconds if seconds > 0 else 0.0
    left = f"about {(total - finished) / rate:.0f} s left" if rate else "time left not known yet"
    return f"{finished} of {total} items finished: {_written(counts)}; {rate:.1f} a second, {left}"


def outcome_lines(records: Collection[Record]) -> Iterator[str]:
    """
    Describe what became of a job's items: a folded group for each status that occurred.

    Items that are done are counted only: the account lists them.
    """
    counts = count(records)
    for status in STATUSES:
        if not counts[status] or status == "done":
            continue
        yield f"::group::{status} ({counts[status]})"
        of_status = [record for record in records if record["status"] == status]
        yield from (described(record) for record in of_status[:MOST_LISTED])
        if len(of_status) > MOST_LISTED:
            yield f"... and {len(of_status) - MOST_LISTED} more, which the account lists"
        yield "::endgroup::"
    yield f"{len(records)} items: {_written(counts)}"


def _written(counts: Mapping[Status, int]) -> str:
    return ", ".join(f"{counts.get(status, 0)} {status}" for status in STATUSES)
