# SPDX-License-Identifier: Apache-2.0
"""A retry policy for tasks, on Airflow 3.3 and newer: ``default_args={"retry_policy": LessonspaceRetryPolicy()}``."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from airflow.providers.common.compat.sdk import AirflowFailException

try:
    from airflow.sdk import RetryDecision, RetryPolicy
except ImportError as error:
    raise ImportError(
        "LessonspaceRetryPolicy needs Airflow 3.3 or newer, and this Airflow is older. Update Airflow, or remove the "
        "policy: the tasks then wait for their retry_delay."
    ) from error

from lessonspace_provider.exceptions import (
    LessonspaceAuthError,
    LessonspaceBadRequestError,
    LessonspaceError,
    LessonspaceInputError,
    LessonspaceNotFoundError,
    LessonspaceSettingRefusedError,
    LessonspaceTlsError,
)

if TYPE_CHECKING:
    from airflow.sdk import Context

#: A server that asks for a longer wait than this many seconds (a day) is not believed.
LONGEST_DELAY = 86_400.0

#: What a person has to correct first: a parameter, the connection, an id, a certificate, the plan.
NOT_RETRIED = (
    LessonspaceInputError,
    LessonspaceAuthError,
    LessonspaceNotFoundError,
    LessonspaceBadRequestError,
    LessonspaceTlsError,
    LessonspaceSettingRefusedError,
    AirflowFailException,  # LessonspaceWaitFailed
)

#: Statuses 4xx by which a server asks for the same request again: Request Timeout, Too Early.
RETRIED_STATUSES = (408, 425)


class LessonspaceRetryPolicy(RetryPolicy):
    """
    Retries a task at the server's time, and not at all when a retry can't help.

    A failure that names a ``retry_after`` is retried after so many seconds, or after the task's ``retry_delay`` when
    that is longer: a server asks for the shortest wait that makes sense, and an outage may last longer. It does not
    consider what ``retry_exponential_backoff`` makes of the delay. The errors in ``NOT_RETRIED``, and a redirect, fail
    the task at once: the next try would end the same way. Everything else is left to the task's own ``retries`` and
    ``retry_delay``. The number of ``retries`` holds in any case.
    """

    def evaluate(
        self,
        exception: BaseException,
        try_number: int,
        max_tries: int,
        context: Context | None = None,
    ) -> RetryDecision:
        """
        Decide about one failure.

        :param exception: what the task raised.
        :param try_number: not used.
        :param max_tries: not used.
        :param context: of the task, for its ``retry_delay``.
        :return: the decision.
        """
        if isinstance(exception, LessonspaceError) and _ends_the_same_way(exception):
            return RetryDecision.fail(f"A retry would end the same way ({exception.code}).")
        if isinstance(exception, LessonspaceError) and exception.retry_after is not None:
            asked = timedelta(seconds=min(exception.retry_after, LONGEST_DELAY))
            if context is None or asked > context["task"].retry_delay:
                return RetryDecision.retry(asked, f"Lessonspace asked to wait {asked.total_seconds():.0f} s.")
        return RetryDecision.default()


def _ends_the_same_way(error: LessonspaceError) -> bool:
    is_redirect = error.status is not None and 300 <= error.status < 400
    return is_redirect or (isinstance(error, NOT_RETRIED) and error.status not in RETRIED_STATUSES)
