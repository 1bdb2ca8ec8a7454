# SPDX-License-Identifier: Apache-2.0
"""Reads the transcripts that an archive's tables are made from, several at a time, out of the archive's own files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from lessonspace_provider.archive.entry import Entry
from lessonspace_provider.archive.recorded import is_whole
from lessonspace_provider.archive.schema import ManifestFile
from lessonspace_provider.output.destinations import join_below
from lessonspace_provider.output.files import read_many
from lessonspace_provider.transcripts.formats import WHOLE_FORMATS, segments_in

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath

    from lessonspace_provider.api.types import Segment

#: Bytes and number of files that are read at a time.
MOST_BYTES, MOST_FILES = 8 * 2**20, 64

#: Bytes of a transcript whose segments are parsed all at once, where they take up to 50 times that.
_LARGEST_PARSED = 2**20


def source_of(entry: Entry) -> ManifestFile | None:
    """Choose the file that a session's rows are made from; None when it has no transcript in such a format."""
    by_format = {file["format"]: file for file in entry.files}
    return next((by_format[name] for name in WHOLE_FORMATS if name in by_format), None)


class Source(NamedTuple):
    """
    What the rows of a session are made from.

    :param segments: None when it has no transcript, or its file is not there, damaged or no transcript.
    :param summary: None when it has none, or its file is not there or damaged.
    """

    entry: Entry
    segments: Iterable[Segment] | None
    summary: str | None


def sources_of(entries: Iterable[Entry], destination: ObjectStoragePath) -> Iterator[Source]:
    """
    Read the transcript and the summary of each entry.

    :param destination: the archive's folder.
    """
    batch: list[Entry] = []
    size = 0
    for entry in entries:
        needed = sum(file["size"] for file in _files_of(entry))
        if batch and (size + needed > MOST_BYTES or len(batch) >= MOST_FILES):
            yield from _read(batch, destination)
            batch, size = [], 0
        batch.append(entry)
        size += needed
    yield from _read(batch, destination)


def _files_of(entry: Entry) -> list[ManifestFile]:
    return [file for file in (source_of(entry), entry.summary) if file is not None]


def _read(entries: Sequence[Entry], destination: ObjectStoragePath) -> Iterator[Source]:
    files = [file for entry in entries for file in _files_of(entry)]
    contents = read_many([(join_below(destination, file["path"]), file["size"]) for file in files])
    whole = {file["path"]: data for file, data in zip(files, contents) if data is not None and is_whole(data, file)}
    del contents
    for entry in entries:
        source, summary = source_of(entry), whole.pop(entry.summary["path"], None) if entry.summary else None
        data = whole.pop(source["path"], None) if source else None
        segments = None
        if source is not None and data is not None:
            segments = segments_in(data, source["format"], at_once=len(data) <= _LARGEST_PARSED)
        yield Source(entry, segments, None if summary is None else summary.decode(errors="replace").removesuffix("\n"))
