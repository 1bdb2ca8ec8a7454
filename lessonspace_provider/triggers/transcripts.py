# SPDX-License-Identifier: Apache-2.0
"""A trigger that waits for a transcript."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal, TypedDict

from lessonspace_provider.exceptions import LessonspaceError
from lessonspace_provider.triggers.base import OneEventTrigger
from lessonspace_provider.triggers.shared_poll import (
    Patience,
    SharedConnection,
    now,
    shared_connection,
)
from lessonspace_provider.waiting.awaited import DEFAULT_INTERVAL, AwaitedTranscript, from_epoch
from lessonspace_provider.waiting.progress import Progress
from lessonspace_provider.waiting.transcripts import FIRST_PAUSE, MissingStatus, next_check_at, should_give_up

if TYPE_CHECKING:
    from lessonspace_provider.waiting.transcripts import TranscriptVerdict

EventStatus = Literal[MissingStatus, "ready", "timeout", "error"]


class TranscriptEvent(TypedDict):
    """The event of ``LessonspaceTranscriptTrigger``; ``reason`` is the class of an error, ``message`` one sentence."""

    status: EventStatus
    reason: str | None
    message: str
    session_id: str


@dataclass(kw_only=True, eq=False, repr=False)
class LessonspaceTranscriptTrigger(OneEventTrigger):
    """
    Waits until a session's transcript is ready, will never come, or is given up; fires one ``TranscriptEvent``.

    While the session runs, the trigger shares the connection's poll. The first check of the transcript is 5 minutes
    after the session's end. The interval then doubles, up to 12 hours.

    Guide: docs/how-to/wait.md#for-a-transcript

    :param session_id: the session's uuid.
    :param lessonspace_conn_id: the connection to use.
    :param give_up_after: seconds after the session's end.
    :param began_at: epoch seconds of a check that found no transcript: the trigger waits before the next check. If the
        session never exists, it is given up ``give_up_after`` later. None: the trigger checks at once.
    :param ended_at: epoch seconds of the session's end, if it had ended at that check.
    :param poll_interval: seconds between two polls for the session's end, at least 5.
    :param timeout_at: epoch seconds at which the wait ends, with the status ``timeout`` and the last poll result; None:
        never.
    """

    session_id: str
    lessonspace_conn_id: str
    give_up_after: timedelta | float
    began_at: float | None = None
    ended_at: float | None = None
    poll_interval: float = DEFAULT_INTERVAL
    timeout_at: float | None = None

    async def _result(self, progress: Progress) -> TranscriptEvent:
        async with shared_connection(self.lessonspace_conn_id) as connection:
            verdict = await self._verdict(connection, progress)
        return self._event(verdict.status, None, verdict.message)

    def _event(self, status: EventStatus, reason: str | None, message: str) -> TranscriptEvent:
        return TranscriptEvent(status=status, reason=reason, message=message, session_id=self.session_id)

    async def _verdict(self, connection: SharedConnection, progress: Progress) -> TranscriptVerdict:
        awaited, patience = AwaitedTranscript.from_dict(vars(self), now()), Patience()
        checked_at = from_epoch("began_at", self.began_at)
        while True:
            try:
                if checked_at is not None:
                    await self._until_next_check(connection, awaited, checked_at, progress)
                checked_at = now()
                verdict = await _check(connection, awaited)
            except LessonspaceError as error:
                if patience.ends_with(error):
                    raise
                progress.failed(error, now())
                await asyncio.sleep(FIRST_PAUSE.total_seconds())
                checked_at = None
                continue
            if verdict.status != "pending":
                return verdict
            awaited, patience = replace(awaited, ended_at=verdict.ended_at), Patience()
            progress.found(verdict.message, now(), self._next_check(awaited))

    async def _until_next_check(
        self, connection: SharedConnection, awaited: AwaitedTranscript, checked_at: datetime, progress: Progress
    ) -> None:
        if awaited.ended_at is None:
            await self._until_ended(connection, awaited, checked_at, progress)
        else:
            await asyncio.sleep((self._next_check(awaited) - now()).total_seconds())

    def _next_check(self, awaited: AwaitedTranscript) -> datetime:
        """Return the time of the next check; while its session runs, when the end of that is."""
        soonest = now() + timedelta(seconds=self.poll_interval)
        if awaited.ended_at is None:
            return soonest
        scheduled = next_check_at(awaited.session_id, awaited.ended_at, now(), awaited.give_up_after)
        return max(scheduled, soonest)

    async def _until_ended(
        self, connection: SharedConnection, awaited: AwaitedTranscript, checked_at: datetime, progress: Progress
    ) -> None:
        """Read the poll until the session has ended, or it is time to check it: no one may ever join it."""
        # A session that runs on after that time is not checked again and again.
        was_over = should_give_up(awaited.began_at, checked_at, awaited.give_up_after)
        session_id = awaited.session_id

        def failed(error: LessonspaceError) -> None:
            progress.failed(error, now())

        async with connection.ended_sessions(awaited.began_at, self.poll_interval) as poll:
            while True:
                result = await poll.next(failed)
                if session_id in result.ended.by_id or session_id in result.ended.unreadable or result.should_confirm:
                    return
                if not was_over and should_give_up(awaited.began_at, now(), awaited.give_up_after):
                    return
                progress.found(
                    f"Session {session_id} is not among those that have ended.", now(), self._next_check(awaited)
                )


async def _check(connection: SharedConnection, awaited: AwaitedTranscript) -> TranscriptVerdict:
    return await connection.call(lambda hook: awaited.check(hook, now()))
