# SPDX-License-Identifier: Apache-2.0
"""Reads the files that a manifest records, if they are as they were written."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from lessonspace_provider.output.destinations import join_below
from lessonspace_provider.output.files import read_whole

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath

    from lessonspace_provider.archive.schema import ManifestFile


def content_of(destination: ObjectStoragePath, file: ManifestFile) -> bytes | None:
    """
    Read a recorded file.

    :param destination: the archive's folder.
    :param file: as the manifest records it.
    :return: its content; None when it is not there, or has changed since it was written.
    :raises LessonspaceDestinationError: when the store refuses.
    """
    data = read_whole(join_below(destination, file["path"]))
    return data if data is not None and is_whole(data, file) else None


def is_whole(data: bytes, file: ManifestFile) -> bool:
    """Whether a file's content is as it was written."""
    return len(data) == file["size"] and hashlib.sha256(data).hexdigest() == file["sha256"]
