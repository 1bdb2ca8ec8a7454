# SPDX-License-Identifier: Apache-2.0
"""
The names of all metrics. Pure.

A status is part of a name, as in Airflow's own ``ti.finish.<dag>.<task>.<state>``: plain StatsD has no tags. A name
never holds an id, a person, a space or a connection, so their number is bounded.
"""

from __future__ import annotations

from http import HTTPStatus

#: Replies that are counted by their own status; the others by its first digit.
STATUSES_BY_NAME = (
    HTTPStatus.OK,
    HTTPStatus.CREATED,
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.NOT_FOUND,
    HTTPStatus.TOO_MANY_REQUESTS,
)
STATUS_CLASSES = ("1xx", "2xx", "3xx", "4xx", "5xx")

#: What requests are counted as that got no reply, or none that can be read.
NO_REPLY = "no_reply"

#: What the names of counters with a status begin with.
REQUESTS = "lessonspace.api.requests."
SESSIONS = "lessonspace.archive.sessions."

RATE_LIMIT_WAIT = "lessonspace.rate_limit.wait"  # a timer, milliseconds
OLDEST_PENDING = "lessonspace.archive.oldest_pending"  # gauges: seconds
WAITERS = "lessonspace.triggerer.waiters"  # triggers
POLL_LAG = "lessonspace.triggerer.poll_lag"  # seconds


def requests_with(status: int | None) -> str:
    """
    Name the counter of a request.

    :param status: of its reply; None when there was no reply that can be read.
    """
    if status in STATUSES_BY_NAME:
        return f"{REQUESTS}{int(status)}"
    status_class = f"{(status or 0) // 100}xx"
    return f"{REQUESTS}{status_class if status_class in STATUS_CLASSES else NO_REPLY}"


def sessions_with(status: str) -> str:
    """
    Name the counter of sessions.

    :param status: one of ``waiting.transcripts.STATUSES``.
    """
    return f"{SESSIONS}{status}"
