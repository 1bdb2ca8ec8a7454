# SPDX-License-Identifier: Apache-2.0
"""
The account of a job: what became of each of its items, kept in a folder.

``account.jsonl`` has a header line and a line per item. What a run appends to it is stored in journal files beside it
until they are merged, the newest line of an item counts.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypedDict, TypeGuard, cast

from lessonspace_provider.api.json_list import line_of
from lessonspace_provider.bulk.account_lock import locked
from lessonspace_provider.bulk.items import ALL_STATUSES, Record
from lessonspace_provider.bulk.journal import LocalJournal, StoreJournal, open_journal, read_journals, remove_journals
from lessonspace_provider.exceptions import LessonspaceAccountError
from lessonspace_provider.output.files import read_whole, write_whole

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath

#: The form of the files.
VERSION = 1

FILE_NAME = "account.jsonl"

#: Seconds that a run waits for another one of the same account to end.
LOCK_TIMEOUT = 60.0


_TEXT, _TEXT_OR_NONE, _NUMBER = (str,), (str, type(None)), (int,)

#: The types of the fields that are used of a header and of a record.
_HEADER = {"job": _TEXT, "salt": _TEXT, "merged": _NUMBER}
_RECORD = {
    **dict.fromkeys(("key", "item", "place", "status", "time"), _TEXT),
    **dict.fromkeys(("reason", "name"), _TEXT_OR_NONE),
    "tries": _NUMBER,
}


class Header(TypedDict):
    """
    The first line of an account.

    ``salt`` is part of each key, so that keys of two accounts can't be compared; ``merged`` is the number of the newest
    journal file whose lines the account has.
    """

    lessonspace_account: int
    job: str
    salt: str
    merged: int


class Account:
    """
    An open account. All methods may be called from several threads.

    :param folder: where it is stored.
    :param header: its first line.
    :param records: the newest record of each item, by key.
    :param journal: where this run appends.
    :param is_lost: whether another run has taken the account over.
    """

    def __init__(
        self,
        folder: ObjectStoragePath,
        header: Header,
        records: dict[str, Record],
        journal: LocalJournal | StoreJournal,
        is_lost: Callable[[], bool],
    ) -> None:
        self.path = folder / FILE_NAME
        self._folder = folder
        self._header = header
        self._records = records
        self._journal = journal
        self._is_lost = is_lost
        self._changed = threading.Condition()
        self._pending = bytearray()
        self._appended = self._durable = 0
        self._is_writing = False
        self._failure: Exception | None = None
        self._is_closed = False

    def key_of(self, *identity: str) -> str:
        """
        Make the key of an item, from which its identity can't be read.

        :param identity: texts that together identify the item in all runs of the job.
        """
        text = "\0".join((self._header["salt"], *identity))
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]

    def record_of(self, key: str) -> Record | None:
        """Give the newest record of an item; None for an item that the account does not have."""
        with self._changed:
            return self._records.get(key)

    def records(self) -> list[Record]:
        """Give the newest record of each item."""
        with self._changed:
            return list(self._records.values())

    def check_open(self) -> None:
        """
        Check that what is done now can be recorded.

        :raises LessonspaceAccountError: when the account was closed, can't be written, or belongs to another run.
        """
        if self._is_lost():
            raise LessonspaceAccountError(
                f"The account {self.path} was taken over by another run, so this one stops: run one at a time."
            )
        if self._failure is not None:
            raise LessonspaceAccountError(f"The account {self.path} could not be written, so this run stops.")
        if self._is_closed:
            raise LessonspaceAccountError(f"The account {self.path} is closed: the run was stopped.")

    def write(self, records: Iterable[Record]) -> None:
        """
        Record what became of items; it is durable when this returns.

        Records of several threads are written together.

        :raises LessonspaceAccountError: see ``check_open``.
        """
        with self._changed:
            self.check_open()
            for record in records:
                self._records[record["key"]] = record
                self._pending += line_of(record)
            self._appended += 1
            own = self._appended
            while self._durable < own:
                if self._is_writing:
                    self._changed.wait()
                else:
                    self._write_pending()
                if self._failure is not None:
                    raise self._failure

    def close(self) -> None:
        """
        Merge what was appended into the account's main file.

        :raises LessonspaceAccountError: when it can't be written; the journal still has all that was recorded.
        """
        with self._changed:
            self._changed.wait_for(lambda: not self._is_writing)
            if self._is_closed:
                return
            self._is_closed = True
            self._journal.close()
            if self._failure is None and not self._is_lost():
                self._merge()

    def _write_pending(self) -> None:
        """Write what is pending, without holding up those who add to it meanwhile."""
        data, number = bytes(self._pending), self._appended
        self._pending.clear()
        self._is_writing = True
        self._changed.release()
        failure: Exception | None = None
        try:
            self._journal.append(data)
        except Exception as error:  # whatever a store's client raises
            failure = error
        finally:
            self._changed.acquire()
            self._is_writing = False
            self._failure = failure
            self._durable = number
            self._changed.notify_all()
        if failure is None and self._journal.is_full:
            self._merge()

    def _merge(self) -> None:
        self._header = {**self._header, "merged": self._journal.last_number}
        lines = [line_of(self._header), *(line_of(record) for record in self._records.values())]
        write_whole(self.path, b"".join(lines))
        remove_journals(self._folder, self._header["merged"])


class Unrecorded:
    """Replaces an account where none is kept: it forgets everything when the task ends."""

    path = None

    def __init__(self) -> None:
        self._records: dict[str, Record] = {}

    @staticmethod
    def key_of(*identity: str) -> str:
        """Make the key of an item."""
        return "\0".join(identity)

    def record_of(self, key: str) -> Record | None:
        """Give the newest record of an item."""
        return self._records.get(key)

    def records(self) -> list[Record]:
        """Give the newest record of each item."""
        return list(self._records.values())

    def check_open(self) -> None:
        """Take records always."""

    def write(self, records: Iterable[Record]) -> None:
        """Keep what became of items."""
        self._records.update({record["key"]: record for record in records})


@contextmanager
def open_account(folder: ObjectStoragePath, job: str, *, timeout: float = LOCK_TIMEOUT) -> Iterator[Account]:
    """
    Open an account, or begin one, and keep other runs out of it meanwhile.

    :param folder: where it is stored; made when needed.
    :param job: what its items are, such as ``launches``.
    :param timeout: seconds to wait for another run of the account to end.
    :raises LessonspaceAccountError: when another run has it, it can't be read, or it belongs to another kind of job.
    """
    owner = secrets.token_hex(4)
    with locked(folder, owner, timeout) as is_lost:
        header, records = _read_account(folder, job)
        journal = open_journal(folder, owner, header["merged"])
        account = Account(folder, header, records, journal, is_lost)
        try:
            yield account
        finally:
            account.close()


def _read_account(folder: ObjectStoragePath, job: str) -> tuple[Header, dict[str, Record]]:
    path = folder / FILE_NAME
    data = read_whole(path)
    if data is None:
        header, lines = Header(lessonspace_account=VERSION, job=job, salt=secrets.token_hex(16), merged=0), []
        # Written first: the keys of whatever is appended depend on its salt.
        write_whole(path, line_of(header))
    else:
        first, *lines = data.splitlines() or [b""]
        header = _header_in(first, path, job)
    appended, header["merged"] = read_journals(folder, header["merged"])
    return header, {record["key"]: record for record in _records_in([*lines, *appended], path)}


def _header_in(line: bytes, path: ObjectStoragePath, job: str) -> Header:
    header = _json_or_none(line)
    if not isinstance(header, dict) or header.get("lessonspace_account") != VERSION or not _is_typed(header, _HEADER):
        raise _damaged(path, 1)
    if header.get("job") != job:
        raise LessonspaceAccountError(
            f"The account {path} is one of {header.get('job')}, not of {job}: give each job a folder of its own."
        )
    return cast("Header", header)


def _records_in(lines: list[bytes], path: ObjectStoragePath) -> Iterator[Record]:
    for number, line in enumerate(lines, start=2):
        record = _json_or_none(line)
        if not _is_record(record):
            raise _damaged(path, number)
        yield record


def _json_or_none(line: bytes) -> object:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def _is_record(read: object) -> TypeGuard[Record]:
    return isinstance(read, dict) and _is_typed(read, _RECORD) and read["status"] in ALL_STATUSES


def _is_typed(read: dict[str, object], types: Mapping[str, tuple[type, ...]]) -> bool:
    """Whether each field is of its type: anyone who may write the folder may have written the account."""
    return all(field in read and type(read[field]) in allowed for field, allowed in types.items())


def _damaged(path: ObjectStoragePath, line: int) -> LessonspaceAccountError:
    return LessonspaceAccountError(
        f"The account {path} can't be read at line {line}, its journals included: restore it from a backup. To begin "
        f"again, give another folder; everything is then done again."
    )
