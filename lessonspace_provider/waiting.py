# SPDX-License-Identifier: Apache-2.0
"""
What can be waited for: a session's end, a lesson's end, a transcript.

Poked, rescheduled or deferred, everybody who waits asks these classes, so that the three can't drift apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Protocol, cast

from lessonspace_provider.exceptions import LessonspaceNotFoundError
from lessonspace_provider.parameters import (
    LONGEST_DURATION,
    as_launch_id,
    as_positive,
    as_space_id,
    as_window,
    refuse,
)
from lessonspace_provider.sessions import (
    EndVerdict,
    Lesson,
    TranscriptVerdict,
    end_time,
    lesson_verdict,
    missing_transcript,
    session_verdict,
    space_of,
    takes_up_most,
    transcript_verdict,
)
from lessonspace_provider.times import read_time, write_time

if TYPE_CHECKING:
    from pydantic import JsonValue

    from lessonspace_provider.api_types import FilterValue, Session


class Log(Protocol):
    """The part of a task's logger that is used here."""

    def info(self, message: str, /, *values: object) -> object:
        """Write a line."""

    def warning(self, message: str, /, *values: object) -> object:
        """Write a warning."""


#: Seconds between two looks: as a rule, and at least.
DEFAULT_INTERVAL, SHORTEST_INTERVAL = 30.0, 5.0

#: How long after a session's end its transcript is waited for.
DEFAULT_GIVE_UP_AFTER = timedelta(days=7)

#: How much further back than the newest known end the list is read, for sessions that it shows late: an idle session
#: ends after 5 minutes (facts, D), and it is unknown which moment its end names.
OVERLAP = timedelta(minutes=10)

#: No session is longer than this, which is an assumption; it keeps a room's history out of the answers.
LONGEST_SESSION = timedelta(hours=12)


#: How often a wait is logged, at most.
LOG_INTERVAL = timedelta(minutes=5)


class SessionSource(Protocol):
    """The part of the hook that is used here."""

    def get_session(self, session_id: str) -> Session:
        """Get a session."""

    def list_sessions(self, **filters: FilterValue | None) -> Iterator[Session]:
        """List the organisation's sessions."""

    def has_transcript(self, session_id: str) -> bool:
        """Whether a session's transcript is there."""


def asked_with(conn_id: str, message: str) -> str:
    """Say with which connection it was found that something is not there: it may be there with another one."""
    return f"{message} It was asked for with connection {conn_id!r}."


def check_interval(name: str, seconds: float) -> float:
    """
    Check how often Lessonspace is to be asked.

    :param name: the parameter's name, for the message.
    :raises LessonspaceInputError: below 5 s, the API's few requests a second are there for everybody; and above a
        hundred years.
    """
    is_number = isinstance(seconds, (int, float)) and not isinstance(seconds, bool)
    if not is_number or not SHORTEST_INTERVAL <= seconds <= LONGEST_DURATION.total_seconds():
        raise refuse(name, seconds, f"a number of seconds, at least {SHORTEST_INTERVAL:g}")
    return seconds


class Progress:
    """
    What a wait found last. Its first check is logged, and then one every few minutes.

    :param log: of the task or trigger.
    """

    def __init__(self, log: Log) -> None:
        self.checks = 0
        self._log = log
        self._found = ""
        self._failure = ""
        self._logged_at: datetime | None = None

    def found(self, message: str, now: datetime, next_check: datetime | None = None) -> None:
        """
        Note what a check found.

        :param message: one sentence.
        :param now: aware.
        :param next_check: aware; None where it is not known.
        """
        self.checks += 1
        self._found, self._failure = f"Found at {_to_the_second(now)}: {message}", ""
        if self._is_due(now):
            following = f" Next check at {_to_the_second(next_check)}." if next_check else ""
            self._log.info("%s%s", message, following)

    def failed(self, error: Exception, now: datetime) -> None:
        """Note that a check failed, which the next one may not."""
        self.checks += 1
        self._failure = f"The last check failed: {error}"
        if self._is_due(now):
            self._log.warning("This check failed, the next one may not: %s", error)

    def _is_due(self, now: datetime) -> bool:
        is_due = self._logged_at is None or now - self._logged_at >= LOG_INTERVAL
        if is_due:
            self._logged_at = now
        return is_due

    def __str__(self) -> str:
        """Say what was found last, for the message of a timeout."""
        if not self.checks:
            return "No check was finished: look into the triggerer's log, it may be overloaded or Lessonspace slow."
        return " ".join(part for part in (self._found or "No check succeeded.", self._failure) if part)


def _to_the_second(moment: datetime) -> str:
    return write_time(moment.replace(microsecond=0))


class EndedSessions:
    """
    Sessions that ended lately, to be found by whoever waits for one of them.

    :param sessions: from a list.
    """

    def __init__(self, sessions: Iterable[Session]) -> None:
        self.by_id = {session["uuid"]: session for session in sessions}
        self.by_space: dict[str, list[Session]] = {}
        for session in self.by_id.values():
            space = space_of(session)
            for name in {space.get("id"), space.get("slug")} - {None}:
                self.by_space.setdefault(str(name), []).append(session)


@dataclass(frozen=True)
class Cursor:
    """
    Up to where the ended sessions of a connection were told.

    :param told_from: aware; what ended before it was told, or is not to be.
    :param told: those that ended since then and were told: their ends, aware, by uuid.
    """

    told_from: datetime
    told: Mapping[str, datetime] = field(default_factory=dict)

    def fresh(self, ended: EndedSessions) -> list[Session]:
        """Choose what was not told yet, in the order of the ends."""
        ends = {session_id: _end(session) for session_id, session in ended.by_id.items()}
        untold = [name for name, end in ends.items() if end >= self.told_from and name not in self.told]
        return [ended.by_id[session_id] for session_id in sorted(untold, key=ends.__getitem__)]

    def after(self, fresh: Iterable[Session], began: datetime) -> Cursor:
        """
        Move on over sessions that were told now; those that the list shows late are still waited for.

        :param fresh: sessions.
        :param began: when reading the list began, aware: what ended while it was read may stand before that place.
        """
        told = {**self.told, **{session["uuid"]: _end(session) for session in fresh}}
        told_from = max([self.told_from, *(min(end, began) - OVERLAP for end in told.values())])
        return Cursor(told_from, {session_id: end for session_id, end in told.items() if end >= told_from})

    def write(self) -> dict[str, JsonValue]:
        """Give the cursor as JSON."""
        told = {session_id: write_time(end) for session_id, end in self.told.items()}
        return {"told_from": write_time(self.told_from), "told": cast("JsonValue", told)}

    @classmethod
    def read(cls, stored: object) -> Cursor | None:
        """Read what ``write`` gave; None for anything else."""
        if not isinstance(stored, dict) or (told_from := read_time(stored.get("told_from"))) is None:
            return None
        told = stored.get("told")
        ends = {str(name): read_time(end) for name, end in told.items()} if isinstance(told, dict) else {}
        return cls(told_from, {session_id: end for session_id, end in ends.items() if end is not None})


def _end(session: Session) -> datetime:
    """Give the end of a session in ``EndedSessions``, which all have one."""
    return cast("datetime", end_time(session))


@dataclass(frozen=True)
class AwaitedSession:
    """
    The end of one session; one that nobody has joined yet is waited for.

    :param session_id: its uuid, which a launch reserves.
    """

    session_id: str

    #: Whether the list of ended sessions tells about it.
    is_listed = True

    def among(self, ended: EndedSessions, now: datetime) -> list[Session]:
        """Find what concerns it."""
        return [ended.by_id[self.session_id]] if self.session_id in ended.by_id else []

    def verdict(self, sessions: Iterable[Session], now: datetime) -> EndVerdict:
        """Decide by sessions that were found among those that ended."""
        for session in sessions:
            return session_verdict(self.session_id, session)
        return EndVerdict(
            "waiting",
            f"Session {self.session_id} is not among those that have ended. If people have left it, check that this is "
            f"the uuid of a session and not the id of a space.",
        )

    def is_certain(self, verdict: EndVerdict) -> bool:
        """Whether a verdict by such sessions holds, whatever else the API knows."""
        return True

    def look(self, source: SessionSource, now: datetime) -> EndVerdict:
        """Ask the API, and decide."""
        return session_verdict(self.session_id, _session_or_none(source, self.session_id))


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

    @classmethod
    def checked(
        cls,
        *,
        space_id: object,
        launch_id: object,
        window_start: object,
        window_end: object,
        min_participants: object,
        give_up_at: datetime | None,
    ) -> AwaitedLesson:
        """
        Check what a sensor or a trigger was given of a lesson.

        :param space_id: see ``AwaitedLesson``.
        :param launch_id: see ``AwaitedLesson``.
        :param window_start: see ``Lesson``; aware datetime or ISO 8601 text.
        :param window_end: likewise.
        :param min_participants: see ``Lesson``.
        :param give_up_at: see ``Lesson``.
        :raises LessonspaceInputError: for anything else.
        """
        start, end = as_window(window_start, window_end)
        return cls(
            Lesson(start, end, as_positive("min_participants", min_participants), give_up_at),
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
        """Whether the list of ended sessions tells about it: sessions name their space, but no launch id."""
        return self.space_id is not None

    def among(self, ended: EndedSessions, now: datetime) -> list[Session]:
        """Find what concerns it."""
        room = ended.by_space.get(self.space_id or "", [])
        return [session for session in room if self.lesson.may_hold(session, now)]

    def verdict(self, sessions: Iterable[Session], now: datetime) -> EndVerdict:
        """Decide by sessions that were found among those that ended."""
        return lesson_verdict(self.lesson, sessions, now, self.room)

    def is_certain(self, verdict: EndVerdict) -> bool:
        """Whether a verdict by such sessions holds, whatever else the API knows."""
        return verdict.session is not None and takes_up_most(self.lesson, verdict.session)

    def look(self, source: SessionSource, now: datetime) -> EndVerdict:
        """Ask the API, and decide; before the window's end there is nothing to ask."""
        return self.verdict(self._sessions(source) if now >= self.lesson.window_end else (), now)

    def with_space(self, source: SessionSource) -> AwaitedLesson:
        """Learn the room's id from any session that was ever held in it, so that the list tells about it."""
        if self.space_id is not None:
            return self
        held = next(iter(source.list_sessions(launch_id=self.launch_id, include_single_user=True)), None)
        return replace(self, space_id=space_of(held).get("id")) if held else self

    def _sessions(self, source: SessionSource) -> Iterator[Session]:
        until = self.lesson.window_end if self.lesson.give_up_at else None
        return source.list_sessions(
            space=self.space_id,
            launch_id=self.launch_id,
            include_single_user=True,
            start_time_after=self.lesson.window_start - LONGEST_SESSION,
            start_time_before=until,
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

    def prospect(self, source: SessionSource, now: datetime) -> TranscriptVerdict:
        """Ask for the session, and decide what becomes of a transcript that is not there."""
        session = _session_or_none(source, self.session_id)
        return transcript_verdict(self.session_id, session, now, self.began_at, self.give_up_after)

    def look(self, source: SessionSource, now: datetime) -> TranscriptVerdict:
        """Ask the API, and decide: for the session until its end is known, then for the transcript alone."""
        if self.ended_at is None:
            verdict = self.prospect(source, now)
        else:
            verdict = missing_transcript(self.session_id, self.ended_at, now, self.give_up_after)
        can_be_there = verdict.ended_at is not None and verdict.status != "not_eligible"
        if can_be_there and source.has_transcript(self.session_id):
            return replace(verdict, status="ready", message=f"The transcript of session {self.session_id} is there.")
        return verdict


def _session_or_none(source: SessionSource, session_id: str) -> Session | None:
    try:
        return source.get_session(session_id)
    except LessonspaceNotFoundError:
        return None
