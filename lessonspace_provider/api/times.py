# SPDX-License-Identifier: Apache-2.0
"""Points in time, read and written the way the API does it. Pure."""

from __future__ import annotations

from datetime import datetime, timezone

import pendulum

#: What is outside of these is a mistake, and as a time Python could not reckon with everywhere.
EARLIEST, LATEST = datetime(1900, 1, 1, tzinfo=timezone.utc), datetime(9000, 1, 1, tzinfo=timezone.utc)

#: Characters of the longest time that is read, in ISO 8601 with an offset and many digits of a second.
LONGEST_TIME = 64


def read_time(value: object) -> datetime | None:
    """
    Read a point in time.

    :param value: an aware datetime, or ISO 8601 text with an offset or ``Z``.
    :return: the same point in time in UTC; None for anything else, a time without a time zone included, and for one
        before ``EARLIEST`` or from ``LATEST`` on.
    """
    try:
        moment = pendulum.parse(value, tz=None) if isinstance(value, str) and _may_be_a_time(value) else value
        if not isinstance(moment, datetime) or moment.utcoffset() is None:
            return None
        utc = moment.astimezone(timezone.utc)
    except (ValueError, OverflowError, TypeError, LookupError):  # pendulum's own for "10:"; older ones' for "0/"
        return None
    if not EARLIEST <= utc < LATEST:
        return None
    # A plain datetime: pendulum's own loses its time zone when a timedelta is added to it after astimezone.
    return datetime.combine(utc.date(), utc.time(), tzinfo=timezone.utc)


def _may_be_a_time(text: str) -> bool:
    """Whether a text is worth parsing; pendulum reads "now" as the present, which is no point in time."""
    return len(text) <= LONGEST_TIME and text.isascii() and text != "now"


def write_time(moment: datetime) -> str:
    """
    Write a point in time as ISO 8601 in UTC, with ``Z``, and microseconds only when there are any.

    :param moment: an aware datetime.
    """
    return moment.astimezone(timezone.utc).isoformat().replace("+00:00", "Z")
