# SPDX-License-Identifier: Apache-2.0
"""A lock on a file: of all threads and processes of a machine, one holds it, the others queue."""

from __future__ import annotations

import fcntl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from lessonspace_provider._local_files import open_private_file

#: Seconds that a caller pauses after it released the lock: otherwise flock would let it lock again before the others.
STEP_ASIDE = 0.003


class FileLock:
    """
    A queue on a lock file. The kernel keeps the order, roughly, and frees the lock when its holder is killed.

    The file is opened again for each passage, and unlocked before it is closed: a child that was forked meanwhile has
    the same open file, but not the lock. Only when the holder is killed before that, the child keeps it until it ends.

    :param path: the lock file, on a local disk; it and its folder are made when needed, the folder for this user only.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @contextmanager
    def entered(self, timeout: float) -> Iterator[None]:
        """
        Wait for one's turn, and hold it for the length of the block.

        :param timeout: seconds.
        :raises TimeoutError: when it did not come in time.
        :raises OSError: when the file can't be used.
        """
        passage = _Passage(self.path)
        try:
            passage.enter(timeout)
            yield
        finally:
            passage.leave()
        time.sleep(STEP_ASIDE)


class _Passage:
    """
    One caller's wait for the lock.

    Since flock knows no timeout, a thread of its own waits for the lock. A caller who gave up leaves that thread in the
    queue; when its turn comes, it lets the next one pass.
    """

    def __init__(self, path: Path) -> None:
        self._file = open_private_file(path)  # whatever interrupts the caller, the lock ends with this object
        self._mutex = threading.Lock()
        self._queueing = False
        self._left = False
        self._turn = threading.Event()
        self._failure: OSError | None = None

    def enter(self, timeout: float) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            pass
        self._queueing = True
        threading.Thread(target=self._queue, name="lessonspace-file-lock", daemon=True).start()
        if not self._turn.wait(timeout):
            raise TimeoutError
        if self._failure:
            raise self._failure

    def leave(self) -> None:
        with self._mutex:
            self._left = True
            if not self._queueing:
                self._release()

    def _queue(self) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX)
        except OSError as failure:
            self._failure = failure
        with self._mutex:
            self._queueing = False
            if self._left:
                self._release()
        self._turn.set()

    def _release(self) -> None:
        with suppress(OSError):  # a disk without locks was never locked
            fcntl.flock(self._file, fcntl.LOCK_UN)
        self._file.close()
