# SPDX-License-Identifier: Apache-2.0
"""What becomes of a transcript that is waited for. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal

from lessonspace_provider.sessions import end_time
from lessonspace_provider.waiting.eligibility import transcript_obstacle
from lessonspace_provider.waiting.lessons import not_ended

if TYPE_CHECKING:
    from lessonspace_provider.api.types import Session


@dataclass(frozen=True)
class TranscriptVerdict:
    """
    Whether a transcript is there.

    :param status: ``not_eligible``: the session can't have one. ``given_up``: it can, but did not get it in time.
    :param message: one sentence for the log, with the reason.
    :param ended_at: the session's end, aware; None when it has not ended.
    """

    status: Literal["pending", "ready", "not_eligible", "given_up"]
    message: str
    ended_at: datetime | None


def transcript_verdict(
    session_id: str, session: Session | None, now: datetime, began_at: datetime, give_up_after: timedelta
) -> TranscriptVerdict:
    """
    Decide what is known of a transcript without asking for it.

    :param session_id: the session's uuid.
    :param session: None when the API knows none.
    :param now: aware.
    :param began_at: since when it is waited for, aware.
    :param give_up_after: how long after the session's end, or after ``began_at`` when there is none.
    """
    ended_at = end_time(session) if session else None
    of = f"The transcript of session {session_id}"
    if session is not None and ended_at is not None:
        if obstacle := transcript_obstacle(session):
            return TranscriptVerdict("not_eligible", f"{of} will never come: {obstacle}.", ended_at)
        return missing_transcript(session_id, ended_at, now, give_up_after)
    if session is None and now >= began_at + give_up_after:
        return TranscriptVerdict("given_up", f"{of} was given up: no such session, or nobody ever joined it.", None)
    why = not_ended(session_id, exists=session is not None)
    return TranscriptVerdict("pending", f"{of} is not there yet. {why}", None)


def missing_transcript(
    session_id: str, ended_at: datetime, now: datetime, give_up_after: timedelta
) -> TranscriptVerdict:
    """
    Decide about a transcript that can come, was asked for and is not there.

    :param session_id: the session's uuid.
    :param ended_at: the session's end, aware.
    :param now: aware.
    :param give_up_after: how long after the session's end it is waited for.
    """
    of = f"The transcript of session {session_id}"
    if now < ended_at + give_up_after:
        age = timedelta(seconds=max(0, int((now - ended_at).total_seconds())))
        return TranscriptVerdict("pending", f"{of} is not there yet, {age} after the session's end.", ended_at)
    return TranscriptVerdict(
        "given_up",
        f"{of} was given up: none {give_up_after} after the session's end. Check that each launch of its space has "
        f"transcribe=True.",
        ended_at,
    )
