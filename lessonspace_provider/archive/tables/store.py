# SPDX-License-Identifier: Apache-2.0
"""The tables of one archive: written from its manifests and transcripts, and checked against them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from typing import TYPE_CHECKING

from lessonspace_provider.archive.entry import Entry
from lessonspace_provider.archive.manifest import Manifest
from lessonspace_provider.archive.manifest_store import ManifestStore
from lessonspace_provider.archive.tables.columns import ROLES, TABLES
from lessonspace_provider.archive.tables.parquet import TableFile, TableMetadata, file_of
from lessonspace_provider.archive.tables.rows import (
    Row,
    by_day,
    digest_of,
    duration_of,
    people_rows,
    segment_row,
    session_row,
)
from lessonspace_provider.archive.tables.sources import source_of, sources_of
from lessonspace_provider.output.files import files_below, read_whole, write_whole
from lessonspace_provider.transcripts.talk_time import TalkTime, Utterance, measure, utterances

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath

    from lessonspace_provider.api.types import Role, Segment

#: The folder of the tables, below the destination.
FOLDER = "tables"

#: How often the tables of a window are written again in one run, since other runs have changed its manifest meanwhile.
MOST_TRIES = 5

#: Why a transcript has no rows that is archived in other formats only.
NO_SOURCE = "it has no json or jsonl file"

_PATH = re.compile(rf"({'|'.join(TABLES)})/day=(\d{{4}}-\d{{2}}-\d{{2}})/([^/]+)\.parquet")


class ArchiveTables:
    """
    Keeps the tables of an archive in accordance with its manifests. To be used for one run.

    A day of a window has a file in each table. That of ``sessions`` is written last, and its metadata has a digest of
    what all three are made from: a day that a killed run has left is written again by the next run.

    :param destination: the archive's folder.
    :param manifests: those of the archive.
    """

    def __init__(self, destination: ObjectStoragePath, manifests: ManifestStore) -> None:
        self._destination = destination
        self._manifests = manifests
        self._found: dict[str, dict[date, set[str]]] | None = None
        #: Why the tables lack a transcript that is archived, by the session's id.
        self.unreadable: dict[str, str] = {}
        #: Seconds that people talked in the rows that the latest update made, by role; None: of an unknown role.
        self.talk_seconds: dict[Role | None, float] = {}

    def update(self, manifest: Manifest, by: str = "", *, rebuild: bool = False) -> list[date]:
        """
        Write the days of a window that do not agree with its manifest, also those that its sessions have left.

        :param manifest: as it is stored.
        :param by: the start of the run's own window, ISO 8601 in UTC; empty for another task.
        :param rebuild: make all rows of the window again, and write the files that have others.
        :return: the days whose rows have changed, also those that were changed by this run before it was tried again.
        :raises LessonspaceDestinationError: when the store refuses.
        """
        changed: set[date] = set()
        for _ in range(MOST_TRIES):
            written = set(self._update(manifest, by, rebuild))
            changed |= written
            there = self._manifests.read(manifest.name) if written else None
            if there is None or there.entries == manifest.entries:
                break
            manifest = there  # another run, or an erasure, has changed it meanwhile
        return sorted(changed)

    def path(self, table: str, day: date, manifest_name: str) -> ObjectStoragePath:
        """Give the path of a table's file for a day and window."""
        stem = manifest_name.removesuffix(".json")
        return self._destination / FOLDER / table / f"day={day.isoformat()}" / f"{stem}.parquet"

    def _update(self, manifest: Manifest, by: str, rebuild: bool) -> Iterator[date]:
        self.talk_seconds = dict.fromkeys(ROLES, 0.0)
        days = by_day(manifest.entries.values(), manifest.window)
        there = self._days_of(manifest.name)
        days.update({day: [] for day in there if day not in days})
        # Left days first: a session whose end has moved is rather missing for a moment than there twice.
        for day in sorted(days, key=lambda day: (bool(days[day]), day)):
            entries, stored = days[day], None
            if day in there:
                stored = TableMetadata.of(read_whole(self.path("sessions", day, manifest.name)))
            digest = digest_of(entries)
            is_current = stored is not None and stored.digest == digest and there[day] == TABLES.keys()
            if is_current and not rebuild:
                is_changed = False
            else:
                is_changed = self._write_day(manifest.name, day, entries, digest, stored, by)
            if is_changed or (by and stored is not None and stored.written_by == by):
                yield day

    def _days_of(self, name: str) -> dict[date, set[str]]:
        """Give the days of which a window has files, and the tables that have one."""
        if self._found is None:
            self._found = {}
            for path in files_below(self._destination / FOLDER):
                if (match := _PATH.fullmatch(path)) and (day := _day(match[2])):
                    self._found.setdefault(f"{match[3]}.json", {}).setdefault(day, set()).add(match[1])
        return self._found.setdefault(name, {})

    def _write_day(
        self, name: str, day: date, entries: Sequence[Entry], digest: str, stored: TableMetadata | None, by: str
    ) -> bool:
        """Write the files of a day that have other rows; return whether there were any."""
        segments, people = (TableFile(table, TableMetadata(digest)) for table in ("segments", "people"))
        sessions: list[Row] = []
        for entry, transcript, summary in sources_of(entries, self._destination):
            talk = self._measured(entry, transcript, segments)
            for row in people_rows(entry, talk):
                people.add(row)
            sessions.append(session_row(entry, talk, summary))
        contents = {"segments": segments.close(), "people": people.close()}
        changed = [self._write(self.path(table, day, name), data) for table, data in contents.items()]
        path = self.path("sessions", day, name)
        if stored is not None and not any(changed):
            unchanged = TableMetadata(digest, stored.written_by)
            if read_whole(path) == file_of("sessions", sessions, unchanged):
                return False
        write_whole(path, file_of("sessions", sessions, TableMetadata(digest, by)))
        self._days_of(name)[day] = set(TABLES)
        return True

    def _measured(self, entry: Entry, transcript: Iterable[Segment] | None, segments: TableFile) -> TalkTime | None:
        """Measure a transcript, and add the rows of its segments."""
        if transcript is None:
            if entry.files:
                source = source_of(entry)
                self.unreadable[entry.session_id] = f"{source['path']} is missing or damaged" if source else NO_SOURCE
            return None

        def added() -> Iterator[Utterance]:
            for index, said in enumerate(utterances(transcript, entry.user_roles)):
                segments.add(segment_row(entry.session_id, index, said), len(said.text))
                yield said

        talk = measure(added(), duration_of(entry))
        for role in ROLES:
            self.talk_seconds[role] += talk.seconds_of(role)
        return talk

    def _write(self, path: ObjectStoragePath, data: bytes) -> bool:
        """Write a file unless it is there and the same; return whether it was written."""
        if read_whole(path) == data:
            return False
        write_whole(path, data)
        return True


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None
