# SPDX-License-Identifier: Apache-2.0
"""Links from a task in Airflow's UI: to Lessonspace, and to the page of its archive."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlencode

from airflow import __version__ as airflow_version
from airflow.providers.common.compat.sdk import BaseOperatorLink

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import BaseOperator
    from airflow.sdk.types import TaskInstanceKey

#: Where the page of the archives is, below Airflow's base URL.
PAGE = "lessonspace"

#: Older versions of Airflow have no place for the page.
HAS_PAGE = not airflow_version.startswith("3.0.")


class LessonspaceSpaceLink(BaseOperatorLink):
    """Leads to the page of the space that a task launched. It is not a join link: it lets no one in."""

    name = "Open in Lessonspace"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """
        Return the link. Airflow calls this on the worker after the task, and stores the link for the UI.

        :param operator: the task that ran; its ``space_page`` is the address.
        :param ti_key: not used.
        :return: blank if the task ended before the launch.
        """
        return getattr(operator, "space_page", None) or ""


class LessonspaceArchiveHealthLink(BaseOperatorLink):
    """Leads from a run of the archive to its night on the page of the archives; needs Airflow 3.1."""

    name = "Archive health"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """
        Return the link. Airflow calls this on the worker after the task, and stores the link for the UI.

        :param operator: the task that ran; its ``health_page`` is the address.
        :param ti_key: not used.
        :return: relative to Airflow's base URL; blank if the task ended before the archive began.
        """
        address = getattr(operator, "health_page", None)
        return f"{PAGE}/{address}" if address and HAS_PAGE else ""


def health_query(place: str, night: str | None = None) -> str:
    """
    Write the address of an archive on its page, relative to the page.

    :param place: the archive's folder, with its connection and without credentials.
    :param night: ISO date; None for all nights.
    """
    fields = {"archive": place, **({"night": night} if night else {})}
    return f"?{urlencode(fields)}{'#night' if night else ''}"
