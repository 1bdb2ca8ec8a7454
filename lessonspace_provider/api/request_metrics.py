# SPDX-License-Identifier: Apache-2.0
"""Measures one request to the API: its wait for the rate limit, and the status of its reply."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType

from lessonspace_provider.metrics import names, sending
from lessonspace_provider.rate_limit.gate import Gate


class MeasuredRequest:
    """
    One attempt at a request, whose metrics are sent when its block ends.

    They are sent after the reply: nothing may delay a request that has its permit.

    :param gate: what the request passes.
    :param clock: monotonic seconds.
    """

    def __init__(self, gate: Gate, clock: Callable[[], float] = time.monotonic) -> None:
        self._gate = gate
        self._clock = clock
        self._waited: float | None = None
        self._is_permitted = False
        #: Of the reply, once there is one.
        self.status: int | None = None

    def acquire(self) -> None:
        """Wait for a permit."""
        began = self._clock()
        try:
            self._gate.acquire()
            self._is_permitted = True
        finally:
            self._waited = self._clock() - began

    def __enter__(self) -> MeasuredRequest:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._waited is not None:
            sending.record_time(names.RATE_LIMIT_WAIT, self._waited)
        if self._is_permitted or self._waited is None:  # a connection may fail before the request has a permit
            status = self.status if error is None else getattr(error, "status", None)
            sending.count(names.requests_with(status))
