# SPDX-License-Identifier: Apache-2.0
"""Which failures are tried again, when, and for how long. Pure: tenacity does the waiting."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from math import isfinite

from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception,
    wait_random_exponential,
)
from tenacity.stop import stop_base

from lessonspace_provider.exceptions import (
    LessonspaceConnectionError,
    LessonspaceError,
    LessonspaceRateLimitedError,
    LessonspaceReplyTimeoutError,
    LessonspaceReplyTooLargeError,
    LessonspaceServerError,
    LessonspaceTlsError,
)

#: How often a call that fails without the caller's fault is made in all.
ATTEMPTS = 5

#: Full jitter between 0 and 1, 2, 4, ... up to this many seconds.
LONGEST_BACKOFF = 30.0

#: Seconds waited at least for Retry-After: 0, or retries would have no pause.
SHORTEST_WAIT = 0.2

#: Characters of a Retry-After: a longer one is none.
LONGEST_HEADER = 100

_backoff = wait_random_exponential(multiplier=1, max=LONGEST_BACKOFF)


def retry_after_seconds(header: str | None, now: datetime | None = None) -> float | None:
    """
    Read a Retry-After header, in either of its forms.

    :param header: seconds or an HTTP date; the API documents none, but it is honoured when present.
    :param now: aware datetime, for the HTTP date; the present by default.
    :return: seconds from now, never negative; None when there is none or it can't be read.
    """
    if not header or len(header) > LONGEST_HEADER:
        return None
    try:
        seconds = float(header)
        return max(0.0, seconds) if isfinite(seconds) else None
    except ValueError:
        pass
    moment = http_date(header)
    return None if moment is None else max(0.0, (moment - (now or datetime.now(timezone.utc))).total_seconds())


def http_date(text: str) -> datetime | None:
    """
    Read an HTTP date, as in ``Date`` and ``Retry-After``.

    :return: aware, in UTC; None when it can't be read.
    """
    if len(text) > LONGEST_HEADER:
        return None
    try:
        moment = parsedate_to_datetime(text)
        # Without an offset, it is in UTC.
        return moment.replace(tzinfo=moment.tzinfo or timezone.utc).astimezone(timezone.utc)
    except (TypeError, ValueError, OverflowError):
        return None


def _wait(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    if isinstance(error, LessonspaceError) and error.retry_after is not None:
        return max(error.retry_after, SHORTEST_WAIT)
    return _backoff(state)


def _is_429(error: BaseException) -> bool:
    """The server's 429, and not the gate's own refusal to wait any longer, which has no status."""
    return isinstance(error, LessonspaceRateLimitedError) and error.status == 429


#: Failures that would be the same at once. A reply without an end would also hold its thread for as long again.
_LASTING = (LessonspaceTlsError, LessonspaceReplyTimeoutError, LessonspaceReplyTooLargeError)


def _is_fault(error: BaseException) -> bool:
    """No answer, 5xx, or an answer that can't be read; a redirect will be the same the next time, as _LASTING will."""
    if isinstance(error, _LASTING):
        return False
    if isinstance(error, LessonspaceServerError):
        return error.status is None or not 300 <= error.status < 400
    return isinstance(error, LessonspaceConnectionError)


class _StopAfterFaults(stop_base):
    """Ends the attempts of one call when ATTEMPTS of them met a fault; 429s are not counted."""

    def __init__(self) -> None:
        self._faults = 0

    def __call__(self, retry_state: RetryCallState) -> bool:
        error = retry_state.outcome.exception() if retry_state.outcome else None
        if error is not None and _is_fault(error):
            self._faults += 1
        return self._faults >= ATTEMPTS


class _StopBeforeDelay(stop_base):
    """Ends the attempts when the next would begin so many seconds after the first failed, or later."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._first_failure: float | None = None

    def __call__(self, retry_state: RetryCallState) -> bool:
        failure = retry_state.outcome_timestamp or 0.0
        if self._first_failure is None:
            self._first_failure = failure
        return failure + retry_state.upcoming_sleep - self._first_failure >= self._seconds


def retry_policy(*, longest: float, before_sleep: Callable[[RetryCallState], None]) -> Retrying:
    """
    Make the policy of one call: faults are tried again some times, a 429 as often as it takes.

    The first is connection errors, 5xx and answers that can't be read; the second is no one's fault, since others may
    use the key as well. What ends either is ``longest``: no retry starts later than that after the first attempt
    failed, though it may still queue at the gate then.

    :param longest: seconds, ``rate_limit_max_wait`` of the connection; a Retry-After beyond that ends the call at once.
    :param before_sleep: called with each failure that will be retried.
    :return: a policy for one call only, as it counts.
    """
    return Retrying(
        retry=retry_if_exception(lambda error: _is_fault(error) or _is_429(error)),
        stop=_StopAfterFaults() | _StopBeforeDelay(longest),
        wait=_wait,
        before_sleep=before_sleep,
        reraise=True,
    )
