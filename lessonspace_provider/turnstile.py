# SPDX-License-Identifier: Apache-2.0
"""A turnstile: of all threads and processes of a machine, one stands in it, the others queue."""

from __future__ import annotations

import fcntl
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

#: How long whoever leaves keeps away, in seconds: flock is not fair to those who wait if one comes back at once.
STEP_ASIDE = 0.003


class Turnstile:
    """
    A queue on a lock file. The kernel keeps the order, and frees the lock when its holder is killed.

    The file is opened anew for each passage, and unlocked before it is closed: a child that was forked meanwhile has
    the same open file, but not the lock.

    :param path: the lock file, on a local disk; it is made when needed.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    @contextmanager
    def entered(self, timeout: float) -> Iterator[None]:
        """
        Wait for one's turn, and hold it for the length of the block.

        :param timeout: seconds.
        :raises TimeoutError: when it did not come in time.
        """
        lock = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if not _locked_at_once(lock):
            _Waiting(lock).wait(timeout)
        try:
            yield
        finally:
            _release(lock)
        time.sleep(STEP_ASIDE)


def _release(lock: int) -> None:
    fcntl.flock(lock, fcntl.LOCK_UN)
    os.close(lock)


def _locked_at_once(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except BaseException:
        os.close(lock)
        raise
    return True


class _Waiting:
    """
    Waits for a lock in a thread of its own, since flock knows no timeout.

    A caller who gave up leaves the thread in the queue; when its turn comes, it lets the next one pass.
    """

    def __init__(self, lock: int) -> None:
        self._lock = lock
        self._mutex = threading.Lock()
        self._given_up = False
        self._locked = threading.Event()

    def wait(self, timeout: float) -> None:
        in_time = False
        try:
            threading.Thread(target=self._block, name="lessonspace-turnstile", daemon=True).start()
            in_time = self._locked.wait(timeout)
        finally:
            if not in_time:
                self._give_up()
        if not in_time:
            raise TimeoutError

    def _block(self) -> None:
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        with self._mutex:
            if self._given_up:
                _release(self._lock)
            else:
                self._locked.set()

    def _give_up(self) -> None:
        with self._mutex:
            if self._locked.is_set():
                _release(self._lock)
            self._given_up = True
