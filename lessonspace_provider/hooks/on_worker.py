# SPDX-License-Identifier: Apache-2.0
"""A hook that is made when it is first needed, for operators and sensors."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lessonspace_provider.hooks.lessonspace import LessonspaceHook

DEFAULT_CONN_ID = "lessonspace_default"


class HookOnWorker:
    """Gives operators and sensors their hook."""

    lessonspace_conn_id: str

    @cached_property
    def hook(self) -> LessonspaceHook:
        """The hook, made on the worker: importing an operator imports no HTTP client."""
        from lessonspace_provider.hooks.lessonspace import LessonspaceHook

        return LessonspaceHook(self.lessonspace_conn_id)
