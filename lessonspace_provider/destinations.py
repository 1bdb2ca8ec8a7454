# SPDX-License-Identifier: Apache-2.0
"""Where files are to lie, checked before anything is asked for or written."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, cast

from lessonspace_provider.parameters import is_text, refuse

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath


def as_place(destination: object, allowed: str) -> ObjectStoragePath:
    """
    Check a file or a folder; a relative one would be wherever the worker happens to run.

    :param destination: text, or an ``ObjectStoragePath``.
    :param allowed: what would be right, as the end of "... must be".
    :raises LessonspaceInputError: for anything else, a relative path, and a store that nobody knows.
    """
    # On the worker only: what it imports is not needed to parse a DAG.
    from airflow.providers.common.compat.sdk import ObjectStoragePath

    with suppress(ValueError):  # a store that nobody knows
        # Looked at before Airflow does, since it makes a relative path absolute.
        if isinstance(destination, ObjectStoragePath) or _is_absolute(destination):
            return ObjectStoragePath(cast("str | ObjectStoragePath", destination))
    raise refuse("destination", destination, allowed)


def _is_absolute(text: object) -> bool:
    if not is_text(text) or "\0" in text:
        return False
    protocol, is_url, rest = text.partition("://")
    if not is_url:
        return text.startswith("/")
    if protocol not in ("", "file", "local"):
        return rest.strip("/") != ""
    host, _, _ = rest.partition("/")
    return protocol != "" and "/" in rest and host.rpartition("@")[2] == ""
