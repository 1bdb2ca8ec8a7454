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
    two such periods costs nothing. Use it as a context manager: a thread watches the time meanwhile.

    :param seconds: of all periods together.
    """

    def __init__(self, seconds: float) -> None:
        self._left = seconds
        self._socket_in_use: Callable[[], object] | None = None
        self._started_at = 0.0
        self._has_passed = False
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="lessonspace-deadline", daemon=True)

    def __enter__(self) -> Deadline:
        self._watcher.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._watcher.join()  # then no socket is shut down any more that others may use

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
        Begin a period. It wakes no thread, since a request may be sent only at its moment.

        :param socket_in_use: gives the socket, or None as long as there is none. It is called in another thread.
        """
        with self._lock:
            self._socket_in_use, self._started_at = socket_in_use, time.monotonic()

    def stop(self) -> None:
        """End the period."""
        with self._lock:
            if self._socket_in_use is not None:
                self._socket_in_use = None
                self._left -= time.monotonic() - self._started_at

    def _watch(self) -> None:
        # A wait between two periods puts the end off, so this never wakes too late.
        wait = self._left
        while not self._ended.wait(wait):
            with self._lock:
                wait = self._check()

    def _check(self) -> float:
        """Shut the socket down if the time is up; give the seconds until the next check."""
        in_use = self._socket_in_use
        remaining = self._left - (time.monotonic() - self._started_at if in_use else 0.0)
        if in_use is None or remaining > 0:
            return max(remaining, _AGAIN)
        self._has_passed = True
        _shut_down(in_use())
        return _AGAIN


def _shut_down(used: object) -> None:
    while hasattr(used, "socket"):  # TLS within TLS, as through a proxy that speaks TLS itself
        used = used.socket
    if isinstance(used, socket.socket):
        # Not its own method: an SSLSocket's forgets its encryption first, and what is sent then would be readable.
        with suppress(OSError):
            socket.socket.shutdown(used, socket.SHUT_RDWR)
