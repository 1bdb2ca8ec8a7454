# SPDX-License-Identifier: Apache-2.0
"""Export transcripts of an archive for research, without a call to the API."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING, TypedDict

from lessonspace_provider.api.arguments import as_window
from lessonspace_provider.api.times import read_time
from lessonspace_provider.archive.entry import Entry
from lessonspace_provider.archive.manifest_store import ManifestStore
from lessonspace_provider.archive.paths import as_archive
from lessonspace_provider.archive.recorded import content_of
from lessonspace_provider.archive.windows import Window
from lessonspace_provider.output.destinations import as_place
from lessonspace_provider.output.files import files_below, remove_files, write_pieces
from lessonspace_provider.transcripts.formats import WHOLE_FORMATS, segments_in
from lessonspace_provider.transcripts.research import SessionFacts, research_lines

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath

    from lessonspace_provider.api.types import Segment

_PATH = re.compile(r"\d{4}-\d{2}-\d{2}/([^/]+)\.jsonl")


class ResearchExport(TypedDict):
    """
    The result of an export.

    :param path: of the folder.
    :param sessions: number of sessions of the window that were written.
    :param utterances: number of their utterances.
    :param left_out: ids of sessions with a transcript, but without an undamaged ``json`` or ``jsonl`` file.
    :param removed: ids of sessions of any window that were erased since an earlier export. Their files were removed.
    """

    path: str
    sessions: int
    utterances: int
    left_out: list[str]
    removed: list[str]


def export_research(
    destination: str | ObjectStoragePath,
    folder: str | ObjectStoragePath,
    window_start: datetime | str,
    window_end: datetime | str,
) -> ResearchExport:
    """
    Write ``<folder>/YYYY-MM-DD/<session uuid>.jsonl`` for each archived transcript of a window.

    The lines are ``ResearchSession`` and ``ResearchUtterance``, with roles and labels in place of names and user ids.
    The day is that of the session's end in UTC. If the end moves to another day, the file moves, too. An export after
    an erasure removes the files of erased sessions.

    :param destination: the archive's folder.
    :param folder: where to write. Use it for nothing else.
    :param window_start: aware datetime or ISO 8601 text; sessions that ended at this moment belong to the window.
    :param window_end: likewise; sessions that ended at this moment do not.
    :raises LessonspaceInputError: for a wrong argument.
    :raises LessonspaceDestinationError: if the archive or the folder can't be read or written.
    :raises LessonspaceError: if a manifest can't be read.
    """
    archive = as_archive(destination)
    target = as_place(folder, "an absolute folder or a URL, such as 's3://aws_default@bucket/research'", "folder")
    export = ResearchExport(path=str(target), sessions=0, utterances=0, left_out=[], removed=[])
    window, exported = Window(*as_window(window_start, window_end)), _exported(target)
    for entry in _entries(archive):
        there, end = exported.get(entry.session_id, []), read_time(entry.end_time)
        if entry.status == "erased":
            if there:
                _remove_each(there)
                export["removed"].append(entry.session_id)
        elif entry.files and end is not None and window.covers(end):
            segments = _read_segments(archive, entry)
            if segments is None:
                export["left_out"].append(entry.session_id)
                continue
            file = target / end.date().isoformat() / f"{entry.session_id}.jsonl"
            write_pieces(file, research_lines(_facts(entry), segments, entry.user_roles))
            _remove_each([path for path in there if path.path != file.path])  # last: rather there twice than lost
            export["sessions"] += 1
            export["utterances"] += len(segments)
    return export


def _exported(folder: ObjectStoragePath) -> dict[str, list[ObjectStoragePath]]:
    """List the files of earlier exports by session: several where its end has moved."""
    found: dict[str, list[ObjectStoragePath]] = {}
    for path in files_below(folder):
        if match := _PATH.fullmatch(path):
            found.setdefault(match[1], []).append(folder / path)
    return found


def _remove_each(paths: Iterable[ObjectStoragePath]) -> None:
    for path in paths:
        remove_files([path])


def _entries(archive: ObjectStoragePath) -> Iterator[Entry]:
    """Read the entries of all manifests: an end may have moved since its manifest's window."""
    manifests = ManifestStore(archive, dry_run=True)
    for name in manifests.listed():
        manifest = manifests.read(name)
        yield from manifest.entries.values() if manifest else ()


def _facts(entry: Entry) -> SessionFacts:
    return SessionFacts(
        session_id=entry.session_id,
        space_id=entry.space_id,
        start_time=entry.start_time,
        end_time=entry.end_time,
        participants=entry.participants,
    )


def _read_segments(archive: ObjectStoragePath, entry: Entry) -> Collection[Segment] | None:
    by_format = {file["format"]: file for file in entry.files}
    for name in WHOLE_FORMATS:
        data = content_of(archive, by_format[name]) if name in by_format else None
        if data is not None:
            return segments_in(data, name)
    return None
