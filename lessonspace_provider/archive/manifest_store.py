# SPDX-License-Identifier: Apache-2.0
"""The manifests of one archive, and the index of those that are settled, as files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

from lessonspace_provider.api import json_list
from lessonspace_provider.archive import manifest as archive_manifest
from lessonspace_provider.archive.entry import Manifest, ManifestSession
from lessonspace_provider.archive.index import INDEX, read_index, write_index
from lessonspace_provider.archive.windows import MANIFESTS, Window, window_of
from lessonspace_provider.exceptions import LessonspaceError
from lessonspace_provider.output.files import fingerprints_in, read_whole, write_whole

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath


class ManifestStore:
    """
    Reads manifests and writes into them what has changed.

    :param destination: the archive's folder.
    :param dry_run: write nothing.
    """

    def __init__(self, destination: ObjectStoragePath, *, dry_run: bool) -> None:
        self._destination = destination
        self._dry_run = dry_run

    def path(self, name: str) -> ObjectStoragePath:
        """Give the path of a manifest."""
        return self._destination / MANIFESTS / name

    def listed(self) -> dict[str, str | None]:
        """List the manifests in the order of their windows; see ``storage.fingerprints_in``."""
        found = fingerprints_in(self._destination / MANIFESTS)
        return {name: found[name] for name in sorted(found) if window_of(name) is not None}

    def around(self, window: Window) -> list[str]:
        """List the names of the manifests whose windows overlap a window."""
        windows = {name: window_of(name) for name in self.listed()}
        return [name for name, other in windows.items() if other is not None and other.overlaps(window)]

    def read(self, name: str) -> Manifest | None:
        """
        Read a manifest.

        :return: None when it is not there.
        :raises LessonspaceError: when it can't be continued with.
        """
        data = read_whole(self.path(name))
        if data is None:
            return None
        try:
            return archive_manifest.read_manifest(data, name)
        except ValueError as error:
            reason = str(error)
        raise LessonspaceError(
            f"The manifest {self.path(name)} can't be read, since {reason}. Restore it from a backup, or remove it and "
            f"run its window again."
        )

    def update(
        self,
        name: str,
        empty: Manifest,
        seen: Mapping[str, ManifestSession],
        entries: Mapping[str, ManifestSession],
    ) -> Manifest:
        """
        Write what has changed into a manifest, and keep all others that it has by now.

        Another run may have written it meanwhile, and a list may not show a session any more that is archived.

        :param empty: the manifest where there is none yet.
        :param seen: its entries as this run last read them.
        :param entries: what this run knows.
        :return: the manifest as written, or as a dry run would write it.
        """
        there = self.read(name) or empty
        changed = archive_manifest.changes(entries, seen, archive_manifest.by_session(there))
        account = archive_manifest.updated(there, changed)
        if not self._dry_run:
            data = json_list.encoded(json.dumps(account, ensure_ascii=False, indent=1))
            write_whole(self.path(name), data)
        return account

    def settled(self) -> dict[str, str]:
        """Read the index of settled manifests; see ``archive_index``."""
        return read_index(read_whole(self._destination / INDEX))

    def add_settled(self, found: Mapping[str, str]) -> None:
        """Add manifests to the index; what another run has added meanwhile stays."""
        there = self.settled()
        joined = {**there, **found}
        if joined != there and not self._dry_run:
            write_whole(self._destination / INDEX, write_index(joined))
