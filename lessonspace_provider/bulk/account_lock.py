# SPDX-License-Identifier: Apache-2.0
"""Keeps a second run out of an account: by a file lock on a local disk, by a lease on an object store."""

from __future__ import annotations

import fcntl
import os
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from lessonspace_provider._local_files import make_folder
from lessonspace_provider.exceptions import LessonspaceAccountError, LessonspaceDestinationError
from lessonspace_provider.output.files import is_local, names_in, naming_place, read_whole, remove_files, write_whole

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath

LOCK_NAME = "account.lock"

#: Seconds between two tries to get a lock.
RETRY_INTERVAL = 0.2

#: Seconds after which a lease that nothing renews is free. Its holder renews it three times in that time.
LEASE_DURATION = 30.0

#: Seconds that a run that ends waits for a renewal under way.
RELEASE_PATIENCE = 5.0


@contextmanager
def locked(folder: ObjectStoragePath, owner: str, timeout: float) -> Iterator[Callable[[], bool]]:
    """
    Lock an account.

    :param folder: of the account.
    :param owner: names this run in the lease.
    :param timeout: seconds to wait for another run.
    :return: a function: whether the lock was lost to another run meanwhile.
    :raises LessonspaceAccountError: when another run has the lock all of that time.
    """
    if is_local(folder):
        with _file_lock(folder, timeout):
            yield lambda: False
    else:
        lease = _Lease(folder, owner)
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
    make_folder(path.parent)
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
    A file of this run's own that it renews. A run that has written one and finds no other has the account.

    A store shows a file to all as soon as it is written, so no two runs can both find none: of two that find each
    other, both withdraw and try again. Whether another lease is still renewed is judged by its changes, not by anyone's
    clock. A run that could not renew its own in time stops.
    """

    def __init__(self, folder: ObjectStoragePath, owner: str) -> None:
        self._folder = folder
        self._path = folder / f"account-{owner}.lease"
        self._renewals = 0
        self._renewed_at = 0.0
        self._is_taken_over = False
        self._seen: dict[str, tuple[bytes, float]] = {}
        self._ended = threading.Event()
        self._keeper = threading.Thread(target=self._keep, name="lessonspace-account-lease", daemon=True)

    def acquire(self, timeout: float) -> None:
        deadline = time.monotonic() + timeout
        while not self._is_acquired():
            if time.monotonic() > deadline:
                raise _in_use(str(self._folder), timeout)
            time.sleep(RETRY_INTERVAL * random.uniform(0.5, 1.5))
        self._keeper.start()

    def is_lost(self) -> bool:
        self._is_taken_over = self._is_taken_over or time.monotonic() - self._renewed_at > LEASE_DURATION
        return self._is_taken_over

    def release(self) -> None:
        self._ended.set()
        self._keeper.join(RELEASE_PATIENCE)
        with suppress(LessonspaceDestinationError):
            remove_files([self._path])

    def _is_acquired(self) -> bool:
        if self._has_others():
            return False
        self._renew()
        if not self._has_others():
            return True
        remove_files([self._path])
        return False

    def _has_others(self) -> bool:
        """Whether another run has a lease; one that nothing has renewed for long is removed."""
        names = [name for name in names_in(self._folder) if name.endswith(".lease") and name != self._path.name]
        alive = [self._is_alive(name) for name in names]  # all are looked at, so that each one's time begins now
        return any(alive)

    def _is_alive(self, name: str) -> bool:
        lease, now = read_whole(self._folder / name), time.monotonic()
        if lease is None:
            return False
        if name not in self._seen or self._seen[name][0] != lease:
            self._seen[name] = (lease, now)
        if now - self._seen[name][1] <= LEASE_DURATION:
            return True
        remove_files([self._folder / name])
        return False

    def _keep(self) -> None:
        while not self._ended.wait(LEASE_DURATION / 3):
            with suppress(LessonspaceDestinationError):  # the store may answer again before the lease ends
                if self.is_lost() or read_whole(self._path) is None:
                    self._is_taken_over = True
                    return
                self._renew()

    def _renew(self) -> None:
        began = time.monotonic()
        self._renewals += 1
        write_whole(self._path, str(self._renewals).encode())
        # Not the time of its end: another run may have found the lease unchanged for all of it.
        self._renewed_at = began
