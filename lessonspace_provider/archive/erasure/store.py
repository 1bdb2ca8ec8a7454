# SPDX-License-Identifier: Apache-2.0
"""The tombstones, their key and the receipts of one archive, as files."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from lessonspace_provider._local_files import write_file
from lessonspace_provider.archive.erasure.tombstones import ERASURES, KEY, TOMBSTONES, Tombstones, has_no_requests
from lessonspace_provider.bulk.account_lock import locked
from lessonspace_provider.exceptions import LessonspaceAccountError, LessonspaceError
from lessonspace_provider.output.files import is_local, naming_place, read_whole, write_whole
from lessonspace_provider.output.updates import update_whole

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath

#: Bytes of the key of keyed hashes.
KEY_LENGTH = 32

#: Seconds to wait for another erasure of the archive to end.
LOCK_TIMEOUT = 60.0


class ErasureStore:
    """
    Reads and writes what erasures leave.

    :param destination: the archive's folder.
    """

    def __init__(self, destination: ObjectStoragePath) -> None:
        self._destination = destination

    @contextmanager
    def locked(self) -> Iterator[None]:
        """
        Keep other erasures out of the archive.

        :raises LessonspaceError: when another one is in progress for all of ``LOCK_TIMEOUT``.
        """
        with ExitStack() as lock:
            try:
                lock.enter_context(locked(self._destination / ERASURES, secrets.token_hex(4), LOCK_TIMEOUT))
            except LessonspaceAccountError:
                raise LessonspaceError(
                    f"Another erasure or expiry of {self._destination} is in progress: run this one when it has ended. "
                    f"Nothing was changed."
                ) from None
            yield

    def tombstones(self) -> Tombstones | None:
        """
        Read the tombstones.

        :return: None for an archive in which nothing was ever erased.
        :raises LessonspaceError: when they can't be honoured.
        """
        data, key = read_whole(self._destination / TOMBSTONES), self._key()
        if key is None and (data is None or has_no_requests(data)):
            return None
        if data is None:
            raise self._unusable("the file is missing")
        if key is None:
            raise self._unusable(f"{KEY} is missing, without which they can't be compared with anything")
        try:
            return Tombstones.from_json(data, key)
        except ValueError as error:
            reason = str(error)
        raise self._unusable(reason)

    def opened(self, *, has_marks: bool, dry_run: bool) -> Tombstones:
        """
        Read the tombstones, or begin those of an archive that has none.

        :param has_marks: whether manifests have marks of erased people.
        :param dry_run: write nothing.
        :raises LessonspaceError: when they can't be honoured, or are missing though manifests have marks.
        """
        tombstones = self.tombstones()
        if tombstones is not None:
            return tombstones
        if has_marks:
            raise LessonspaceError(
                "Manifests have people who were erased, and the archive's folder erasures is missing: restore it from "
                "a backup first. Nothing was changed."
            )
        return Tombstones(secrets.token_bytes(KEY_LENGTH)) if dry_run else self.created()

    def created(self) -> Tombstones:
        """
        Begin the tombstones of an archive that has none, with a key of its own, for this user only on a disk.

        The key is written last: where it is, the other file is as well, or was lost.
        """
        key = secrets.token_bytes(KEY_LENGTH)
        write_whole(self._destination / TOMBSTONES, Tombstones(key).to_json())
        path = self._destination / KEY
        if is_local(path):
            _write_private(path, key.hex().encode())
        else:
            write_whole(path, key.hex().encode())
        return Tombstones(key)

    def update(self, change: Callable[[Tombstones], Tombstones], key: bytes) -> None:
        """Write what a function makes of the tombstones."""

        def changed(data: bytes | None) -> bytes:
            return change(Tombstones.from_json(data, key)).to_json()

        update_whole(self._destination / TOMBSTONES, changed)

    def write_receipt(self, name: str, data: bytes) -> None:
        """Write a receipt, replacing an earlier state of it."""
        write_whole(self.receipt_path(name), data)

    def receipt_path(self, name: str) -> ObjectStoragePath:
        """Give the path of a receipt."""
        return self._destination / ERASURES / name

    def _key(self) -> bytes | None:
        data = read_whole(self._destination / KEY)
        if data is None:
            return None
        try:
            key = bytes.fromhex(data.decode())
        except ValueError:
            key = b""
        if len(key) != KEY_LENGTH:
            raise self._unusable(f"{KEY} is no key of {KEY_LENGTH} bytes")
        return key

    def _unusable(self, reason: str) -> LessonspaceError:
        return LessonspaceError(
            f"The tombstones {self._destination / TOMBSTONES} can't be honoured, since {reason}. Restore both files "
            f"from a backup: without them a run would bring back what was erased."
        )


@naming_place
def _write_private(path: ObjectStoragePath, data: bytes) -> None:
    write_file(Path(path.path), [data], mode=0o600)
