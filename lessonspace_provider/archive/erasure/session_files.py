# SPDX-License-Identifier: Apache-2.0
"""Takes people out of the files of one session: first decided with the files read, then written."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeVar, cast

from lessonspace_provider.archive.entry import Entry
from lessonspace_provider.archive.erasure.people import ErasedPeople
from lessonspace_provider.archive.erasure.redaction import (
    WITH_IDS,
    Found,
    is_searchable,
    loses_all,
    redacted_file,
    searchable,
)
from lessonspace_provider.archive.erasure.tombstones import ON_REQUEST, redacted_entry, redacted_path
from lessonspace_provider.archive.schema import SUMMARY, ManifestFile
from lessonspace_provider.output.destinations import join_below
from lessonspace_provider.output.files import (
    is_link,
    is_too_long,
    names_in,
    read_whole,
    remove_files,
    remove_if_empty,
    write_whole,
)
from lessonspace_provider.transcripts.formats import WHOLE_FORMATS, WRITERS, segments_in

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath

    from lessonspace_provider.api.types import Segment

#: The endings of transcripts and summaries, of transcripts with user ids, and of summaries.
_OWN, _WITH_IDS = tuple(f".{name}" for name in WRITERS), tuple(f".{name}" for name in WITH_IDS)
_OF_SUMMARY = f".{SUMMARY}.txt"

#: Why a file is left in which nothing can be searched.
NO_TEXT, TOO_LONG = "it is no text in UTF-8", "it is too long to be read"

#: Why a file is left that was replaced or removed in the archive.
WAS_LINK = "it was a symbolic link: the file that it led to still has the person"

_File = TypeVar("_File", bound=ManifestFile)


@dataclass(frozen=True)
class FileChange:
    """
    What becomes of a file.

    :param path: below the destination.
    :param before: its content; None where it could not be read.
    :param after: its new content; None to delete it.
    :param new_path: where that is written.
    """

    path: str
    before: bytes | None
    after: bytes | None
    new_path: str
    found: Found = field(default_factory=Found)


@dataclass(frozen=True)
class SessionChange:
    """
    What becomes of a session's files.

    :param is_erased: whether all of them are deleted.
    :param files: those that change.
    :param left: why others that have people in them do not change, by path.
    """

    session_id: str
    is_erased: bool
    files: Sequence[FileChange] = ()
    left: Mapping[str, str] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Bytes that it holds in memory."""
        return sum(len(file.before or b"") + len(file.after or b"") for file in self.files)


class SessionFiles:
    """
    The files of an archive's sessions.

    :param destination: the archive's folder.
    """

    def __init__(self, destination: ObjectStoragePath) -> None:
        self._destination = destination

    def paths_of(self, entry: Entry) -> list[str]:
        """List the files of an entry by its path, whether or not its manifest has them."""
        folder, _, name = entry.path.rpartition("/")
        if not name:
            return []
        listed = names_in(join_below(self._destination, folder) if folder else self._destination)
        return [f"{folder}/{file}".lstrip("/") for file in listed if file.startswith(f"{name}.")]

    def read(self, path: str) -> bytes | None:
        """Read a file; None when it is not there."""
        return read_whole(join_below(self._destination, path))

    def change_of(
        self, session_id: str, paths: Collection[str], people: ErasedPeople, *, is_erased: bool
    ) -> SessionChange:
        """
        Read a session's files, and decide what becomes of them.

        :param paths: of its files.
        :param is_erased: whether they are deleted, whatever they hold.
        """
        read, unread = self._read_all(paths)
        new_paths = {path: redacted_path(path, people) for path in read}
        has_people = {path for path, data in read.items() if people.may_occur_in(searchable(data))}
        if not (is_erased or has_people) and all(path == new_path for path, new_path in new_paths.items()):
            return SessionChange(session_id, False)
        segments = _segments_of(read)
        if is_erased or (segments is not None and loses_all(segments, people)):
            deleted = [FileChange(path, read.get(path), None, path) for path in (*read, *unread)]
            return SessionChange(session_id, True, deleted)
        unread |= {path: NO_TEXT for path, data in read.items() if not is_searchable(data) and path not in has_people}
        files, left = [], {path: f"it was not searched: {reason}" for path, reason in unread.items()}
        # Those by which ids are recognised are written last: a killed run finds what it has not changed yet.
        for path in sorted(read, key=lambda path: path.endswith((".json", ".jsonl", ".csv"))):
            data, new_path = read[path], new_paths[path]
            if new_path == path and path not in has_people:
                continue
            after, found = redacted_file(path.rpartition(".")[2], data, people, segments)
            if after is None:
                left[path] = "its content can't be read as a transcript or as text"
            elif after != data or new_path != path:
                files.append(FileChange(path, data, after, new_path, found))
        return SessionChange(session_id, False, files, left)

    def _read_all(self, paths: Collection[str]) -> tuple[dict[str, bytes], dict[str, str]]:
        """Read files; of those that are no transcripts and can't be read, give the reasons."""
        read, unread = {}, {}
        for path in paths:
            try:
                data = self.read(path)
            except Exception:  # such as of a recording that is too long
                if path.endswith(_OWN) or not is_too_long(join_below(self._destination, path)):
                    raise
                unread[path] = TOO_LONG
            else:
                read.update({} if data is None else {path: data})
        return read, unread

    def is_link(self, path: str) -> bool:
        """Whether a file is a symbolic link."""
        return is_link(join_below(self._destination, path))

    def carry_out(self, file: FileChange) -> None:
        """Write or delete a file."""
        if file.after is not None:
            write_whole(join_below(self._destination, file.new_path), file.after)
        if file.after is None or file.new_path != file.path:
            remove_files([join_below(self._destination, file.path)])
            self._remove_empty_folders(file.path)

    def _remove_empty_folders(self, path: str) -> None:
        """Remove the folders of a file if they are empty now and may be named after people; those of dates stay."""
        folder = path.rpartition("/")[0]
        while any(map(str.isalpha, folder)) and remove_if_empty(join_below(self._destination, folder)):
            folder = folder.rpartition("/")[0]


def _segments_of(read: Mapping[str, bytes]) -> Collection[Segment] | None:
    for ending in WHOLE_FORMATS:
        for path, data in read.items():
            if path.endswith(f".{ending}") and (segments := segments_in(data, ending)) is not None:
                return segments
    return None


def unfound_in(entry: Entry, paths: Collection[str], change: SessionChange, people: ErasedPeople) -> list[str]:
    """Choose the transcripts in which people who took part are not found, since no file of the session has ids."""
    took_part = any(people.mode_of_id(user) for user in entry.roles)
    if change.is_erased or not took_part or any(path.endswith(_WITH_IDS) for path in paths):
        return []
    changed = {file.path for file in change.files if file.after != file.before}
    return [path for path in paths if path.endswith(_OWN) and not path.endswith(_OF_SUMMARY) and path not in changed]


def entry_after(entry: Entry, change: SessionChange, people: ErasedPeople) -> Entry:
    """
    Record in an entry what becomes of its session.

    :param entry: as its manifest has it.
    :return: erased, or without the people, with their marks and with the sizes and digests of the changed files.
    """
    if entry.status == "erased" or change.is_erased:
        return entry if entry.status == "erased" else entry.erased(ON_REQUEST)
    changed = redacted_entry(entry, people)
    path = redacted_path(entry.path, people)
    if changed.status == "erased" or not (change.files or path != entry.path):
        return changed
    marks = sorted({*(entry.erased_people or ()), *people.marks})
    written = {file.path: file for file in change.files}
    # One that is missing is not moved, and no longer recorded.
    there = [file for file in entry.files if path == entry.path or file["path"] in written]
    files = [_file_after(file, written.get(file["path"])) for file in there]
    summary = entry.summary
    if summary is not None:
        is_lost = path != entry.path and summary["path"] not in written
        summary = None if is_lost else _file_after(summary, written.get(summary["path"]))
    return replace(changed, erased_people=marks, path=path, files=files, summary=summary)


def _file_after(file: _File, change: FileChange | None) -> _File:
    if change is None or change.after is None:
        return file
    digest = hashlib.sha256(change.after).hexdigest()
    return cast("_File", {**file, "path": change.new_path, "size": len(change.after), "sha256": digest})
