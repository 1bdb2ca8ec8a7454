# SPDX-License-Identifier: Apache-2.0
"""Appends to an account: to a file on a local disk; as small numbered files on an object store, which can't append."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from lessonspace_provider._local_files import make_folder
from lessonspace_provider.exceptions import LessonspaceDestinationError
from lessonspace_provider.output.files import is_local, names_in, naming_place, read_whole, remove_files, write_whole

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath

#: Numbered files after which they are merged into the account.
MOST_SEGMENTS = 200

_NAME = re.compile(r"journal-([0-9]{6,})-[0-9a-f]{8}\.jsonl")


def open_journal(folder: ObjectStoragePath, owner: str, after: int) -> LocalJournal | StoreJournal:
    """
    Begin a journal of a run's own.

    :param folder: of the account.
    :param owner: eight hexadecimal digits of this run, so that no two runs write one file.
    :param after: the number of the newest file that is there.
    """
    return LocalJournal(folder, owner, after + 1) if is_local(folder) else StoreJournal(folder, owner, after)


def read_journals(folder: ObjectStoragePath, merged: int) -> tuple[list[bytes], int]:
    """
    Read the lines of all journals that are not merged yet.

    :param merged: number of the newest file that is merged into the account.
    :return: the lines, oldest first, without one that a killed process left unfinished; and the newest number.
    """
    numbered = _numbered(folder)
    lines: list[bytes] = []
    for number, name in numbered:
        if number > merged:
            whole, _, _unfinished = (read_whole(folder / name) or b"").rpartition(b"\n")
            lines += whole.splitlines()
    return lines, max([merged, *(number for number, _ in numbered)])


def remove_journals(folder: ObjectStoragePath, merged: int) -> None:
    """Remove the files that are merged; one that stays is ignored by its number."""
    with suppress(LessonspaceDestinationError):
        remove_files([folder / name for number, name in _numbered(folder) if number <= merged])


def _numbered(folder: ObjectStoragePath) -> list[tuple[int, str]]:
    return sorted((int(found[1]), found[0]) for name in names_in(folder) if (found := _NAME.fullmatch(name)))


def _file_name(number: int, owner: str) -> str:
    return f"journal-{number:06d}-{owner}.jsonl"


class LocalJournal:
    """A file that is appended to; never so long that it is merged before the run's end."""

    is_full = False

    def __init__(self, folder: ObjectStoragePath, owner: str, number: int) -> None:
        #: The number of the newest file.
        self.last_number = number
        self._descriptor = _opened_to_append(folder / _file_name(number, owner))

    def append(self, data: bytes) -> None:
        """Append lines; they are durable when this returns."""
        view = memoryview(data)
        while view:
            view = view[os.write(self._descriptor, view) :]
        os.fsync(self._descriptor)

    def close(self) -> None:
        """Free what is open."""
        os.close(self._descriptor)


@naming_place
def _opened_to_append(file: ObjectStoragePath) -> int:
    path = Path(file.path)
    make_folder(path.parent)
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_APPEND, 0o600)


class StoreJournal:
    """Numbered files, one for each time that lines are appended."""

    def __init__(self, folder: ObjectStoragePath, owner: str, after: int) -> None:
        self._folder = folder
        self._owner = owner
        #: The number of the newest file.
        self.last_number = after

    @property
    def is_full(self) -> bool:
        """Whether there are so many files that they are to be merged."""
        return self.last_number % MOST_SEGMENTS == 0

    def append(self, data: bytes) -> None:
        """Append lines; they are durable when this returns."""
        write_whole(self._folder / _file_name(self.last_number + 1, self._owner), data)
        self.last_number += 1

    def close(self) -> None:
        """Nothing is open."""
