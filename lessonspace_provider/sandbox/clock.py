# SPDX-License-Identifier: Apache-2.0
"""The sandbox's own time."""

from __future__ import annotations

import time
from datetime import datetime, timedelta, timezone


class Clock:
    """A clock that can run fast, stop, and be moved forward.

    :param start: the first moment it shows (aware).
    :param speed: its seconds per real second; 0 = it only moves by ``advance`` and ``set``.
    """

    def __init__(self, start: datetime, speed: float) -> None:
        self._start = start.astimezone(timezone.utc)
        self._speed = speed
        self._started = time.monotonic()
        self._moved = timedelta()

    def now(self) -> datetime:
        """Return the current moment, in UTC."""
        running = timedelta(seconds=(time.monotonic() - self._started) * self._speed)
        return self._start + self._moved + running

    def advance(self, seconds: float) -> None:
        """Move forward by so many seconds.

        :raises ValueError: for a negative number: what has ended cannot un-end.
        """
        if seconds < 0:
            raise ValueError(f"The clock only moves forward, got {seconds} seconds. Reset with another now.")
        self._moved += timedelta(seconds=seconds)

    def set(self, moment: datetime) -> None:
        """Move forward to a moment (aware).

        :raises ValueError: when that moment has passed.
        """
        self.advance((moment - self.now()).total_seconds())


def parse_time(text: str) -> datetime:
    """Read an ISO 8601 time; one without an offset is UTC.

    :raises ValueError: when it is none.
    """
    if text[-1:] in ("Z", "z"):
        text = text[:-1] + "+00:00"
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)


def format_time(moment: datetime) -> str:
    """Write a moment as Django REST Framework does: UTC, ``Z``, microseconds unless they are zero."""
    return moment.astimezone(timezone.utc).isoformat().replace("+00:00", "Z")
