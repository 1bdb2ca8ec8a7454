# SPDX-License-Identifier: Apache-2.0
"""Rebuilds an archive's table files after sessions were erased or redacted, from what is left of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date
from typing import TYPE_CHECKING

from lessonspace_provider.archive.erasure.inventory import TABLES, inventory_of
from lessonspace_provider.archive.erasure.people import ErasedPeople
from lessonspace_provider.archive.erasure.receipt import Receipt
from lessonspace_provider.archive.fetching import reason_of
from lessonspace_provider.archive.manifest import Manifest
from lessonspace_provider.archive.manifest_store import ManifestStore
from lessonspace_provider.archive.tables.parquet import check_pyarrow, texts_in
from lessonspace_provider.archive.tables.rows import by_day, digest_of
from lessonspace_provider.archive.tables.store import ArchiveTables
from lessonspace_provider.archive.windows import MANIFESTS
from lessonspace_provider.exceptions import LessonspaceInputError
from lessonspace_provider.output.destinations import join_below
from lessonspace_provider.output.files import files_below, read_whole, remove_files

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath


#: Why a table file is left.
ORPHAN = "it has the person or can't be read here, and no manifest has its window: delete it"


class ErasedTables:
    """
    The tables of one archive.

    :param destination: the archive's folder.
    :param receipt: has the manifests that changed, and takes the table files that do.
    :param dry_run: change nothing.
    """

    def __init__(self, destination: ObjectStoragePath, receipt: Receipt, *, dry_run: bool) -> None:
        self._destination = destination
        self._receipt = receipt
        self._dry_run = dry_run
        self._manifests = ManifestStore(destination, dry_run=dry_run)
        self._days: dict[str, set[date]] = {}

    def note(self, before: Manifest, after: Manifest) -> None:
        """Note the days of which a changed manifest has other rows."""
        old, new = (by_day(manifest.entries.values(), manifest.window) for manifest in (before, after))
        changed = {day for day in (*old, *new) if digest_of(old.get(day, [])) != digest_of(new.get(day, []))}
        self._days.setdefault(before.name, set()).update(changed)

    def rebuild(self, unfinished: Collection[str], people: ErasedPeople) -> None:
        """
        Rebuild the files of the windows whose manifests changed.

        :param unfinished: ids of sessions that an interrupted run has changed, or was about to.
        :param people: who is searched in files whose window has no manifest.
        """
        by_window: dict[str, list[str]] = {}
        for path in inventory_of(f"{TABLES}/{path}" for path in files_below(self._destination / TABLES)).tables:
            by_window.setdefault(path.rpartition("/")[2].removesuffix(".parquet") + ".json", []).append(path)
        names = self._manifests.listed() if by_window else {}
        for name, paths in by_window.items():
            try:
                if name not in names:
                    self._search(paths, people)
                elif self._dry_run:
                    self._plan(paths, self._days.get(name, set()))
                elif self._is_affected(name, unfinished):
                    self._rebuild(name, paths)
            except Exception as error:  # one window stops no other, whatever a store's client raises
                self._receipt.leave(f"{TABLES} of {name}", reason_of(error), failed=True)

    def _plan(self, paths: Collection[str], days: Collection[date]) -> None:
        """Count what would be rebuilt, with digests of the files as they are."""
        for path in paths:
            if any(f"/day={day.isoformat()}/" in path for day in days):
                data = self._read(path)
                self._receipt.add(path, "rebuilt", data, data)

    def _search(self, paths: Collection[str], people: ErasedPeople) -> None:
        """Report table files that can't be rebuilt, since their window has no manifest, if they have the people."""
        for path in paths if people else ():
            try:
                found = any(people.redacted(text, ids=True)[1] for text in texts_in(self._read(path)))
            except LessonspaceInputError:  # no pyarrow
                found = True
            if found:
                self._receipt.leave(path, ORPHAN)

    def _is_affected(self, name: str, unfinished: Collection[str]) -> bool:
        if f"{MANIFESTS}/{name}" in self._receipt.changes:
            return True
        manifest = self._manifests.read(name) if unfinished else None
        return manifest is not None and not manifest.entries.keys().isdisjoint(unfinished)

    def _rebuild(self, name: str, paths: Collection[str]) -> None:
        before = {path: self._read(path) for path in paths}
        try:
            check_pyarrow()
        except LessonspaceInputError:
            self._remove(before)
            return
        manifest = self._manifests.read(name)
        if manifest is None:
            return
        ArchiveTables(self._destination, self._manifests).update(manifest)
        for path, data in before.items():
            after = self._read(path)
            if after != data:
                self._receipt.add(path, "rebuilt", data, after)

    def _remove(self, before: Mapping[str, bytes]) -> None:
        """Remove files that can't be rebuilt here: the archive's next run with tables writes them again."""
        for path, data in before.items():
            remove_files([join_below(self._destination, path)])
            self._receipt.add(path, "deleted", data, None)

    def _read(self, path: str) -> bytes:
        return read_whole(join_below(self._destination, path)) or b""
