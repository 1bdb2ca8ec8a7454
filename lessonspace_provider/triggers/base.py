# SPDX-License-Identifier: Apache-2.0
"""What the triggers that fire one event have in common."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import AsyncIterator, Mapping
from typing import Any, Literal

from airflow.triggers.base import BaseTrigger, TriggerEvent

from lessonspace_provider.exceptions import LessonspaceError
from lessonspace_provider.triggers.serialization import serialized
from lessonspace_provider.triggers.shared_poll import as_lessonspace_error, now
from lessonspace_provider.waiting.awaited import check_interval, from_epoch
from lessonspace_provider.waiting.progress import Progress


class OneEventTrigger(BaseTrigger):
    """
    Waits, and fires one event: the result of the wait, its timeout or its error. Subclasses are dataclasses.

    ``timeout_at`` is in epoch seconds, None for never.
    """

    poll_interval: float
    timeout_at: float | None

    def __post_init__(self) -> None:
        """Refuse an interval that is too short."""
        super().__init__()  # type: ignore[no-untyped-call]  # Airflow's is untyped
        check_interval("poll_interval", self.poll_interval)

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Give what a triggerer needs to make this trigger again."""
        return serialized(self)

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait, and fire once."""
        progress = Progress(self.log)
        try:
            seconds_left = self._seconds_left()
            event = await asyncio.wait_for(self._result_or_error(progress), seconds_left)
        except asyncio.TimeoutError:
            event = self._event("timeout", None, str(progress))
        except LessonspaceError as error:  # of timeout_at itself
            event = self._event("error", type(error).__name__, str(error))
        yield TriggerEvent(event)

    async def _result_or_error(self, progress: Progress) -> Mapping[str, object]:
        try:
            return await self._result(progress)
        except Exception as error:
            known = as_lessonspace_error(error)
            return self._event("error", type(known).__name__, str(known))

    def _seconds_left(self) -> float | None:
        moment = from_epoch("timeout_at", self.timeout_at)
        return None if moment is None else max((moment - now()).total_seconds(), 0.0)

    @abstractmethod
    async def _result(self, progress: Progress) -> Mapping[str, object]:
        """
        Wait for the event.

        :param progress: takes what was found last.
        """

    @abstractmethod
    def _event(self, status: Literal["timeout", "error"], reason: str | None, message: str) -> Mapping[str, object]:
        """
        Make the event of a status.

        :param reason: the kind of the error.
        """
