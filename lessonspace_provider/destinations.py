# SPDX-License-Identifier: Apache-2.0
"""Where files are to lie, checked before anything is asked for or written."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lessonspace_provider.parameters import refuse

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

    from lessonspace_provider.storage import is_local

    refused = refuse("destination", destination, allowed)
    if not isinstance(destination, (str, ObjectStoragePath)):
        raise refused
    # Looked at before Airflow does, since older ones make a relative path absolute.
    if isinstance(destination, str) and "://" not in destination and not Path(destination).is_absolute():
        raise refused
    try:
        place = ObjectStoragePath(destination)
    except ValueError:  # a store that nobody knows
        raise refused from None
    if is_local(place) and not Path(place.path).is_absolute():
        raise refused
    return place
