# SPDX-License-Identifier: Apache-2.0
"""
What may become of a transcript, when it is checked again, and when it is given up. Pure.

The archive, the sensor, the trigger and the operator all use these functions.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal, get_args

from lessonspace_provider.sessions import end_time, known_start, participant_count
from lessonspace_provider.waiting.lessons import not_ended

if TYPE_CHECKING:
    from lessonspace_provider.api.types import Session

#: What may become of a transcript. A session that was not tried yet is ``not_attempted``, never ``failed``; one whose
#: transcript was ``erased`` is never fetched again.
TranscriptStatus = Literal["archived", "not_eligible", "pending", "given_up", "failed", "not_attempted", "erased"]
STATUSES: tuple[TranscriptStatus, ...] = get_args(TranscriptStatus)

#: What becomes of a transcript that is not there.
MissingStatus = Literal["pending", "not_eligible", "given_up"]

#: A session of this length or less is never transcribed, which is an assumption; an older guide has 150 s.
SHORTEST_TRANSCRIBED = timedelta(seconds=300)

#: The pause after the first check of a transcript, and the longest one.
FIRST_PAUSE, LONGEST_PAUSE = timedelta(minutes=5), timedelta(hours=12)

#: How many checks without a result are needed to give up while the API's clock is unknown: a worker's clock that is
#: wrong for a night gives nothing up.
CHECKS_WITHOUT_DATE = 5


def should_give_up(
    since: datetime, now: datetime, give_up_after: timedelta, *, is_confirmed: bool = True, checks: int = 0
) -> bool:
    """
    Decide whether a transcript that is not there is given up.

    :param since: the session's end; without a session, the beginning of the wait. Aware.
    :param now: aware.
    :param is_confirmed: whether the API's clock confirms ``now``; see ``CHECKS_WITHOUT_DATE``.
    :param checks: how often it was checked.
    """
    return now >= since + give_up_after and (is_confirmed or checks >= CHECKS_WITHOUT_DATE)


def next_check_at(
    session_id: str, ended_at: datetime, now: datetime, give_up_after: timedelta, *, checks: int | None = None
) -> datetime:
    """
    Decide when a transcript is checked next: after 5, 10, 20 ... minutes, then every 12 hours, and when it is given up.

    :param session_id: spreads sessions that ended together over a tenth of their pauses.
    :param ended_at: the session's end, aware.
    :param now: aware.
    :param give_up_after: how long after the session's end the transcript is waited for.
    :param checks: how often it was checked, where that is recorded. None: the pauses count from the session's end, so
        that a restarted triggerer continues with the same checks.
    :return: aware, after ``now``.
    """
    scheduled = _scheduled_by_age(session_id, ended_at, now) if checks is None else now + pause_after(checks)
    until = ended_at + give_up_after
    return min(scheduled, until) if now < until else scheduled


def pause_after(checks: int) -> timedelta:
    """
    Compute how long to wait before a transcript is checked again.

    :param checks: how often it was checked.
    :return: 5 minutes after the first check, then twice as long each time, up to 12 hours.
    """
    doublings: int = 2 ** min(checks - 1, 16)
    return min(FIRST_PAUSE * doublings, LONGEST_PAUSE)


def _scheduled_by_age(session_id: str, ended_at: datetime, now: datetime) -> datetime:
    spread = 1 + hashlib.sha256(session_id.encode()).digest()[0] / 2560
    age = FIRST_PAUSE
    while ended_at + age * spread <= now:
        age += min(age, LONGEST_PAUSE)
    return ended_at + age * spread


def transcript_obstacle(session: Session) -> str | None:
    """
    Give the reason why a session can never have a transcript.

    A transcript needs more than 300 s, more than one user, and a recording. It also needs a launch with ``transcribe``,
    which no field of a session shows; so None does not promise a transcript. The reference does not describe whether
    ``record_av`` belongs to the session or to its space; only the session's is read, since the space's may have been
    changed later.

    :param session: an ended session, from a list or in detail. Only what is certain is an obstacle: neither fields that
        are missing or can't be read, nor those that contradict each other, such as an end before the start.
    :return: the reason, fit for a manifest; None when a transcript can be there or can still come.
    """
    end = end_time(session)
    if end is None:
        return "the session still runs"
    length = _known_length(session, end)
    if length is not None and length <= SHORTEST_TRANSCRIBED:
        return f"too short: {length.total_seconds():.0f} s, a transcript needs more than 300 s"
    if _knows_people(session) and participant_count(session) == 1:
        return "one person only: a transcript needs more than one"
    if session.get("record_av") is False and session.get("recording_available") is not True:
        return "not recorded: record_av was off"
    return None


def _known_length(session: Session, end: datetime) -> timedelta | None:
    """Measure a session; None when that can't be known: each session takes some time."""
    start = known_start(session)
    return end - start if start is not None and start < end else None


def _knows_people(session: Mapping[str, object]) -> bool:
    """Whether the people of a session are known, each by an id."""
    profiles, guests = session.get("profiles"), session.get("guests") or []
    if not isinstance(profiles, list) or not isinstance(guests, list):
        return False
    are_objects = all(isinstance(person, dict) for person in [*profiles, *guests])
    return are_objects and all(_is_id(profile.get("user")) for profile in profiles)


def _is_id(value: object) -> bool:
    return isinstance(value, (int, str)) and not isinstance(value, bool) and value != ""


@dataclass(frozen=True)
class TranscriptVerdict:
    """
    Whether a transcript is there.

    :param status: ``not_eligible``: the session can't have one. ``given_up``: it can, but did not get it in time.
    :param message: one sentence for the log, with the reason.
    :param ended_at: the session's end, aware; None when it has not ended.
    """

    status: Literal[MissingStatus, "ready"]
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
    if session is None and should_give_up(began_at, now, give_up_after):
        return TranscriptVerdict("given_up", f"{of} was given up: no such session, or no one ever joined it.", None)
    why = not_ended(session_id, exists=session is not None)
    return TranscriptVerdict("pending", f"{of} is not ready yet. {why}", None)


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
    if not should_give_up(ended_at, now, give_up_after):
        age = timedelta(seconds=max(0, int((now - ended_at).total_seconds())))
        return TranscriptVerdict("pending", f"{of} is not ready yet, {age} after the session's end.", ended_at)
    return TranscriptVerdict(
        "given_up",
        f"{of} was given up: none {give_up_after} after the session's end. Check that each launch of its space has "
        f"transcribe=True.",
        ended_at,
    )
