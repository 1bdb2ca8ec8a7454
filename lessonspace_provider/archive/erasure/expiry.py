# SPDX-License-Identifier: Apache-2.0
"""Retention: erases the sessions of an archive that ended long ago, and keeps an account of them without people."""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import nullcontext
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

from lessonspace_provider.api.foreign_words import first_of
from lessonspace_provider.api.times import read_time, write_time
from lessonspace_provider.archive.entry import Entry
from lessonspace_provider.archive.erasure.inventory import inventory_of, uuids_in
from lessonspace_provider.archive.erasure.people import ErasedPeople
from lessonspace_provider.archive.erasure.progress import ErasureProgress
from lessonspace_provider.archive.erasure.rebuilt_tables import ErasedTables
from lessonspace_provider.archive.erasure.receipt import Receipt
from lessonspace_provider.archive.erasure.sessions import SessionPass
from lessonspace_provider.archive.erasure.store import ErasureStore
from lessonspace_provider.exceptions import LessonspaceInputError
from lessonspace_provider.output.files import files_below

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath

#: How many sessions a note names.
MOST_NAMED = 20


def _note_of(kept: Collection[str]) -> str:
    """Name by their sessions the files that were kept since their age is not known; their paths may have names."""
    uuids = sorted({uuid for path in kept for uuid in uuids_in(path)})
    return f"{len(kept)} files of sessions that no manifest has were kept: {first_of(uuids, MOST_NAMED)}"


class Expirer:
    """
    Expires sessions of one archive. To be used for one run.

    :param destination: the archive's folder.
    :param keep: how long after its end a session is kept.
    :param dry_run: search only, and write nothing.
    :param run: the task, for the receipt.
    """

    def __init__(
        self,
        destination: ObjectStoragePath,
        keep: timedelta,
        *,
        dry_run: bool = False,
        run: str | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(timezone.utc),
    ) -> None:
        began = now()
        self._destination = destination
        self._before = began - keep
        self._dry_run = dry_run
        self._store = ErasureStore(destination)
        parameters: dict[str, object] = {
            "keep_seconds": keep.total_seconds(),
            "ended_before": write_time(self._before),
            "dry_run": dry_run,
        }
        self._receipt = Receipt("expire", began, parameters, str(destination), run)
        self._progress = ErasureProgress(self._store, self._receipt, dry_run=dry_run, now=now)
        reason = f"expired: it ended more than {keep} before it was erased"
        self._tables = ErasedTables(destination, self._receipt, dry_run=dry_run)
        self._sessions = SessionPass(
            destination,
            self._receipt,
            dry_run=dry_run,
            record=self._progress.record,
            reason=reason,
            changed=self._tables.note,
        )

    def run(self) -> Receipt:
        """
        Expire what has expired, and write the receipt.

        :raises LessonspaceInputError: there is no archive.
        :raises LessonspaceError: a manifest can't be read, or an erasure is in progress; nothing was changed.
        """
        if not files_below(self._destination):
            raise LessonspaceInputError(
                f"There is no archive to expire: {self._destination} has no files. Check the destination."
            )
        with nullcontext() if self._dry_run else self._store.locked():
            found = files_below(self._destination)
            inventory = inventory_of(found)
            sessions, has_marks = self._sessions.check(inventory.manifests)
            tombstones = self._store.opened(has_marks=has_marks, dry_run=self._dry_run)
            self._receipt.counts.update(files=len(found), manifests=len(inventory.manifests), sessions=sessions)
            self._progress.begin(tombstones)
            people = ErasedPeople(tombstones.key)
            kept = self._sessions.run(inventory, people, self._has_expired)
            if kept:
                self._receipt.notes.append(_note_of(kept))
            self._tables.rebuild(self._progress.unfinished, people)
            self._progress.end()
        return self._receipt

    def _has_expired(self, entry: Entry) -> bool:
        """Whether a session ended too long ago; one whose end can't be read is kept."""
        end = read_time(entry.end_time)
        return end is not None and end < self._before
