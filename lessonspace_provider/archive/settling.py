# SPDX-License-Identifier: Apache-2.0
"""Settles the entries of an archive: from the files that are there, or by asking for the transcripts, in threads."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from datetime import datetime, timedelta
from threading import Lock
from typing import TYPE_CHECKING, Protocol

from lessonspace_provider.archive import entry as archive
from lessonspace_provider.archive.clock import Present
from lessonspace_provider.archive.entry import ManifestSession
from lessonspace_provider.archive.files import ArchiveLayout, TranscriptFiles
from lessonspace_provider.exceptions import LessonspaceError, LessonspaceTranscriptNotReady

if TYPE_CHECKING:
    from lessonspace_provider.api.types import Segment

#: Threads that fetch and write: enough that downloads and writes never hold up the next call to the API.
WORKERS = 8

#: Seconds between two lines of progress.
PROGRESS_INTERVAL = 5.0

#: Entries by their session's id.
Entries = dict[str, ManifestSession]


class TranscriptSource(Protocol):
    """The part of the hook that is used here."""

    def open_transcript(self, session_id: str) -> Collection[Segment]:
        """Get the segments of a session, to be read through more than once."""

    def server_time(self) -> datetime | None:
        """Give the present by the API's clock, aware; None while that is not known."""


class Logger(Protocol):
    """The part of a logger that is used here."""

    def info(self, message: str, /, *args: object) -> None:
        """Log a line."""

    def warning(self, message: str, /, *args: object) -> None:
        """Log a line that somebody should look at."""


class Settling:
    """
    Settles entries, each on its own: an error of one stops no other.

    :param source: the hook.
    :param layout: how the archive is written.
    :param give_up_after: how long after its end a session's transcript is waited for.
    :param log: for progress, and for what became of each session.
    :param dry_run: ask for no transcript and write nothing; those whose files would be fetched or written are pending.
    :param clock: gives the worker's time, aware.
    """

    def __init__(
        self,
        source: TranscriptSource,
        layout: ArchiveLayout,
        *,
        give_up_after: timedelta,
        log: Logger,
        dry_run: bool,
        clock: Callable[[], datetime],
    ) -> None:
        self._source = source
        self._layout = layout
        self._files = TranscriptFiles(layout)
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

    def settle(self, entries: Mapping[str, ManifestSession]) -> Entries:
        """Settle entries in a few threads, and log the progress meanwhile."""
        began = time.monotonic()
        pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="lessonspace-archive")
        try:
            futures = [pool.submit(self._settle, entry) for entry in entries.values()]
            while wait(futures, PROGRESS_INTERVAL).not_done:
                done = [future.result() for future in futures if future.done()]
                self._log.info("%s", archive.progress(done, len(futures), time.monotonic() - began))
        finally:
            # Not "with": a task that was timed out would wait there for its calls in progress.
            pool.shutdown(wait=False, cancel_futures=True)
        settled = {entry["session_id"]: entry for entry in (future.result() for future in futures)}
        self._report(settled)
        return settled

    def _report(self, settled: Entries) -> None:
        """Log a folded group for each outcome that occurred, and what was done now."""
        counts = archive.count(settled.values())
        for status, number in counts.items():
            if number:
                self._log.info("::group::%s (%d)", status, number)
                for entry in settled.values():
                    if entry["status"] == status:
                        self._log.info("%s", archive.outcome(entry))
                self._log.info("::endgroup::")
        if archived := counts["archived"]:
            fetched, rebuilt = len(self._fetched & settled.keys()), len(self._rebuilt & settled.keys())
            there = archived - fetched - rebuilt
            self._log.info(
                "%d transcripts: %d fetched now, %d rebuilt from files, %d already there",
                *(archived, fetched, rebuilt, there),
            )

    def _settle(self, entry: ManifestSession) -> ManifestSession:
        try:
            if self._is_done(entry):
                return entry
            if self._dry_run:
                return {**entry, "status": "pending", "reason": "would be fetched or written"}
            return self._rebuild(entry) or self._fetch(entry)
        except Exception as error:  # one bad session stops no other, whatever a store's client raises
            now = self.present().now
            return archive.failed(entry, reason_of(error), now=now, give_up_after=self._give_up_after)

    def _is_done(self, entry: ManifestSession) -> bool:
        """Whether there is nothing to do for a session, now."""
        if entry["status"] == "archived":
            return self._files.are_complete(entry)
        return not archive.is_due(entry, self.present().now)

    def _rebuild(self, entry: ManifestSession) -> ManifestSession | None:
        rebuilt = self._files.rebuilt(entry)
        if rebuilt is not None:
            self._rebuilt.add(entry["session_id"])
        return rebuilt

    def _fetch(self, entry: ManifestSession) -> ManifestSession:
        try:
            segments = self._source.open_transcript(entry["session_id"])
        except LessonspaceTranscriptNotReady:
            return self._missing(entry, "no transcript yet")
        if not segments and not self._is_empty_for_good(entry):
            return self._missing(entry, "the transcript is empty so far")
        written = self._files.write(entry, segments)
        self._fetched.add(entry["session_id"])
        return written

    def _is_empty_for_good(self, entry: ManifestSession) -> bool:
        """Whether an empty transcript is all that will come; one that had segments before never is."""
        tried: ManifestSession = {**entry, "tries": entry["tries"] + 1}
        is_over = archive.may_give_up(tried, present=self.present(), give_up_after=self._give_up_after)
        return is_over and not entry["segments"]

    def _missing(self, entry: ManifestSession, reason: str) -> ManifestSession:
        if whole := self._files.whole(entry):
            return archive.kept(entry, whole, self._layout.formats)
        return archive.missing(entry, present=self.present(), give_up_after=self._give_up_after, reason=reason)

    def warn_of_lost(self, settled: Entries, known: Mapping[str, ManifestSession]) -> None:
        """
        Warn of each transcript that was given up, or archived without a word in it, by this run.

        :param settled: what became of the sessions.
        :param known: what the manifest had of them before.
        """
        for entry in settled.values():
            if not archive.is_new_status(entry, known):
                continue
            if entry["status"] == "given_up":
                self._log.warning("A transcript was given up: session %s", archive.outcome(entry))
            elif entry["status"] == "archived" and not entry["segments"]:
                self._log.warning("An empty transcript was archived: session %s", archive.outcome(entry))


def reason_of(error: Exception) -> str:
    """Say what an error means, without words that may hold a signed link."""
    from requests import RequestException  # an OSError, whose text holds a URL, and of WebHDFS a token with it

    if isinstance(error, (LessonspaceError, OSError)) and not isinstance(error, RequestException):
        return str(error)
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"unexpected {type(error).__name__} at {frame.filename}:{frame.lineno}, please report it"


def failures(entries: Iterable[ManifestSession]) -> list[ManifestSession]:
    """Choose the entries that a task is to fail for."""
    return [entry for entry in entries if entry["status"] in ("failed", "not_attempted")]
