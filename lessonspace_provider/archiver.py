# SPDX-License-Identifier: Apache-2.0
"""Fills an archive: fetches what is missing, keeps what is right, and accounts for every session."""

from __future__ import annotations

import json
import time
import traceback
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Protocol, cast

from lessonspace_provider import archive, json_list, transcripts
from lessonspace_provider.archive_windows import MANIFESTS, Window, gaps, manifest_name, window_of
from lessonspace_provider.exceptions import LessonspaceError, LessonspaceTranscriptNotReady
from lessonspace_provider.storage import names_in, read_whole, write_pieces, write_whole
from lessonspace_provider.times import write_time

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath

    from lessonspace_provider.api_types import Segment, Session

#: Threads that fetch and write: enough that downloads and writes never hold up the next call to the API.
WORKERS = 8

#: Manifests whose window ended longer ago than ``give_up_after`` and this are not looked into for pending ones.
LOOK_BACK = timedelta(days=30)

#: Seconds between two lines of progress.
PROGRESS_INTERVAL = 5.0

#: Entries as they become known, by their session's uuid.
Entries = dict[str, archive.ManifestSession]


class TranscriptSource(Protocol):
    """The part of the hook that is used here."""

    def open_transcript(self, session_id: str) -> Collection[Segment]:
        """Get the segments of a session, to be read through more than once."""


class Logger(Protocol):
    """The part of a logger that is used here."""

    def info(self, message: str, /, *args: object) -> None:
        """Log a line."""

    def warning(self, message: str, /, *args: object) -> None:
        """Log a line that somebody should look at."""


@dataclass(frozen=True)
class ArchiveLayout:
    """
    How an archive is written.

    :param destination: its folder.
    :param formats: names of ``transcripts.WRITERS``, each transcript is written in all of them.
    :param path_template: see ``archive.check_path_template``.
    :param redact_speakers: whether roles and numbers stand in place of names.
    """

    destination: ObjectStoragePath
    formats: Sequence[str]
    path_template: str = archive.DEFAULT_PATH_TEMPLATE
    redact_speakers: bool = False


@dataclass(frozen=True)
class ArchivedWindow:
    """
    What was done for a window.

    :param path: where its manifest lies.
    :param account: the manifest.
    :param failed: the sessions that failed just now; of an earlier window, those that had not failed before.
    :param changed: of an earlier window, the sessions whose status was changed by this run or a try of it before.
    """

    path: ObjectStoragePath
    account: archive.Manifest
    failed: list[archive.ManifestSession]
    changed: list[archive.ManifestSession]


class Archiver:
    """
    Archives the sessions of a window, and those of earlier windows that were still pending.

    :param source: the hook.
    :param layout: how the archive is written.
    :param give_up_after: how long after its end a session's transcript is waited for.
    :param log: for progress, and for what became of each session.
    :param dry_run: ask for no transcript and write nothing; those whose files would be fetched or written are pending.
    :param now: the present, aware.
    """

    def __init__(
        self,
        source: TranscriptSource,
        layout: ArchiveLayout,
        *,
        give_up_after: timedelta,
        log: Logger,
        dry_run: bool = False,
        now: Callable[[], datetime] = lambda: datetime.now(timezone.utc),
    ) -> None:
        self._source = source
        self._layout = layout
        self._give_up_after = give_up_after
        self._log = log
        self._dry_run = dry_run
        self._now = now

    def archive_window(
        self, sessions: Iterable[Session], window_start: datetime, window_end: datetime
    ) -> ArchivedWindow:
        """
        Archive the sessions of a window, and account for them in its manifest.

        The manifest is first written before any transcript is asked for, with the new sessions as failed: so a
        destination that can't be written costs the list and no call for a transcript, and what a killed run never
        came to is on record. A session that is in the manifest of an earlier run and is not listed any more stays there
        as it is.

        :param sessions: every session that ended in the window; they are read to the end before any is asked for.
        :param window_start: aware.
        :param window_end: aware.
        :return: the window's manifest, as written, or as a dry run would write it.
        """
        path = self._layout.destination / MANIFESTS / manifest_name(Window(window_start, window_end))
        empty = archive.manifest(window_start, window_end, ())
        known = archive.by_session(self._read_manifest(path))
        entries = self._entries_of(sessions, known)
        begun = {session_id: self._begun(entry) for session_id, entry in entries.items() if session_id not in known}
        self._update_manifest(path, empty, known, begun)
        settled = self._settle_all(entries)
        own = {session_id: archive.signed(entry, known, None) for session_id, entry in settled.items()}
        account = self._update_manifest(path, empty, {**known, **begun}, own)
        self._warn_of_given_up(settled, known)
        return ArchivedWindow(path, account, _failed(settled), changed=[])

    def take_up_pending(self, before: datetime, late: Sequence[Session] = ()) -> tuple[list[ArchivedWindow], list[str]]:
        """
        Look again for the transcripts that earlier windows still miss, and bring their manifests up to date.

        A pending one that fails here stays pending, so that it is looked for again, until it is given up. One that had
        failed before is warned of if it does so again: the run of its own window has told it, and it must not stop all
        that waits for this one. What can't be read, or would be given up before it is taken up, has failed for good.

        :param before: only windows that ended by then: the start of the run's own.
        :param late: sessions that ended shortly before; those that no manifest of their window has are taken up, too.
        :return: the windows whose manifests have changed, in this try or in an earlier one of this run, which may have
            failed before it could tell; and what is wrong with those that could not be read or written; none of them
            stops the others.
        """
        changed, problems = [], []
        try:
            paths = self._earlier_manifests(before)
        except Exception as error:
            return [], [f"earlier manifests can't be listed: {_reason(error)}"]
        for path in paths:
            try:
                window = self._take_up(path, late, write_time(before))
            except Exception as error:  # whatever stands in a manifest, or a store's client raises
                problems.append(f"{path.name}: {_reason(error)}")
            else:
                changed += [window] if window else []
        return changed, problems

    def gaps(self, until: datetime) -> list[Window]:
        """
        Find the times that no manifest accounts for, since the archive began; see ``archive_windows.gaps``.

        To be asked last: runs of earlier windows that go on beside this one have written their manifests by then.
        """
        return gaps(self.windows(), until)

    def windows(self) -> list[Window]:
        """Read the windows of all manifests from their names; none where they can't be listed."""
        try:
            names = names_in(self._layout.destination / MANIFESTS)
        except Exception:  # what is wrong with manifests, take_up_pending tells
            return []
        return [window for window in map(window_of, names) if window is not None]

    def _earlier_manifests(self, before: datetime) -> list[ObjectStoragePath]:
        folder = self._layout.destination / MANIFESTS
        oldest = self._now() - self._give_up_after - LOOK_BACK
        windows = {name: window_of(name) for name in names_in(folder)}
        return [folder / name for name, window in windows.items() if window and oldest < window.end <= before]

    def _take_up(self, path: ObjectStoragePath, late: Iterable[Session], by: str) -> ArchivedWindow | None:
        account = self._read_manifest(path)
        if account is None:
            return None
        now, known = self._now(), archive.by_session(account)
        due = {session_id: entry for session_id, entry in known.items() if archive.is_due(entry, now)}
        missed = [s for s in late if archive.session_id_of(s) not in known and archive.covers(account, s)]
        entries = {**due, **self._entries_of(missed, known)}
        if not entries:
            changed = archive.changed_by(account, by)
            return ArchivedWindow(path, account, [], changed) if changed else None
        settled = self._settle_all(entries)
        failed = _failed(settled)
        told = [entry["session_id"] for entry in _failed(due)]
        for entry in failed:
            if entry["session_id"] in told:
                last = "" if entry["next_look"] else ", and is not looked for any more"
                self._log.warning("A session that failed before does so again%s: %s", last, archive.outcome(entry))
            elif entries[entry["session_id"]]["status"] == "pending":
                pending = archive.still_pending(entry, now=now, give_up_after=self._give_up_after)
                settled[entry["session_id"]] = pending
        untold = [entry for entry in failed if entry["session_id"] not in told]
        signed = {session_id: archive.signed(entry, known, by) for session_id, entry in settled.items()}
        account = self._update_manifest(path, account, known, signed)
        self._warn_of_given_up(settled, known)
        return ArchivedWindow(path, account, untold, archive.changed_by(account, by))

    def _warn_of_given_up(self, settled: Entries, known: Mapping[str, archive.ManifestSession]) -> None:
        for entry in settled.values():
            if entry["status"] == "given_up" and archive.is_new_status(entry, known):
                self._log.warning("A transcript was given up: session %s", archive.outcome(entry))

    def _entries_of(self, sessions: Iterable[Session], known: Mapping[str, archive.ManifestSession]) -> Entries:
        """Begin or go on with the entries of sessions, each once: a list that moves shows one twice."""
        entries = (self._entry_of(session, known) for session in sessions)
        return {entry["session_id"]: entry for entry in entries}

    def _entry_of(self, session: Session, known: Mapping[str, archive.ManifestSession]) -> archive.ManifestSession:
        """Begin a session's entry, go on with the one that is known, or write down why neither can be."""
        before = known.get(archive.session_id_of(session))
        try:
            return archive.entry_of(session, before, self._layout.path_template)
        except Exception as error:  # nor does one of a shape that nobody thought of
            return archive.settled(before or archive.new_entry(session), "failed", reason=_reason(error))

    def _begun(self, entry: archive.ManifestSession) -> archive.ManifestSession:
        return archive.begun(entry, now=self._now(), give_up_after=self._give_up_after)

    def _settle_all(self, entries: Entries) -> Entries:
        """Settle entries in a few threads, and say how far things are meanwhile."""
        began = time.monotonic()
        with ThreadPoolExecutor(WORKERS, thread_name_prefix="lessonspace-archive") as pool:
            futures = [pool.submit(self._settle, entry) for entry in entries.values()]
            try:
                while wait(futures, PROGRESS_INTERVAL).not_done:
                    done = [future.result() for future in futures if future.done()]
                    self._log.info("%s", archive.progress(done, len(futures), time.monotonic() - began))
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        settled = {entry["session_id"]: entry for entry in (future.result() for future in futures)}
        self._report_outcomes(settled.values())
        return settled

    def _report_outcomes(self, entries: Collection[archive.ManifestSession]) -> None:
        """Log a folded group for each outcome that occurred."""
        for status, number in archive.count(entries).items():
            if number:
                self._log.info("::group::%s (%d)", status, number)
                for entry in entries:
                    if entry["status"] == status:
                        self._log.info("%s", archive.outcome(entry))
                self._log.info("::endgroup::")

    def _settle(self, entry: archive.ManifestSession) -> archive.ManifestSession:
        try:
            if self._is_settled(entry):
                return entry
            if self._dry_run:
                return {**entry, "status": "pending", "reason": "would be fetched or written"}
            return self._from_files(entry) or self._fetch(entry)
        except Exception as error:  # one bad session stops no other, whatever a store's client raises
            return archive.failed(entry, _reason(error), now=self._now(), give_up_after=self._give_up_after)

    def _is_settled(self, entry: archive.ManifestSession) -> bool:
        """Whether there is nothing to do for a session, now."""
        if entry["status"] == "archived":
            return self._is_complete(entry)
        return not archive.is_due(entry, self._now())

    def _is_complete(self, entry: archive.ManifestSession) -> bool:
        if entry["redacted"] != self._layout.redact_speakers:
            return False
        if {file["format"] for file in entry["files"]} != set(self._layout.formats):
            return False
        return all(self._is_whole(file) for file in entry["files"])

    def _is_whole(self, file: archive.ManifestFile) -> bool:
        data = read_whole(self._layout.destination / file["path"])
        return data is not None and archive.is_described(data, file)

    def _from_files(self, entry: archive.ManifestSession) -> archive.ManifestSession | None:
        """Complete a transcript from its JSON file, which a run that was killed has left whole, or not at all."""
        if "json" not in self._layout.formats:
            return None
        segments = self._segments_in(self._layout.destination / f"{entry['path']}.json")
        if segments is None or (not self._layout.redact_speakers and transcripts.are_redacted(segments)):
            return None
        return self._write(entry, segments)

    def _segments_in(self, path: ObjectStoragePath) -> Collection[Segment] | None:
        """Read the segments of a JSON file, if it is one that was written here."""
        data = read_whole(path) or b""
        try:
            read = json_list.loads(data)
        except ValueError:
            return None
        if not isinstance(read, json_list.JsonList) or not all(isinstance(segment, dict) for segment in read):
            return None
        segments, at = cast("Collection[Segment]", read), 0
        for piece in transcripts.pieces_of(segments, "json"):
            if not data.startswith(piece, at):
                return None
            at += len(piece)
        return segments if at == len(data) else None

    def _fetch(self, entry: archive.ManifestSession) -> archive.ManifestSession:
        try:
            segments = self._source.open_transcript(entry["session_id"])
        except LessonspaceTranscriptNotReady:
            if kept := [file for file in entry["files"] if self._is_whole(file)]:
                return archive.still_archived(entry, kept)
            return archive.not_there(entry, now=self._now(), give_up_after=self._give_up_after)
        return self._write(entry, segments)

    def _write(self, entry: archive.ManifestSession, segments: Collection[Segment]) -> archive.ManifestSession:
        speakers = None
        if self._layout.redact_speakers:
            speakers = transcripts.redacted_speakers(segments, archive.profiles_of(entry))
        files = [self._write_file(entry, segments, format_name, speakers) for format_name in self._layout.formats]
        return archive.archived(entry, files, segments=len(segments), redacted=speakers is not None)

    def _write_file(
        self,
        entry: archive.ManifestSession,
        segments: Collection[Segment],
        format_name: str,
        speakers: Mapping[int, str] | None,
    ) -> archive.ManifestFile:
        path = f"{entry['path']}.{format_name}"
        pieces = transcripts.pieces_of(segments, format_name, speakers=speakers)
        written = write_pieces(self._layout.destination / path, pieces)
        return archive.ManifestFile(format=format_name, path=path, size=written.size, sha256=written.sha256)

    def _read_manifest(self, path: ObjectStoragePath) -> archive.Manifest | None:
        data = read_whole(path)
        if data is None:
            return None
        try:
            read = json.loads(data)
        except ValueError:
            read = None
        if not archive.is_manifest(read):
            raise LessonspaceError(
                f"The manifest {path} can't be read: restore it from a backup, or remove it to have its window "
                f"archived anew."
            )
        return read

    def _update_manifest(
        self,
        path: ObjectStoragePath,
        empty: archive.Manifest,
        seen: Mapping[str, archive.ManifestSession],
        entries: Entries,
    ) -> archive.Manifest:
        """
        Write what has changed into a manifest, and keep all others that it has by now.

        Another run may have written it meanwhile, and a list may not show a session any more that is archived.

        :param empty: the manifest where there is none yet.
        :param seen: its entries as this run last saw them.
        """
        there = self._read_manifest(path) or empty
        account = archive.updated(there, archive.changes(entries, seen, archive.by_session(there)))
        if self._dry_run:
            return account
        write_whole(path, json_list.encoded(json.dumps(account, ensure_ascii=False, indent=1)))
        return account


def _reason(error: Exception) -> str:
    from requests import RequestException  # an OSError, whose text holds a URL, and of WebHDFS a token with it

    if isinstance(error, (LessonspaceError, OSError)) and not isinstance(error, RequestException):
        return str(error)
    # Its own text is not ours to judge: it may hold a signed link.
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"unexpected {type(error).__name__} at {frame.filename}:{frame.lineno}, please report it"


def _failed(entries: Entries) -> list[archive.ManifestSession]:
    return [entry for entry in entries.values() if entry["status"] == "failed"]
