# SPDX-License-Identifier: Apache-2.0
"""Archives the transcripts of entries, from the files that are there or from the API, in threads."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from threading import Lock
from typing import TYPE_CHECKING, Protocol

from lessonspace_provider.api.log import Log
from lessonspace_provider.archive.clock import Present
from lessonspace_provider.archive.entry import Entries, Entry, count
from lessonspace_provider.archive.files import TranscriptFiles
from lessonspace_provider.archive.manifest import Manifest
from lessonspace_provider.archive.summaries import SummaryFiles
from lessonspace_provider.bulk.items import Item
from lessonspace_provider.bulk.progress import repeated
from lessonspace_provider.bulk.threads import WorkerThreads
from lessonspace_provider.exceptions import LessonspaceError, LessonspaceTranscriptNotReady

if TYPE_CHECKING:
    from lessonspace_provider.api.types import Segment, Session

#: Seconds between two lines of progress.
PROGRESS_INTERVAL = 5.0


class TranscriptSource(Protocol):
    """The part of the hook that is used here."""

    def open_transcript(self, session_id: str) -> Collection[Segment]:
        """Get the segments of a session, to be read through more than once."""

    def get_session(self, session_id: str) -> Session:
        """Get a session."""

    def server_time(self) -> datetime | None:
        """Give the present by the API's clock, aware; None while that is unknown."""


class TranscriptFetcher:
    """
    Archives the transcript of each entry on its own: an error of one stops no other.

    :param source: the hook.
    :param files: those of the archive.
    :param summaries: the summaries of the run; those that could not be written are in ``failed_summaries``.
    :param give_up_after: how long after its end a session's transcript is waited for.
    :param log: for progress, and for what became of each session.
    :param dry_run: ask for no transcript and write nothing; those whose files would be fetched or written are pending.
    :param clock: gives the worker's time, aware.
    """

    def __init__(
        self,
        source: TranscriptSource,
        files: TranscriptFiles,
        summaries: SummaryFiles,
        *,
        give_up_after: timedelta,
        log: Log,
        dry_run: bool,
        clock: Callable[[], datetime],
    ) -> None:
        self._source = source
        self._files = files
        self._summaries = summaries
        self.failed_summaries: list[Entry] = []
        self._give_up_after = give_up_after
        self._log = log
        self._dry_run = dry_run
        self._clock = clock
        self._not_warned = Lock()
        self._fetched: set[str] = set()
        self._rebuilt: set[str] = set()

    def present(self) -> Present:
        """Give the present; warn once when the worker's clock can't be trusted."""
        present = Present.of(self._clock(), self._source.server_time())
        if present.warning and self._not_warned.acquire(blocking=False):
            self._log.warning("%s", present.warning)
        return present

    def fetch(self, entries: Entries) -> Entries:
        """Archive what is due of some entries in a few threads, and log the progress meanwhile."""
        began = time.monotonic()
        done: dict[str, Entry] = {}

        def update(item: Item[Entry]) -> None:
            done[item.key] = self.with_summary(self._with_transcript(item.task))

        def log_progress() -> None:
            self._log.info("%s", progress(list(done.values()), len(entries), time.monotonic() - began))

        items = [Item(session_id, session_id, "", entry) for session_id, entry in entries.items()]
        # No patience: a transcript that is not in the manifest yet is fetched or rebuilt by the next run anyway.
        threads = WorkerThreads(update, patience=0)
        threads.run(items, tick=repeated(log_progress, PROGRESS_INTERVAL), is_killed=lambda: False)
        updated = {session_id: done[session_id] for session_id in entries}
        self._report(updated)
        return updated

    def _report(self, entries: Entries) -> None:
        """Log a folded group for each status that occurred, and what was done now."""
        counts = count(entries.values())
        for status, number in counts.items():
            if number:
                self._log.info("::group::%s (%d)", status, number)
                for entry in entries.values():
                    if entry.status == status:
                        self._log.info("%s", entry)
                self._log.info("::endgroup::")
        if archived := counts["archived"]:
            fetched, rebuilt = len(self._fetched & entries.keys()), len(self._rebuilt & entries.keys())
            there = archived - fetched - rebuilt
            self._log.info(
                "%d transcripts: %d fetched now, %d rebuilt from files, %d already archived",
                *(archived, fetched, rebuilt, there),
            )

    def _with_transcript(self, entry: Entry) -> Entry:
        try:
            if self._is_done(entry):
                return entry
            if self._dry_run:
                return entry.planned()
            return self._rebuild(entry) or self._fetch(entry)
        except Exception as error:  # one bad session stops no other, whatever a store's client raises
            return entry.failed(reason_of(error), self.present().now, self._give_up_after)

    def with_summary(self, entry: Entry) -> Entry:
        """Write a session's summary, if a list has another one than the archive."""
        try:
            return self._summaries.updated(entry)
        except Exception as error:  # the manifest has what became of the transcript
            reason = f"its summary could not be written: {reason_of(error)}"
            self.failed_summaries.append(replace(entry, status="failed", reason=reason))
            return entry

    def _is_done(self, entry: Entry) -> bool:
        """Whether there is nothing to do for a session, now."""
        if entry.status == "archived":
            return self._files.are_complete(entry)
        return not entry.is_due(self.present().now)

    def _rebuild(self, entry: Entry) -> Entry | None:
        rebuilt = self._files.rebuilt(entry)
        if rebuilt is not None:
            self._rebuilt.add(entry.session_id)
        return rebuilt

    def _fetch(self, entry: Entry) -> Entry:
        self._files.check_can_replace(entry)
        try:
            segments = self._source.open_transcript(entry.session_id)
        except LessonspaceTranscriptNotReady:
            return self._missing(entry, "no transcript yet")
        # An empty one may still be filled; one that had segments before is never archived empty.
        if not segments and (entry.segments or not entry.is_last_check(self.present(), self._give_up_after)):
            return self._missing(entry, "the transcript is empty so far")
        written = self._files.write(entry, segments)
        self._fetched.add(entry.session_id)
        return written

    def _missing(self, entry: Entry, reason: str) -> Entry:
        return self._files.left_of(entry) or entry.missing(self.present(), self._give_up_after, reason)

    def warn_of_lost(self, entries: Entries, known: Manifest) -> None:
        """
        Warn of each transcript that was given up, or archived without a word in it, by this run.

        :param entries: what became of the sessions.
        :param known: the manifest before.
        """
        for session_id, entry in entries.items():
            if known.status_of(session_id) == entry.status:
                continue
            if entry.status == "given_up":
                self._log.warning("A transcript was given up: session %s", entry)
            elif entry.status == "archived" and not entry.segments:
                self._log.warning("An empty transcript was archived: session %s", entry)


def progress(done: Sequence[Entry], total: int, seconds: float) -> str:
    """
    Describe how far an archive is, for a log.

    :param done: what is done so far.
    :param total: how many will be.
    :param seconds: since the first of them started.
    """
    counts, rate = count(done), len(done) / seconds
    left = f"about {(total - len(done)) / rate:.0f} s left" if rate else "time left not known yet"
    return (
        f"{len(done)} of {total} sessions done: {counts['pending']} pending, {counts['failed']} failed; "
        f"{rate:.1f} a second, {left}"
    )


def reason_of(error: Exception) -> str:
    """Describe an error without words that may hold a signed link."""
    from requests import RequestException  # an OSError, whose text holds a URL, and of WebHDFS a token with it

    if isinstance(error, (LessonspaceError, OSError)) and not isinstance(error, RequestException):
        return str(error)
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"unexpected {type(error).__name__} at {frame.filename}:{frame.lineno}, please report it"
