# SPDX-License-Identifier: Apache-2.0
"""What a run of the archive honours of earlier erasures, and of those that took place beside it."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from datetime import datetime
from functools import cached_property
from threading import Lock
from typing import TYPE_CHECKING

from lessonspace_provider.archive.entry import Entry
from lessonspace_provider.archive.erasure.people import ErasedPeople
from lessonspace_provider.archive.erasure.redaction import loses_all, without_erased
from lessonspace_provider.archive.erasure.session_files import FileChange, SessionFiles, entry_after
from lessonspace_provider.archive.erasure.store import ErasureStore
from lessonspace_provider.archive.erasure.tombstones import Tombstones, redacted_entry
from lessonspace_provider.archive.manifest_store import ManifestStore
from lessonspace_provider.exceptions import LessonspaceError

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath

    from lessonspace_provider.api.types import Segment


class ErasureRules:
    """
    The erasures of one archive, read when they are first needed. All methods may be called from several threads.

    :param destination: the archive's folder.
    :param dry_run: write nothing.
    """

    def __init__(self, destination: ObjectStoragePath, *, dry_run: bool) -> None:
        self._dry_run = dry_run
        self._store = ErasureStore(destination)
        self._files = SessionFiles(destination)
        self._lock = Lock()
        self._people: dict[tuple[str, ...], ErasedPeople] = {}

    @cached_property
    def _at_start(self) -> Tombstones | None:
        return self._store.tombstones()

    def check(self) -> None:
        """
        Read the tombstones.

        :raises LessonspaceError: when they can't be honoured.
        """
        with self._lock:
            _ = self._at_start

    def entry(self, entry: Entry, before: Entry | None) -> Entry:
        """
        Take out of a listed session's entry whom erasures have taken out of it.

        The files of a session that is now erased are removed: its summary may have come before its people were known.

        :param entry: as it was listed.
        :param before: as the manifest has it.
        """
        marks = {*(entry.erased_people or ()), *((before and before.erased_people) or ())}
        after = redacted_entry(replace(entry, erased_people=sorted(marks) or None), self._people_of(marks))
        if after.status == "erased" and before is not None and before.status != "erased" and not self._dry_run:
            self.remove_files_of(before)
        return after

    def remove_files_of(self, entry: Entry) -> None:
        """Remove all files of a session that is erased, whether or not its manifest has them."""
        for path in self._files.paths_of(entry):
            self._files.carry_out(FileChange(path, None, None, path))

    def segments(self, entry: Entry, segments: Collection[Segment]) -> Collection[Segment] | None:
        """
        Take out of a transcript whom erasures have taken out of its session; None when it may not be written.

        :param entry: the session's.
        """
        people = self._people_of(entry.erased_people or ())
        if not people:
            return segments
        return None if loses_all(segments, people) else without_erased(segments, people)

    def text(self, entry: Entry, text: str) -> str:
        """Take out of a session's summary whom erasures have taken out of it."""
        return self._people_of(entry.erased_people or ()).redacted(text)[0]

    def _people_of(self, marks: Collection[str]) -> ErasedPeople:
        with self._lock:
            tombstones = self._at_start
            if tombstones is None and marks:
                raise LessonspaceError(
                    "The manifest has people who were erased, and the archive's folder erasures is missing: restore it "
                    "from a backup, or a run would bring them back."
                )
            key = tuple(sorted(marks))
            if key not in self._people:
                self._people[key] = tombstones.people(marks) if tombstones else ErasedPeople(b"")
            return self._people[key]

    def catch_up(self, manifests: ManifestStore, now: Callable[[], datetime]) -> list[str]:
        """
        Apply the erasures that took place beside this run to what it has written.

        :param manifests: by which the run has written its manifests.
        :return: the ids of the sessions that were changed.
        """
        latest = self._store.tombstones()
        if latest is None:
            return []
        recent, began = latest.recent_sessions(now()), self._at_start
        is_new = began is None or latest.requests != began.requests
        changed = []
        for name, written in manifests.written.items():
            manifest = manifests.read(name)
            entries = manifest.entries if manifest else {}
            for session_id, entry in entries.items():
                if session_id not in recent and not (is_new and session_id in written):
                    continue
                is_erased, marks = recent.get(session_id, (False, ()))
                people = latest.people([*marks, *(entry.erased_people or ()), *(latest.open_marks if is_new else ())])
                if self._apply(manifests, name, entry, people, is_erased=is_erased or entry.status == "erased"):
                    changed.append(session_id)
        return changed

    def _apply(
        self, manifests: ManifestStore, name: str, entry: Entry, people: ErasedPeople, *, is_erased: bool
    ) -> bool:
        if redacted_entry(entry, people).status == "erased":
            is_erased = True
        change = self._files.change_of(entry.session_id, self._files.paths_of(entry), people, is_erased=is_erased)
        if not change.files and entry_after(entry, change, people) == entry:
            return False
        manifests.change(
            name,
            lambda manifest: manifest.with_entries(
                {entry.session_id: entry_after(manifest.entries.get(entry.session_id, entry), change, people)}
            ),
        )
        for file in change.files:
            self._files.carry_out(file)
        return True
