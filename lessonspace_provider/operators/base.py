# SPDX-License-Identifier: Apache-2.0
"""What all Lessonspace operators share: the connection's id, and a hook made when it is first needed."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseOperator

if TYPE_CHECKING:
    from lessonspace_provider.hooks.lessonspace import LessonspaceHook

DEFAULT_CONN_ID = "lessonspace_default"


class LessonspaceOperator(BaseOperator):
    """
    Base of the operators.

    :param lessonspace_conn_id: the connection to use.
    """

    def __init__(self, *, lessonspace_conn_id: str = DEFAULT_CONN_ID, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.lessonspace_conn_id = lessonspace_conn_id

    @cached_property
    def hook(self) -> LessonspaceHook:
        """The hook, made on the worker: importing an operator imports no HTTP client."""
        from lessonspace_provider.hooks.lessonspace import LessonspaceHook

        return LessonspaceHook(self.lessonspace_conn_id)
