# SPDX-License-Identifier: Apache-2.0
"""What a session's fields mean. Pure: operators, sensors and triggers all ask these functions."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, TypedDict

from lessonspace_provider.exceptions import LessonspaceServerError
from lessonspace_provider.times import read_time, write_time

if TYPE_CHECKING:
    from lessonspace_provider.api_types import Session

#: A session of this length or less is never transcribed (facts, D; an older guide says 150 s).
SHORTEST_TRANSCRIBED = timedelta(seconds=300)


def start_time(session: Session) -> datetime | None:
    """When the session began, aware, in UTC; None when the API does not say."""
    return _time(session, "start_time")


def end_time(session: Session) -> datetime | None:
    """When the session ended, aware, in UTC; None while it runs (facts, C)."""
    return _time(session, "end_time")


def _time(session: Session, field: str) -> datetime | None:
    value = session.get(field)
    if value is None:
        return None
    moment = read_time(value)
    if moment is None:
        raise LessonspaceServerError(
            f"Session {session.get('uuid')} has the {field} {value!r}, which is no time: ask Lessonspace about it."
        )
    return moment


def has_ended(session: Session) -> bool:
    """Whether the session is over: ``end_time`` is null while it runs (facts, C)."""
    return end_time(session) is not None


def ended_within(session: Session, window_start: datetime, window_end: datetime) -> bool:
    """
    Whether the session belongs to a window.

    :param window_start: aware; a session that ended at this very moment belongs to the window.
    :param window_end: aware; one that ended at this very moment belongs to the next.
    """
    end = end_time(session)
    return end is not None and window_start <= end < window_end


def participant_count(session: Session) -> int:
    """
    Count the people who were in the session: users and guests, each once however often they joined.

    Whether the API counts guests as users when it decides about transcripts is unknown; here they count.
    """
    users = {profile.get("user") for profile in session.get("profiles") or []}
    guests = {guest.get("uuid") for guest in session.get("guests") or []}
    return len(users) + len(guests)


def transcript_obstacle(session: Session) -> str | None:
    """
    Tell why a session can never have a transcript.

    A transcript needs more than 300 s, more than one user, and a recording (facts, D). It also needs a launch
    with ``transcribe``, which no field of a session tells; so None does not promise that one will come.

    :param session: an ended session, from a list or in detail. Fields that are missing speak against nothing.
    :return: the reason, fit for a manifest; None when a transcript can be there or can still come.
    """
    start, end = start_time(session), end_time(session)
    if end is None:
        return "the session still runs"
    if start is not None and end - start <= SHORTEST_TRANSCRIBED:
        return f"too short: {(end - start).total_seconds():.0f} s, a transcript needs more than 300 s"
    if _knows_people(session) and participant_count(session) < 2:
        return "one person only: a transcript needs more than one"
    if session.get("record_av") is False:
        return "not recorded: record_av was off"
    return None


def _knows_people(session: Mapping[str, object]) -> bool:
    return isinstance(session.get("profiles"), list)


#: Fields that open something to whoever reads them: a recording, or a space with somebody's JWT in its address.
KEYS_TO_ROOMS = ("playback_url", "playback_password")


def without_keys(session: Session) -> dict[str, object]:
    """
    Leave out of a session what opens its recording or its space, so that the rest may lie in XCom.

    :param session: from a list or in detail.
    :return: all other fields, people's names and e-mails included.
    """
    kept: dict[str, object] = {name: value for name, value in session.items() if name not in KEYS_TO_ROOMS}
    if isinstance(kept.get("space"), dict):
        kept["space"] = {name: value for name, value in (session.get("space") or {}).items() if name != "url"}
    return kept


class SessionSummary(TypedDict):
    """What is worth keeping of a session in XCom: no names, e-mails or links of people."""

    session_id: str
    space_id: str | None
    name: str | None
    start_time: str | None
    end_time: str | None
    participants: int
    billable_seconds: int | None


def summary(session: Session) -> SessionSummary:
    """
    Reduce a session to what is worth keeping in XCom.

    :param session: from a list or in detail.
    :return: ids, name, times (ISO 8601 in UTC) and counts.
    """
    start, end = start_time(session), end_time(session)
    return SessionSummary(
        session_id=session["uuid"],
        space_id=(session.get("space") or {}).get("id"),
        name=session.get("name"),
        start_time=write_time(start) if start else None,
        end_time=write_time(end) if end else None,
        participants=participant_count(session),
        billable_seconds=session.get("billable_seconds"),
    )
