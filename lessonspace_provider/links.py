# SPDX-License-Identifier: Apache-2.0
"""Links from a task in Airflow's UI to Lessonspace."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.providers.common.compat.sdk import BaseOperatorLink

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import BaseOperator
    from airflow.sdk.types import TaskInstanceKey


class LessonspaceSpaceLink(BaseOperatorLink):
    """Leads to the page of the space that a task launched. It lets no one in: it is no one's personal link."""

    name = "Open in Lessonspace"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """
        Give the link; Airflow asks on the worker, when the task has run, and keeps it for the UI.

        :param operator: the task that ran; its ``space_page`` is the address.
        :param ti_key: not used.
        :return: blank when the task did not come as far.
        """
        return getattr(operator, "space_page", None) or ""
