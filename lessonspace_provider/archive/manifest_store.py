# SPDX-License-Identifier: Apache-2.0
"""The manifests of one archive, and the index of those in which nothing is open, as files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from lessonspace_provider.archive.entry import Entries
from lessonspace_provider.archive.index import INDEX, read_index, write_index
from lessonspace_provider.archive.manifest import Manifest
from lessonspace_provider.archive.windows import MANIFESTS, Window, window_of, windows_of
from lessonspace_provider.exceptions import LessonspaceError
from lessonspace_provider.output.files import fingerprints_in, read_whole
from lessonspace_provider.output.updates import update_whole

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath


class ManifestStore:
    """
    Reads manifests and writes into them what has changed.

    :param destination: the archive's folder.
    :param dry_run: write nothing.

    ``written`` has the ids of the sessions that ``update`` wrote, by the manifest's name.
    """

    def __init__(self, destination: ObjectStoragePath, *, dry_run: bool) -> None:
        self._destination = destination
        self._dry_run = dry_run
        self.written: dict[str, set[str]] = {}

    def path(self, name: str) -> ObjectStoragePath:
        """Give the path of a manifest."""
        return self._destination / MANIFESTS / name

    def listed(self) -> dict[str, str | None]:
        """List the manifests in the order of their windows; see ``files.fingerprints_in``."""
        found = fingerprints_in(self._destination / MANIFESTS)
        return {name: found[name] for name in sorted(found) if window_of(name) is not None}

    def windows(self) -> dict[str, Window]:
        """List the windows of all manifests by their names, in their order."""
        return windows_of(self.listed())

    def around(self, window: Window) -> list[str]:
        """List the names of the manifests whose windows overlap a window."""
        return [name for name, other in self.windows().items() if other.overlaps(window)]

    def read(self, name: str) -> Manifest | None:
        """
        Read a manifest.

        :return: None when it is not there.
        :raises LessonspaceError: when it can't be continued with.
        """
        data = read_whole(self.path(name))
        return None if data is None else self._parsed(data, name)

    def _parsed(self, data: bytes, name: str) -> Manifest:
        try:
            return Manifest.from_json(data, name)
        except ValueError as error:
            reason = str(error)
        raise LessonspaceError(
            f"The manifest {self.path(name)} can't be read, since {reason}. Restore it from a backup, or remove it and "
            f"run its window again."
        )

    def update(self, seen: Manifest, entries: Entries) -> Manifest:
        """
        Merge what a run knows with what the manifest has by now, and write it.

        Another run may have written it meanwhile, and a list may no longer have a session that is archived.

        :param seen: the manifest as the run last read or wrote it; one without entries for none.
        :param entries: what the run knows.
        :return: the manifest as written, or as a dry run would write it.
        """
        if self._dry_run:
            return (self.read(seen.name) or seen).merged(entries, seen)
        merged = self._rewritten(seen, lambda there: there.merged(entries, seen))
        self.written.setdefault(seen.name, set()).update(entries)
        return merged

    def change(self, name: str, change: Callable[[Manifest], Manifest]) -> Manifest | None:
        """
        Write what a function makes of a manifest, whatever another run has written meanwhile.

        :param change: may be called again.
        :return: the manifest as written; None when it is not there.
        """
        there = self.read(name)
        if there is None:
            return None
        changed = change(there)
        return changed if changed == there or self._dry_run else self._rewritten(there, change)

    def _rewritten(self, seen: Manifest, change: Callable[[Manifest], Manifest]) -> Manifest:
        """Write what a function makes of a manifest as it is by now, or of ``seen`` where it is not there."""
        written = seen

        def changed(data: bytes | None) -> bytes:
            nonlocal written
            written = change(seen if data is None else self._parsed(data, seen.name))
            return written.to_json()

        update_whole(self.path(seen.name), changed)
        return written

    def closed(self) -> dict[str, str]:
        """Read the index: the fingerprint of each manifest in which nothing is open, by its name."""
        return read_index(read_whole(self._destination / INDEX))

    def add_closed(self, found: Mapping[str, str]) -> None:
        """Add manifests to the index; what another run has added meanwhile stays."""
        if not self._dry_run and not found.items() <= self.closed().items():
            update_whole(self._destination / INDEX, lambda data: write_index({**read_index(data), **found}))
