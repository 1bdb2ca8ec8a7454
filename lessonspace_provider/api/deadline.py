# SPDX-License-Identifier: Apache-2.0
"""The longest time that one exchange with a server may take, whatever the server sends meanwhile."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress

#: Seconds after which the socket is shut down again: urllib3 may have replaced it in the meantime.
_AGAIN = 0.1


class Deadline:
    """
    Shuts a socket down when its time is up, so that the thread that reads or writes it continues at once.

    The timeout of a socket bounds each wait for bytes, and not their number: a server that sends one byte at a time
    keeps a reader for ever. Time counts between ``start`` and ``stop`` only, so that a wait for the rate limit between
    two such periods costs nothing.

    :param seconds: of all periods together.
    """

    def __init__(self, seconds: float) -> None:
        self._left = seconds
        self._has_passed = False
        self._started_at = 0.0
        self._stopped = threading.Event()
        self._watcher: threading.Thread | None = None

    @property
    def has_passed(self) -> bool:
        """Whether the time is up: what the socket has given since may be cut off."""
        return self._has_passed

    @property
    def left(self) -> float:
        """Seconds that were left when the present or next period began."""
        return self._left

    def start(self, socket_in_use: Callable[[], object]) -> None:
        """
        Begin a period. A period that has not been stopped is stopped first.

        :param socket_in_use: gives the socket, or None as long as there is none. It is called in another thread.
        """
        self.stop()
        self._stopped = stopped = threading.Event()
        self._started_at = time.monotonic()
        watch = (socket_in_use, stopped, self._left)
        watcher = threading.Thread(target=self._watch, args=watch, name="lessonspace-deadline", daemon=True)
        watcher.start()
        self._watcher = watcher

    def stop(self) -> None:
        """End the period, if there is one. No socket is shut down after this returns."""
        self._stopped.set()
        watcher, self._watcher = self._watcher, None
        if watcher is not None:
            watcher.join()
            self._left -= time.monotonic() - self._started_at

    def _watch(self, socket_in_use: Callable[[], object], stopped: threading.Event, seconds: float) -> None:
        if stopped.wait(max(0.0, seconds)):
            return
        self._has_passed = True
        _shut_down(socket_in_use())
        while not stopped.wait(_AGAIN):
            _shut_down(socket_in_use())


def _shut_down(used: object) -> None:
    while hasattr(used, "socket"):  # TLS within TLS, as through a proxy that speaks TLS itself
        used = used.socket
    if isinstance(used, socket.socket):
        # Not its own method: an SSLSocket's forgets its encryption first, and what is sent then would be readable.
        with suppress(OSError):
            socket.socket.shutdown(used, socket.SHUT_RDWR)
