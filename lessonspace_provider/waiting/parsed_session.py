# SPDX-License-Identifier: Apache-2.0
"""A session as waits need it: read and checked once, in the thread that received it. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from lessonspace_provider.api.foreign_words import clean_words
from lessonspace_provider.api.ids import is_slug, session_key
from lessonspace_provider.exceptions import LessonspaceError
from lessonspace_provider.sessions import SessionSummary, end_time, known_start, space_of, summary

if TYPE_CHECKING:
    from lessonspace_provider.api.types import Session

#: Characters of a session's name at most.
LONGEST_NAME = 200


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
    session_id = session_id or session_key(session)
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

    :return: those that can be read, and why the others can't, by uuid or by the value in its place.
    """
    parsed: list[ParsedSession] = []
    problems: dict[str, str] = {}
    for session in sessions:
        try:
            parsed.append(parse_session(session))
        except LessonspaceError as error:
            problems[session_key(session) or _shown_id(session)] = str(error)
    return parsed, problems


def _parsed(session_id: str, session: Session) -> ParsedSession:
    end, space = end_time(session), space_of(session)
    spaces = tuple(name for name in (space.get("id"), space.get("slug")) if is_slug(name))
    brief: SessionSummary = {
        **summary(session),
        "session_id": session_id,
        "space_id": spaces[0] if spaces else None,
        "name": _short_name(session.get("name")),
    }
    return ParsedSession(session_id, spaces, known_start(session), end, brief["participants"], brief)


def _shown_id(session: Session) -> str:
    return clean_words(session.get("uuid"), longest=80)


def _short_name(value: object) -> str | None:
    if not isinstance(value, str):
        return None
    return "".join(char if char.isprintable() else "\ufffd" for char in value[:LONGEST_NAME])
