# SPDX-License-Identifier: Apache-2.0
"""What a run of the archive does for the tables, after all manifests are written."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import TYPE_CHECKING

from lessonspace_provider.api.foreign_words import clean_words
from lessonspace_provider.api.log import Log
from lessonspace_provider.archive.fetching import reason_of
from lessonspace_provider.archive.manifest_store import ManifestStore
from lessonspace_provider.archive.tables.columns import ROLES
from lessonspace_provider.archive.tables.store import ArchiveTables

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath


class RunTables:
    """
    The tables of one run.

    :param destination: the archive's folder.
    :param manifests: those of the archive.
    :param log: for warnings.
    :param is_wanted: whether tables are written; otherwise nothing is read or written.
    """

    def __init__(self, destination: ObjectStoragePath, manifests: ManifestStore, log: Log, *, is_wanted: bool) -> None:
        self._tables = ArchiveTables(destination, manifests)
        self._manifests = manifests
        self._log = log
        self._is_wanted = is_wanted
        #: What is wrong with the tables of a manifest, by its name.
        self.problems: dict[str, str] = {}
        #: The days whose rows were changed by this run, or a try of it before.
        self.days: set[date] = set()
        #: Seconds that people talked in the sessions of the run's own window, by role.
        self.talk_seconds: dict[str, float] = {}

    def update(self, names: Iterable[str], by: str, *, own: str | None) -> set[str]:
        """
        Bring the tables of some manifests up to date.

        :param by: the start of the run's window, ISO 8601 in UTC.
        :param own: the name of its manifest, whose rows are all made again; files that have them are not written.
        :return: the names of those whose tables were up to date before this run.
        """
        names = list(names)
        if not self._is_wanted:
            return set(names)
        return {name for name in names if self._were_current(name, by, rebuild=name == own)}

    def _were_current(self, name: str, by: str, *, rebuild: bool) -> bool:
        try:
            manifest = self._manifests.read(name)
            days = self._tables.update(manifest, by, rebuild=rebuild) if manifest else []
        except Exception as error:  # whatever a manifest holds, or a store's client raises
            self.problems[name] = f"tables of {name}: {reason_of(error)}"
            return False
        if rebuild:
            self.talk_seconds = {name: round(self._tables.talk_seconds[role], 3) for role, (name, _) in ROLES.items()}
        self._warn_of_unreadable()
        self.days.update(days)
        return not days

    def _warn_of_unreadable(self) -> None:
        for session_id, reason in self._tables.unreadable.items():
            self._log.warning(
                "The tables lack the transcript of session %s: %s. Run the session's window again with json among the "
                "formats, or restore the file and build the tables again",
                clean_words(session_id),
                reason,
            )
        self._tables.unreadable.clear()
