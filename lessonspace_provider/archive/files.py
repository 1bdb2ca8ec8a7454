# SPDX-License-Identifier: Apache-2.0
"""The files of an archive's transcripts: checked against their entry, rebuilt from each other, and written."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lessonspace_provider.archive.entry import Entry
from lessonspace_provider.archive.erasure.rules import ErasureRules
from lessonspace_provider.archive.erasure.tombstones import ON_REQUEST
from lessonspace_provider.archive.paths import DEFAULT_PATH_TEMPLATE
from lessonspace_provider.archive.recorded import content_of
from lessonspace_provider.archive.schema import ManifestFile
from lessonspace_provider.archive.summaries import SummaryFiles
from lessonspace_provider.archive.text_redaction import TextRedaction, TextRedactor
from lessonspace_provider.output.destinations import join_below
from lessonspace_provider.output.files import names_in, read_whole, write_pieces
from lessonspace_provider.transcripts.formats import WHOLE_FORMATS, WRITERS, pieces_of, segments_in
from lessonspace_provider.transcripts.redaction import (
    NAME_LABEL,
    are_redacted,
    redacted_speakers,
    speaker_names,
    with_labels,
)
from lessonspace_provider.transcripts.segments import text_of

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath

    from lessonspace_provider.api.types import Segment


@dataclass(frozen=True)
class ArchiveLayout:
    """
    How an archive is written.

    :param destination: its folder.
    :param formats: names of ``transcripts.WRITERS``, each transcript is written in all of them.
    :param path_template: see ``paths.check_path_template``.
    :param redact_speakers: whether roles and numbers replace names.
    :param summaries: whether the sessions' summaries are archived, too.
    :param tables: whether tables are written.
    :param texts: what is redacted in the text.
    """

    destination: ObjectStoragePath
    formats: Sequence[str]
    path_template: str = DEFAULT_PATH_TEMPLATE
    redact_speakers: bool = False
    summaries: bool = False
    tables: bool = False
    texts: TextRedaction = field(default_factory=TextRedaction)


class TranscriptFiles:
    """
    The files of one archive.

    :param layout: how they are written.
    :param summaries: gets the names that labels take the place of.
    :param texts: redacts the text.
    :param rules: the archive's erasures.
    """

    def __init__(
        self,
        layout: ArchiveLayout,
        summaries: SummaryFiles,
        texts: TextRedactor,
        rules: ErasureRules,
    ) -> None:
        self._layout = layout
        self._texts = texts
        self._summaries = summaries
        self._rules = rules

    def are_complete(self, entry: Entry) -> bool:
        """Whether all that is wanted of an archived transcript is there and whole."""
        # Names of speakers come back by fetching only, and that would bring those in the text back, too.
        stays_redacted = entry.redacted and bool(self._texts.lacking(entry.redacted_by))
        is_redacted_as_wanted = entry.redacted == self._layout.redact_speakers or stays_redacted
        if not is_redacted_as_wanted or not self._texts.is_done(entry.redacted_by):
            return False
        if {file["format"] for file in entry.files} != set(self._layout.formats):
            return False
        whole = self._whole(entry)
        return len(whole) == len(entry.files) and not self._names_are_left(entry, whole)

    def _names_are_left(self, entry: Entry, whole: Sequence[ManifestFile]) -> bool:
        """Whether the text has names that were not known when it was redacted."""
        sources = (file["format"] for file in whole if file["format"] in WHOLE_FORMATS)
        format_name = next(sources, None) if self._texts.has_names else None
        segments = None if format_name is None else self._segments_in(entry, format_name)
        return segments is not None and self._texts.finds_names(entry, segments)

    def _whole(self, entry: Entry) -> list[ManifestFile]:
        """Choose the files of an entry that are there, as they were written."""
        return [file for file in entry.files if content_of(self._layout.destination, file) is not None]

    def left_of(self, entry: Entry) -> Entry | None:
        """Record which files there are of a transcript that the API does not have any more; None when there is none."""
        whole = self._whole(entry)
        return entry.partly_archived(whole, self._layout.formats) if whole else None

    def check_can_replace(self, entry: Entry) -> None:
        """
        Refuse to fetch a transcript again that was redacted by what this run does not have.

        :raises LessonspaceError: the message names the session and what is missing.
        """
        self._texts.check_can_replace("transcript", entry.session_id, entry.redacted_by)

    def rebuilt(self, entry: Entry) -> Entry | None:
        """Complete a transcript from a file that holds all of it; None when there is none."""
        for format_name in self._sources(entry):
            segments = self._segments_in(entry, format_name)
            if segments and (self._layout.redact_speakers or not are_redacted(segments)):
                return self.write(entry, segments, redacted_by=entry.redacted_by or ())
        return None

    def _sources(self, entry: Entry) -> Iterator[str]:
        """Name the formats to rebuild from: JSON, which a killed run may have left, and what is as it was written."""
        if "json" in self._layout.formats:
            yield "json"
        yield from (file["format"] for file in self._whole(entry) if file["format"] in WHOLE_FORMATS)

    def _segments_in(self, entry: Entry, format_name: str) -> Collection[Segment] | None:
        """Read the segments of a file, if it is one that was written here."""
        data = read_whole(self._path(entry, format_name)) or b""
        segments = segments_in(data, format_name)
        if segments is None:
            return None
        at = 0
        for piece in pieces_of(segments, format_name):
            if not data.startswith(piece, at):
                return None
            at += len(piece)
        return segments if at == len(data) else None

    def write(self, entry: Entry, segments: Collection[Segment], redacted_by: Sequence[str] = ()) -> Entry:
        """
        Write a transcript in all formats that are wanted, without people who were erased.

        :param redacted_by: what its text is redacted by already.
        """
        kept = self._rules.segments(entry, segments)
        if kept is None:
            self._rules.remove_files_of(entry)
            return entry.erased(ON_REQUEST)
        redact = self._layout.redact_speakers
        if redact:
            speakers = redacted_speakers(segments, entry.user_roles)
            self._summaries.collect_names(entry.session_id, segments, speakers)
            kept = with_labels(kept, speakers)
        names = speaker_names(segments)
        kept = self._texts.redacted(entry.session_id, kept, names, redacted_by)
        kinds = self._texts.kinds_after(redacted_by)
        files = [self._write_file(entry, kept, format_name) for format_name in self._layout.formats]
        if entry.files and (redact or kinds):
            for format_name in self._unwanted_formats(entry):
                self._write_file(entry, kept, format_name)
        spoken_names = sum(text_of(segment).count(NAME_LABEL) for segment in kept) if kinds else None
        return entry.archived(
            files, segments=len(kept), redacted=redact, spoken_names=spoken_names, redacted_by=list(kinds) or None
        )

    def _unwanted_formats(self, entry: Entry) -> list[str]:
        """Name the formats that are no longer wanted, of which an earlier run has left a file."""
        there, name = names_in(self._path(entry, "json").parent), entry.path.rpartition("/")[2]
        return [other for other in WRITERS if other not in self._layout.formats and f"{name}.{other}" in there]

    def _path(self, entry: Entry, format_name: str) -> ObjectStoragePath:
        return join_below(self._layout.destination, f"{entry.path}.{format_name}")

    def _write_file(self, entry: Entry, segments: Collection[Segment], format_name: str) -> ManifestFile:
        written = write_pieces(self._path(entry, format_name), pieces_of(segments, format_name))
        path = f"{entry.path}.{format_name}"
        return ManifestFile(format=format_name, path=path, size=written.size, sha256=written.sha256)
