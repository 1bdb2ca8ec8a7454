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

#: The longest wait in seconds that a server can ask for: a day.
LONGEST_DELAY = 86_400.0

#: Errors that need a correction first: of a parameter, the connection, an id, a certificate or the plan.
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
    Retries a task when the server asks for it, and not at all if a retry can't help.

    If the server asked for a wait (``Retry-After``) that is longer than the task's ``retry_delay``, the task waits that
    long. The errors in ``NOT_RETRIED``, and redirects, fail the task at once, because a retry would end the same way.
    All other errors are retried as Airflow does without a policy. A task is never retried more often than its
    ``retries``.
    """

    def evaluate(
        self,
        exception: BaseException,
        try_number: int,
        max_tries: int,
        context: Context | None = None,
    ) -> RetryDecision:
        """
        Decide whether and when to retry one failure.

        :param exception: the task's exception.
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
