# SPDX-License-Identifier: Apache-2.0
"""The rate limit: a sliding window of one second."""

from __future__ import annotations

from collections import deque

WINDOW = 1.0
"""Seconds of real time, also when the sandbox's clock runs faster."""


class RateWindow:
    """Accepts at most so many calls in any second.

    A refused call does not count against the limit.

    :param rate: calls per second; 0 = unlimited. May be changed at any time.
    """

    def __init__(self, rate: int) -> None:
        self.rate = rate
        self.accepted = 0
        self.refused = 0
        self._times: deque[float] = deque()

    def accept(self, moment: float) -> bool:
        """Count a call and return whether it is within the limit.

        :param moment: monotonic time of its arrival, in seconds.
        """
        while self._times and self._times[0] <= moment - WINDOW:
            self._times.popleft()
        if self.rate and len(self._times) >= self.rate:
            self.refused += 1
            return False
        self._times.append(moment)
        self.accepted += 1
        return True
