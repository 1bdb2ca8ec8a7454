# SPDX-License-Identifier: Apache-2.0
"""A sensor that waits for a transcript."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from lessonspace_provider.api.arguments import LONGEST_DURATION, as_duration, as_uuid
from lessonspace_provider.api.foreign_words import clean_message
from lessonspace_provider.sensors.base import Check, LessonspaceSensor, LessonspaceWaitFailed
from lessonspace_provider.waiting.awaited import DEFAULT_GIVE_UP_AFTER, AwaitedTranscript
from lessonspace_provider.waiting.transcripts import FIRST_PAUSE, LONGEST_PAUSE

if TYPE_CHECKING:
    from lessonspace_provider.triggers.transcripts import LessonspaceTranscriptTrigger


class LessonspaceTranscriptSensor(LessonspaceSensor):
    """
    Wait until the transcript of a session is ready.

    A deferred sensor checks about 5 minutes after the session's end, and doubles the interval up to 12 hours. Until the
    session ends, it shares the connection's poll. A sensor in another mode uses Airflow's backoff from 5 minutes to 12
    hours; if the session never exists, it waits until ``timeout``. If the session can't have a transcript (too short,
    one person only, not recorded), the wait ends at once. A launch without ``transcribe`` can't be seen in the session:
    that wait ends after ``give_up_after``.

    Guide: docs/how-to/wait.md#for-a-transcript

    :param session_id: the session's uuid. The session need not exist yet.
    :param give_up_after: how long after the session's end to wait; timedelta or seconds. ``timeout``, counted from the
        task's start, also ends the wait; its default is a day longer than ``give_up_after``.
    :return: the session's uuid.
    :raises LessonspaceWaitFailed: if there will be no transcript, with the reason, and for errors that no later check
        can fix. With ``soft_fail``, the task is skipped instead.
    """

    template_fields: Sequence[str] = ("lessonspace_conn_id", "session_id")

    def __init__(
        self,
        *,
        session_id: str,
        give_up_after: timedelta | float = DEFAULT_GIVE_UP_AFTER,
        poke_interval: timedelta | float = FIRST_PAUSE,
        max_wait: timedelta | float = LONGEST_PAUSE,
        exponential_backoff: bool = True,
        timeout: timedelta | float | None = None,
        **kwargs: Any,
    ) -> None:
        if timeout is None:
            timeout = min(as_duration("give_up_after", give_up_after) + timedelta(days=1), LONGEST_DURATION)
        super().__init__(
            poke_interval=poke_interval,
            max_wait=max_wait,
            exponential_backoff=exponential_backoff,
            timeout=timeout,
            **kwargs,
        )
        self.session_id = session_id
        self.give_up_after = give_up_after
        self._ended_at: datetime | None = None

    def check(self, now: datetime) -> Check:
        """Ask whether it is there."""
        awaited = self._awaited(now)
        verdict = awaited.check(self.hook, now)
        self._ended_at = verdict.ended_at
        if verdict.status in ("not_eligible", "given_up"):
            raise LessonspaceWaitFailed(verdict.message)
        return Check(verdict.message, awaited.session_id if verdict.status == "ready" else None)

    def _awaited(self, began_at: datetime) -> AwaitedTranscript:
        return replace(AwaitedTranscript.from_dict(vars(self), began_at), ended_at=self._ended_at)

    def awaited_name(self) -> str:
        """Name the session."""
        return f"the transcript of session {self.session_id}"

    def trigger(self, checked_at: datetime | None, timeout_at: float | None) -> LessonspaceTranscriptTrigger:
        """Make what waits in the triggerer."""
        from lessonspace_provider.triggers.transcripts import LessonspaceTranscriptTrigger

        awaited = self._awaited(checked_at or datetime.now(timezone.utc))
        return LessonspaceTranscriptTrigger(
            **{**awaited.to_dict(), "began_at": checked_at.timestamp() if checked_at else None},
            lessonspace_conn_id=self.lessonspace_conn_id,
            timeout_at=timeout_at,
        )

    def result_of(self, event: Mapping[str, Any]) -> str | None:
        """Read what the trigger fired."""
        if event.get("status") in ("not_eligible", "given_up"):
            raise LessonspaceWaitFailed(clean_message(event.get("message")))
        return as_uuid("session_id", self.session_id) if event.get("status") == "ready" else None
