# SPDX-License-Identifier: Apache-2.0
"""What is reported of a job: how far it is, what became of its items, and the error of a run that left some."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

from lessonspace_provider.api.foreign_words import clean_message, clean_words
from lessonspace_provider.bulk.items import STATUSES, Record, Status, count

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
    :param seconds: since the first was started.
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
        yield from (_outcome_line(record) for record in of_status[:MOST_LISTED])
        if len(of_status) > MOST_LISTED:
            yield f"... and {len(of_status) - MOST_LISTED} more, which the account lists"
        yield "::endgroup::"
    yield f"{len(records)} items: {_written(counts)}"


def _written(counts: Mapping[Status, int]) -> str:
    return ", ".join(f"{counts.get(status, 0)} {status}" for status in STATUSES)


def not_done(what: str, records: Sequence[Record], path: str | None, stopped_because: str | None) -> str | None:
    """
    Describe a run that did not do all of its items, for the task's error.

    :param what: the items' kind in the plural.
    :param path: of the account; None for none.
    :param stopped_because: why the run ended early; None when it did not.
    :return: None when all are done.
    """
    left = [record for record in records if record["status"] != "done"]
    if not left:
        return None
    counts = {status: number for status, number in count(records).items() if number}
    first = "; ".join(
        f"{clean_words(record['item'])} ({record['place']}, {record['status']}): "
        f"{clean_message(record['reason']).rstrip('.')}"
        for record in [record for record in left if record["reason"]][:3]
    )
    stopped = f" It stopped early: {stopped_because}." if stopped_because else ""
    account = f" The account {path} lists all." if path else ""
    return (
        f"{len(left)} of {len(records)} {what} are not done ({', '.join(f'{n} {s}' for s, n in counts.items())})."
        f"{stopped}{f' First: {first}.' if first else ''}{account} Correct refused items in the input, then run the "
        f"task again: it does only what is not done."
    )


def _outcome_line(record: Record) -> str:
    # They may have come from an account's file, which others may have written since.
    reason = f": {clean_message(record['reason'])}" if record["reason"] else ""
    return f"{clean_words(record['item'])} ({clean_words(record['place'])}){reason}"
