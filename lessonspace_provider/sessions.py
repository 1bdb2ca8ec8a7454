# SPDX-License-Identifier: Apache-2.0
"""Read a session's fields. Pure: operators, sensors and triggers use the same functions."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, TypedDict

from lessonspace_provider.api.arguments import shown
from lessonspace_provider.api.foreign_words import clean_words
from lessonspace_provider.api.ids import is_slug, named
from lessonspace_provider.api.shapes import objects_in, text_or_none, whole_seconds
from lessonspace_provider.api.times import read_time, write_time
from lessonspace_provider.exceptions import LessonspaceInputError, LessonspaceServerError

if TYPE_CHECKING:
    from lessonspace_provider.api.types import Session, SessionUpdate, SpaceRef


def start_time(session: Session) -> datetime | None:
    """Return the start of a session, aware, in UTC; None if the API returns none."""
    return _checked_time(session, "start_time")


def end_time(session: Session) -> datetime | None:
    """Return the end of a session, aware, in UTC; None while it runs."""
    return _checked_time(session, "end_time")


def known_start(session: Session) -> datetime | None:
    """Return the start of a session, aware, in UTC; None if the API returns none that can be read."""
    return read_time(session.get("start_time"))


def _checked_time(session: Session, field: str) -> datetime | None:
    value = session.get(field)
    if value is None:
        return None
    moment = read_time(value)
    if moment is None:
        words = clean_words(value, longest=80)
        raise LessonspaceServerError(
            f"Session {named(session)} has the {field} {words!r}, which is not a time: ask Lessonspace about it."
        )
    return moment


def has_readable_times(session: Session) -> bool:
    """Whether ``start_time`` and ``end_time`` raise no error."""
    times = (session.get("start_time"), session.get("end_time"))
    return all(time is None or read_time(time) is not None for time in times)


def space_of(session: Session) -> SpaceRef:
    """Return the space of a session; an empty dictionary if the API returns none, or another type."""
    space = session.get("space")
    return space if isinstance(space, dict) else {}


def space_id_of(session: Session) -> str | None:
    """Return the id of a session's space; None if the API returns no proper id."""
    space_id = space_of(session).get("id")
    return space_id if is_slug(space_id) else None


def has_ended(session: Session) -> bool:
    """Whether the session has ended: ``end_time`` is null while it runs."""
    return end_time(session) is not None


def ended_within(session: Session, window_start: datetime, window_end: datetime) -> bool:
    """
    Whether the session ended in a window.

    :param window_start: aware; a session that ended at this moment belongs to the window.
    :param window_end: aware; a session that ended at this moment belongs to the next window.
    """
    end = end_time(session)
    return end is not None and window_start <= end < window_end


def participant_count(session: Session) -> int:
    """
    Count the people in the session: users and guests, each once.

    Guests count as people (assumption ``guests-count``). Entries that are not objects are left out.
    """
    users = {_plain_id(profile.get("user")) for profile in objects_in(session.get("profiles"))}
    guests = {_plain_id(guest.get("uuid")) for guest in objects_in(session.get("guests"))}
    return len(users) + len(guests)


def _plain_id(value: object) -> str:
    return value if isinstance(value, str) else shown(value)


class SessionSummary(TypedDict):
    """
    A session without people and links: ids, name, times and counts.

    A field that the API does not return, or that can't be read, is None.
    """

    session_id: str
    space_id: str | None
    name: str | None
    start_time: str | None
    end_time: str | None
    duration_seconds: float | None
    participants: int
    billable_seconds: int | None


def summary(session: Session) -> SessionSummary:
    """
    Reduce a session to a result for XCom, without people and links.

    :param session: from a list or in detail.
    :return: ids, name, times (ISO 8601 in UTC) and counts.
    """
    start, end = read_time(session.get("start_time")), read_time(session.get("end_time"))
    return SessionSummary(
        session_id=text_or_none(session.get("uuid")) or "",
        space_id=space_id_of(session),
        name=text_or_none(session.get("name")),
        start_time=write_time(start) if start else None,
        end_time=write_time(end) if end else None,
        duration_seconds=(end - start).total_seconds() if start and end else None,
        participants=participant_count(session),
        billable_seconds=whole_seconds(session.get("billable_seconds")),
    )


def fields_that_change(session: Session, wanted: SessionUpdate) -> list[str]:
    """
    Return the fields that an update would change.

    A policy has no order. One that the API gives as null, or not at all, counts as another than any that is asked for:
    whether null means the organisation's policy is unknown, and sending that again does no harm. That the API takes the
    blanks off a name's ends is an assumption.

    :param session: as it is, in detail.
    :param wanted: what is to be sent.
    """
    changes = []
    if "name" in wanted and session.get("name") not in (wanted["name"], str(wanted["name"]).strip()):
        changes.append("name")
    if "recording_access_policy" in wanted and not is_policy(session, wanted["recording_access_policy"] or []):
        changes.append("recording_access_policy")
    return changes


def is_policy(answer: Session | SessionUpdate, policy: list[str]) -> bool:
    """Whether a session, or the answer to an update, has this recording access policy, in any order."""
    present: object = answer.get("recording_access_policy")
    return isinstance(present, list) and all(map(text_or_none, present)) and set(present) == set(policy)


def name_to_keep(session_id: str, session: Session) -> str:
    """
    Give the name that an update of the policy alone has to send: the API requires one.

    :param session_id: the session's uuid.
    :param session: as it is.
    :raises LessonspaceInputError: when it has none.
    """
    name = text_or_none(session.get("name"))
    if not name:
        raise LessonspaceInputError(
            f"Session {session_id} was not updated: it has no name, and the API requires one. Give name together "
            f"with recording_access_policy."
        )
    return name
