# SPDX-License-Identifier: Apache-2.0
"""What a session's fields mean. Pure: operators, sensors and triggers all ask these functions."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    pass

#: A transcript is looked for this long after the session's end, then after twice as long each time, up to the last.
FIRST_LOOK, LONGEST_LOOK = timedelta(minutes=5), timedelta(hours=12)


def wait_before_look(tries: int) -> timedelta:
    """
    Say how long to wait for a transcript before it is looked for again.

    :param tries: how often it was looked for.
    :return: 5 minutes after the first try, then twice as long each time, up to 12 hours.
    """
    doublings: int = 2 ** min(tries - 1, 16)
    return min(FIRST_LOOK * doublings, LONGEST_LOOK)


def next_transcript_look(session_id: str, ended_at: datetime, now: datetime) -> datetime:
    """
    Say when a transcript is to be looked for next: 5, 10, 20 ... minutes after the session's end, then each 12 hours.

    It depends on nothing but the session, so that a triggerer which is restarted goes on where it was.

    :param session_id: spreads those that ended together over a tenth of their waits.
    :param ended_at: the session's end, aware.
    :param now: aware.
    :return: the first such moment after now.
    """
    spread = 1 + hashlib.sha256(session_id.encode()).digest()[0] / 2560
    age = FIRST_LOOK
    while ended_at + age * spread <= now:
        age += min(age, LONGEST_LOOK)
    return ended_at + age * spread
