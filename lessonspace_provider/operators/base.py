# SPDX-License-Identifier: Apache-2.0
"""What all Lessonspace operators share: the connection's id, and a hook made when it is first needed."""

from __future__ import annotations

from typing import Any

from airflow.providers.common.compat.sdk import BaseOperator

from lessonspace_provider.hooks.on_worker import DEFAULT_CONN_ID, HookOnWorker


class LessonspaceOperator(HookOnWorker, BaseOperator):
    """
    Base of the operators.

    :param lessonspace_conn_id: the connection to use.
    """

    def __init__(self, *, lessonspace_conn_id: str = DEFAULT_CONN_ID, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.lessonspace_conn_id = lessonspace_conn_id
