# SPDX-License-Identifier: Apache-2.0
"""Keeps the kind of an error, and drops its text: it may hold a secret. Pure."""

from __future__ import annotations

from collections.abc import Callable

from lessonspace_provider.exceptions import LessonspaceError


class ErrorsReplaced:
    """
    Context in which another error is raised in place of one whose text, causes or variables may hold a secret.

    ``raise ... from None`` alone would keep the first error as the context of the second one.

    :param make: makes the error to raise from the one that was caught; it may use its kind, never its text.
    :param kinds: what is caught; a ``LessonspaceError`` never is.
    """

    def __init__(self, make: Callable[[Exception], Exception], *kinds: type[Exception]) -> None:
        self._make = make
        self._kinds = kinds

    def __enter__(self) -> None:
        """Begin the context."""

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        """Replace an error."""
        if isinstance(error, LessonspaceError) or not isinstance(error, self._kinds):
            return
        replacement = self._make(error)
        del error, trace  # or the traceback of the replacement would show them in this frame
        try:
            raise replacement from None
        except Exception:
            replacement.__context__ = None
            raise
