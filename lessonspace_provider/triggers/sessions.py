# SPDX-License-Identifier: Apache-2.0
"""Triggers that wait for sessions to end: for a task, and for DAGs that run when any session ends."""

from __future__ import annotations

from collections.abc import AsyncIterator, Hashable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal, TypedDict

from airflow.triggers.base import BaseEventTrigger, TriggerEvent

from lessonspace_provider.api.arguments import as_connection_id, as_positive
from lessonspace_provider.exceptions import PASSING_ERRORS
from lessonspace_provider.sessions import SessionSummary
from lessonspace_provider.triggers.base import OneEventTrigger
from lessonspace_provider.triggers.serialization import serialized
from lessonspace_provider.triggers.session_waiter import SessionWaiter
from lessonspace_provider.triggers.shared_poll import (
    PollResult,
    Subscription,
    now,
    shared_connection,
)
from lessonspace_provider.waiting.awaited import DEFAULT_INTERVAL, asked_with, check_interval, end_from_dict, from_epoch
from lessonspace_provider.waiting.cursor import Cursor
from lessonspace_provider.waiting.progress import Progress

if TYPE_CHECKING:
    from airflow.sdk.execution_time.context import AssetStateStoreAccessors

    from lessonspace_provider.waiting.lessons import EndVerdict
    from lessonspace_provider.waiting.parsed_session import ParsedSession


class SessionEndEvent(TypedDict):
    """
    The event of ``LessonspaceSessionEndTrigger``.

    ``reason``: the class of the error, for ``status="error"``. ``message``: one sentence. ``session``: the session that
    ended, without people.
    """

    status: Literal["ended", "no_session", "timeout", "error"]
    reason: str | None
    message: str
    session_id: str | None
    session: SessionSummary | None


@dataclass(kw_only=True, eq=False, repr=False)
class LessonspaceSessionEndTrigger(OneEventTrigger):
    """
    Waits until a session or a lesson has ended, and fires one ``SessionEndEvent``.

    All triggers of a connection in a triggerer share one poll, which lists the sessions that ended since the last poll.

    Guide: docs/how-to/wait.md#for-a-session-to-end

    :param lessonspace_conn_id: the connection to use.
    :param poll_interval: seconds between two polls, at least 5.
    :param session_id: wait for this session, by its uuid. For a lesson, use the parameters below instead:
    :param space_id: the lesson's space; UUID, or slug (launch's ``room_id``).
    :param launch_id: your own id of the space, in place of ``space_id``. The list of sessions has no launch ids. Until
        the space has had a session, the trigger makes a call of its own every ten minutes, and whenever a session ends
        in a space that no task waits for.
    :param window_start: see ``Lesson``; aware datetime or ISO 8601 text.
    :param window_end: likewise.
    :param min_participants: see ``Lesson``.
    :param max_delay: see ``Lesson``; seconds.
    :param give_up_at: see ``Lesson``; epoch seconds, None for never.
    :param asked_at: epoch seconds of a check that found no end; the trigger begins with the sessions that ended since.
        None: the trigger checks first.
    :param timeout_at: epoch seconds at which the wait ends, with the status ``timeout`` and the last poll result; None:
        never.
    """

    lessonspace_conn_id: str
    poll_interval: float = DEFAULT_INTERVAL
    session_id: str | None = None
    space_id: str | None = None
    launch_id: str | None = None
    window_start: datetime | str | None = None
    window_end: datetime | str | None = None
    min_participants: int = 2
    max_delay: timedelta | float | None = None
    give_up_at: float | None = None
    asked_at: float | None = None
    timeout_at: float | None = None

    async def _result(self, progress: Progress) -> SessionEndEvent:
        return self._event_of(await self._verdict(progress))

    async def _verdict(self, progress: Progress) -> EndVerdict:
        awaited = end_from_dict(vars(self))
        checked_at = min(from_epoch("asked_at", self.asked_at) or now(), now())
        async with shared_connection(self.lessonspace_conn_id) as connection:
            waiter = SessionWaiter(connection, awaited, progress, self.poll_interval)
            return await waiter.until_ended(awaited.list_from(checked_at), is_checked=self.asked_at is not None)

    def _event_of(self, verdict: EndVerdict) -> SessionEndEvent:
        session = verdict.session
        if session is None:
            message = asked_with(self.lessonspace_conn_id, verdict.message)
            return self._event("no_session", None, message)
        return SessionEndEvent(
            status="ended",
            reason=None,
            message=verdict.message,
            session_id=session.session_id,
            session=session.summary,
        )

    def _event(
        self, status: Literal["no_session", "timeout", "error"], reason: str | None, message: str
    ) -> SessionEndEvent:
        return SessionEndEvent(status=status, reason=reason, message=message, session_id=self.session_id, session=None)


@dataclass(kw_only=True, eq=False, repr=False)
class LessonspaceSessionEndedEventTrigger(BaseEventTrigger):
    """
    Fires when sessions have ended, for an ``AssetWatcher``: at most once per poll, with all sessions since the last.

    The event's payload is ``{"sessions": [...]}``: ids, times and counts as in ``SessionSummary``, without names. One
    DAG run may have several events: read all of ``triggering_asset_events``. Sessions that ended before the trigger
    first started are not reported. On Airflow 3.3 and newer, the trigger continues after a restart, and may then report
    a session twice. On older versions, it starts again from the present.

    Guide: docs/how-to/wait.md#dags-that-run-when-sessions-end

    :param lessonspace_conn_id: the connection to use.
    :param poll_interval: seconds between two polls, at least 5.
    :param min_participants: leave out sessions with fewer people; 1 reports all sessions.
    """

    lessonspace_conn_id: str = "lessonspace_default"
    poll_interval: float = DEFAULT_INTERVAL
    min_participants: int = 1

    def __post_init__(self) -> None:
        """Refuse what can't be used, when the DAG is read."""
        super().__init__()  # type: ignore[no-untyped-call]  # Airflow's is untyped
        as_connection_id("lessonspace_conn_id", self.lessonspace_conn_id)
        check_interval("poll_interval", self.poll_interval)
        as_positive("min_participants", self.min_participants)

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Give what a triggerer needs to make this trigger again."""
        return serialized(self)

    def shared_stream_key(self) -> Hashable | None:
        """Share the stream with all watchers of the same connection and interval (Airflow 3.3 and newer)."""
        return (type(self).__qualname__, self.lessonspace_conn_id, self.poll_interval)

    @classmethod
    async def open_shared_stream(cls, kwargs: dict[str, Any]) -> AsyncIterator[PollResult]:
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

    async def filter_shared_stream(self, shared_stream: AsyncIterator[PollResult]) -> AsyncIterator[TriggerEvent]:
        """Yield an event for each poll that found something new."""
        cursor = await self._read_cursor()
        async for result in _first_then(await self._since(cursor.reported_from), shared_stream):
            # Written a poll later than reported: an event that is fired twice is better than one that was lost on its
            # way to the database.
            await self._write_cursor(cursor)
            fresh = cursor.fresh(result.ended)
            cursor = cursor.after(fresh, result.began)
            reported = [_nameless(session) for session in fresh if session.participants >= self.min_participants]
            if reported:
                yield TriggerEvent({"sessions": reported})

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Do the same where Airflow shares no streams; the poll below it is shared in any case."""
        async for event in self.filter_shared_stream(self.open_shared_stream(self.serialize()[1])):
            yield event

    async def _since(self, since: datetime) -> PollResult:
        async with (
            shared_connection(self.lessonspace_conn_id) as connection,
            connection.ended_sessions(since, self.poll_interval) as poll,
        ):
            return await _next_despite_outages(poll)

    async def _read_cursor(self) -> Cursor:
        try:
            stored = await self._store.aget(self._cursor_key) if self._store else None
        except ValueError:
            # Airflow gives one trigger to all assets with equal watchers, and its store then has no place for it.
            self.asset_state_store = None
            self.log.warning(
                "Several assets watch connection %r with the same arguments, so sessions that end during a restart of "
                "the triggerer are not reported. Use one asset, or a different poll_interval for each.",
                self.lessonspace_conn_id,
            )
            stored = None
        return Cursor.from_dict(stored) or Cursor(now())

    async def _write_cursor(self, cursor: Cursor) -> None:
        if self._store:
            await self._store.aset(self._cursor_key, cursor.to_dict())

    @property
    def _cursor_key(self) -> str:
        """Name the cursor in the asset's store, which all watchers of the asset share."""
        return f"lessonspace_ended_{self.lessonspace_conn_id}_{self.poll_interval:g}_{self.min_participants}"

    @property
    def _store(self) -> AssetStateStoreAccessors | None:
        """The asset state store, which Airflow has from 3.3 on."""
        return getattr(self, "asset_state_store", None)


def _nameless(session: ParsedSession) -> dict[str, object]:
    return {name: value for name, value in session.summary.items() if name != "name"}


async def _next_despite_outages(poll: Subscription) -> PollResult:
    while True:
        try:
            return await poll.next()
        except PASSING_ERRORS:
            continue  # the poll has logged it, and continues


async def _first_then(first: PollResult, stream: AsyncIterator[PollResult]) -> AsyncIterator[PollResult]:
    """Chain a result from before the stream, which begins with the same poll as a rule, and the stream."""
    yield first
    async for result in stream:
        if result.began > first.began:
            yield result
