# SPDX-License-Identifier: Apache-2.0
"""How long a deferred task may wait. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

#: How long before the deferral's end the trigger reports that the time is up: seconds, and a share of the whole. The
#: scheduler ends the deferral only of a trigger that did not report.
LONGEST_MARGIN, MARGIN_SHARE = 5.0, 0.1

#: What Airflow stores in place of the method and the event of a trigger that did not report in time.
_FAILED_METHOD, _TIMEOUT = "__fail__", "Trigger timeout"

NO_REPORT = (
    "The trigger did not report in time, so its last poll result is not known. Check that a triggerer runs and is not "
    "overloaded, and read its log."
)


def deferral_timeout(
    timeout: float | None, execution_timeout: timedelta | None, running_for: float
) -> timedelta | None:
    """
    Choose the timeout to defer with: Airflow itself does not heed ``execution_timeout`` once a task is deferred.

    :param timeout: the task's own, in seconds; None for none.
    :param execution_timeout: of any task; None for none.
    :param running_for: seconds that this try has run on the worker so far.
    :return: the smaller one, None if there is neither.
    """
    limits = [] if timeout is None else [timedelta(seconds=timeout)]
    if execution_timeout is not None:
        limits.append(max(execution_timeout - timedelta(seconds=running_for), timedelta(0)))
    return min(limits, default=None)


def report_time(timeout: timedelta | None, now: datetime) -> float | None:
    """
    Return when the trigger is to report that the time is up.

    :param timeout: of the deferral.
    :param now: aware.
    :return: epoch seconds, shortly before the deferral's end; None if it has none.
    """
    if timeout is None:
        return None
    seconds = timeout.total_seconds()
    return now.timestamp() + seconds - min(LONGEST_MARGIN, seconds * MARGIN_SHARE)


def ended_without_report(next_method: str, next_kwargs: Mapping[str, object] | None) -> bool:
    """Whether the scheduler ended a deferral because its trigger did not report in time."""
    return next_method == _FAILED_METHOD and (next_kwargs or {}).get("error") == _TIMEOUT
