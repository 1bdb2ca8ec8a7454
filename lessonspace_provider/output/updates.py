# SPDX-License-Identifier: Apache-2.0
"""Rewrites a file by what is in it, so that of two runs at once neither undoes the other's update."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from lessonspace_provider._local_files import lock_within, make_folder
from lessonspace_provider.output.files import (
    etag_of,
    is_local,
    naming_place,
    read_whole,
    write_if_unchanged,
    write_whole,
)

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath

#: Protocols of stores with conditional writes, which have an ETag for each object.
_CONDITIONAL = ("s3", "s3a", "s3n")

#: Seconds to wait for another run's update on a local disk; each takes milliseconds.
LOCK_SECONDS = 10.0

#: Conditional writes before an update is written unconditionally: each failed one means that another run has written.
MOST_TRIES = 20


def update_whole(path: ObjectStoragePath, change: Callable[[bytes | None], bytes]) -> None:
    """
    Read a file, and write what a function makes of it.

    On local disks a lock on the folder, on S3 a conditional write keeps the updates of other runs. Stores with neither
    may lose an update that another run writes between the read and the write.

    :param path: which file; it is created when it is not there.
    :param change: takes the content, None when the file is not there, and returns the new one. It may be called again.
    :raises LessonspaceDestinationError: when the store refuses.
    """
    if is_local(path):
        with _locked(path):
            write_whole(path, change(read_whole(path)))
    elif path.protocol not in _CONDITIONAL or not _is_updated(path, change):
        write_whole(path, change(read_whole(path)))


def _is_updated(path: ObjectStoragePath, change: Callable[[bytes | None], bytes]) -> bool:
    """Write with a condition; False for a store that has none, and for one that refuses every write."""
    for _ in range(MOST_TRIES):
        etag = etag_of(path)  # before the content: a write between the two makes the condition fail
        if write_if_unchanged(path, change(read_whole(path)), etag):
            return True
        if etag_of(path) == etag:
            return False
    return False


@contextmanager
def _locked(path: ObjectStoragePath) -> Iterator[None]:
    """Lock a file's folder against other runs' updates; a disk without locks, or one held too long, is no error."""
    folder = _opened_folder(path)
    try:
        with suppress(OSError):
            lock_within(folder, LOCK_SECONDS)
        yield
    finally:
        os.close(folder)


@naming_place
def _opened_folder(path: ObjectStoragePath) -> int:
    folder = Path(path.path).parent
    make_folder(folder)
    return os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
