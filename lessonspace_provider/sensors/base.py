# SPDX-License-Identifier: Apache-2.0
"""What all Lessonspace sensors share: poked, rescheduled or deferred, they ask and end the same way."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, cast

from airflow.providers.common.compat.sdk import (
    AirflowFailException,
    AirflowSensorTimeout,
    AirflowSkipException,
    BaseSensorOperator,
    PokeReturnValue,
    conf,
)

from lessonspace_provider.exceptions import PASSING_ERRORS, LessonspaceError, LessonspaceInputError
from lessonspace_provider.foreign_words import clean_message, clean_words
from lessonspace_provider.hooks.on_worker import DEFAULT_CONN_ID, HookOnWorker
from lessonspace_provider.parameters import as_margin
from lessonspace_provider.waiting import DEFAULT_INTERVAL, asked_with, check_interval

if TYPE_CHECKING:
    from airflow.sdk import Context
    from airflow.triggers.base import BaseTrigger


class LessonspaceWaitFailed(LessonspaceError, AirflowFailException):  # noqa: N818 - Airflow's own naming
    """
    There is nothing to wait for any more, and a retry would not change that.

    Airflow's sensors heed ``soft_fail`` and ``never_fail`` only for exceptions of its own.
    """


class LessonspaceSensor(HookOnWorker, BaseSensorOperator):
    """
    Base of the sensors.

    :param lessonspace_conn_id: the connection to use.
    :param deferrable: wait in the triggerer, which takes no worker slot; by default as the configuration
        ``[operators] default_deferrable`` says. The first look is made on the worker in any case.
    :param poke_interval: seconds between two looks, or timedelta, at least 5 s.
    :param timeout: as for any sensor of Airflow, seconds or timedelta; None is what Airflow is configured to.
    :param max_wait: likewise, of ``poke_interval`` with ``exponential_backoff``; None is no limit.
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
        self.deferrable = deferrable
        self._looked_at: datetime | None = None

    @abstractmethod
    def look(self, now: datetime) -> object | None:
        """
        Ask once.

        :param now: aware.
        :return: the result, or None as long as there is something to wait for.
        :raises LessonspaceWaitFailed: when there is not.
        """

    @abstractmethod
    def trigger(self, looked_at: datetime | None) -> BaseTrigger:
        """
        Make what waits in the triggerer.

        :param looked_at: when it was found that there is something to wait for, aware; None when that look failed.
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
        """Wait, in the way that ``deferrable`` and ``mode`` say."""
        with self._soft_failures():
            if not self.deferrable:
                return super().execute(context)
            result = self._first_look()
        if result is None:
            self.defer(
                trigger=self.trigger(self._looked_at),
                method_name="execute_complete",
                timeout=timedelta(seconds=self.timeout),
            )
        return result

    def poke(self, context: Context) -> PokeReturnValue:
        """Ask once."""
        result = self._patient_look()
        return PokeReturnValue(is_done=result is not None, xcom_value=result)

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> object:
        """Come back from the triggerer."""
        with self._soft_failures():
            return super().resume_execution(next_method, next_kwargs, context)

    def execute_complete(self, context: Context, event: Mapping[str, Any]) -> object:
        """Take what the trigger fired."""
        if event.get("status") == "error":
            reason = event.get("reason")
            message = f"{clean_message(event.get('message'))} ({clean_words(reason)} in the triggerer)"
            if reason in [kind.__name__ for kind in PASSING_ERRORS]:
                raise LessonspaceError(message)  # an outage may be over at the next try
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

    def _first_look(self) -> object | None:
        """Look as Airflow's loop of pokes does: ``never_fail`` skips the task for errors of any kind."""
        try:
            return self._patient_look()
        except AirflowSkipException:
            raise
        except Exception as error:
            if not self.never_fail:
                raise
            reason = str(error)
        raise cast("Exception", AirflowSkipException(f"Skipped, as never_fail says: {reason}"))

    def _patient_look(self) -> object | None:
        now = datetime.now(timezone.utc)
        try:
            result = self.look(now)
        except (LessonspaceWaitFailed, LessonspaceInputError):
            raise
        except PASSING_ERRORS as error:
            self.log.warning("This look failed, the next one may not: %s", error)
            return None
        except LessonspaceError as error:
            failure = LessonspaceWaitFailed(str(error), status=error.status, method=error.method, path=error.path)
        else:
            self._looked_at = now
            return result
        raise failure

    @contextmanager
    def _soft_failures(self) -> Iterator[None]:
        """Let ``soft_fail`` and ``never_fail`` mean the same in every mode, and on every version of Airflow."""
        soft = self.soft_fail or self.never_fail
        try:
            yield
        except AirflowFailException as error:
            if not soft:
                raise
            reason = str(error)
        except AirflowSensorTimeout as error:
            ended = str(error).rstrip(".")
            reason = asked_with(self.lessonspace_conn_id, f"{ended}. It waited for {self.awaited_name()}.")
        else:
            return
        if not soft:
            raise AirflowSensorTimeout(reason)  # Airflow's own says neither for what nor where
        raise cast("Exception", AirflowSkipException(f"Skipped, as soft_fail or never_fail says: {reason}"))
