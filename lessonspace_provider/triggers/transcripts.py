# SPDX-License-Identifier: Apache-2.0
"""A trigger that waits for a transcript."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, TypedDict

from airflow.triggers.base import BaseTrigger, TriggerEvent

from lessonspace_provider.exceptions import LessonspaceError
from lessonspace_provider.parameters import as_duration, as_uuid
from lessonspace_provider.sessions import FIRST_LOOK, next_transcript_look
from lessonspace_provider.triggers.shared import (
    Patience,
    SharedConnection,
    as_lessonspace_error,
    from_epoch,
    now,
    shared_connection,
)
from lessonspace_provider.waiting import DEFAULT_INTERVAL, AwaitedTranscript, check_interval

if TYPE_CHECKING:
    from lessonspace_provider.sessions import TranscriptVerdict


TranscriptStatus = Literal["pending", "ready", "not_eligible", "given_up", "error"]


class TranscriptEvent(TypedDict):
    """What ``LessonspaceTranscriptTrigger`` fires; ``reason`` is the kind of the error, ``message`` one sentence."""

    status: TranscriptStatus
    reason: str | None
    message: str
    session_id: str


class LessonspaceTranscriptTrigger(BaseTrigger):
    """
    Waits until a session's transcript is there, will never come, or is given up; fires one ``TranscriptEvent``.

    While the session runs, its end is waited for with the connection's one poll. Then the transcript is looked for 5
    minutes after the end, and after twice as long each time, up to 12 hours.

    .. seealso::
        For more information on how to use it, take a look at the guide: docs/waiting.md#for-a-transcript

    :param session_id: the session's uuid.
    :param lessonspace_conn_id: the connection to use.
    :param give_up_after: seconds after the session's end.
    :param began_at: epoch seconds at which somebody asked and it was not there: the trigger waits before it asks again.
        A session that nobody ever joined is given up ``give_up_after`` later. None: it asks at once, and waits since
        then.
    :param ended_at: epoch seconds of the session's end, if it had ended when somebody asked.
    :param poll_interval: seconds between two polls for the session's end, at least 5.
    """

    def __init__(
        self,
        *,
        session_id: str,
        lessonspace_conn_id: str,
        give_up_after: float,
        began_at: float | None = None,
        ended_at: float | None = None,
        poll_interval: float = DEFAULT_INTERVAL,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Airflow's is untyped
        self.session_id = session_id
        self.lessonspace_conn_id = lessonspace_conn_id
        self.give_up_after = give_up_after
        self.began_at = began_at
        self.ended_at = ended_at
        self.poll_interval = check_interval("poll_interval", poll_interval)

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Give what a triggerer needs to make this trigger again."""
        return (
            f"{type(self).__module__}.{type(self).__qualname__}",
            {
                "session_id": self.session_id,
                "lessonspace_conn_id": self.lessonspace_conn_id,
                "give_up_after": self.give_up_after,
                "began_at": self.began_at,
                "ended_at": self.ended_at,
                "poll_interval": self.poll_interval,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait, and fire once."""
        try:
            async with shared_connection(self.lessonspace_conn_id) as connection:
                verdict = await self._verdict(connection)
            event = self._event(verdict.status, None, verdict.message)
        except Exception as error:
            known = as_lessonspace_error(error)
            event = self._event("error", type(known).__name__, str(known))
        yield TriggerEvent(event)

    def _event(self, status: TranscriptStatus, reason: str | None, message: str) -> TranscriptEvent:
        return TranscriptEvent(status=status, reason=reason, message=message, session_id=self.session_id)

    async def _verdict(self, connection: SharedConnection) -> TranscriptVerdict:
        awaited, patience = self._awaited(), Patience()
        looked_at = from_epoch("began_at", self.began_at)
        while True:
            try:
                if looked_at is not None:
                    await self._until_next_look(connection, awaited, looked_at)
                looked_at = now()
                verdict = await _look(connection, awaited)
            except LessonspaceError as error:
                if patience.ends_with(error):
                    raise
                self.log.warning("Looking for a transcript failed, next try in %s: %s", FIRST_LOOK, error)
                await asyncio.sleep(FIRST_LOOK.total_seconds())
                looked_at = None
                continue
            if verdict.status != "pending":
                return verdict
            awaited, patience = replace(awaited, ended_at=verdict.ended_at), Patience()

    def _awaited(self) -> AwaitedTranscript:
        return AwaitedTranscript(
            as_uuid("session_id", self.session_id),
            as_duration("give_up_after", self.give_up_after),
            began_at=from_epoch("began_at", self.began_at) or now(),
            ended_at=from_epoch("ended_at", self.ended_at),
        )

    async def _until_next_look(
        self, connection: SharedConnection, awaited: AwaitedTranscript, looked_at: datetime
    ) -> None:
        if awaited.ended_at is None:
            await self._until_ended(connection, awaited, looked_at)
            return
        scheduled = next_transcript_look(self.session_id, awaited.ended_at, now())
        next_look = min(scheduled, awaited.ended_at + awaited.give_up_after)
        await asyncio.sleep(max((next_look - now()).total_seconds(), self.poll_interval))

    async def _until_ended(self, connection: SharedConnection, awaited: AwaitedTranscript, looked_at: datetime) -> None:
        """Listen to the poll until the session has ended, or it is time to ask for it: nobody may ever join it."""
        deadline = awaited.began_at + awaited.give_up_after
        is_ahead = looked_at < deadline  # a session that runs on after it is not asked for again and again
        async with connection.ended_sessions(awaited.began_at, self.poll_interval) as poll:
            news = await poll.next()
            while awaited.session_id not in news.ended.by_id and not news.is_turn:
                if is_ahead and now() >= deadline:
                    return
                news = await poll.next()


async def _look(connection: SharedConnection, awaited: AwaitedTranscript) -> TranscriptVerdict:
    return await connection.call(lambda hook: awaited.look(hook, now()))
