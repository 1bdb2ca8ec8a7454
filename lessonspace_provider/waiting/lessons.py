# SPDX-License-Identifier: Apache-2.0
"""Whether a session has ended, and which of a room's sessions was the lesson of a timetable. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Literal

from lessonspace_provider.api.times import write_time
from lessonspace_provider.waiting.parsed_session import ParsedSession

#: A session that begins in this share of the window is the lesson, however long it lasts. The rest is left to people
#: who come early for the next lesson.
DEFAULT_DELAY_SHARE = 2 / 3

#: Sessions that a message lists.
MOST_LISTED = 5


@dataclass(frozen=True)
class Lesson:
    """
    A lesson on a timetable, in a room that is used for others too.

    :param window_start: when it was to begin, aware.
    :param window_end: when it was to end, aware. It counts as over no earlier than this: people who lost their
        connection come back in another session. A session that overruns is waited for.
    :param min_participants: how many people make a session the lesson; who waits alone makes none.
    :param give_up_at: when a lesson without a session counts as not held, aware. None: never, and a session that
        begins after the window counts as the lesson.
    :param max_delay: how long after ``window_start`` a session may begin to be the lesson, however long it lasts; it
        may be after the window. None: two thirds of the window.
    """

    window_start: datetime
    window_end: datetime
    min_participants: int
    give_up_at: datetime | None
    max_delay: timedelta | None = None

    @property
    def latest_start(self) -> datetime:
        """When a session has to begin that is the lesson, however long it lasts."""
        delay = (self.window_end - self.window_start) * DEFAULT_DELAY_SHARE
        return self.window_start + (delay if self.max_delay is None else self.max_delay)

    def overlap(self, session: ParsedSession) -> timedelta:
        """Measure how much of the lesson's window a session covers; a running one may cover all the rest."""
        start, end = session.start or self.window_start, session.end or self.window_end
        return max(min(end, self.window_end) - max(start, self.window_start), timedelta(0))

    def covers_most(self, session: ParsedSession) -> bool:
        """
        Whether no other session can be the lesson: this one covers more than half of its window.

        That a room has one session at a time is an assumption.
        """
        return self.overlap(session) > (self.window_end - self.window_start) / 2

    def may_be(self, session: ParsedSession, now: datetime) -> bool:
        """Whether a session can have been this lesson, as far as its times go."""
        return self._obstacle_in_time(session, now) is None

    def obstacle(self, session: ParsedSession, now: datetime) -> str | None:
        """
        Explain why a session was not this lesson, but one before or after it in the same room, or no one came.

        :param now: aware; where a running session ends so far.
        :return: None for a session that can be the lesson. A running one may still have enough people.
        """
        obstacle = self._obstacle_in_time(session, now)
        if obstacle is None and session.end is not None and session.participants < self.min_participants:
            return "too few people"
        return obstacle

    def _obstacle_in_time(self, session: ParsedSession, now: datetime) -> str | None:
        start, end = session.start or self.window_start, session.end or now
        if end <= self.window_start:
            return "it ended before the window"
        if self.window_start <= start <= self.latest_start:
            return None
        if start >= self.window_end:
            return None if self.give_up_at is None else "it began too late"
        inside = min(end, self.window_end) - max(start, self.window_start)
        if inside >= (end - start) / 2 or self.covers_most(session):
            return None
        if start < self.window_start:
            return "most of it was before the window"
        return f"it began after {write_time(self.latest_start)}, and most of it was after the window"


@dataclass(frozen=True)
class EndVerdict:
    """
    Whether what is waited for has ended.

    :param status: ``no_session`` means that there was none and none will come.
    :param message: one sentence for the log, without names of people.
    :param session: the session that was the lesson, when it has ended.
    :param space_id: the lesson's room, when it was learned from its sessions.
    """

    status: Literal["waiting", "ended", "no_session"]
    message: str
    session: ParsedSession | None = None
    space_id: str | None = None


def session_verdict(session_id: str, session: ParsedSession | None) -> EndVerdict:
    """
    Decide whether one session is over.

    :param session_id: its uuid.
    :param session: None when the API knows none: launch reserves an id, and the session exists once a person has
        joined.
    """
    if session is None or session.end is None:
        return EndVerdict("waiting", not_ended(session_id, exists=session is not None))
    return EndVerdict("ended", f"Session {session_id} ended at {write_time(session.end)}.", session)


def not_ended(session_id: str, *, exists: bool) -> str:
    """Describe what is known of a session that has not ended, and may not exist."""
    if exists:
        return f"Session {session_id} is running."
    return (
        f"There is no session {session_id} so far: no one has joined it, or this is not the uuid of a session. Check "
        f"that it is not the id of a space."
    )


def lesson_verdict(
    lesson: Lesson,
    sessions: Sequence[ParsedSession],
    now: datetime,
    room: str = "the room",
    unreadable: Collection[str] = (),
) -> EndVerdict:
    """
    Decide which of a room's sessions was the lesson, and whether it is over.

    The lesson is the session with enough people that covers most of the window; of equals, the one that began
    first. One that is still running counts with what it may become, so it is waited for if it can be the lesson.

    :param lesson: what was planned.
    :param sessions: those of the room, in any order, others than the lesson's included.
    :param now: aware.
    :param room: its name in messages.
    :param unreadable: why other sessions of the room can't be read.
    """
    if now < lesson.window_end:
        return EndVerdict("waiting", f"The lesson's window ends at {write_time(lesson.window_end)}.")
    held = [session for session in sessions if lesson.obstacle(session, now) is None]
    if held:
        best = max(held, key=lambda s: (lesson.overlap(s), -(s.start or lesson.window_start).timestamp()))
        return session_verdict(best.session_id, best)
    found = _found(lesson, sessions, now, unreadable)
    if lesson.give_up_at is None or now < lesson.give_up_at:
        return EndVerdict("waiting", f"No session that has ended in {room} was the lesson so far: {found}.")
    window = f"{write_time(lesson.window_start)} and {write_time(lesson.window_end)}"
    advice = (
        "Check the window with its offset from UTC, max_delay and min_participants."
        if sessions or unreadable
        else "Check the id first: space_id takes a space's UUID or launch's room_id, and launch_id your own."
    )
    return EndVerdict(
        "no_session",
        f"No session with {lesson.min_participants} people was held in {room} between {window}: {found}. {advice}",
    )


def _found(lesson: Lesson, sessions: Sequence[ParsedSession], now: datetime, unreadable: Collection[str]) -> str:
    """List the sessions nearest to the window, and why they are not the lesson."""
    nearest = sorted(sessions, key=lambda session: (_distance(lesson, session, now), session.session_id))
    entries = [_session_and_obstacle(session, lesson.obstacle(session, now)) for session in nearest[:MOST_LISTED]]
    entries += [problem.rstrip(".") for problem in islice(unreadable, MOST_LISTED - len(entries))]
    total = len(sessions) + len(unreadable)
    more = [f"and {total - len(entries)} more"] if total > len(entries) else []
    return f"found {'; '.join(entries + more)}" if entries else "none at all"


def _session_and_obstacle(session: ParsedSession, obstacle: str | None) -> str:
    start = write_time(session.start.replace(microsecond=0)) if session.start else "an unknown time"
    end = f"to {write_time(session.end.replace(microsecond=0))}" if session.end else "on, running"
    return f"session {session.session_id} from {start} {end}, {session.participants} people: {obstacle}"


def _distance(lesson: Lesson, session: ParsedSession, now: datetime) -> timedelta:
    start, end = session.start or lesson.window_start, session.end or now
    return max(lesson.window_start - end, start - lesson.window_end, timedelta(0))


def room_of(sessions: Iterable[ParsedSession]) -> str | None:
    """Give the id of the space of some sessions of one room; None if none of them names it."""
    return next((session.spaces[0] for session in sessions if session.spaces), None)
