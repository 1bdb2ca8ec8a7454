# SPDX-License-Identifier: Apache-2.0
"""The summaries of sessions, as files beside the transcripts: from what lists carry, without a call of their own."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from lessonspace_provider.archive.entry import Entry
from lessonspace_provider.archive.erasure.rules import ErasureRules
from lessonspace_provider.archive.paths import session_id_of
from lessonspace_provider.archive.recorded import content_of
from lessonspace_provider.archive.schema import SUMMARY, SummaryFile
from lessonspace_provider.archive.text_redaction import TextRedactor
from lessonspace_provider.output.destinations import join_below
from lessonspace_provider.output.files import write_pieces
from lessonspace_provider.transcripts.summaries import (
    names_in_session,
    names_in_transcript,
    redacted_text,
    summary_of,
)

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath

    from lessonspace_provider.api.types import Segment, Session


def summary_in(destination: ObjectStoragePath, entry: Entry) -> str | None:
    """
    Read the archived summary of a session.

    :param destination: the archive's folder.
    :return: None when there is none, or its file is not as it was written.
    :raises LessonspaceDestinationError: when the store refuses.
    """
    data = None if entry.summary is None else content_of(destination, entry.summary)
    return None if data is None else data.decode(errors="replace").removesuffix("\n")


class SummaryFiles:
    """
    The summaries of one run. A summary that the lists no longer have stays as it is.

    :param destination: the archive's folder.
    :param texts: redacts their text.
    :param rules: the archive's erasures.
    :param is_wanted: whether summaries are archived; otherwise those that are there are redacted, and no more.
    :param redact: whether labels are written in place of the names of the people in a session.
    :param dry_run: read and write nothing.
    """

    def __init__(
        self,
        destination: ObjectStoragePath,
        texts: TextRedactor,
        rules: ErasureRules,
        *,
        is_wanted: bool,
        redact: bool,
        dry_run: bool,
    ) -> None:
        self._texts = texts
        self._destination = destination
        self._rules = rules
        self._is_wanted = is_wanted and not dry_run
        self._redact = (redact or texts.is_active) and not dry_run
        self._listed: dict[str, str] = {}
        self._names: dict[str, Mapping[str, str]] = {}

    def collect(self, sessions: Iterable[Session]) -> int:
        """
        Keep the summaries that a list carries, and with ``redact`` the names of the people in their sessions.

        :return: how many sessions have one.
        """
        for session in sessions:
            if self._is_wanted and (text := summary_of(session)):
                self._listed[session_id_of(session)] = text
            if self._redact and isinstance(session, dict):
                self._names[session_id_of(session)] = names_in_session(session)
        return len(self._listed)

    def collect_names(self, session_id: str, segments: Collection[Segment], speakers: Mapping[int, str]) -> None:
        """
        Keep the names of those who speak in a transcript, before labels take their place.

        :param speakers: user id -> label.
        """
        if self._redact:
            spoken = names_in_transcript(segments, speakers)
            # Each speaker has a label with a number in the transcript.
            self._names[session_id] = {**self._names.get(session_id, {}), **spoken}

    def has_newer(self, entry: Entry) -> bool:
        """Whether a list carries another summary than the archive has, or the archive's is redacted otherwise."""
        text = self._listed.get(entry.session_id)
        if text is None or not entry.path or entry.status == "erased":
            return False
        there = entry.summary
        if there is None or there["source"] != _sha256(text):
            return True
        # Names come back from the list only, and that would bring back what else was redacted, too.
        stays_redacted = there["redacted"] and bool(self._texts.lacking(_redacted_by(entry)))
        is_redacted_as_wanted = there["redacted"] == self._redact or stays_redacted
        return not is_redacted_as_wanted or not self._texts.is_done(_redacted_by(entry))

    def updated(self, entry: Entry) -> Entry:
        """
        Write the summary of a session, if there is another one than the archive has.

        :return: the entry, with the summary's file.
        :raises LessonspaceDestinationError: when the store refuses.
        :raises LessonspaceError: when the archive's was redacted by what this run does not have, and another one would
            take its place.
        """
        if not entry.path or entry.status == "erased" or not (self._is_wanted or self._redact):
            return entry
        before = _redacted_by(entry)
        there = None if entry.summary is None else summary_in(self._destination, entry)
        text = self._listed.get(entry.session_id)
        if text is not None and (there is None or self.has_newer(entry)):
            is_same = entry.summary is not None and entry.summary["source"] == _sha256(text)
            if there is None or not is_same or not self._texts.lacking(before):
                self._texts.check_can_replace("summary", entry.session_id, before)
                return self._written(entry, text, _sha256(text))
        if there is not None and entry.summary is not None and self._redact:
            # A transcript that came later can have further names.
            return self._written(entry, there, entry.summary["source"], redacted_by=before)
        return entry

    def _written(self, entry: Entry, text: str, source: str, *, redacted_by: Sequence[str] | None = None) -> Entry:
        """
        Redact and write a summary.

        :param redacted_by: what the text, which is the archive's own, is redacted by; None for one of a list.
        """
        kept = self._rules.text(entry, text)
        kept = redacted_text(kept, self._names.get(entry.session_id, {})) if self._redact else kept
        kept = self._texts.redacted_summary(entry.session_id, kept, redacted_by or ())
        kinds = self._texts.kinds_after(redacted_by or ())
        if redacted_by is not None and (kept, set(kinds)) == (text, set(redacted_by)):
            return entry
        path = f"{entry.path}.{SUMMARY}.txt"
        written = write_pieces(join_below(self._destination, path), [f"{kept}\n".encode()])
        file = SummaryFile(
            format=SUMMARY, path=path, size=written.size, sha256=written.sha256, source=source, redacted=self._redact
        )
        if kinds:
            file["redacted_by"] = list(kinds)
        return replace(entry, summary=file)


def _redacted_by(entry: Entry) -> Sequence[str]:
    """Give what the text of an entry's summary was redacted by."""
    return () if entry.summary is None else entry.summary.get("redacted_by", ())


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
