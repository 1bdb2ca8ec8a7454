# SPDX-License-Identifier: Apache-2.0
"""A sensor that waits for a session, or for a lesson, to end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

from airflow.providers.common.compat.sdk import AirflowSkipException

from lessonspace_provider.api.arguments import as_duration, as_one_of, shown
from lessonspace_provider.api.foreign_words import clean_message
from lessonspace_provider.exceptions import LessonspaceError, LessonspaceInputError
from lessonspace_provider.sensors.base import Check, LessonspaceSensor, LessonspaceWaitFailed
from lessonspace_provider.waiting.awaited import AwaitedLesson, AwaitedSession, asked_with, end_from_dict

if TYPE_CHECKING:
    from lessonspace_provider.sessions import SessionSummary
    from lessonspace_provider.triggers.sessions import LessonspaceSessionEndTrigger
    from lessonspace_provider.waiting.lessons import Lesson

ON_NO_SESSION = ("fail", "skip", "wait")


class LessonspaceSessionEndSensor(LessonspaceSensor):
    """
    Wait until one session has ended, or a lesson of the timetable.

    A space is used every week, and one lesson often produces several sessions: a person waits alone and leaves, and the
    real lesson opens another session. The lesson is the session with enough people that covers most of the window. A
    session that is mostly outside of the window is another lesson, unless it covers more than half of the window, or
    began early enough in it (``max_delay``). The lesson ends no earlier than ``window_end``, because people who lost
    their connection return in another session. If a session overruns, the sensor waits for its end.

    Guide: docs/how-to/wait.md#for-a-session-to-end

    :param session_id: wait for this session, by its uuid. The session need not exist yet. For a lesson, use the
        parameters below instead:
    :param space_id: the lesson's space; UUID, or slug (launch's ``room_id``).
    :param launch_id: your own id of the space, in place of ``space_id``.
    :param window_start: start of the lesson in the timetable; aware datetime or ISO 8601 text with an offset.
    :param window_end: end of the lesson in the timetable; likewise.
    :param min_participants: how many people make a session the lesson.
    :param max_delay: how late after ``window_start`` the lesson may begin. A session that begins by then is the lesson,
        even if it is mostly after the window. Timedelta or seconds, also longer than the window. None: two thirds of
        the window, because later people may have come early for the next lesson. Use less if lessons follow each other
        and begin on time.
    :param on_no_session: what to do if no session was the lesson when ``grace`` has passed since the window or
        ``max_delay``: ``fail`` the task, ``skip`` it with a warning, or ``wait`` for a later session until ``timeout``.
        The message lists the sessions that were found, and why each is not the lesson.
    :param grace: timedelta or seconds.
    :return: the session that ended, see ``SessionSummary``: ids, name, times and counts, without people.
    :raises LessonspaceWaitFailed: if no session was the lesson, and for errors that no later check can fix.
    """

    template_fields: Sequence[str] = (
        "lessonspace_conn_id",
        "session_id",
        "space_id",
        "launch_id",
        "window_start",
        "window_end",
    )

    def __init__(
        self,
        *,
        session_id: str | None = None,
        space_id: str | None = None,
        launch_id: str | None = None,
        window_start: datetime | str | None = None,
        window_end: datetime | str | None = None,
        min_participants: int = 2,
        max_delay: timedelta | float | None = None,
        on_no_session: Literal["fail", "skip", "wait"] = "fail",
        grace: timedelta | float = timedelta(minutes=15),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.session_id = session_id
        self.space_id = space_id
        self.launch_id = launch_id
        self.window_start = window_start
        self.window_end = window_end
        self.min_participants = min_participants
        self.max_delay = max_delay
        self.on_no_session = on_no_session
        self.grace = grace

    def check(self, now: datetime) -> Check:
        """Ask whether it has ended."""
        verdict = self._awaited().check(self.hook, now)
        if verdict.status == "no_session":
            self._end_without_session(asked_with(self.lessonspace_conn_id, verdict.message))
        return Check(verdict.message, verdict.session.summary if verdict.session else None)

    def awaited_name(self) -> str:
        """Name the session or the room."""
        awaited = self._awaited()
        if isinstance(awaited, AwaitedSession):
            return f"the end of session {awaited.session_id}"
        return f"the end of a lesson in {awaited.room}"

    def trigger(self, checked_at: datetime | None, timeout_at: float | None) -> LessonspaceSessionEndTrigger:
        """Make what waits in the triggerer."""
        from lessonspace_provider.triggers.sessions import LessonspaceSessionEndTrigger

        return LessonspaceSessionEndTrigger(
            **self._recognisable(self._awaited()).to_dict(),
            lessonspace_conn_id=self.lessonspace_conn_id,
            poll_interval=self.poke_interval,
            asked_at=checked_at.timestamp() if checked_at else None,
            timeout_at=timeout_at,
        )

    def result_of(self, event: Mapping[str, Any]) -> SessionSummary | None:
        """Read what the trigger fired."""
        if event.get("status") == "no_session":
            self._end_without_session(clean_message(event.get("message")))
        session: SessionSummary | None = event.get("session") if event.get("status") == "ended" else None
        return session

    def _awaited(self) -> AwaitedSession | AwaitedLesson:
        of_a_lesson = (self.space_id, self.launch_id, self.window_start, self.window_end)
        if self.session_id is not None and any(value is not None for value in of_a_lesson):
            raise LessonspaceInputError(
                f"session_id={shown(self.session_id)} was given together with space_id, launch_id or a window: give "
                f"the session, or the room and the lesson's window. Nothing was sent."
            )
        if self.space_id is not None and self.launch_id is not None:
            raise LessonspaceInputError("Give either space_id or launch_id, not both. Nothing was sent.")
        awaited = end_from_dict(vars(self))
        if isinstance(awaited, AwaitedSession):
            return awaited
        return replace(awaited, lesson=replace(awaited.lesson, give_up_at=self._give_up_at(awaited.lesson)))

    def _give_up_at(self, lesson: Lesson) -> datetime | None:
        grace = as_duration("grace", self.grace)
        if as_one_of("on_no_session", self.on_no_session, ON_NO_SESSION) == "wait":
            return None
        return max(lesson.window_end, lesson.latest_start) + grace

    def _recognisable(self, awaited: AwaitedSession | AwaitedLesson) -> AwaitedSession | AwaitedLesson:
        """Let the triggerer know the room by the id that lists have; without it, it checks more often."""
        if isinstance(awaited, AwaitedSession):
            return awaited
        try:
            known = awaited.with_space(self.hook)
        except LessonspaceError as error:
            self.log.warning("The space's id could not be read, so the triggerer checks more often: %s", error)
            return awaited
        if known.space_id is None:
            self.log.warning(
                "No session was ever held in %s (connection %r). If the space is not new, check the id.",
                awaited.room,
                self.lessonspace_conn_id,
            )
        return known

    def _end_without_session(self, message: str) -> None:
        if self.on_no_session == "skip":
            self.log.warning("%s", message)
            raise AirflowSkipException(message)
        raise LessonspaceWaitFailed(f"{message} If a lesson may not take place, set on_no_session='skip'.")
