# SPDX-License-Identifier: Apache-2.0
"""A retry policy for tasks, on Airflow 3.3 and newer: ``default_args={"retry_policy": LessonspaceRetryPolicy()}``."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from airflow.sdk import RetryDecision, RetryPolicy

from lessonspace_provider.exceptions import LessonspaceBadRequestError, LessonspaceError, LessonspaceInputError

if TYPE_CHECKING:
    from airflow.sdk import Context

#: A server that asks for a longer wait than this many seconds (a day) is not believed.
LONGEST_DELAY = 86_400.0


class LessonspaceRetryPolicy(RetryPolicy):
    """
    Retries a task when the server said, and not at all when a retry can't help.

    A failure that names a ``retry_after`` is retried after so many seconds, or after the task's ``retry_delay`` when
    that is longer: a server asks for the shortest wait that makes sense, and an outage may last longer. What
    ``retry_exponential_backoff`` makes of the delay is not looked at. A parameter or
    request that was refused fails the task at once; everything else is left to the task's own ``retries`` and
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
        if isinstance(exception, (LessonspaceInputError, LessonspaceBadRequestError)):
            return RetryDecision.fail("Lessonspace was asked something it refuses: a retry would ask the same.")
        if isinstance(exception, LessonspaceError) and exception.retry_after is not None:
            asked = timedelta(seconds=min(exception.retry_after, LONGEST_DELAY))
            if context is None or asked > context["task"].retry_delay:
                return RetryDecision.retry(asked, f"Lessonspace asked to wait {asked.total_seconds():.0f} s.")
        return RetryDecision.default()
