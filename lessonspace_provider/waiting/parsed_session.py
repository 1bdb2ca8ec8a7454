# SPDX-License-Identifier: Apache-2.0
"""A session as waits need it: read and checked once, in the thread that received it. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from lessonspace_provider.api.arguments import LARGEST_NUMBER, UUID_LENGTH
from lessonspace_provider.api.foreign_words import clean_words
from lessonspace_provider.api.times import write_time
from lessonspace_provider.exceptions import LessonspaceError
from lessonspace_provider.sessions import SessionSummary, end_time, participant_count, space_of
from lessonspace_provider.waiting.eligibility import known_start

if TYPE_CHECKING:
    from lessonspace_provider.api.types import Session

#: Characters of a session's name, and of a space's id or slug.
LONGEST_NAME, LONGEST_SPACE_ID = 200, 100


@dataclass(frozen=True)
class ParsedSession:
    """
    What waits need of a session. Its texts are short, and its ids are ids.

    :param session_id: its uuid, in lower case.
    :param spaces: UUID and slug of its space, in this order, as far as the API gives them.
    :param start: aware, UTC; None when it is not known.
    :param end: aware, UTC; None while the session runs.
    :param participants: how many people were there.
    :param summary: what a task returns of it.
    """

    session_id: str
    spaces: tuple[str, ...]
    start: datetime | None
    end: datetime | None
    participants: int
    summary: SessionSummary


def parse_session(session: Session, session_id: str | None = None) -> ParsedSession:
    """
    Read a session.

    :param session: from a list or in detail.
    :param session_id: its uuid, if it was asked for by that.
    :raises LessonspaceError: it has no uuid, or its end can't be read; the message names it.
    """
    session_id = session_id or _uuid(session.get("uuid"))
    if session_id is None:
        raise LessonspaceError(f"A session has {_shown_id(session)!r} in place of a uuid: ask Lessonspace about it.")
    try:
        return _parsed(session_id, session)
    except LessonspaceError as error:
        reason = str(error)
    except Exception as error:  # any other shape than the API's
        reason = f"Session {session_id} can't be read ({type(error).__name__}): ask Lessonspace about it."
    raise LessonspaceError(reason)


def parse_sessions(sessions: Iterable[Session]) -> tuple[list[ParsedSession], dict[str, str]]:
    """
    Read sessions; one that can't be read must not stop the others.

    :return: those that can be read, and why the others can't, by uuid or what stands in its place.
    """
    parsed: list[ParsedSession] = []
    problems: dict[str, str] = {}
    for session in sessions:
        try:
            parsed.append(parse_session(session))
        except LessonspaceError as error:
            problems[_uuid(session.get("uuid")) or _shown_id(session)] = str(error)
    return parsed, problems


def _parsed(session_id: str, session: Session) -> ParsedSession:
    start, end, participants = known_start(session), end_time(session), participant_count(session)
    space = space_of(session)
    spaces = tuple(name for name in (space.get("id"), space.get("slug")) if name is not None and _is_space_id(name))
    return ParsedSession(
        session_id=session_id,
        spaces=spaces,
        start=start,
        end=end,
        participants=participants,
        summary=SessionSummary(
            session_id=session_id,
            space_id=spaces[0] if spaces else None,
            name=_name(session.get("name")),
            start_time=write_time(start) if start else None,
            end_time=write_time(end) if end else None,
            duration_seconds=(end - start).total_seconds() if start and end else None,
            participants=participants,
            billable_seconds=_seconds(session.get("billable_seconds")),
        ),
    )


def _shown_id(session: Session) -> str:
    return clean_words(session.get("uuid"), longest=80)


def _uuid(value: object) -> str | None:
    if not isinstance(value, str) or len(value) != UUID_LENGTH:
        return None
    try:
        return str(UUID(value))
    except ValueError:
        return None


def _is_space_id(value: object) -> bool:
    is_short = isinstance(value, str) and 0 < len(value) <= LONGEST_SPACE_ID
    return is_short and all(char.isalnum() or char in "-_" for char in str(value))


def _name(value: object) -> str | None:
    if not isinstance(value, str):
        return None
    return "".join(char if char.isprintable() else "\ufffd" for char in value[:LONGEST_NAME])


def _seconds(value: object) -> int | None:
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not abs(value) < LARGEST_NUMBER:
        return None
    return int(value)
