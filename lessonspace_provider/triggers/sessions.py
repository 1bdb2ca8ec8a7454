# SPDX-License-Identifier: Apache-2.0
"""Triggers that wait for sessions to end: for a task, and for DAGs that run when any session ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Hashable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal, TypedDict

from airflow.triggers.base import BaseEventTrigger, BaseTrigger, TriggerEvent

from lessonspace_provider.exceptions import PASSING_ERRORS, LessonspaceError, LessonspaceInputError
from lessonspace_provider.parameters import as_connection_id, as_positive, as_uuid
from lessonspace_provider.sessions import SessionSummary, participant_count, summary
from lessonspace_provider.triggers.shared import (
    CONFIRM_AFTER,
    News,
    Patience,
    SharedConnection,
    Subscription,
    as_lessonspace_error,
    from_epoch,
    now,
    seconds_until,
    shared_connection,
)
from lessonspace_provider.waiting import (
    DEFAULT_INTERVAL,
    AwaitedLesson,
    AwaitedSession,
    Cursor,
    Progress,
    asked_with,
    check_interval,
)

if TYPE_CHECKING:
    from airflow.sdk.execution_time.context import AssetStateStoreAccessors

    from lessonspace_provider.api_types import Session
    from lessonspace_provider.sessions import EndVerdict


class SessionEndEvent(TypedDict):
    """
    What ``LessonspaceSessionEndTrigger`` fires.

    ``reason`` is the kind of the error; ``message`` one sentence; ``session`` what ended, without people.
    """

    status: Literal["ended", "no_session", "timeout", "error"]
    reason: str | None
    message: str
    session_id: str | None
    session: SessionSummary | None


class LessonspaceSessionEndTrigger(BaseTrigger):
    """
    Waits for a session, or for a lesson, to end, and fires one ``SessionEndEvent``.

    All of a connection in a triggerer share one poll: the list of sessions that ended since it last looked.

    .. seealso::
        For more information on how to use it, take a look at the guide: docs/waiting.md#for-a-session-to-end

    :param lessonspace_conn_id: the connection to use.
    :param poll_interval: seconds between two polls, at least 5.
    :param session_id: wait for this session, by its uuid. Or, for a lesson:
    :param space_id: the room, UUID or slug (launch's ``room_id``).
    :param launch_id: the room by your own id. One that has never been used before is not recognised in the shared
        list, and costs a call of its own every ten minutes after the lesson.
    :param window_start: see ``Lesson``; aware.
    :param window_end: see ``Lesson``; aware.
    :param min_participants: see ``Lesson``.
    :param give_up_at: see ``Lesson``; epoch seconds, None for never.
    :param asked_at: epoch seconds at which somebody asked and it had not ended: what ended since is found in the
        list. None: the trigger asks once for itself before it listens.
    :param timeout_at: epoch seconds at which the wait ends with the status ``timeout`` and what was found last; None
        for never.
    """

    def __init__(
        self,
        *,
        lessonspace_conn_id: str,
        poll_interval: float = DEFAULT_INTERVAL,
        session_id: str | None = None,
        space_id: str | None = None,
        launch_id: str | None = None,
        window_start: datetime | None = None,
        window_end: datetime | None = None,
        min_participants: int = 2,
        give_up_at: float | None = None,
        asked_at: float | None = None,
        timeout_at: float | None = None,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Airflow's is untyped
        self.lessonspace_conn_id = lessonspace_conn_id
        self.poll_interval = check_interval("poll_interval", poll_interval)
        self.session_id = session_id
        self.space_id = space_id
        self.launch_id = launch_id
        self.window_start = window_start
        self.window_end = window_end
        self.min_participants = min_participants
        self.give_up_at = give_up_at
        self.asked_at = asked_at
        self.timeout_at = timeout_at

    @classmethod
    def awaiting(
        cls,
        awaited: AwaitedSession | AwaitedLesson,
        *,
        lessonspace_conn_id: str,
        poll_interval: float,
        asked_at: float | None,
        timeout_at: float | None,
    ) -> LessonspaceSessionEndTrigger:
        """Make the trigger for what a sensor waits for."""
        if isinstance(awaited, AwaitedSession):
            return cls(
                lessonspace_conn_id=lessonspace_conn_id,
                poll_interval=poll_interval,
                session_id=awaited.session_id,
                asked_at=asked_at,
                timeout_at=timeout_at,
            )
        lesson = awaited.lesson
        return cls(
            lessonspace_conn_id=lessonspace_conn_id,
            poll_interval=poll_interval,
            space_id=awaited.space_id,
            launch_id=awaited.launch_id,
            window_start=lesson.window_start,
            window_end=lesson.window_end,
            min_participants=lesson.min_participants,
            give_up_at=lesson.give_up_at.timestamp() if lesson.give_up_at else None,
            asked_at=asked_at,
            timeout_at=timeout_at,
        )

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Give what a triggerer needs to make this trigger again."""
        return (
            f"{type(self).__module__}.{type(self).__qualname__}",
            {
                "lessonspace_conn_id": self.lessonspace_conn_id,
                "poll_interval": self.poll_interval,
                "session_id": self.session_id,
                "space_id": self.space_id,
                "launch_id": self.launch_id,
                "window_start": self.window_start,
                "window_end": self.window_end,
                "min_participants": self.min_participants,
                "give_up_at": self.give_up_at,
                "asked_at": self.asked_at,
                "timeout_at": self.timeout_at,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait, and fire once."""
        progress = Progress(self.log)
        try:
            seconds = seconds_until("timeout_at", self.timeout_at)
            event = await asyncio.wait_for(self._event(progress), seconds)
        except asyncio.TimeoutError:
            event = self._event_without_session("timeout", None, str(progress))
        except LessonspaceError as error:  # of timeout_at itself
            event = self._event_of_failure(error)
        yield TriggerEvent(event)

    async def _event(self, progress: Progress) -> SessionEndEvent:
        try:
            return self._event_of(await self._verdict(progress))
        except Exception as error:
            return self._event_of_failure(as_lessonspace_error(error))

    async def _verdict(self, progress: Progress) -> EndVerdict:
        awaited = self._awaited()
        since = self._since(awaited)
        async with shared_connection(self.lessonspace_conn_id) as connection:
            waiter = _Waiter(connection, awaited, progress, self.poll_interval)
            if self.asked_at is None:
                verdict = await waiter.look()
                if verdict is not None and verdict.status != "waiting":
                    return verdict
            async with connection.ended_sessions(since, self.poll_interval) as poll:
                while True:
                    verdict = await waiter.heard(await poll.next(waiter.failed))
                    if verdict is not None and verdict.status != "waiting":
                        return verdict

    def _since(self, awaited: AwaitedSession | AwaitedLesson) -> datetime:
        """Say from when on the list has to be known: of a lesson, all sessions count, not only the last one."""
        asked_at = min(from_epoch("asked_at", self.asked_at) or now(), now())
        if isinstance(awaited, AwaitedSession) or asked_at >= awaited.lesson.window_end:
            return asked_at
        return min(asked_at, awaited.lesson.window_start)

    def _awaited(self) -> AwaitedSession | AwaitedLesson:
        if self.session_id is not None:
            return AwaitedSession(as_uuid("session_id", self.session_id))
        if self.space_id is None and self.launch_id is None:
            raise LessonspaceInputError(
                "LessonspaceSessionEndTrigger needs session_id, or space_id or launch_id with both ends of a window."
            )
        return AwaitedLesson.checked(
            space_id=self.space_id,
            launch_id=self.launch_id,
            window_start=self.window_start,
            window_end=self.window_end,
            min_participants=self.min_participants,
            give_up_at=from_epoch("give_up_at", self.give_up_at),
        )

    def _event_of(self, verdict: EndVerdict) -> SessionEndEvent:
        session = verdict.session
        return SessionEndEvent(
            status="ended" if session else "no_session",
            reason=None,
            message=verdict.message if session else asked_with(self.lessonspace_conn_id, verdict.message),
            session_id=session["uuid"] if session else None,
            session=summary(session) if session else None,
        )

    def _event_of_failure(self, error: LessonspaceError) -> SessionEndEvent:
        return self._event_without_session("error", type(error).__name__, str(error))

    def _event_without_session(
        self, status: Literal["timeout", "error"], reason: str | None, message: str
    ) -> SessionEndEvent:
        return SessionEndEvent(status=status, reason=reason, message=message, session_id=self.session_id, session=None)


class _Waiter:
    """
    Listens to the poll on behalf of one who waits, and asks for itself where the poll does not tell enough.

    :param connection: what the calls are made with.
    :param awaited: what is waited for.
    :param progress: what was found last.
    :param interval: seconds between two polls.
    """

    def __init__(
        self,
        connection: SharedConnection,
        awaited: AwaitedSession | AwaitedLesson,
        progress: Progress,
        interval: float,
    ) -> None:
        self._connection = connection
        self._awaited = awaited
        self._progress = progress
        self._interval = timedelta(seconds=interval)
        self._found: dict[str, Session] = {}
        self._doubted: tuple[str, int] | None = None
        self._looked_at = now()
        self._patience = Patience()

    async def heard(self, news: News) -> EndVerdict | None:
        """Take what the poll found; None when it told nothing new."""
        for session in self._awaited.among(news.ended, now()):
            self._found[session["uuid"]] = session
        verdict = self._awaited.verdict(self._found.values(), now())
        self._progress.found(verdict.message, now(), now() + self._interval)
        if verdict.status == "ended" and self._awaited.is_certain(verdict):
            return verdict
        is_deaf = not self._awaited.is_listed and self._looked_long_ago()
        if news.is_turn or is_deaf or self._is_in_doubt(verdict):
            return await self.look()
        return None

    def failed(self, error: LessonspaceError) -> None:
        """Note that a poll failed."""
        self._progress.failed(error, now())

    def _is_in_doubt(self, verdict: EndVerdict) -> bool:
        """Whether the poll's sessions settle it, but others may speak against it; asked again rarely."""
        doubt = (verdict.status, len(self._found))
        if verdict.status == "waiting" or (doubt == self._doubted and not self._looked_long_ago()):
            return False
        self._doubted = doubt
        return True

    def _looked_long_ago(self) -> bool:
        return (now() - self._looked_at).total_seconds() >= CONFIRM_AFTER

    async def look(self) -> EndVerdict | None:
        """
        Ask for itself.

        :return: None when that failed, which the next poll may make good.
        :raises LessonspaceError: when it failed too often in a row.
        """
        self._looked_at = now()
        try:
            verdict = await self._connection.call(lambda hook: self._awaited.look(hook, now()))
        except LessonspaceError as error:
            self._doubted = None
            self.failed(error)
            if self._patience.ends_with(error):
                raise
            return None
        self._patience = Patience()
        self._progress.found(verdict.message, now(), now() + self._interval)
        return verdict


class LessonspaceSessionEndedEventTrigger(BaseEventTrigger):
    """
    Fires whenever sessions have ended, for an ``AssetWatcher``: once per poll, with all that ended since the last.

    The event's payload is ``{"sessions": [...]}``: ids, times and counts of each as in ``SessionSummary``, and no name.
    Take it as a doorbell: Airflow may join several events into one run, so read all of ``triggering_asset_events``. It
    begins with what ends after it was first started. On Airflow 3.3 and newer it goes on where it was after a restart,
    and may then tell some sessions twice; before that it begins anew.

    .. seealso::
        For more information on how to use it, take a look at the guide: docs/waiting.md#dags-that-run-when-sessions-end

    :param lessonspace_conn_id: the connection to use.
    :param poll_interval: seconds between two polls, at least 5.
    :param min_participants: leave out sessions of fewer people; 1 tells all of them.
    """

    def __init__(
        self,
        *,
        lessonspace_conn_id: str = "lessonspace_default",
        poll_interval: float = DEFAULT_INTERVAL,
        min_participants: int = 1,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Airflow's is untyped
        self.lessonspace_conn_id = as_connection_id("lessonspace_conn_id", lessonspace_conn_id)
        self.poll_interval = check_interval("poll_interval", poll_interval)
        self.min_participants = as_positive("min_participants", min_participants)

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Give what a triggerer needs to make this trigger again."""
        return (
            f"{type(self).__module__}.{type(self).__qualname__}",
            {
                "lessonspace_conn_id": self.lessonspace_conn_id,
                "poll_interval": self.poll_interval,
                "min_participants": self.min_participants,
            },
        )

    def shared_stream_key(self) -> Hashable | None:
        """Share the stream with all watchers of the same connection and interval (Airflow 3.3 and newer)."""
        return (type(self).__qualname__, self.lessonspace_conn_id, self.poll_interval)

    @classmethod
    async def open_shared_stream(cls, kwargs: dict[str, Any]) -> AsyncIterator[News]:
        """
        Yield what ended lately, poll by poll, over all outages.

        :raises LessonspaceError: when too many polls in a row failed with an error that does not pass by itself.
        """
        async with (
            shared_connection(kwargs["lessonspace_conn_id"]) as connection,
            connection.ended_sessions(now(), kwargs["poll_interval"]) as poll,
        ):
            while True:
                yield await _next_despite_outages(poll)

    async def filter_shared_stream(self, shared_stream: AsyncIterator[News]) -> AsyncIterator[TriggerEvent]:
        """Yield an event for each poll that found something new."""
        cursor = await self._read_cursor()
        async for news in _first_then(await self._since(cursor.told_from), shared_stream):
            # Written a poll later than told: an event that was told twice is better than one that got lost on its way
            # to the database.
            await self._write_cursor(cursor)
            fresh = cursor.fresh(news.ended)
            cursor = cursor.after(fresh, news.began)
            told = [_nameless(session) for session in fresh if participant_count(session) >= self.min_participants]
            if told:
                yield TriggerEvent({"sessions": told})

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Do the same where Airflow shares no streams; the poll below it is shared in any case."""
        async for event in self.filter_shared_stream(self.open_shared_stream(self.serialize()[1])):
            yield event

    async def _since(self, since: datetime) -> News:
        async with (
            shared_connection(self.lessonspace_conn_id) as connection,
            connection.ended_sessions(since, self.poll_interval) as poll,
        ):
            return await _next_despite_outages(poll)

    async def _read_cursor(self) -> Cursor:
        try:
            stored = await self._store.aget(self._cursor_key) if self._store else None
        except ValueError:
            # Airflow gives one trigger to all assets with equal watchers, and its store then knows no place for it.
            self.asset_state_store = None
            self.log.warning(
                "Several assets watch connection %r with the same keywords: after a restart of the triggerer, what has "
                "ended meanwhile is not told. Give them another poll_interval each, or use one asset.",
                self.lessonspace_conn_id,
            )
            stored = None
        return Cursor.read(stored) or Cursor(now())

    async def _write_cursor(self, cursor: Cursor) -> None:
        if self._store:
            await self._store.aset(self._cursor_key, cursor.write())

    @property
    def _cursor_key(self) -> str:
        """Name the cursor in the asset's store, which all watchers of the asset share."""
        return f"lessonspace_ended_{self.lessonspace_conn_id}_{self.poll_interval:g}_{self.min_participants}"

    @property
    def _store(self) -> AssetStateStoreAccessors | None:
        """The asset state store, which Airflow has from 3.3 on."""
        return getattr(self, "asset_state_store", None)


def _nameless(session: Session) -> dict[str, object]:
    return {name: value for name, value in summary(session).items() if name != "name"}


async def _next_despite_outages(poll: Subscription) -> News:
    while True:
        try:
            return await poll.next()
        except PASSING_ERRORS:
            continue  # the poll has reported it, and goes on


async def _first_then(first: News, stream: AsyncIterator[News]) -> AsyncIterator[News]:
    """Chain what was heard before the stream, which begins with the same poll as a rule, and the stream."""
    yield first
    async for news in stream:
        if news.began > first.began:
            yield news
