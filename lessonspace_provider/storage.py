# SPDX-License-Identifier: Apache-2.0
"""Writes whole files through ObjectStoragePath: a file is there with all of its content, or not at all."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from fsspec import filesystem

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath
    from fsspec import AbstractFileSystem

#: Protocols of local disks, where a file in the making can be seen by others.
_LOCAL = ("", "file", "local")


def write_whole(path: ObjectStoragePath, data: bytes) -> None:
    """
    Write a file, replacing the one that may be there.

    On a local disk the content goes to a part file beside it, which then takes its name. On an object store
    it is one put, which the store itself makes atomic.

    :param path: where to; missing folders are made.
    :param data: all of the content.
    :raises OSError: when the store refuses; whatever was there before still is.
    """
    if path.protocol in _LOCAL:
        _write_and_rename(Path(path.path), data)
    else:
        _filesystem(path).pipe_file(path.path, data)


def _filesystem(path: ObjectStoragePath) -> AbstractFileSystem:
    try:
        return path.fs
    except ValueError:
        # Airflow registers the stores of its providers only; fsspec has others, memory:// among them.
        return filesystem(path.protocol)


def _write_and_rename(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{uuid4().hex}.part")
    try:
        with part.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
