# SPDX-License-Identifier: Apache-2.0
"""Runs an archive: files each session in a manifest, settles it, and takes care of what earlier windows left open."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

from lessonspace_provider.api.times import write_time
from lessonspace_provider.archive import entry as archive
from lessonspace_provider.archive import manifest as archive_manifest
from lessonspace_provider.archive.entry import RETRY_FAILED_AFTER, Manifest, ManifestSession
from lessonspace_provider.archive.files import ArchiveLayout
from lessonspace_provider.archive.filing import Filed, KnownEntries, file_sessions, search_window
from lessonspace_provider.archive.manifest import by_session, new_manifest
from lessonspace_provider.archive.manifest_store import ManifestStore
from lessonspace_provider.archive.paths import session_id_of
from lessonspace_provider.archive.settling import Entries, Logger, Settling, TranscriptSource, failures, reason_of
from lessonspace_provider.archive.windows import LOOK_BACK, Window, gaps, manifest_name, window_of
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
    :param account: the manifest.
    :param failed: the sessions that failed just now; of an earlier window, those that had not failed before.
    :param changed: of an earlier window, the sessions whose status was changed by this run or a try of it before.
    :param elsewhere: sessions that other manifests have or are to have, still to be settled, by the manifest's name.
    """

    path: ObjectStoragePath
    account: Manifest
    failed: list[ManifestSession]
    changed: list[ManifestSession] = field(default_factory=list)
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
        log: Logger,
        dry_run: bool = False,
        now: Callable[[], datetime] = lambda: datetime.now(timezone.utc),
    ) -> None:
        self._layout = layout
        self._log = log
        self._manifests = ManifestStore(layout.destination, dry_run=dry_run)
        self._settling = Settling(source, layout, give_up_after=give_up_after, log=log, dry_run=dry_run, clock=now)
        self._problems: dict[str, str] = {}

    def archive_window(
        self, sessions: Iterable[Session], window_start: datetime, window_end: datetime
    ) -> ArchivedWindow:
        """
        Archive the sessions of a window, and account for them in its manifest.

        The manifest is first written before any transcript is asked for, with the new sessions as not attempted: so a
        destination that can't be written costs the list and no call for a transcript, and what a killed run never
        came to is on record. Sessions that the manifest has and the list has not are settled, too.

        :param sessions: every session that ended in the window, or in the time of ``archive_windows.LOOK_BACK`` before;
            they are read to the end before any is asked for.
        :param window_start: aware.
        :param window_end: aware.
        :return: the window's manifest, as written, or as a dry run would write it.
        """
        window = Window(window_start, window_end)
        name, empty = manifest_name(window), new_manifest(window)
        known = by_session(self._manifests.read(name))
        listed = list(sessions)
        self._check_end(window)
        filed, others = self._file(listed, window, known)
        own = {session_id: archive.reopened(entry) for session_id, entry in known.items()}
        own.update(self._entries_of(filed.own, known))
        begun = {session_id: self._begun(entry) for session_id, entry in _unrecorded(own, known).items()}
        self._manifests.update(name, empty, known, begun)
        elsewhere = self._begin_elsewhere(filed, others, write_time(window_start))
        settled = self._settling.settle(own)
        signed = {session_id: archive.signed(entry, known, None) for session_id, entry in settled.items()}
        account = self._manifests.update(name, empty, {**known, **begun}, signed)
        self._settling.warn_of_lost(settled, known)
        return ArchivedWindow(self._manifests.path(name), account, failures(settled.values()), elsewhere=elsewhere)

    def settle_earlier(
        self, before: datetime, elsewhere: Mapping[str, Entries] | None = None
    ) -> tuple[list[ArchivedWindow], list[str]]:
        """
        Settle what earlier windows have left open, however long ago, and bring their manifests up to date.

        One that had failed before is warned of if it does so again: the run of its own window has reported it, and it
        must not stop all that waits for this one.

        :param before: only windows that ended by then: the start of the run's own.
        :param elsewhere: see ``ArchivedWindow``.
        :return: the windows whose manifests have changed, in this try or in an earlier one of this run, which may have
            failed before it could report that; and what is wrong with those that could not be read or written; none of
            them stops the others.
        """
        changed: list[ArchivedWindow] = []
        settled: dict[str, str] = {}
        further = elsewhere or {}
        try:
            listed = self._manifests.listed()
        except Exception as error:
            self._problems["manifests"] = f"earlier manifests can't be listed: {reason_of(error)}"
            listed = {}
        index = self._settled()
        earlier = [name for name in listed if (window := window_of(name)) and window.end <= before]
        unsettled = [name for name in earlier if listed[name] is None or listed[name] != index.get(name)]
        for name in sorted({*unsettled, *further}):
            try:
                done, is_settled = self._settle_manifest(
                    name, further.get(name, {}), write_time(before), with_open=name in earlier
                )
            except Exception as error:  # whatever stands in a manifest, or a store's client raises
                self._problems[name] = f"{name}: {reason_of(error)}"
                continue
            changed += [done] if done else []
            if is_settled and (mark := listed.get(name)) is not None:
                settled[name] = mark
        self._add_settled(settled)
        return changed, list(self._problems.values())

    def gaps(self, until: datetime) -> list[Window]:
        """
        Find the times that no manifest accounts for, since the archive began; see ``archive_windows.gaps``.

        To be asked last: runs of earlier windows beside this one have written their manifests by then.
        """
        return gaps(self.windows(), until)

    def windows(self) -> list[Window]:
        """Read the windows of all manifests from their names; none where they can't be listed."""
        try:
            names = self._manifests.listed()
        except Exception:  # settle_earlier reports it
            return []
        return [window for window in map(window_of, names) if window is not None]

    def _check_end(self, window: Window) -> None:
        """Refuse a window that is far from over: its manifest would say that nothing is missing from it."""
        present = self._settling.present()
        if window.end > present.of_api + LOOK_BACK:
            clock = "Lessonspace's clock" if present.is_confirmed else "the worker's clock"
            raise LessonspaceError(
                f"The window until {write_time(window.end)} is not over: {clock} shows {write_time(present.of_api)}. "
                f"Nothing was archived. Check the worker's clock, and run the window when it is over."
            )

    def _file(
        self, sessions: list[Session], window: Window, known: KnownEntries
    ) -> tuple[Filed, Mapping[str, Manifest]]:
        """Decide where sessions are accounted for, by the manifests that may have them already."""
        new = [session for session in sessions if session_id_of(session) not in known]
        others = self._read_around(search_window(new, window), manifest_name(window)) if new else {}
        filed = file_sessions(sessions, window, known, {name: by_session(others[name]) for name in others})
        if filed.outside:
            self._log.info(
                "%d listed sessions ended before the window, when no manifest accounts for them", filed.outside
            )
        if filed.running:
            self._log.warning("%d listed sessions have no end_time: they count as running", filed.running)
        if filed.contradictory:
            self._log.warning(
                "%d sessions are listed for the time from %s to %s, but their end_time is at another time, and no "
                "manifest accounts for them: %s. Archive the times of their ends, or ask Lessonspace about them",
                len(filed.contradictory),
                *map(write_time, window),
                _named(filed.contradictory),
            )
        return filed, others

    def _read_around(self, window: Window, own: str) -> dict[str, Manifest]:
        found = {}
        try:
            names = self._manifests.around(window)
        except Exception:  # settle_earlier reports it
            return {}
        for name in names:
            try:
                account = None if name == own else self._manifests.read(name)
            except Exception as error:
                self._problems[name] = f"{name}: {reason_of(error)}"
            else:
                found.update({name: account} if account else {})
        return found

    def _begin_elsewhere(self, filed: Filed, others: Mapping[str, Manifest], by: str) -> dict[str, Entries]:
        """Put new sessions on record in other manifests, to be tried at once."""
        elsewhere = {}
        for name, sessions in filed.elsewhere.items():
            known = by_session(others[name])
            elsewhere[name] = entries = self._entries_of(sessions, known)
            new = {
                session_id: archive.signed(archive.not_attempted(entry, next_look=None), known, by)
                for session_id, entry in _unrecorded(entries, known).items()
            }
            if new:
                self._log.info("%d sessions whose end was not known before are recorded in %s", len(new), name)
                try:
                    self._manifests.update(name, others[name], known, new)
                except Exception as error:
                    self._problems[name] = f"{name}: {reason_of(error)}"
        return elsewhere

    def _settle_manifest(
        self, name: str, further: Entries, by: str, *, with_open: bool
    ) -> tuple[ArchivedWindow | None, bool]:
        """
        Settle a manifest's open sessions, and others that are listed.

        :param further: sessions that are settled even if they are not open.
        :param by: see ``archive.signed``.
        :param with_open: whether its open sessions are settled.
        :return: the window when something has changed; and whether the manifest needs not be read again.
        """
        account = self._manifests.read(name)
        if account is None:
            return None, False
        now, known = self._settling.present().now, by_session(account)
        due = {key: entry for key, entry in known.items() if with_open and archive.is_due(entry, now)}
        entries = {**{key: _retried(entry) for key, entry in due.items()}, **further}
        settled = self._settling.settle(entries) if entries else {}
        signed = {key: archive.signed(entry, known, by) for key, entry in settled.items()}
        new, again = _split_failures(settled, known)
        if any(known.get(key) != entry for key, entry in signed.items()):
            for entry in again:
                self._log.warning("A session failed again: %s", archive.outcome(entry))
            account = self._manifests.update(name, account, known, signed)
            self._settling.warn_of_lost(settled, known)
            return self._window(name, account, new, by), False
        changed = archive_manifest.changed_by(account, by)
        is_settled = not changed and not any(map(archive.is_open, known.values()))
        return (self._window(name, account, new, by) if changed else None), is_settled

    def _window(self, name: str, account: Manifest, failed: list[ManifestSession], by: str) -> ArchivedWindow:
        changed = archive_manifest.changed_by(account, by)
        return ArchivedWindow(self._manifests.path(name), account, failed, changed)

    def _settled(self) -> dict[str, str]:
        try:
            return self._manifests.settled()
        except Exception:  # it is not needed, and writing it warns
            return {}

    def _add_settled(self, found: Mapping[str, str]) -> None:
        try:
            self._manifests.add_settled(found)
        except Exception as error:
            self._log.warning(
                "Each run reads all manifests, since their index can't be read or written: %s", reason_of(error)
            )

    def _entries_of(self, sessions: Iterable[Session], known: KnownEntries) -> Entries:
        entries = (self._entry_of(session, known) for session in sessions)
        return {entry["session_id"]: entry for entry in entries}

    def _entry_of(self, session: Session, known: KnownEntries) -> ManifestSession:
        """Begin a session's entry, continue the one that is known, or write down why neither can be."""
        before = known.get(session_id_of(session))
        try:
            return archive.entry_of(session, before, self._layout.path_template)
        except Exception as error:  # nor does one of a shape that nobody thought of
            return archive.unreadable(session, before, reason_of(error))

    def _begun(self, entry: ManifestSession) -> ManifestSession:
        return archive.not_attempted(entry, next_look=self._settling.present().now + RETRY_FAILED_AFTER)


def _unrecorded(entries: Entries, known: KnownEntries) -> Entries:
    """Choose the entries that a manifest lacks, or has without the path of the files that are about to be written."""
    return {
        session_id: entry
        for session_id, entry in entries.items()
        if session_id not in known or known[session_id]["path"] != entry["path"]
    }


def _named(session_ids: list[str]) -> str:
    more = f" and {len(session_ids) - MOST_NAMED} more" if len(session_ids) > MOST_NAMED else ""
    return ", ".join(session_ids[:MOST_NAMED]) + more


def _retried(entry: ManifestSession) -> ManifestSession:
    """Begin the retry of an open entry; one with files only has to be checked."""
    return archive.reopened(entry) if entry["files"] else entry


def _split_failures(settled: Entries, known: KnownEntries) -> tuple[list[ManifestSession], list[ManifestSession]]:
    """Tell the sessions that failed now from those that have failed before."""
    failed = failures(settled.values())
    before = {key for key, entry in known.items() if entry["status"] == "failed"}
    return (
        [entry for entry in failed if entry["session_id"] not in before],
        [entry for entry in failed if entry["session_id"] in before],
    )
