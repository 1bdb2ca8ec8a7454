# SPDX-License-Identifier: Apache-2.0
"""Goes once through the sessions of an archive, and erases or redacts those that are to be."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from lessonspace_provider.archive.entry import Entry
from lessonspace_provider.archive.erasure.inventory import Inventory, uuids_in
from lessonspace_provider.archive.erasure.people import ErasedPeople
from lessonspace_provider.archive.erasure.receipt import Action, Receipt
from lessonspace_provider.archive.erasure.redaction import WITH_IDS
from lessonspace_provider.archive.erasure.session_files import (
    WAS_LINK,
    FileChange,
    SessionChange,
    SessionFiles,
    entry_after,
    unfound_in,
)
from lessonspace_provider.archive.erasure.tombstones import ON_REQUEST, redacted_entry, redacted_path, without_people
from lessonspace_provider.archive.fetching import reason_of
from lessonspace_provider.archive.manifest import Manifest
from lessonspace_provider.archive.manifest_store import ManifestStore
from lessonspace_provider.archive.paths import path_without_names
from lessonspace_provider.archive.windows import MANIFESTS
from lessonspace_provider.exceptions import LessonspaceError

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath

#: Bytes of files that are held in memory before they are written.
MOST_HELD = 64 * 2**20

_ENDING = re.compile(r"(?:\.summary)?\.\w+$")

#: Why a transcript is left in which the person took part.
UNFOUND = (
    "the person took part and is not found in it, since it has no user ids: run the erasure with the names under which "
    "they spoke, if they spoke"
)

#: How many manifests an error names.
MOST_NAMED = 5

#: Called with each session that changes, its entry if it has one.
Seen = Callable[[str, Entry | None, SessionChange], None]


class SessionPass:
    """
    The sessions of one archive.

    :param destination: the archive's folder.
    :param receipt: takes what was changed and what was left.
    :param dry_run: change nothing, and record what would be changed.
    :param record: is called with the ids of sessions before they are changed, and whether each is erased.
    :param changed: is called with a manifest before and after a change.
    :param reason: of sessions that are erased.
    :param seen: is called with each session that changes.
    """

    def __init__(
        self,
        destination: ObjectStoragePath,
        receipt: Receipt,
        *,
        dry_run: bool,
        record: Callable[[Mapping[str, bool]], None],
        changed: Callable[[Manifest, Manifest], None],
        reason: str = ON_REQUEST,
        seen: Seen | None = None,
    ) -> None:
        self._manifests = ManifestStore(destination, dry_run=dry_run)
        self._files = SessionFiles(destination)
        self._receipt = receipt
        self._dry_run = dry_run
        self._reason = reason
        self._seen = seen
        self._record = record
        self._changed = changed
        self._manifests_of: dict[str, list[str]] = {}

    def check(self, names: Iterable[str]) -> tuple[int, bool]:
        """
        Read all manifests before anything is changed.

        :return: how many sessions they have, and whether any of these has marks of erased people.
        :raises LessonspaceError: naming those that can't be read.
        """
        sessions, has_marks, problems = 0, False, []
        for name in names:
            try:
                manifest = self._manifests.read(name)
            except LessonspaceError as error:
                problems.append(str(error))
                continue
            entries = manifest.entries.values() if manifest else ()
            sessions += len(entries)
            for entry in entries:  # runs of windows that overlap may both have filed a session
                self._manifests_of.setdefault(entry.session_id, []).append(name)
            has_marks = has_marks or any(entry.erased_people for entry in entries)
        if problems:
            raise LessonspaceError(
                f"{len(problems)} manifests can't be read, so it is not known who is in the archive; nothing was "
                f"changed: {' '.join(problems[:MOST_NAMED])}"
            )
        return sessions, has_marks

    def run(self, inventory: Inventory, people: ErasedPeople, is_erased: Callable[[Entry], bool]) -> Collection[str]:
        """
        Change what is to be changed.

        :param inventory: the files to read; all manifests are read.
        :param people: who is taken out.
        :param is_erased: whether a session is erased whole, with any people in it.
        :return: the paths of the files that belong to no session of a manifest and are none of a transcript.
        """
        paths = dict(inventory.sessions)
        listed: set[str] = set()
        for name in inventory.manifests:
            try:
                self._change_manifest(name, paths, listed, people, is_erased)
            except Exception as error:  # one manifest stops no other, whatever a store's client raises
                self._receipt.leave(f"{MANIFESTS}/{name}", reason_of(error), failed=True)
        unlisted: dict[str, list[str]] = {}
        for path in dict.fromkeys(path for own in paths.values() for path in own if path not in listed):
            unlisted.setdefault(_stem_of(path), []).append(path)
        foreign = []
        for stem, own in unlisted.items():
            session_id = _session_of(stem, own)
            if session_id is None:
                foreign += own
            elif people:
                self._change_unlisted(session_id, own, people)
        return foreign if people else [path for own in unlisted.values() for path in own]

    def _change_manifest(
        self,
        name: str,
        paths: dict[str, list[str]],
        listed: set[str],
        people: ErasedPeople,
        is_erased: Callable[[Entry], bool],
    ) -> None:
        manifest = self._manifests.read(name)
        held: list[SessionChange] = []
        for session_id, entry in manifest.entries.items() if manifest else ():
            own = paths.pop(session_id.lower(), [])
            recorded = [file["path"] for file in (*entry.files, *([entry.summary] if entry.summary else []))]
            own += [path for path in recorded if path not in own and path not in listed]  # below a link to a folder
            listed.update(own)
            change = self._change_of(entry, own, people, is_erased=is_erased(entry))
            if change is None:
                continue
            if self._seen:
                self._seen(session_id, entry, change)
            held.append(change)
            if sum(change.size for change in held) > MOST_HELD:
                self._write(name, held, people)
                held = []
        self._write(name, held, people)
        if manifest is not None and _without_added(manifest, people) != manifest:
            self._write_manifest(name, lambda there: _without_added(there, people))

    def _change_of(
        self, entry: Entry, paths: Collection[str], people: ErasedPeople, *, is_erased: bool
    ) -> SessionChange | None:
        """Decide what becomes of a session; None when nothing does."""
        is_erased = is_erased or redacted_entry(entry, people).status == "erased"
        try:
            change = self._files.change_of(entry.session_id, paths, people, is_erased=is_erased)
        except Exception as error:
            self._receipt.leave(entry.path, reason_of(error), failed=True)
            return None
        left = {**change.left, **dict.fromkeys(unfound_in(entry, paths, change, people), UNFOUND)}
        for path, reason in left.items():
            self._receipt.leave(path, reason)
        if not change.files and self._after(entry, change, people) == entry:
            return None
        return change

    def _after(self, entry: Entry, change: SessionChange, people: ErasedPeople) -> Entry:
        after = entry_after(entry, change, people)
        is_new = after.status == "erased" and entry.status != "erased"
        return replace(after, reason=self._reason) if is_new else after

    def _write(self, name: str, changes: Collection[SessionChange], people: ErasedPeople) -> None:
        """Write tombstones, then the manifest, then the files."""
        if not changes:
            return
        self._record({change.session_id: change.is_erased for change in changes})
        by_id = {change.session_id: change for change in changes}

        def changed(manifest: Manifest) -> Manifest:
            there = {key: entry for key, entry in manifest.entries.items() if key in by_id}
            return manifest.with_entries({key: self._after(entry, by_id[key], people) for key, entry in there.items()})

        names = {name, *(other for session_id in by_id for other in self._manifests_of.get(session_id, ()))}
        for each in sorted(names):
            self._write_manifest(each, changed)
        for change in changes:
            self._receipt.sessions[change.session_id] = change.is_erased or self._receipt.sessions.get(
                change.session_id, False
            )
            for file in change.files:
                self._carry_out(file, change, people)

    def _write_manifest(self, name: str, change: Callable[[Manifest], Manifest]) -> None:
        before = self._manifests.read(name)
        after = self._manifests.change(name, change)
        if before is not None and after is not None and before != after:
            self._receipt.add(f"{MANIFESTS}/{name}", "rewritten", before.to_json(), after.to_json())
            self._changed(before, after)

    def _change_unlisted(self, session_id: str, paths: Collection[str], people: ErasedPeople) -> None:
        """Change files of a session that no manifest has."""
        try:
            change = self._files.change_of(session_id, paths, people, is_erased=False)
        except Exception as error:
            self._receipt.leave(min(paths), reason_of(error), failed=True)
            return
        for path, reason in change.left.items():
            self._receipt.leave(path, reason)
        if change.files:
            if self._seen:
                self._seen(session_id, None, change)
            self._record({session_id: change.is_erased})
            self._receipt.sessions[session_id] = change.is_erased
        for file in change.files:
            self._carry_out(file, change, people)

    def _carry_out(self, file: FileChange, change: SessionChange, people: ErasedPeople) -> None:
        shown = redacted_path(file.path, people)
        if change.is_erased and (ending := _ENDING.search(shown)):
            shown = path_without_names(shown, change.session_id, ending[0])
        try:
            if self._files.is_link(file.path):
                self._receipt.leave(shown, WAS_LINK)
            if not self._dry_run:
                self._files.carry_out(file)
        except Exception as error:
            self._receipt.leave(shown, reason_of(error), failed=True)
            return
        action: Action = "deleted" if file.after is None else "rewritten" if file.new_path == file.path else "moved"
        self._receipt.add(shown, action, file.before, file.after, file.found.lines, file.found.names)


def _without_added(manifest: Manifest, people: ErasedPeople) -> Manifest:
    added = without_people(manifest.added, people) if people else manifest.added
    return replace(manifest, added=cast("Mapping[str, object]", added))


def _stem_of(path: str) -> str:
    """Give what the paths of one transcript's files have in common."""
    folder, _, name = path.rpartition("/")
    return f"{folder}/{name.partition('.')[0]}"


def _session_of(stem: str, paths: Iterable[str]) -> str | None:
    """Give the session of files that no manifest has; None for files that only are in a folder named by a uuid."""
    is_transcript = any(path.endswith(tuple(f".{ending}" for ending in WITH_IDS)) for path in paths)
    uuids = uuids_in(stem)
    return uuids[-1] if uuids_in(stem.rpartition("/")[2]) or is_transcript else None
