# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import threading
import time
from dataclasses import replace
from datetime import datetime, timezone
from functools import partial

import pytest

from lessonspace_provider.bulk import run
from lessonspace_provider.bulk.account import Unrecorded
from lessonspace_provider.bulk.items import Item, Refusal
from lessonspace_provider.bulk.run import OUTAGE, JobRun
from lessonspace_provider.exceptions import (
    LessonspaceAccountError,
    LessonspaceAuthError,
    LessonspaceBadRequestError,
    LessonspaceConnectionError,
    LessonspaceDeliveryError,
    LessonspaceInputError,
)
from tests.unit.bulk.test_items import a_record

NOON = datetime(2026, 11, 23, 12, tzinfo=timezone.utc)


class Log:
    """Keeps its lines by their level."""

    def __init__(self):
        self.lines = []

    def _keep(self, message, *args):
        self.lines.append(message % args if args else message)

    debug = info = warning = error = _keep

    @property
    def text(self):
        return "\n".join(self.lines)


def items(*labels):
    return [
        Item(key=label, label=label, place=f"item {label}", task=label, name="Ann", private=("Ann",))
        for label in labels
    ]


class Job:
    """A job whose items end as given, in one thread."""

    def __init__(self, book=None, **outcomes):
        self.book = book or Unrecorded()
        self.outcomes = outcomes
        self.attempted = []
        self.log = Log()

    def attempt(self, item):
        self.attempted.append(item.label)
        outcome = self.outcomes.get(item.label)
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    def run(self, planned, refusals=(), **options):
        self.job = JobRun(self.book, self.attempt, log=self.log, now=lambda: NOON, **{"workers": 1, **options})
        return {record["key"]: record for record in self.job.run(planned, refusals)}


def test_each_item_is_attempted_and_recorded():
    records = Job(b="unchanged").run(items("a", "b"))
    assert records["a"] == a_record("done", key="a", item="a", place="item a")
    assert (records["b"]["status"], records["b"]["reason"], records["b"]["tries"]) == ("done", "unchanged", 1)


@pytest.mark.parametrize(
    ("error", "status", "reason"),
    [
        (LessonspaceBadRequestError("400 for Ann"), "failed", "400 for <hidden>"),
        (LessonspaceInputError("not_after is past"), "refused", "not_after is past"),
        (RuntimeError("secret of Ann"), "failed", "unexpected RuntimeError, see the task's log"),
        (SystemExit("secret"), "failed", "unexpected SystemExit, see the task's log"),
    ],
)
def test_one_bad_item_stops_no_other(error, status, reason):
    job = Job(a=error)
    records = job.run(items("a", "b"))
    assert (records["a"]["status"], records["a"]["reason"]) == (status, reason)
    assert records["b"]["status"] == "done"
    assert "secret" not in job.log.text


def test_the_frames_of_an_unexpected_error_are_logged():
    job = Job(a=RuntimeError("secret"))
    job.run(items("a"))
    assert f'File "{__file__}"' in job.log.text


def test_a_later_run_attempts_only_what_is_not_done_and_counts_the_tries():
    first = Job(b=LessonspaceBadRequestError("400"))
    first.run(items("a", "b"))
    second = Job(first.book)
    records = second.run(items("a", "b", "c"))
    assert second.attempted == ["b", "c"]
    assert {key: record["tries"] for key, record in records.items()} == {"a": 1, "b": 2, "c": 1}


def test_all_items_are_in_the_account_before_the_first_is_attempted():
    book, seen = Unrecorded(), []
    job = Job(book)
    job.attempt = lambda item: seen.append([record["status"] for record in book.records()])
    job.run(items("a", "b"), [Refusal(items("c")[0], "no e-mail address")])
    assert seen[0] == ["not_attempted", "not_attempted", "refused"]


def test_what_an_earlier_input_had_and_this_one_has_not_is_withdrawn_unless_it_is_done():
    first = Job(a=LessonspaceBadRequestError("400"))
    first.run(items("a", "b"), [Refusal(items("c")[0], "no e-mail address")])
    second = Job(first.book)
    assert set(second.run(items("d"))) == {"d"}
    statuses = {record["key"]: record["status"] for record in first.book.records()}
    assert statuses == {"a": "withdrawn", "b": "done", "c": "withdrawn", "d": "done"}


def test_what_is_done_stays_done_when_a_later_run_refuses_it():
    first = Job()
    first.run(items("a"))
    refusing = Job(first.book)
    records = refusing.run([], [Refusal(items("a")[0], "too many for this space")])
    assert records["a"]["status"] == "done"
    assert Job(first.book).run(items("a"))["a"]["tries"] == 1


def test_names_are_recorded_only_when_asked_for():
    assert Job().run(items("a"))["a"]["name"] is None
    assert Job().run(items("a"), with_names=True)["a"]["name"] == "Ann"


def test_a_key_that_is_refused_stops_the_run():
    job = Job(a=LessonspaceAuthError("401", status=401))
    records = job.run(items("a", "b", "c"))
    assert [record["status"] for record in records.values()] == ["failed", "not_attempted", "not_attempted"]
    assert "API key was refused" in job.job.stopped_because


def test_an_item_that_is_not_allowed_stops_no_other():
    records = Job(a=LessonspaceAuthError("403", status=403)).run(items("a", "b"))
    assert records["b"]["status"] == "done"


def test_an_outage_stops_the_run_and_single_failures_do_not():
    outage = LessonspaceConnectionError("no answer")
    labels = [str(number) for number in range(20)]
    job = Job(**dict.fromkeys(labels, outage))
    records = job.run(items(*labels))
    assert job.attempted == labels[:OUTAGE]
    assert [record["status"] for record in records.values()].count("not_attempted") == 20 - OUTAGE
    assert f"{OUTAGE} items in a row got no valid response" in job.job.stopped_because
    every_other = Job(**dict.fromkeys(labels[::2], outage))
    every_other.run(items(*labels))
    assert every_other.attempted == labels


def test_a_kill_leaves_the_rest_for_the_next_run():
    killed = threading.Event()
    job = Job()
    job.attempt = lambda item: killed.set()
    records = job.run(items(*map(str, range(5000))), is_killed=killed.is_set)
    statuses = [record["status"] for record in records.values()]
    assert statuses.count("done") + statuses.count("not_attempted") == 5000
    if job.job.stopped_because:  # all may have been done before the kill was noticed
        assert job.job.stopped_because == "the task was asked to end"


def test_what_can_not_be_recorded_ends_the_run_and_is_named():
    class Full(Unrecorded):
        def write(self, records):
            if any(record["status"] == "done" for record in records):
                raise LessonspaceAccountError("no space left.")
            super().write(records)

    with pytest.raises(
        LessonspaceAccountError, match=r"^a \(item a\) is done, and that could not be recorded: no space"
    ):
        Job(Full()).run(items("a"))


class Batches(Job):
    """A job whose items are completed in batches; those in ``left`` are not."""

    def __init__(self, left=(), book=None, **outcomes):
        super().__init__(book, **outcomes)
        self.left, self.batches = left, []

    def complete(self, batch):
        labels = [item.label for item, _ in batch]
        self.batches.append(labels)
        return [LessonspaceDeliveryError("no mail") if label in self.left else None for label in labels]

    def run(self, planned, **options):
        return super().run(planned, complete=self.complete, **{"batch_size": 3, **options})


def test_items_are_completed_in_batches_and_the_last_has_the_rest():
    job = Batches(c=LessonspaceBadRequestError("400"), left=("d",))
    records = job.run(items(*"abcdef"))
    assert job.batches == [["a", "b", "d"], ["e", "f"]]
    assert {key: record["status"] for key, record in records.items()} == {
        **dict.fromkeys("abef", "done"),
        **dict.fromkeys("cd", "failed"),
    }
    assert records["d"]["reason"] == "no mail"
    again = Batches(book=job.book)
    again.run(items(*"abcdef"))
    assert again.batches == [["c", "d"]]


def test_a_batch_is_recorded_as_soon_as_it_is_completed():
    job, seen = Batches(), []
    job.attempt = lambda item: seen.append([record["status"] for record in job.book.records()].count("done"))
    job.run(items(*"abcdef"))
    assert seen == [0, 0, 0, 3, 3, 3]


def test_an_item_of_a_batch_that_waits_does_not_hold_up_those_after_it():
    first, *others = items(*"abcd")
    job = Batches()
    job.run([first, *(replace(item, after=first.key) for item in others)], batch_size=4, workers=4)
    assert sorted(job.batches[0]) == ["a", "b", "c", "d"]


def test_one_batch_is_completed_at_a_time_with_many_threads():
    together, most = [], []
    job = Batches()

    def complete(batch):
        together.append(batch)
        most.append(len(together))
        time.sleep(0)  # lets another thread run
        together.remove(batch)
        return [None] * len(batch)

    job.complete = complete
    job.run(items(*map(str, range(200))), workers=8, batch_size=2)
    assert (max(most), len(most)) == (1, 100)


def test_a_kill_completes_no_further_batch_and_names_what_was_sent():
    killed = threading.Event()
    job = Batches()
    job.attempt = lambda item: killed.set() if item.label == "d" else None
    records = job.run(items(*"abcd"), is_killed=killed.is_set)
    assert job.batches == [["a", "b", "c"]]
    assert records["d"]["status"] == "failed"
    assert "the task was asked to end before its batch" in records["d"]["reason"]


def test_an_item_that_ends_after_a_kill_is_not_recorded_with_the_others_again(monkeypatch):
    monkeypatch.setattr(run, "WorkerThreads", partial(run.WorkerThreads, patience=0.05))
    killed, released, threads = threading.Event(), threading.Event(), []
    job = Batches()

    def attempt(item):
        if item.label == "b":
            threads.append(threading.current_thread())
            killed.set()
            assert released.wait(30)

    job.attempt = attempt
    first, second = items("a", "b")
    job.run([first, replace(second, after="a")], is_killed=killed.is_set, batch_size=2, workers=2)
    released.set()
    threads[0].join(30)
    assert job.book.record_of("a")["tries"] == 1


@pytest.mark.parametrize("batch_size", [1, 2])
def test_nothing_is_completed_that_can_not_be_recorded_any_more(batch_size):
    class Closed(Unrecorded):
        is_closed = False

        def check_open(self):
            if self.is_closed:
                raise LessonspaceAccountError("closed")

    job = Batches(book=Closed())
    job.attempt = lambda item: setattr(job.book, "is_closed", item.label == "b" or batch_size == 1)
    with pytest.raises(LessonspaceAccountError):
        job.run(items(*"ab"), batch_size=batch_size)
    assert job.batches == []


def test_progress_is_logged_meanwhile(monkeypatch):
    monkeypatch.setattr(run, "PROGRESS_INTERVAL", 0.0)
    job, ticked = Job(), threading.Event()

    def attempt(item):
        assert item.label == "a" or ticked.wait(30)

    class Telling(Log):
        def info(self, message, *args):
            self._keep(message, *args)
            if "1 of 2 items finished: 1 done" in self.lines[-1]:
                ticked.set()

    job.attempt, job.log = attempt, Telling()
    job.run(items("a", "b"))
    assert ticked.is_set()
