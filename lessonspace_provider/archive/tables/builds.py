# SPDX-License-Identifier: Apache-2.0
"""Builds the tables of an archive that exists, for the operator and for the command line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING

from lessonspace_provider.api.foreign_words import clean_words, first_of
from lessonspace_provider.api.log import Log
from lessonspace_provider.archive.fetching import reason_of
from lessonspace_provider.archive.manifest_store import ManifestStore
from lessonspace_provider.archive.tables.parquet import check_pyarrow
from lessonspace_provider.archive.tables.store import ArchiveTables
from lessonspace_provider.exceptions import LessonspaceError
from lessonspace_provider.output.destinations import join_below
from lessonspace_provider.transcripts.formats import WHOLE_FORMATS

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath

#: How many sessions or manifests a complaint names.
MOST_NAMED = 20


@dataclass(frozen=True)
class TablesBuild:
    """
    What was built.

    :param days: whose rows have changed.
    :param manifests: how many the tables are made from.
    :param sessions: how many they account for.
    :param complaints: what could not be built, and what to do.
    """

    days: Sequence[date]
    manifests: int
    sessions: int
    complaints: Sequence[str]


def build_tables(
    destination: ObjectStoragePath, start: datetime | None, end: datetime | None, *, log: Log
) -> TablesBuild:
    """
    Build the tables window by window; one that can't be built stops no other.

    :param destination: the archive's folder.
    :param start: aware; only manifests whose windows overlap the time from then on. None: from the first.
    :param end: likewise, until then. None: until the last.
    :raises LessonspaceInputError: when pyarrow is missing.
    :raises LessonspaceError: when there is no manifest.
    :raises LessonspaceDestinationError: when the manifests can't be listed.
    """
    check_pyarrow()
    manifests = ManifestStore(destination, dry_run=False)
    names = [
        name
        for name, window in manifests.windows().items()
        if (start is None or window.end > start) and (end is None or window.start < end)
    ]
    if not names:
        raise LessonspaceError(
            f"There is no manifest of an archive for this time in {join_below(destination, 'manifests')}. Check "
            f"destination, window_start and window_end."
        )
    tables, problems = ArchiveTables(destination, manifests), list[str]()
    days, sessions = set[date](), 0
    for number, name in enumerate(names, 1):
        try:
            manifest = manifests.read(name)
            if manifest is not None:
                days.update(tables.update(manifest, rebuild=True))
                sessions += len(manifest.entries)
        except Exception as error:  # one bad manifest stops no other, whatever a store's client raises
            problems.append(f"{name}: {reason_of(error)}")
        log.info("%d of %d manifests done: %s", number, len(names), name)
    return TablesBuild(sorted(days), len(names), sessions, _complaints(tables.unreadable, problems))


def _complaints(unreadable: Mapping[str, str], problems: Sequence[str]) -> list[str]:
    complaints = []
    if problems:
        complaints.append(
            f"The tables of {len(problems)} manifest(s) could not be built: {first_of(problems, MOST_NAMED, '; ')}"
        )
    if unreadable:
        lacking = [f"{clean_words(session_id)}: {reason}" for session_id, reason in unreadable.items()]
        complaints.append(
            f"The tables lack the transcripts of {len(lacking)} session(s), all others are built. They need a whole "
            f"{' or '.join(WHOLE_FORMATS)} file: run the windows of these sessions again with json among the formats: "
            f"{first_of(lacking, MOST_NAMED, '; ')}"
        )
    return complaints
