# SPDX-License-Identifier: Apache-2.0
"""Runs a job: attempts each item that is not done, and records what became of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext
from datetime import datetime, timezone
from threading import Lock, RLock
from typing import TYPE_CHECKING, Generic, TypeVar

from lessonspace_provider.api.log import TaskLog
from lessonspace_provider.api.times import write_time
from lessonspace_provider.bulk.items import Item, Record, Refusal, Status, reason_of
from lessonspace_provider.bulk.progress import outcome_lines, progress_line, repeated
from lessonspace_provider.bulk.threads import WORKERS, WorkerThreads
from lessonspace_provider.exceptions import (
    PASSING_ERRORS,
    LessonspaceAccountError,
    LessonspaceAuthError,
    LessonspaceError,
    LessonspaceInputError,
)
from lessonspace_provider.output.delivery import log_frames

if TYPE_CHECKING:
    from lessonspace_provider.bulk.account import Account, Unrecorded

Task = TypeVar("Task")
Made = TypeVar("Made")

#: How an item ended: a remark for its record, None, or what failed it.
Outcome = str | BaseException | None

#: Seconds between two lines of progress.
PROGRESS_INTERVAL = 10.0

#: Items in a row that get no good answer, per thread, after which a run stops: the API is out of reach.
OUTAGE = 3


class JobRun(Generic[Task, Made]):
    """
    One run of a job.

    :param account: where what became of each item is recorded.
    :param attempt: does what an item asks for. What it raises is the item's failure, and a ``LessonspaceInputError``
        its refusal.
    :param complete: completes attempted items together, and returns the outcome of each; called only while the account
        can be written. None: an item is done when it was attempted, and a text from ``attempt`` is its remark.
    :param batch_size: items that are completed together; more than one in one thread at a time.
    :param log: for progress, and for what became of the items.
    :param is_killed: whether the task was asked to end.
    :param workers: threads.
    :param with_names: whether records have people's names.
    :param now: the present, aware.
    """

    def __init__(
        self,
        account: Account | Unrecorded,
        attempt: Callable[[Item[Task]], Made],
        *,
        complete: Callable[[Sequence[tuple[Item[Task], Made]]], Sequence[Outcome]] | None = None,
        batch_size: int = 1,
        log: TaskLog,
        is_killed: Callable[[], bool] = lambda: False,
        workers: int = WORKERS,
        with_names: bool = False,
        now: Callable[[], datetime] = lambda: datetime.now(timezone.utc),
    ) -> None:
        self._account = account
        self._attempt = attempt
        self._complete = complete
        self._batch_size = batch_size
        self._log = log
        self._is_killed = is_killed
        self._workers = workers
        self._with_names = with_names
        self._now = now
        self._threads = WorkerThreads(self._work, workers=workers)
        self._gathered: list[tuple[Item[Task], Made]] = []
        self._gathering = RLock()
        self._completing = Lock() if batch_size > 1 else nullcontext()
        self._finished: list[Status] = []
        self._failures_in_a_row = 0
        self._stopped_because: str | None = None

    def run(self, items: Sequence[Item[Task]], refusals: Sequence[Refusal[Task]]) -> list[Record]:
        """
        Attempt all items that are not done.

        All items are in the account before the first is attempted, so that one of a killed run is not lost.

        :param items: in the order in which to begin them.
        :param refusals: items that are not attempted.
        :return: the record of each item and refusal.
        :raises LessonspaceAccountError: when the account can't be written.
        """
        todo = [item for item in items if not self._is_done(item)]
        self._begin(items, refusals)
        self._log.info(
            "%d items: %d are done already, %d refused",
            len(items) + len(refusals),
            len(items) - len(todo),
            len(refusals),
        )
        self._work_on(todo)
        if self._stopped_because:
            self._log.error("Stopped before the end: %s", self._stopped_because)
        records = [self._record_of(item) for item in (*items, *(refusal.item for refusal in refusals))]
        for line in outcome_lines(records):
            self._log.info("%s", line)
        return records

    @property
    def stopped_because(self) -> str | None:
        """Why the run ended before its items did; None when it did not."""
        return self._stopped_because

    def _begin(self, items: Iterable[Item[Task]], refusals: Iterable[Refusal[Task]]) -> None:
        new = [self._new_record(item, "not_attempted") for item in items if self._account.record_of(item.key) is None]
        refused = [
            self._new_record(refusal.item, "refused", refusal.reason)
            for refusal in refusals
            if not self._is_done(refusal.item)  # or it would be done again once it is not refused any more
        ]
        present = {item.key for item in items} | {refusal.item.key for refusal in refusals}
        withdrawn: list[Record] = [
            {**record, "status": "withdrawn", "time": self._time()}
            for record in self._account.records()
            if record["key"] not in present and record["status"] not in ("done", "withdrawn")
        ]
        self._account.write([*new, *refused, *withdrawn])

    def _work_on(self, todo: list[Item[Task]]) -> None:
        began = time.monotonic()

        def log_progress() -> None:
            counts: dict[Status, int] = {status: self._finished.count(status) for status in set(self._finished)}
            self._log.info("%s", progress_line(counts, len(todo), time.monotonic() - began))

        self._threads.run(todo, tick=repeated(log_progress, PROGRESS_INTERVAL), is_killed=self._asked_to_end)
        if rest := self._take_gathered():
            self._complete_batch(rest)

    def _asked_to_end(self) -> bool:
        if self._is_killed():
            self._stopped_because = self._stopped_because or "the task was asked to end"
        return self._is_killed()

    def _work(self, item: Item[Task]) -> None:
        self._account.check_open()
        try:
            made = self._attempt(item)
        except (Exception, SystemExit) as error:
            self._record([(item, error)])
            return
        with self._gathering:
            self._gathered.append((item, made))
            is_full = len(self._gathered) >= self._batch_size
            batch = self._take_gathered() if is_full else []
        if batch:
            self._complete_batch(batch)

    def _take_gathered(self) -> list[tuple[Item[Task], Made]]:
        """Take the items that are attempted and not completed; after a kill, a thread may still add one."""
        with self._gathering:
            taken, self._gathered = self._gathered, []
        return taken

    def _complete_batch(self, batch: Sequence[tuple[Item[Task], Made]]) -> None:
        with self._completing:
            self._record([(item, outcome) for (item, _), outcome in zip(batch, self._outcomes(batch))])

    def _outcomes(self, batch: Sequence[tuple[Item[Task], Made]]) -> Sequence[Outcome]:
        if self._complete is None:
            return [made if isinstance(made, str) else None for _, made in batch]
        if self._batch_size > 1 and self._is_killed():
            return [LessonspaceError("It was sent, and the task was asked to end before its batch.")] * len(batch)
        self._account.check_open()
        return self._complete(batch)

    def _record(self, ended: Sequence[tuple[Item[Task], Outcome]]) -> None:
        records = [self._ended_record(item, outcome) for item, outcome in ended]
        try:
            self._account.write(records)
        except Exception as failure:
            (item, _), more = ended[0], f" and {len(ended) - 1} more" if len(ended) > 1 else ""
            raise LessonspaceAccountError(
                f"{item.label} ({item.place}){more} is {records[0]['status']}, and that could not be recorded: "
                f"{reason_of(failure)} A run after this one does it again."
            ) from None
        self._finished += [record["status"] for record in records]
        for _, outcome in ended:
            self._heed(outcome)

    def _ended_record(self, item: Item[Task], outcome: Outcome) -> Record:
        tries = self._record_of(item)["tries"] + 1
        if not isinstance(outcome, BaseException):
            return {**self._new_record(item, "done", outcome), "tries": tries}
        if not isinstance(outcome, LessonspaceError):
            log_frames(self._log, f"{item.label} ({item.place})", outcome)
        status: Status = "refused" if isinstance(outcome, LessonspaceInputError) else "failed"
        return {**self._new_record(item, status, reason_of(outcome, item.private)), "tries": tries}

    def _heed(self, outcome: Outcome) -> None:
        """Stop when no item can succeed any more: the API key is refused, or the API is out of reach."""
        self._failures_in_a_row = self._failures_in_a_row + 1 if isinstance(outcome, PASSING_ERRORS) else 0
        if isinstance(outcome, LessonspaceAuthError) and outcome.status == 401:
            self._stop("the API key was refused (401): correct the connection, then run the task again")
        elif self._failures_in_a_row >= OUTAGE * self._workers:
            self._stop(f"{self._failures_in_a_row} items in a row got no valid response: run the task again later")

    def _stop(self, reason: str) -> None:
        self._stopped_because = self._stopped_because or reason
        self._threads.stop()

    def _is_done(self, item: Item[Task]) -> bool:
        record = self._account.record_of(item.key)
        return record is not None and record["status"] == "done"

    def _record_of(self, item: Item[Task]) -> Record:
        return self._account.record_of(item.key) or self._new_record(item, "not_attempted")

    def _new_record(self, item: Item[Task], status: Status, reason: str | None = None) -> Record:
        return Record(
            key=item.key,
            item=item.label,
            place=item.place,
            status=status,
            reason=reason,
            tries=0,
            time=self._time(),
            name=item.name if self._with_names else None,
        )

    def _time(self) -> str:
        return write_time(self._now())
