# SPDX-License-Identifier: Apache-2.0
"""Keeps a second run out of an account: by a file lock on a local disk, by a lease on an object store."""

from __future__ import annotations

import fcntl
import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from lessonspace_provider.exceptions import LessonspaceAccountError, LessonspaceDestinationError
from lessonspace_provider.local_files import refuse_foreign_links
from lessonspace_provider.output.files import is_local, naming_place, read_whole, remove_files, write_whole

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath

LOCK_NAME, LEASE_NAME = "account.lock", "account.lease"

#: Seconds between two tries to get a lock.
RETRY_INTERVAL = 0.2

#: Seconds after which a lease that nothing renews is free. Its holder renews it three times in that time.
LEASE_DURATION = 30.0

#: Seconds after which a lease that was written is read again: two runs may have written theirs at once.
SETTLE_TIME = 1.0


#: Seconds that a run that ends waits for a renewal under way.
RELEASE_PATIENCE = 5.0


@contextmanager
def locked(folder: ObjectStoragePath, owner: str, timeout: float) -> Iterator[Callable[[], bool]]:
    """
    Lock an account.

    :param folder: of the account.
    :param owner: names this run in the lease.
    :param timeout: seconds to wait for another run.
    :return: tells whether the lock was lost to another run meanwhile.
    :raises LessonspaceAccountError: when another run has the lock all of that time.
    """
    if is_local(folder):
        with _file_lock(folder, timeout):
            yield lambda: False
    else:
        lease = _Lease(folder / LEASE_NAME, owner)
        lease.acquire(timeout)
        try:
            yield lease.is_lost
        finally:
            lease.release()


@contextmanager
def _file_lock(folder: ObjectStoragePath, timeout: float) -> Iterator[None]:
    descriptor = _opened_to_lock(folder / LOCK_NAME)
    try:
        deadline = time.monotonic() + timeout
        while not _is_locked(descriptor):
            if time.monotonic() > deadline:
                raise _in_use(str(folder), timeout)
            time.sleep(RETRY_INTERVAL)
        yield
    finally:
        os.close(descriptor)


@naming_place
def _opened_to_lock(file: ObjectStoragePath) -> int:
    path = Path(file.path)
    path.parent.mkdir(parents=True, exist_ok=True)
    refuse_foreign_links(path.parent)
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)


def _is_locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _in_use(folder: str, timeout: float) -> LessonspaceAccountError:
    return LessonspaceAccountError(
        f"Another run has used the account in {folder} for {timeout:.0f} s: let it end, or give this one a folder of "
        f"its own. Nothing was sent."
    )


class _Lease:
    """
    A file that its holder renews. Whether it is still renewed is judged by its changes, not by anyone's clock.

    Stores have no lock: a run that can't renew in time stops when it finds another one's lease.
    """

    def __init__(self, path: ObjectStoragePath, owner: str) -> None:
        self._path = path
        self._owner = owner
        self._renewals = 0
        self._renewed_at = 0.0
        self._is_taken_over = False
        self._ended = threading.Event()
        self._keeper = threading.Thread(target=self._keep, name="lessonspace-account-lease", daemon=True)

    def acquire(self, timeout: float) -> None:
        deadline = time.monotonic() + timeout
        seen, seen_at = self._read(), time.monotonic()
        while True:
            if seen is None or time.monotonic() - seen_at > LEASE_DURATION:
                self._renew()
                time.sleep(SETTLE_TIME)
                if self._is_own(self._read()):
                    break
            if time.monotonic() > deadline:
                raise _in_use(str(self._path.parent), timeout)
            time.sleep(RETRY_INTERVAL)
            if (found := self._read()) != seen:
                seen, seen_at = found, time.monotonic()
        self._keeper.start()

    def is_lost(self) -> bool:
        return self._is_taken_over or time.monotonic() - self._renewed_at > LEASE_DURATION

    def release(self) -> None:
        self._ended.set()
        self._keeper.join(RELEASE_PATIENCE)
        with suppress(LessonspaceDestinationError):
            if self._is_own(self._read()):
                remove_files([self._path])

    def _keep(self) -> None:
        while not self._ended.wait(LEASE_DURATION / 3):
            with suppress(LessonspaceDestinationError):  # it may be there again before the lease ends
                if not self._is_own(self._read()):
                    self._is_taken_over = True
                    return
                self._renew()

    def _renew(self) -> None:
        began = time.monotonic()
        self._renewals += 1
        write_whole(self._path, json.dumps({"owner": self._owner, "renewals": self._renewals}).encode())
        self._renewed_at = began

    def _read(self) -> bytes | None:
        return read_whole(self._path)

    def _is_own(self, lease: bytes | None) -> bool:
        try:
            return bool(lease) and json.loads(lease or b"{}")["owner"] == self._owner
        except (ValueError, KeyError, TypeError):
            return False
