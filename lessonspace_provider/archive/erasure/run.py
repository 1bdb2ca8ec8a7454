# SPDX-License-Identifier: Apache-2.0
"""Carries out an erasure: searches an archive for people, records tombstones, and takes them out of its files."""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from lessonspace_provider.api.log import Log
from lessonspace_provider.archive.entry import Entry
from lessonspace_provider.archive.erasure.inventory import Inventory, inventory_of
from lessonspace_provider.archive.erasure.names import (
    MOST_NAMES,
    Given,
    given_people,
    is_common,
    names_and_ids_in,
    speakers_in,
)
from lessonspace_provider.archive.erasure.other_files import UNSEARCHED, OtherFiles
from lessonspace_provider.archive.erasure.people import ErasedPeople, Mode, marks_of_id, marks_of_name
from lessonspace_provider.archive.erasure.progress import ErasureProgress
from lessonspace_provider.archive.erasure.rebuilt_tables import ErasedTables
from lessonspace_provider.archive.erasure.receipt import Receipt
from lessonspace_provider.archive.erasure.redaction import WITH_IDS, searchable
from lessonspace_provider.archive.erasure.session_files import SessionChange, SessionFiles
from lessonspace_provider.archive.erasure.sessions import SessionPass
from lessonspace_provider.archive.erasure.store import ErasureStore
from lessonspace_provider.exceptions import LessonspaceInputError
from lessonspace_provider.output.files import files_below

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath

#: How often what a run beside this one has written meanwhile is searched before the erasure ends.
MOST_ROUNDS = 5


@dataclass(frozen=True, repr=False)
class ErasureOrder:
    """
    Who is erased, and how. It has no repr: it names people.

    :param user_ids: Lessonspace user ids.
    :param names: names as spoken and written.
    :param mode: what becomes of their sessions.
    :param for_future: whether it also holds for sessions that the archive does not have yet.
    :param force: whether names of one letter and common words are searched, too.
    :param reference: of who asked, for the receipt.
    """

    user_ids: Collection[int]
    names: Collection[str]
    mode: Mode
    for_future: bool = False
    force: bool = False
    reference: str | None = None


class Eraser:
    """
    Erases people from one archive. To be used for one run.

    :param destination: the archive's folder.
    :param order: who is erased, and how.
    :param log: for progress; it gets no names.
    :param dry_run: search only, and write nothing.
    :param run: the task, for the receipt.
    """

    def __init__(
        self,
        destination: ObjectStoragePath,
        order: ErasureOrder,
        *,
        log: Log,
        dry_run: bool = False,
        run: str | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(timezone.utc),
    ) -> None:
        self._destination = destination
        self._order = order
        self._log = log
        self._dry_run = dry_run
        self._store = ErasureStore(destination)
        self._files = SessionFiles(destination)
        parameters: dict[str, object] = {
            "mode": order.mode,
            "for_future": order.for_future,
            "force": order.force,
            "dry_run": dry_run,
            "reference": order.reference,
        }
        self._receipt = Receipt("erase", now(), parameters, str(destination), run)
        self._progress = ErasureProgress(self._store, self._receipt, dry_run=dry_run, now=now)
        self._others = OtherFiles(destination, self._receipt, dry_run=dry_run)
        self._tables = ErasedTables(destination, self._receipt, dry_run=dry_run)
        self._sessions = SessionPass(
            destination,
            self._receipt,
            dry_run=dry_run,
            record=self._progress.record,
            seen=self._see,
            changed=self._tables.note,
        )
        self._given: list[Given] = []

    def run(self) -> Receipt:
        """
        Search, and unless this is a dry run erase, and write the receipt.

        :return: the receipt, also of a run in which not all could be done.
        :raises LessonspaceInputError: there is no archive.
        :raises LessonspaceError: a manifest or the tombstones can't be read, or another erasure is in progress; nothing
            was changed.
        """
        if not files_below(self._destination):
            raise LessonspaceInputError(
                f"There is no archive to erase from: {self._destination} has no files. Check the destination."
            )
        with nullcontext() if self._dry_run else self._store.locked():
            # Another erasure or expiry may have moved files and written its receipt while this one waited.
            return self._run(files_below(self._destination))

    def _run(self, found: dict[str, str | None]) -> Receipt:
        inventory = inventory_of(found)
        sessions, has_marks = self._sessions.check(inventory.manifests)
        tombstones = self._store.opened(has_marks=has_marks, dry_run=self._dry_run)
        own = self._marks(tombstones.key, inventory)
        people = self._receipt.people = ErasedPeople(tombstones.key, [*own, *tombstones.open_marks])
        self._check_reference(people)
        self._progress.begin(tombstones, own, for_future=self._order.for_future)
        self._receipt.counts.update(
            files=len(found),
            manifests=len(inventory.manifests),
            sessions=sessions,
            accounts=len(inventory.accounts),
            tables=len(inventory.tables),
        )
        self._search(found, people)
        self._tables.rebuild(self._progress.unfinished, people)
        if removed := self._others.remove_empty_folders(people):
            self._note(f"{removed} empty folders whose names had the person were removed")
        self._receipt.searched = [given.searched for given in self._given]
        self._progress.end()
        return self._receipt

    def _check_reference(self, people: ErasedPeople) -> None:
        """Refuse a reference with a name that only the transcripts have shown."""
        if people.redacted(self._order.reference or "", ids=True)[1]:
            raise LessonspaceInputError(
                "reference was refused: it must not have the ids and names that are erased. Nothing was changed."
            )

    def _marks(self, key: bytes, inventory: Inventory) -> list[str]:
        """Make the marks of the people, with the names under which their ids speak."""
        order, mode = self._order, self._order.mode
        self._given = given_people(key, order.user_ids, order.names, mode, with_ambiguous=order.force)
        own = {mark for given in self._given for mark in given.people.marks}
        names, ids = self._known_of(ErasedPeople(key, own), inventory)
        new = {f"{mode}:{mark}" for user_id in ids for mark in marks_of_id(key, user_id)}
        if ids:  # they may speak under further names
            names |= self._known_of(ErasedPeople(key, own | new), inventory)[0]
        if order.user_ids and not (names or order.names):
            self._note("no name of the user ids is known, so no text was searched for a name: give names")
        new |= {f"{mode}:{mark}" for name in names for mark in marks_of_name(key, name)}
        if ids:
            self._note(f"{len(ids)} user ids speak under names that were given: they were erased, too")
        if unsearched := sum(map(is_common, names)):
            self._note(
                f"{unsearched} names under which the ids speak are common words: in the texts of others, they are "
                f"searched with a capital only"
            )
        return sorted(own | new)

    def _known_of(self, people: ErasedPeople, inventory: Inventory) -> tuple[set[str], set[int]]:
        """Read one file of each session, and find who speaks."""
        names, ids, others = set[str](), set[int](), set[int]()
        for paths in inventory.sessions.values():
            by_ending = {path.rpartition(".")[2]: path for path in paths}
            ending = next((ending for ending in WITH_IDS if ending in by_ending), None)
            data = None if ending is None else self._read(by_ending[ending])
            if data is None or ending is None or not people.may_occur_in(searchable(data)):
                continue
            found = names_and_ids_in(speakers_in(data, ending), people)
            names |= found[0]
            others |= found[1]
        if not self._order.user_ids:
            ids = others
        elif others:
            self._note(
                f"{len(others)} other user ids speak under names that were given: the names were removed, the ids were "
                f"not. Run the erasure with these ids if they are the same person's"
            )
        if len(names) > MOST_NAMES:
            self._note(f"the ids speak under {len(names)} names, and {MOST_NAMES} were searched: give the others")
        return set(sorted(names)[:MOST_NAMES]), ids

    def _read(self, path: str) -> bytes | None:
        try:
            data = self._files.read(path)
        except Exception:  # the search itself reports it
            return None
        self._receipt.counts["bytes"] += len(data or b"")
        return data

    def _search(self, found: dict[str, str | None], people: ErasedPeople) -> None:
        """Search until nothing is found that a run beside this one has written meanwhile."""
        inventory = inventory_of(found)
        for path in inventory.placeholders:  # the store's client opens no object whose name ends in a slash
            if not (found[path] or "").startswith("size=0 "):
                self._receipt.leave(path, f"{UNSEARCHED}: its name ends in a slash")
        for _ in range(1 if self._dry_run else MOST_ROUNDS):
            before = len(self._receipt.changes), len(self._receipt.sessions)
            foreign = self._sessions.run(inventory, people, lambda _: False)
            self._others.run(inventory, people, foreign)
            self._progress.checkpoint()
            if self._dry_run or before == (len(self._receipt.changes), len(self._receipt.sessions)):
                break
            latest = files_below(self._destination)
            changed = [path for path, mark in latest.items() if mark is None or mark != found.get(path)]
            found, inventory = latest, replace(inventory_of(changed), manifests=inventory_of(latest).manifests)
        else:
            self._note("a run beside this one was still writing: run the erasure again when it has ended")

    def _see(self, session_id: str, entry: Entry | None, change: SessionChange) -> None:
        """Count in how many sessions each of the ids and names that were given is found."""
        texts = [searchable(file.before) for file in change.files if file.before is not None]
        for given in self._given:
            if given.is_in(entry, texts):
                given.sessions.add(session_id)

    def _note(self, note: str) -> None:
        self._receipt.notes.append(note)
        self._log.info("%s", note)
