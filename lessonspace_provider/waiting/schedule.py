# SPDX-License-Identifier: Apache-2.0
"""When a transcript is checked again. Pure: archive, operator, sensor and trigger all use these functions."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta

#: A transcript is checked this long after the session's end, then after twice as long each time, up to the last.
FIRST_PAUSE, LONGEST_PAUSE = timedelta(minutes=5), timedelta(hours=12)


def pause_after(tries: int) -> timedelta:
    """
    Say how long to wait before a transcript is checked again.

    :param tries: how often it was checked.
    :return: 5 minutes after the first try, then twice as long each time, up to 12 hours.
    """
    doublings: int = 2 ** min(tries - 1, 16)
    return min(FIRST_PAUSE * doublings, LONGEST_PAUSE)


def next_check_at(session_id: str, ended_at: datetime, now: datetime) -> datetime:
    """
    Say when a transcript is to be checked next: 5, 10, 20 ... minutes after the session's end, then each 12 hours.

    It depends on nothing but the session, so that a triggerer which is restarted resumes where it was.

    :param session_id: spreads those that ended together over a tenth of their waits.
    :param ended_at: the session's end, aware.
    :param now: aware.
    :return: the first such moment after now.
    """
    spread = 1 + hashlib.sha256(session_id.encode()).digest()[0] / 2560
    age = FIRST_PAUSE
    while ended_at + age * spread <= now:
        age += min(age, LONGEST_PAUSE)
    return ended_at + age * spread
