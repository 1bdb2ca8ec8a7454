# SPDX-License-Identifier: Apache-2.0
"""Runs an archive: files each session in a manifest, fetches transcripts, and checks earlier windows."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, timezone
from typing import TYPE_CHECKING

from lessonspace_provider.api.foreign_words import first_of
from lessonspace_provider.api.log import Log
from lessonspace_provider.api.plain_json import held
from lessonspace_provider.api.times import write_time
from lessonspace_provider.archive.entry import RETRY_FAILED_AFTER, Entries, Entry, by_session
from lessonspace_provider.archive.erasure.rules import ErasureRules
from lessonspace_provider.archive.fetching import TranscriptFetcher, TranscriptSource, reason_of
from lessonspace_provider.archive.files import ArchiveLayout, TranscriptFiles
from lessonspace_provider.archive.filing import Filed, file_sessions, search_window
from lessonspace_provider.archive.manifest import Manifest
from lessonspace_provider.archive.manifest_store import ManifestStore
from lessonspace_provider.archive.paths import session_id_of
from lessonspace_provider.archive.summaries import SummaryFiles
from lessonspace_provider.archive.tables.run import RunTables
from lessonspace_provider.archive.text_redaction import TextRedactor
from lessonspace_provider.archive.windows import LOOK_BACK, Window, gaps, manifest_name, windows_of
from lessonspace_provider.exceptions import LessonspaceError

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath

    from lessonspace_provider.api.types import Session

#: How many sessions a warning names.
MOST_NAMED = 20


@dataclass(frozen=True)
class ArchivedWindow:
    """
    What was done for a window.

    :param path: of its manifest.
    :param manifest: its account.
    :param failed: the sessions that failed just now; of an earlier window, those that had not failed before.
    :param changed: of an earlier window, the sessions whose status was changed by this run or a try of it before.
    :param elsewhere: sessions that other manifests have or are to have, still to be fetched, by the manifest's name.
    """

    path: ObjectStoragePath
    manifest: Manifest
    failed: list[Entry]
    changed: list[Entry] = field(default_factory=list)
    elsewhere: Mapping[str, Entries] = field(default_factory=dict)


class Archiver:
    """
    Archives the sessions of a window, and those of earlier windows that are open. To be used for one run.

    :param source: the hook.
    :param layout: how the archive is written.
    :param give_up_after: how long after its end a session's transcript is waited for.
    :param log: for progress, and for what became of each session.
    :param dry_run: ask for no transcript and write nothing; those whose files would be fetched or written are pending.
    :param now: the worker's clock, aware.
    """

    def __init__(
        self,
        source: TranscriptSource,
        layout: ArchiveLayout,
        *,
        give_up_after: timedelta,
        log: Log,
        dry_run: bool = False,
        now: Callable[[], datetime] = lambda: datetime.now(timezone.utc),
    ) -> None:
        self._layout = layout
        self._log = log
        self._rules = ErasureRules(layout.destination, dry_run=dry_run)
        self._manifests = ManifestStore(layout.destination, dry_run=dry_run)
        self._texts = TextRedactor(source, layout.texts)
        self._summaries = SummaryFiles(
            layout.destination,
            self._texts,
            self._rules,
            is_wanted=layout.summaries,
            redact=layout.redact_speakers,
            dry_run=dry_run,
        )
        files = TranscriptFiles(layout, self._summaries, self._texts, self._rules)
        self._fetcher = TranscriptFetcher(
            source, files, self._summaries, give_up_after=give_up_after, log=log, dry_run=dry_run, clock=now
        )
        is_wanted = layout.tables and not dry_run
        self._tables = RunTables(layout.destination, self._manifests, log, is_wanted=is_wanted)
        self._own: str | None = None
        self._problems: dict[str, str] = {}
        self._pending_since: list[datetime] = []

    def archive_window(
        self, sessions: Iterable[Session], window_start: datetime, window_end: datetime
    ) -> ArchivedWindow:
        """
        Archive the sessions of a window, and account for them in its manifest.

        The manifest is first written before any transcript is asked for, with the new sessions as not attempted: so a
        destination that can't be written costs the list and no call for a transcript, and what a killed run did not
        try is on record. Sessions that the manifest has and the list has not are checked, too.

        :param sessions: every session that ended in the window, or in the time of ``windows.LOOK_BACK`` before;
            they are read to the end before any is asked for.
        :param window_start: aware.
        :param window_end: aware.
        :return: the window's manifest, as written, or as a dry run would write it.
        :raises LessonspaceReplyTooLargeError: the sessions do not fit into memory; see ``held``.
        """
        self._rules.check()
        window = Window(window_start, window_end)
        known = self._manifests.read(manifest_name(window)) or Manifest(window)
        listed = held(sessions, "sessions of the window")
        self._check_end(window)
        self._texts.collect(listed)
        self._collect_summaries(listed)
        filed, others = self._file(listed, known)
        own = {session_id: entry.reopened() for session_id, entry in known.entries.items()}
        own.update(self._entries_of(filed.own, known))
        next_check = self._fetcher.present().now + RETRY_FAILED_AFTER
        new = by_session(entry.not_attempted(next_check) for entry in _unrecorded(own, known))
        self._manifests.update(known, new)
        newer: dict[str, Entries] = {name: {} for name, other in others.items() if self._newer_summaries(other)}
        elsewhere = newer | self._record_elsewhere(filed, others, write_time(window_start))
        entries = self._fetcher.fetch(own)
        manifest = self._manifests.update(known.with_entries(new), _changed(entries, known, None))
        self._own = known.name
        self._note_pending(manifest)
        self._fetcher.warn_of_lost(entries, known)
        failed = [entry for entry in entries.values() if entry.has_failed] + self._take_failed_summaries()
        return ArchivedWindow(self._manifests.path(known.name), manifest, failed, elsewhere=elsewhere)

    def update_earlier(
        self, before: datetime, elsewhere: Mapping[str, Entries] | None = None
    ) -> tuple[list[ArchivedWindow], list[str]]:
        """
        Check what earlier windows have left open, however long ago, and bring their manifests up to date.

        A session that had failed before and fails again is a warning: the run of its own window has reported it, and it
        must not stop what depends on this run.

        :param before: only windows that ended by then: the start of the run's own.
        :param elsewhere: see ``ArchivedWindow``.
        :return: the windows whose manifests have changed, in this try or in an earlier one of this run, which may have
            failed before it could report that; and what is wrong with those that could not be read or written; none of
            them stops the others.
        """
        changed: list[ArchivedWindow] = []
        closed: dict[str, str] = {}
        further = elsewhere or {}
        try:
            listed = self._manifests.listed()
        except Exception as error:
            self._problems["manifests"] = f"earlier manifests can't be listed: {reason_of(error)}"
            listed = {}
        index = self._closed()
        earlier = [name for name, window in windows_of(listed).items() if window.end <= before]
        unread = [name for name in earlier if listed[name] is None or listed[name] != index.get(name)]
        for name in sorted({*unread, *further}):
            try:
                done, is_closed = self._update_manifest(
                    name, further.get(name, {}), write_time(before), with_open=name in earlier
                )
            except Exception as error:  # whatever a manifest holds, or a store's client raises
                self._problems[name] = f"{name}: {reason_of(error)}"
                continue
            changed += [done] if done else []
            if is_closed and (mark := listed.get(name)) is not None:
                closed[name] = mark
        self._apply_new_erasures()
        names = {*unread, *further, *([self._own] if self._own else [])}
        current = self._tables.update(sorted(names), write_time(before), own=self._own)
        self._add_closed({name: mark for name, mark in closed.items() if name in current})
        return changed, [*self._problems.values(), *self._tables.problems.values()]

    def gaps(self, until: datetime) -> list[Window]:
        """
        Find the times that no manifest accounts for, since the archive began; see ``windows.gaps``.

        To be asked last: runs of earlier windows beside this one have written their manifests by then.
        """
        return gaps(self.windows(), until)

    @property
    def table_days(self) -> list[date]:
        """The days whose tables have changed by this run, or a try of it before."""
        return sorted(self._tables.days)

    @property
    def talk_seconds(self) -> dict[str, float]:
        """Seconds that people talked in the sessions of the window, by role; none unless tables are written."""
        return self._tables.talk_seconds

    @property
    def oldest_pending(self) -> timedelta:
        """The time since the end of the session that is pending longest, of all manifests read; zero where none is."""
        present = self._fetcher.present().now
        return max((present - since for since in self._pending_since), default=timedelta(0))

    def windows(self) -> list[Window]:
        """List the windows of all manifests; none where they can't be listed."""
        try:
            return list(self._manifests.windows().values())
        except Exception:  # update_earlier reports it
            return []

    def _check_end(self, window: Window) -> None:
        """Refuse a window that is far from over: its manifest would claim to be complete."""
        present = self._fetcher.present()
        if window.end > present.of_api + LOOK_BACK:
            clock = "Lessonspace's clock" if present.is_confirmed else "the worker's clock"
            raise LessonspaceError(
                f"The window until {write_time(window.end)} is not over: {clock} shows {write_time(present.of_api)}. "
                f"Nothing was archived. Check the worker's clock, and run the window when it is over."
            )

    def _file(self, sessions: list[Session], known: Manifest) -> tuple[Filed, Mapping[str, Manifest]]:
        """Decide where sessions are accounted for, by the manifests that may have them already."""
        new = [session for session in sessions if session_id_of(session) not in known.entries]
        others = self._read_around(search_window(new, known.window), known.name) if new else {}
        filed = file_sessions(sessions, known.window, known.entries, others)
        if filed.outside:
            self._log.info(
                "%d listed sessions ended before the window, at a time that no manifest accounts for", filed.outside
            )
        if filed.running:
            self._log.warning("%d listed sessions have no end_time: they count as running", filed.running)
        if filed.contradictory:
            self._log.warning(
                "%d sessions are listed for the time from %s to %s, but their end_time is outside of it, and no "
                "manifest accounts for them: %s. Archive the windows of their ends, or ask Lessonspace about them",
                len(filed.contradictory),
                *map(write_time, known.window),
                first_of(filed.contradictory, MOST_NAMED),
            )
        return filed, others

    def _collect_summaries(self, listed: list[Session]) -> None:
        number = self._summaries.collect(listed)
        if not self._layout.summaries:
            return
        self._log.info("%d of %d listed sessions have a summary", number, len(listed))
        if listed and not any(isinstance(session, dict) and "summary" in session for session in listed):
            self._log.warning(
                "No listed session has the field summary, so no summary is archived. Check the account with "
                "python -m lessonspace_provider.live_check"
            )

    def _newer_summaries(self, manifest: Manifest, without: Collection[str] = ()) -> list[Entry]:
        """Choose the entries of whose sessions the list has another summary."""
        others = (entry for key, entry in manifest.entries.items() if key not in without)
        return [entry for entry in others if self._summaries.has_newer(entry)]

    def _take_failed_summaries(self) -> list[Entry]:
        failed, self._fetcher.failed_summaries = self._fetcher.failed_summaries, []
        return failed

    def _read_around(self, window: Window, own: str) -> dict[str, Manifest]:
        found = {}
        try:
            names = self._manifests.around(window)
        except Exception:  # update_earlier reports it
            return {}
        for name in names:
            try:
                other = None if name == own else self._manifests.read(name)
            except Exception as error:
                self._problems[name] = f"{name}: {reason_of(error)}"
            else:
                found.update({name: other} if other else {})
        return found

    def _record_elsewhere(self, filed: Filed, others: Mapping[str, Manifest], by: str) -> dict[str, Entries]:
        """Record new sessions in other manifests, to be tried at once."""
        elsewhere = {}
        for name, sessions in filed.elsewhere.items():
            known = others[name]
            elsewhere[name] = entries = self._entries_of(sessions, known)
            new = by_session(entry.not_attempted() for entry in _unrecorded(entries, known))
            if new:
                self._log.info("%d sessions whose end was not known before are recorded in %s", len(new), name)
                try:
                    self._manifests.update(known, _changed(new, known, by))
                except Exception as error:
                    self._problems[name] = f"{name}: {reason_of(error)}"
        return elsewhere

    def _update_manifest(
        self, name: str, further: Entries, by: str, *, with_open: bool
    ) -> tuple[ArchivedWindow | None, bool]:
        """
        Check a manifest's open sessions, and others that are listed.

        :param further: sessions that are checked even if they are not open.
        :param by: see ``Entry.changed_from``.
        :param with_open: whether its open sessions are checked.
        :return: the window when something has changed; and whether the manifest needs not be read again.
        """
        known = self._manifests.read(name)
        if known is None:
            return None, False
        due = self._due(known) if with_open else {}
        fetched = self._fetcher.fetch({**due, **further})
        newer = [self._fetcher.with_summary(entry) for entry in self._newer_summaries(known, without=fetched)]
        entries = _changed({**fetched, **by_session(newer)}, known, by)
        is_same = all(known.entries.get(key) == entry for key, entry in entries.items())
        manifest = known if is_same else self._write_changes(known, entries)
        self._note_pending(manifest)
        changed = manifest.changed_by(by)
        if is_same and not changed:
            return None, not known.is_open
        failed = [entry for key, entry in entries.items() if entry.has_failed and known.status_of(key) != "failed"]
        failed += self._take_failed_summaries()
        return ArchivedWindow(self._manifests.path(name), manifest, failed, changed), False

    def _due(self, manifest: Manifest) -> Entries:
        now = self._fetcher.present().now
        due = (entry for entry in manifest.entries.values() if entry.is_due(now))
        # An entry with files needs only a check of these.
        return by_session(entry.reopened() if entry.files else entry for entry in due)

    def _note_pending(self, manifest: Manifest) -> None:
        if (since := manifest.oldest_pending) is not None:
            self._pending_since.append(since)

    def _write_changes(self, known: Manifest, entries: Entries) -> Manifest:
        for session_id, entry in entries.items():
            if entry.has_failed and known.status_of(session_id) == "failed":
                self._log.warning("A session failed again: %s", entry)
        manifest = self._manifests.update(known, entries)
        self._fetcher.warn_of_lost(entries, known)
        return manifest

    def _apply_new_erasures(self) -> None:
        """Apply the erasures that took place beside this run to what it wrote."""
        try:
            changed = self._rules.catch_up(self._manifests, lambda: self._fetcher.present().now)
        except Exception as error:
            self._problems["erasures"] = f"the latest erasures can't be applied to this run's files: {reason_of(error)}"
        else:
            if changed:
                self._log.info(
                    "%d sessions were erased or redacted beside this run: %s",
                    len(changed),
                    first_of(changed, MOST_NAMED),
                )

    def _closed(self) -> dict[str, str]:
        try:
            return self._manifests.closed()
        except Exception:  # it is not needed, and writing it warns
            return {}

    def _add_closed(self, found: Mapping[str, str]) -> None:
        try:
            self._manifests.add_closed(found)
        except Exception as error:
            self._log.warning(
                "Each run reads all manifests, since their index can't be read or written: %s", reason_of(error)
            )

    def _entries_of(self, sessions: Iterable[Session], known: Manifest) -> Entries:
        """Create the entries of listed sessions, or continue those that are known; one that can't be read failed."""
        return by_session(self._entry_of(session, known.entries.get(session_id_of(session))) for session in sessions)

    def _entry_of(self, session: Session, before: Entry | None) -> Entry:
        try:
            return self._rules.entry(Entry.listed(session, before, self._layout.path_template), before)
        except Exception as error:  # also for any other shape than the API's
            entry = Entry.unreadable(session, before, reason_of(error))
            return entry if before else self._rules.entry(entry, None)


def _unrecorded(entries: Entries, known: Manifest) -> list[Entry]:
    """Choose the entries that a manifest lacks, or has without the path of the files that are about to be written."""
    there = known.entries
    return [entry for key, entry in entries.items() if key not in there or there[key].path != entry.path]


def _changed(entries: Entries, known: Manifest, by: str | None) -> Entries:
    return by_session(entry.changed_from(known.entries.get(key), by) for key, entry in entries.items())
