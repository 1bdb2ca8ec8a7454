# SPDX-License-Identifier: Apache-2.0
"""RateGate: every call to the API host passes it, so that one key stays under its requests per second."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from lessonspace_provider.exceptions import LessonspaceRateLimitedError

#: Calls are spaced this much further apart than the limit allows, since clocks and networks jitter
#: (rate-limit notes: 210 ms for 5 per second).
SPACING_MARGIN = 1.05

#: How long everybody pauses after a 429 that names no Retry-After, in seconds.
DEFAULT_PAUSE = 1.0


class RateGate:
    """
    Hands out evenly spaced permits to the threads of this process.

    Evenly spaced, never in a burst: a burst of 5 breaks a server that has just lowered its limit to 3.

    :param per_second: permits a second, may be a fraction; 0 turns the gate off.
    :param max_wait: seconds that one caller may be made to wait.
    :param clock: monotonic seconds.
    :param sleep: waits that many seconds.
    """

    def __init__(
        self,
        *,
        per_second: float,
        max_wait: float,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._spacing = SPACING_MARGIN / per_second if per_second else 0.0
        self._max_wait = max_wait
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._next_slot = clock()

    def acquire(self) -> None:
        """
        Wait for the next permit.

        :raises LessonspaceRateLimitedError: at once, when the wait would be longer than ``max_wait``.
        """
        if not self._spacing:
            return
        with self._lock:
            now = self._clock()
            slot = max(now, self._next_slot)
            wait = slot - now
            if wait > self._max_wait:
                raise LessonspaceRateLimitedError(
                    f"The queue for this API key is {wait:.0f} s long, more than rate_limit_max_wait="
                    f"{self._max_wait:g} s: run fewer tasks at once, or raise rate_limit_max_wait in the connection."
                )
            self._next_slot = slot + self._spacing
        if wait > 0:
            self._sleep(wait)

    def pause(self, seconds: float | None) -> None:
        """
        Hold everybody back after a 429.

        :param seconds: the server's Retry-After, None when it named none.
        """
        with self._lock:
            resume = self._clock() + (DEFAULT_PAUSE if seconds is None else seconds)
            self._next_slot = max(self._next_slot, resume)


_gates: dict[tuple[str, str, float, float], RateGate] = {}
_gates_lock = threading.Lock()


def gate_for(api_key: str, base_url: str, *, per_second: float, max_wait: float) -> RateGate:
    """
    Find the gate that all hooks of this process share for a key.

    :param api_key: the key whose limit is guarded.
    :param base_url: the API it is used at.
    :param per_second: see RateGate.
    :param max_wait: see RateGate.
    :return: one gate per key, host and setting.
    """
    with _gates_lock:
        return _gates.setdefault(
            (api_key, base_url, per_second, max_wait), RateGate(per_second=per_second, max_wait=max_wait)
        )
