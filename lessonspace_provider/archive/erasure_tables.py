# SPDX-License-Identifier: Apache-2.0
"""Rebuilds an archive's table files after sessions were erased or redacted, from what is left of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from lessonspace_provider.archive.fetching import reason_of
from lessonspace_provider.archive.inventory import TABLES
from lessonspace_provider.archive.manifest_store import ManifestStore
from lessonspace_provider.archive.receipt import Receipt
from lessonspace_provider.archive.table_files import check_pyarrow
from lessonspace_provider.archive.tables import ArchiveTables
from lessonspace_provider.archive.windows import MANIFESTS
from lessonspace_provider.exceptions import LessonspaceInputError
from lessonspace_provider.output.destinations import join_below
from lessonspace_provider.output.files import files_below, read_whole, remove_files

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath


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

    def rebuild(self, unfinished: Collection[str]) -> None:
        """
        Rebuild the files of the windows whose manifests changed.

        :param unfinished: ids of sessions that an interrupted run has changed, or was about to.
        """
        found = [] if self._dry_run else [f"{TABLES}/{path}" for path in files_below(self._destination / TABLES)]
        for name in self._manifests.listed() if found else ():
            paths = [path for path in found if path.endswith(f"/{name.removesuffix('.json')}.parquet")]
            try:
                if paths and self._is_affected(name, unfinished):
                    self._rebuild(name, paths)
            except Exception as error:  # one window stops no other, whatever a store's client raises
                self._receipt.leave(f"{TABLES} of {name}", reason_of(error), failed=True)

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
