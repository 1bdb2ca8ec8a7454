# SPDX-License-Identifier: Apache-2.0
"""What all Lessonspace sensors share: poked, rescheduled or deferred, they check and end the same way."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from airflow.providers.common.compat.sdk import (
    AirflowFailException,
    AirflowSensorTimeout,
    AirflowSkipException,
    AirflowTaskTimeout,
    BaseSensorOperator,
    PokeReturnValue,
    conf,
)

from lessonspace_provider import exceptions
from lessonspace_provider.api.arguments import as_flag, as_margin
from lessonspace_provider.api.foreign_words import clean_message, clean_words
from lessonspace_provider.exceptions import PASSING_ERRORS, LessonspaceError, LessonspaceInputError
from lessonspace_provider.hooks.on_worker import DEFAULT_CONN_ID, HookOnWorker
from lessonspace_provider.triggers.time_limits import NO_REPORT, deferral_timeout, ended_without_report, report_time
from lessonspace_provider.waiting.awaited import DEFAULT_INTERVAL, asked_with, check_interval
from lessonspace_provider.waiting.progress import Progress

if TYPE_CHECKING:
    from airflow.sdk import Context
    from airflow.triggers.base import BaseTrigger


class LessonspaceWaitFailed(LessonspaceError, AirflowFailException):  # noqa: N818 - Airflow's own naming
    """
    The wait can't succeed any more, and a retry would not change that.

    It is also an ``AirflowFailException``, so that ``soft_fail`` and ``never_fail`` apply.
    """

    code = "wait_failed"


@dataclass(frozen=True)
class Check:
    """
    What one check found.

    :param message: one sentence for the log.
    :param result: the task's result; None as long as there is something to wait for.
    """

    message: str
    result: object | None = None


def _is_outage(reason: object) -> bool:
    """Whether an error, whose kind an event names, may be over at the next try."""
    kind = vars(exceptions).get(reason) if isinstance(reason, str) else None
    return isinstance(kind, type) and issubclass(kind, PASSING_ERRORS)


class LessonspaceSensor(HookOnWorker, BaseSensorOperator):
    """
    Base of the sensors.

    :param lessonspace_conn_id: the connection to use.
    :param deferrable: wait in the triggerer, without a worker slot; default ``[operators] default_deferrable`` of
        Airflow's configuration. The first check always runs on the worker. A deferred sensor ends at ``timeout`` or
        ``execution_timeout``, whichever comes first.
    :param poke_interval: seconds between two checks, or timedelta; at least 5 s.
    :param timeout: seconds or timedelta; None: ``[sensors] default_timeout`` of Airflow's configuration.
    :param max_wait: the longest pause between two checks with ``exponential_backoff``; None: no limit.
    """

    def __init__(
        self,
        *,
        lessonspace_conn_id: str = DEFAULT_CONN_ID,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        poke_interval: timedelta | float = DEFAULT_INTERVAL,
        timeout: timedelta | float | None = None,
        max_wait: timedelta | float | None = None,
        **kwargs: Any,
    ) -> None:
        if timeout is None:  # which Airflow itself takes from 3.3 on only
            timeout = conf.getfloat("sensors", "default_timeout")
        super().__init__(
            poke_interval=as_margin("poke_interval", poke_interval),
            timeout=as_margin("timeout", timeout),
            max_wait=None if max_wait is None else as_margin("max_wait", max_wait),
            **kwargs,
        )
        check_interval("poke_interval", self.poke_interval)
        self.lessonspace_conn_id = lessonspace_conn_id
        self.deferrable = as_flag("deferrable", deferrable)
        self._checked_at: datetime | None = None

    @abstractmethod
    def check(self, now: datetime) -> Check:
        """
        Ask once.

        :param now: aware.
        :raises LessonspaceWaitFailed: when there is nothing to wait for any more.
        """

    @abstractmethod
    def trigger(self, checked_at: datetime | None, timeout_at: float | None) -> BaseTrigger:
        """
        Make what waits in the triggerer.

        :param checked_at: when it was found that there is something to wait for, aware; None when that check failed.
        :param timeout_at: epoch seconds at which it is to report that the time is up.
        """

    @abstractmethod
    def result_of(self, event: Mapping[str, Any]) -> object | None:
        """
        Read what the trigger fired.

        :return: the result; None for an event that is none of this sensor's.
        :raises LessonspaceWaitFailed: when there is nothing to wait for any more.
        """

    @abstractmethod
    def awaited_name(self) -> str:
        """Name what is waited for, for messages."""

    def execute(self, context: Context) -> object:
        """Wait, in the way of ``deferrable`` and ``mode``."""
        began = time.monotonic()
        with self._soft_failures():
            if not self.deferrable:
                return super().execute(context)
            result = self._first_check()
        if result is None:
            timeout = deferral_timeout(self.timeout, self.execution_timeout, time.monotonic() - began)
            timeout_at = report_time(timeout, datetime.now(timezone.utc))
            self.defer(
                trigger=self.trigger(self._checked_at, timeout_at), method_name="execute_complete", timeout=timeout
            )
        return result

    def poke(self, context: Context) -> PokeReturnValue:
        """Ask once."""
        result = self._patient_check()
        return PokeReturnValue(is_done=result is not None, xcom_value=result)

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> object:
        """Come back from the triggerer."""
        with self._soft_failures():
            if ended_without_report(next_method, next_kwargs):
                raise self._timed_out(NO_REPORT)
            return super().resume_execution(next_method, next_kwargs, context)

    def execute_complete(self, context: Context, event: Mapping[str, Any]) -> object:
        """Take what the trigger fired."""
        if event.get("status") == "timeout":
            raise self._timed_out(clean_message(event.get("message")))
        if event.get("status") == "error":
            reason = event.get("reason")
            message = f"{clean_message(event.get('message'))} ({clean_words(reason)} in the triggerer)"
            if _is_outage(reason):
                raise LessonspaceError(message)
            raise LessonspaceWaitFailed(message)
        result = self.result_of(event)
        if result is None:
            status = clean_words(event.get("status"))
            raise LessonspaceWaitFailed(
                f"The trigger fired an event that this version does not know (status {status!r}): restart the "
                f"triggerer, so that it has the same version as the workers, and clear the task."
            )
        self.log.info("%s", clean_message(event.get("message")))
        return result

    @cached_property
    def _progress(self) -> Progress:
        return Progress(self.log)

    def _first_check(self) -> object | None:
        """Check as Airflow's loop of pokes does: ``never_fail`` skips the task for errors of any kind."""
        try:
            return self._patient_check()
        except AirflowSkipException:
            raise
        except Exception as error:
            if not self.never_fail:
                raise
            reason = str(error)
        raise cast("Exception", AirflowSkipException(f"Skipped because of never_fail: {reason}"))

    def _patient_check(self) -> object | None:
        now = datetime.now(timezone.utc)
        try:
            check = self.check(now)
        except (LessonspaceWaitFailed, LessonspaceInputError):
            raise
        except PASSING_ERRORS as error:
            self._progress.failed(error, now)
            return None
        except LessonspaceError as error:
            failure = LessonspaceWaitFailed(str(error), status=error.status, method=error.method, path=error.path)
        else:
            self._checked_at = now
            if check.result is None:
                self._progress.found(check.message, now, self._next_check(now))
            else:
                self.log.info("%s", check.message)
            return check.result
        raise failure

    def _next_check(self, now: datetime) -> datetime | None:
        """Give the time of the next check; Airflow's own backoff is not known here."""
        if self.exponential_backoff or self.deferrable:
            return None
        return now + timedelta(seconds=self.poke_interval)

    def _timed_out(self, found: str) -> BaseException:
        """Make the exception that a poked sensor would end with: a task that timed out has its retries."""
        limit = self.execution_timeout
        if limit is not None and limit.total_seconds() <= self.timeout:
            return AirflowTaskTimeout(f"Timed out after {limit} (execution_timeout). {found}")
        return cast("Exception", AirflowSensorTimeout(f"Timed out after {self.timeout:g} s (timeout). {found}"))

    @contextmanager
    def _soft_failures(self) -> Iterator[None]:
        """Let ``soft_fail`` and ``never_fail`` mean the same in every mode, and on every version of Airflow."""
        soft = self.soft_fail or self.never_fail
        try:
            yield
        except AirflowSkipException as error:
            if error.__cause__ is None:
                raise
            failure = error.__cause__  # Airflow's own text only names soft_fail
        except AirflowFailException as error:
            if not soft:
                raise
            failure = error
        except (AirflowSensorTimeout, AirflowTaskTimeout) as error:
            failure = error
        else:
            return
        is_timeout = isinstance(failure, (AirflowSensorTimeout, AirflowTaskTimeout))
        reason = self._about_timeout(str(failure)) if is_timeout else str(failure)
        if not soft:
            raise type(failure)(reason)
        raise cast("Exception", AirflowSkipException(f"Skipped because of soft_fail or never_fail: {reason}"))

    def _about_timeout(self, ended: str) -> str:
        """Add for what it was waited, where, and what was found last: Airflow's own texts have none of it."""
        found = f" {self._progress}" if self._progress.checks else ""
        waited_for = f"It waited for {self.awaited_name()}."
        return asked_with(self.lessonspace_conn_id, f"{ended.rstrip('.')}. {waited_for}{found}")
