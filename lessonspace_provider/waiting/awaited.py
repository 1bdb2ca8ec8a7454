# SPDX-License-Identifier: Apache-2.0
"""
What can be waited for: a session's end, a lesson's end, a transcript.

Sensors, operators and triggers all use these classes, so that a wait is the same wherever it takes place.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from itertools import islice
from typing import TYPE_CHECKING, Any, Protocol

from lessonspace_provider.api.arguments import (
    LONGEST_DURATION,
    as_duration,
    as_launch_id,
    as_margin,
    as_positive,
    as_space_id,
    as_uuid,
    as_window,
    refuse,
)
from lessonspace_provider.api.times import read_time, write_time
from lessonspace_provider.exceptions import (
    LessonspaceError,
    LessonspaceInputError,
    LessonspaceNotFoundError,
    LessonspaceServerError,
)
from lessonspace_provider.waiting.cursor import EndedSessions
from lessonspace_provider.waiting.lessons import EndVerdict, Lesson, lesson_verdict, room_of, session_verdict
from lessonspace_provider.waiting.parsed_session import ParsedSession, parse_session, parse_sessions
from lessonspace_provider.waiting.transcripts import TranscriptVerdict, missing_transcript, transcript_verdict

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lessonspace_provider.api.types import FilterValue, Session

#: Seconds between two checks: as a rule, and at least.
DEFAULT_INTERVAL, SHORTEST_INTERVAL = 30.0, 5.0

#: How long after a session's end its transcript is waited for.
DEFAULT_GIVE_UP_AFTER = timedelta(days=7)

#: No session is longer than this, which is an assumption; it keeps a room's history out of the answers.
LONGEST_SESSION = timedelta(hours=12)


class SessionSource(Protocol):
    """The part of the hook that is used here."""

    def get_session(self, session_id: str) -> Session:
        """Get a session."""

    def list_sessions(self, **filters: FilterValue | None) -> Iterator[Session]:
        """List the organisation's sessions."""

    def has_transcript(self, session_id: str) -> bool:
        """Whether a session's transcript is there."""


def asked_with(conn_id: str, message: str) -> str:
    """Add the connection's id to a message: another connection may find what this one did not."""
    return f"{message} It used connection {conn_id!r}."


def check_interval(name: str, seconds: float) -> float:
    """
    Check how often Lessonspace is to be asked.

    :param name: the parameter's name, for the message.
    :raises LessonspaceInputError: below 5 s, all share the API's few requests a second; and above a
        hundred years.
    """
    is_number = isinstance(seconds, (int, float)) and not isinstance(seconds, bool)
    if not is_number or not SHORTEST_INTERVAL <= seconds <= LONGEST_DURATION.total_seconds():
        raise refuse(name, seconds, f"a number of seconds, at least {SHORTEST_INTERVAL:g}")
    return seconds


def from_epoch(parameter: str, seconds: float | None) -> datetime | None:
    """
    Read a trigger's keyword: epoch seconds, since a trigger's keywords have to be JSON.

    :param parameter: the keyword's name, for the message.
    :return: aware; None for None.
    :raises LessonspaceInputError: for anything else.
    """
    if seconds is None:
        return None
    try:
        moment = read_time(datetime.fromtimestamp(seconds, timezone.utc))
    except (TypeError, ValueError, OverflowError, OSError):
        moment = None
    if moment is None:
        raise refuse(parameter, seconds, "seconds since 1970-01-01T00:00:00Z")
    return moment


def _epoch(moment: datetime | None) -> float | None:
    return moment.timestamp() if moment else None


def end_from_dict(keywords: Mapping[str, Any]) -> AwaitedSession | AwaitedLesson:
    """
    Read whose end is waited for.

    :param keywords: what ``to_dict`` of either class gave, or the same as a user writes it; others are left aside.
    :raises LessonspaceInputError: for anything else.
    """
    if keywords.get("session_id") is not None:
        return AwaitedSession.from_dict(keywords)
    in_space = keywords.get("space_id") is not None or keywords.get("launch_id") is not None
    missing = [name for name in ("window_start", "window_end") if in_space and keywords.get(name) is None]
    if missing or not in_space:
        lacks = f" Missing: {' and '.join(missing)}." if missing else ""
        raise LessonspaceInputError(
            f"Give session_id, or either space_id or launch_id with window_start and window_end.{lacks} Nothing was "
            f"sent."
        )
    return AwaitedLesson.from_dict(keywords)


@dataclass(frozen=True)
class AwaitedSession:
    """
    The end of one session; one that no one has joined yet is waited for.

    :param session_id: its uuid, which a launch reserves.
    """

    session_id: str

    #: Whether the list of ended sessions shows it.
    is_listed = True

    #: The names of its space, as far as they are known.
    spaces = frozenset[str]()

    def to_dict(self) -> dict[str, Any]:
        """Give it as JSON."""
        return {"session_id": self.session_id}

    @classmethod
    def from_dict(cls, keywords: Mapping[str, Any]) -> AwaitedSession:
        """
        Read what ``to_dict`` gave.

        :raises LessonspaceInputError: for anything else.
        """
        return cls(as_uuid("session_id", keywords["session_id"]))

    def list_from(self, checked_at: datetime) -> datetime:
        """
        Return the time from which on ended sessions have to be listed.

        :param checked_at: when it had not ended, aware.
        """
        return checked_at

    def among(self, ended: EndedSessions, now: datetime) -> list[ParsedSession]:
        """Find what concerns it."""
        return [ended.by_id[self.session_id]] if self.session_id in ended.by_id else []

    def is_unreadable(self, ended: EndedSessions) -> bool:
        """Whether it is listed, but can't be read there."""
        return self.session_id in ended.unreadable

    def verdict(self, sessions: Sequence[ParsedSession], now: datetime) -> EndVerdict:
        """Decide by sessions that were found among those that ended."""
        if sessions:
            return session_verdict(self.session_id, sessions[0])
        return EndVerdict(
            "waiting",
            f"Session {self.session_id} is not among those that have ended. If people have left it, check that this is "
            f"the uuid of a session and not the id of a space.",
        )

    def is_certain(self, verdict: EndVerdict) -> bool:
        """Whether a verdict by such sessions holds, whatever else the API knows."""
        return True

    def check(self, source: SessionSource, now: datetime) -> EndVerdict:
        """
        Ask the API, and decide.

        :raises LessonspaceError: also for a session that can't be read.
        """
        session = _session_or_none(source, self.session_id)
        return session_verdict(self.session_id, None if session is None else parse_session(session, self.session_id))


@dataclass(frozen=True)
class AwaitedLesson:
    """
    The end of a lesson, whichever of its room's sessions it was.

    :param lesson: what was planned.
    :param space_id: the room's UUID or slug (launch's ``room_id``); may be None when ``launch_id`` is given.
    :param launch_id: your own id of the room.
    """

    lesson: Lesson
    space_id: str | None = None
    launch_id: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Give it as JSON: times as ISO 8601 text, moments of the wait in epoch seconds."""
        lesson = self.lesson
        return {
            "space_id": self.space_id,
            "launch_id": self.launch_id,
            "window_start": write_time(lesson.window_start),
            "window_end": write_time(lesson.window_end),
            "min_participants": lesson.min_participants,
            "max_delay": None if lesson.max_delay is None else lesson.max_delay.total_seconds(),
            "give_up_at": _epoch(lesson.give_up_at),
        }

    @classmethod
    def from_dict(cls, keywords: Mapping[str, Any]) -> AwaitedLesson:
        """
        Read what ``to_dict`` gave, or the same as a user writes it.

        :raises LessonspaceInputError: for anything else.
        """
        space_id, launch_id, delay = (keywords.get(name) for name in ("space_id", "launch_id", "max_delay"))
        start, end = as_window(keywords.get("window_start"), keywords.get("window_end"))
        lesson = Lesson(
            start,
            end,
            min_participants=as_positive("min_participants", keywords.get("min_participants")),
            give_up_at=from_epoch("give_up_at", keywords.get("give_up_at")),
            max_delay=None if delay is None else as_margin("max_delay", delay),
        )
        return cls(
            lesson,
            None if space_id is None else as_space_id("space_id", space_id),
            None if launch_id is None else as_launch_id("launch_id", launch_id),
        )

    @property
    def room(self) -> str:
        """The room as it was given, for messages."""
        given = f"space_id={self.space_id!r}" if self.launch_id is None else f"launch_id={self.launch_id!r}"
        return f"the room with {given}"

    @property
    def is_listed(self) -> bool:
        """Whether the list of ended sessions shows it: sessions name their space, but no launch id."""
        return self.space_id is not None

    @property
    def spaces(self) -> frozenset[str]:
        """The names of its space, as far as they are known."""
        return frozenset[str]() if self.space_id is None else frozenset({self.space_id})

    def list_from(self, checked_at: datetime) -> datetime:
        """
        Return the time from which on ended sessions have to be listed: all of a lesson's count, not only the last one.

        :param checked_at: when it had not ended, aware.
        """
        if checked_at >= self.lesson.window_end:
            return checked_at
        return min(checked_at, self.lesson.window_start)

    def among(self, ended: EndedSessions, now: datetime) -> list[ParsedSession]:
        """Find what concerns it."""
        room = ended.by_space.get(self.space_id or "", [])
        return [session for session in room if self.lesson.may_be(session, now)]

    def may_be_among(self, sessions: Iterable[ParsedSession], now: datetime) -> bool:
        """Whether it may be one of some sessions in spaces that are not known to be waited for."""
        return not self.is_listed and any(self.lesson.may_be(session, now) for session in sessions)

    def is_unreadable(self, ended: EndedSessions) -> bool:
        """Whether it is listed, but can't be read there: which session it is, is not known."""
        return False

    def verdict(self, sessions: Sequence[ParsedSession], now: datetime) -> EndVerdict:
        """Decide by sessions that were found among those that ended."""
        return lesson_verdict(self.lesson, sessions, now, self.room)

    def is_certain(self, verdict: EndVerdict) -> bool:
        """Whether a verdict by such sessions holds, whatever else the API knows."""
        return verdict.session is not None and self.lesson.covers_most(verdict.session)

    def check(self, source: SessionSource, now: datetime) -> EndVerdict:
        """Ask the API, and decide; before the window's end there is nothing to ask."""
        if now < self.lesson.window_end:
            return self.verdict((), now)
        sessions, unreadable = parse_sessions(self._sessions(source))
        verdict = lesson_verdict(self.lesson, sessions, now, self.room, unreadable.values())
        return replace(verdict, space_id=self.space_id or room_of(sessions))

    def with_space(self, source: SessionSource) -> AwaitedLesson:
        """Learn the room's id from any session that was ever held in it, so that the list shows it."""
        if self.space_id is not None:
            return self
        held = source.list_sessions(launch_id=self.launch_id, include_single_user=True)
        parsed, _ = parse_sessions(islice(held, 1))
        return replace(self, space_id=room_of(parsed))

    def _sessions(self, source: SessionSource) -> Iterator[Session]:
        give_up_at = self.lesson.give_up_at
        return source.list_sessions(
            space=self.space_id,
            launch_id=self.launch_id,
            include_single_user=True,
            start_time_after=self.lesson.window_start - LONGEST_SESSION,
            # Later ones can't be the lesson, but are named in the message if there was none.
            start_time_before=max(give_up_at, self.lesson.window_end, self.lesson.latest_start) if give_up_at else None,
        )


@dataclass(frozen=True)
class AwaitedTranscript:
    """
    The transcript of one session.

    :param session_id: the session's uuid.
    :param give_up_after: how long after the session's end it is waited for.
    :param began_at: since when it is waited for, aware: a session that does not exist is given up as well.
    :param ended_at: the session's end, aware, once it is known and the session can have a transcript.
    """

    session_id: str
    give_up_after: timedelta
    began_at: datetime
    ended_at: datetime | None = None

    def to_dict(self) -> dict[str, Any]:
        """Give it as JSON: durations in seconds, moments in epoch seconds."""
        return {
            "session_id": self.session_id,
            "give_up_after": self.give_up_after.total_seconds(),
            "began_at": _epoch(self.began_at),
            "ended_at": _epoch(self.ended_at),
        }

    @classmethod
    def from_dict(cls, keywords: Mapping[str, Any], now: datetime) -> AwaitedTranscript:
        """
        Read what ``to_dict`` gave.

        :param now: aware; when the wait begins without ``began_at``.
        :raises LessonspaceInputError: for anything else.
        """
        return cls(
            as_uuid("session_id", keywords["session_id"]),
            as_duration("give_up_after", keywords["give_up_after"]),
            began_at=from_epoch("began_at", keywords.get("began_at")) or now,
            ended_at=from_epoch("ended_at", keywords.get("ended_at")),
        )

    def prospect(self, source: SessionSource, now: datetime) -> TranscriptVerdict:
        """
        Ask for the session, and decide what becomes of a transcript that is not there.

        :raises LessonspaceError: also for a session whose end can't be read.
        """
        session = _session_or_none(source, self.session_id)
        try:
            return transcript_verdict(self.session_id, session, now, self.began_at, self.give_up_after)
        except LessonspaceServerError as error:
            reason = str(error)
        raise LessonspaceError(reason)  # which no later check can fix

    def check(self, source: SessionSource, now: datetime) -> TranscriptVerdict:
        """Ask the API, and decide: for the session until its end is known, then for the transcript alone."""
        if self.ended_at is None:
            verdict = self.prospect(source, now)
        else:
            verdict = missing_transcript(self.session_id, self.ended_at, now, self.give_up_after)
        can_be_there = verdict.ended_at is not None and verdict.status != "not_eligible"
        if can_be_there and source.has_transcript(self.session_id):
            return replace(verdict, status="ready", message=f"The transcript of session {self.session_id} is ready.")
        return verdict


def _session_or_none(source: SessionSource, session_id: str) -> Session | None:
    try:
        return source.get_session(session_id)
    except LessonspaceNotFoundError:
        return None
