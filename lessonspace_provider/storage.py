# SPDX-License-Identifier: Apache-2.0
"""Reads and writes whole files through ObjectStoragePath: a file is there with all of its content, or not at all."""

from __future__ import annotations

import errno
import fcntl
import filecmp
import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Concatenate, NamedTuple, ParamSpec, TypeVar
from uuid import uuid4

from fsspec import filesystem

from lessonspace_provider.destinations import LOCAL, check_store, destination_error, place_of
from lessonspace_provider.exceptions import LessonspaceError

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath
    from fsspec import AbstractFileSystem

_P = ParamSpec("_P")
_R = TypeVar("_R")

#: Protocols of stores that show an object when it has been put whole, and not before. Others may write in place.
_ATOMIC_PUT = ("s3", "s3a", "s3n", "gs", "gcs", "az", "abfs", "abfss", "adl", "oss", "memory")


def is_local(path: ObjectStoragePath) -> bool:
    """Whether a path lies on a disk of this machine."""
    return path.protocol in LOCAL


def _telling(
    function: Callable[Concatenate[ObjectStoragePath, _P], _R],
) -> Callable[Concatenate[ObjectStoragePath, _P], _R]:
    """Let the errors of a function's store say where it was, and what to do."""

    @wraps(function)
    def told(path: ObjectStoragePath, /, *args: _P.args, **kwargs: _P.kwargs) -> _R:
        try:
            return function(path, *args, **kwargs)
        except LessonspaceError:
            raise
        except Exception as error:
            if is_local(path) and not isinstance(error, OSError):  # raised by whoever gives the content
                raise
            failure = destination_error(path, error)
            # What a store's library has raised may hold a signed address, also further down its chain.
            cause = error if is_local(path) else None
        # Raised out here, or that error would be its context.
        raise failure from cause

    return told


class Written(NamedTuple):
    """What was written: how many bytes, and their SHA-256 as hexadecimal digits."""

    size: int
    sha256: str


@_telling
def write_whole(path: ObjectStoragePath, data: bytes) -> None:
    """
    Write a file, replacing the one that may be there.

    The content goes to a part file beside it, which then takes its name. On an object store it is one put, which the
    store itself makes atomic.

    :param path: where to; missing folders are made.
    :param data: all of the content.
    :raises LessonspaceDestinationError: when the store refuses; whatever was there before still is.
    """
    if is_local(path):
        _write_local(path, (data,))
    elif path.protocol in _ATOMIC_PUT:
        _filesystem(path).pipe_file(path.path, data)
    else:
        _write_and_move(_filesystem(path), path.path, data)


def write_pieces(path: ObjectStoragePath, pieces: Iterable[bytes]) -> Written:
    """
    Write a file as ``write_whole`` does, unless it is there and the same.

    :param pieces: the content, which on a local disk is never in memory as a whole.
    """
    if is_local(path):
        return _write_local(path, pieces)
    data = b"".join(pieces)
    if read_whole(path) != data:
        write_whole(path, data)
    return Written(len(data), hashlib.sha256(data).hexdigest())


@_telling
def read_whole(path: ObjectStoragePath) -> bytes | None:
    """
    Read a file.

    :param path: which one.
    :return: all of its content; None when it is not there.
    :raises LessonspaceDestinationError: when the store refuses.
    """
    try:
        data: bytes = _filesystem(path).cat_file(path.path)
    except OSError as error:
        if _says(error, errno.ENOENT):
            return None
        raise
    return data


@_telling
def names_in(folder: ObjectStoragePath) -> list[str]:
    """
    List the names of a folder's files.

    :param folder: which one.
    :return: the names in alphabetical order; none when the folder is not there.
    :raises LessonspaceDestinationError: when the store refuses.
    """
    store = _filesystem(folder)
    store.invalidate_cache()
    try:
        paths: list[str] = store.ls(folder.path, detail=False)
    except OSError as error:
        if _says(error, errno.ENOENT):
            return []
        raise
    return sorted(path.rstrip("/").rpartition("/")[2] for path in paths)


def _filesystem(path: ObjectStoragePath) -> AbstractFileSystem:
    try:
        return path.fs
    except ValueError:
        if place_of(path).conn_id is not None:
            check_store(path)
            raise
        # Airflow registers the stores of its providers only; fsspec has others, memory:// among them.
        return filesystem(path.protocol)


def _write_and_move(store: AbstractFileSystem, path: str, data: bytes) -> None:
    folder, _, name = path.rpartition("/")
    # There is no lock to write it alone, so each writer has a part file of its own; a killed one leaves it behind.
    own = f"{folder}/.{name}.{uuid4().hex[:8]}"
    part = f"{own}.part"
    store.makedirs(folder, exist_ok=True)
    try:
        store.pipe_file(part, data)
        _move_over(store, part, path, aside=f"{own}.old")
    except BaseException:
        with suppress(Exception):
            store.rm_file(part)
        raise


def _move_over(store: AbstractFileSystem, part: str, path: str, aside: str) -> None:
    """Give a part file the name of another, which steps aside where a store does not replace it (SMB, HDFS)."""
    if _moves(store, part, path):
        return
    store.mv(path, aside)
    try:
        if not _moves(store, part, path):
            raise FileExistsError(errno.EEXIST, "The store gives no part file this name", path)
    except BaseException:
        with suppress(Exception):
            store.mv(aside, path)
        raise
    with suppress(Exception):
        store.rm_file(aside)


def _moves(store: AbstractFileSystem, part: str, path: str) -> bool:
    """Move a part file, unless the store refuses to replace another; fsspec's WebHDFS does not say that it did."""
    try:
        store.mv(part, path)
    except OSError as error:
        if _says(error, errno.EEXIST):
            return False
        raise
    store.invalidate_cache()
    try:
        store.info(part)
    except OSError as error:
        if _says(error, errno.ENOENT):
            return True
        raise
    return False


def _says(error: OSError, code: int) -> bool:
    """Whether an error means this; SMB's have the number but not Python's class, others the class but no number."""
    return error.errno == code or isinstance(error, type(OSError(code, "")))


@_telling
def _write_local(path: ObjectStoragePath, pieces: Iterable[bytes]) -> Written:
    return _write_and_rename(Path(path.path), pieces)


def _write_and_rename(path: Path, pieces: Iterable[bytes]) -> Written:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    digest = hashlib.sha256()
    with _opened_alone(part) as file:
        try:
            file.truncate(0)
            for piece in pieces:
                digest.update(piece)
                file.write(piece)
            file.flush()
            filecmp.clear_cache()  # it takes files of the same size and time of change for those it has compared
            if path.exists() and filecmp.cmp(part, path, shallow=False):
                part.unlink()
            else:
                os.fsync(file.fileno())
                part.replace(path)
            return Written(file.tell(), digest.hexdigest())
        except BaseException:
            part.unlink(missing_ok=True)
            raise


@contextmanager
def _opened_alone(part: Path) -> Iterator[BinaryIO]:
    """
    Open a part file, after whoever else writes it at this moment.

    Its name is always the same, so that what a killed writer left behind becomes the next one's part file.
    """
    while True:
        with part.open("ab") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            if _is_still_at(part, file):
                yield file
                return


def _is_still_at(part: Path, file: BinaryIO) -> bool:
    """Whether the file was not given its final name while this process waited for it."""
    try:
        return os.path.samestat(part.stat(), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False
