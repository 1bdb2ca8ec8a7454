# SPDX-License-Identifier: Apache-2.0
"""Reads and writes whole files through ObjectStoragePath: a file is there with all of its content, or not at all."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Concatenate, ParamSpec, TypeVar
from uuid import uuid4

from fsspec import filesystem

from lessonspace_provider._local_files import (
    LONGEST_READ,
    Written,
    read_file,
    refuse_foreign_links,
    too_long,
    write_file,
)
from lessonspace_provider.exceptions import LessonspaceError
from lessonspace_provider.output.destinations import LOCAL, check_store, destination_error, place_of

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath
    from fsspec import AbstractFileSystem

_P = ParamSpec("_P")
_R = TypeVar("_R")

#: Protocols of stores that show an object when its PUT is complete, and not before. Others may write in place.
_ATOMIC_PUT = ("s3", "s3a", "s3n", "gs", "gcs", "az", "abfs", "abfss", "adl", "oss", "memory")


#: What stores call that which each write of a file changes: a digest, a version, a time, or a number of the file.
_CHANGED_BY_A_WRITE = (
    "ETag",
    "etag",
    "generation",
    "md5Hash",
    "LastModified",
    "last_modified",
    "updated",
    "modificationTime",
    "mtime",
    "created",
    "ino",
)


def is_local(path: ObjectStoragePath) -> bool:
    """Whether a path is on a disk of this machine."""
    return path.protocol in LOCAL


def naming_place(
    function: Callable[Concatenate[ObjectStoragePath, _P], _R],
) -> Callable[Concatenate[ObjectStoragePath, _P], _R]:
    """Let the errors of a function's store name the place, and what to do."""

    @wraps(function)
    def named(path: ObjectStoragePath, /, *args: _P.args, **kwargs: _P.kwargs) -> _R:
        try:
            return function(path, *args, **kwargs)
        except LessonspaceError:
            raise
        except Exception as error:
            if is_local(path) and not isinstance(error, OSError):  # raised by what makes the content
                raise
            failure = destination_error(path, error)
            # What a store's library has raised may hold a signed address, also further down its chain.
            cause = error if is_local(path) else None
        # Raised out here, or that error would be its context.
        raise failure from cause

    return named


@naming_place
def write_whole(path: ObjectStoragePath, data: bytes) -> None:
    """
    Write a file, replacing the one that may be there.

    Writes are atomic: one PUT on object stores, write and rename elsewhere; see ``_local_files`` for local disks.

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


@naming_place
def etag_of(path: ObjectStoragePath) -> str | None:
    """
    Read the ETag of an object on S3.

    :return: None when the object is not there.
    :raises LessonspaceDestinationError: when the store refuses.
    """
    store = _filesystem(path)
    store.invalidate_cache()
    try:
        return str(store.info(path.path).get("ETag"))
    except FileNotFoundError:
        return None


def write_if_unchanged(path: ObjectStoragePath, data: bytes, etag: str | None) -> bool:
    """
    Write an object on S3 if it was not written since.

    :param data: all of the content.
    :param etag: the ETag that the object had, None for no object.
    :return: whether it was written.
    """
    condition = {"IfNoneMatch": "*"} if etag is None else {"IfMatch": etag}
    try:
        # In one request, however large: s3fs drops the condition from an upload in parts.
        _filesystem(path).pipe_file(path.path, data, chunksize=max(len(data), 1), **condition)
    except OSError:
        return False
    return True


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


@naming_place
def _write_local(path: ObjectStoragePath, pieces: Iterable[bytes]) -> Written:
    return write_file(Path(path.path), pieces)


@naming_place
def read_whole(path: ObjectStoragePath) -> bytes | None:
    """
    Read a file.

    :param path: which one.
    :return: all of its content; None when it is not there.
    :raises LessonspaceDestinationError: when the store refuses, or the file has more bytes than ``LONGEST_READ``.
    """
    try:
        return read_file(Path(path.path)) if is_local(path) else _read_from_store(path)
    except OSError as error:
        if _has_code(error, errno.ENOENT):
            return None
        raise


def _read_from_store(path: ObjectStoragePath) -> bytes:
    store = _filesystem(path)
    store.invalidate_cache()  # another process may have written the file since its folder was listed
    size = store.info(path.path).get("size")
    if size is not None and size > LONGEST_READ:
        raise OSError(errno.EFBIG, too_long(size, LONGEST_READ))
    data: bytes = store.cat_file(path.path)
    return data


def read_many(files: Sequence[tuple[ObjectStoragePath, int]]) -> list[bytes | None]:
    """
    Read files of one store, on an object store all at the same time.

    :param files: the path of each, and how many bytes it has.
    :return: their contents in the same order; None for a file that is not there. Of a file that is longer, at most one
        byte more is read from a store.
    :raises LessonspaceDestinationError: when the store refuses.
    """
    if not files or is_local(files[0][0]):
        return [read_whole(path) for path, _ in files]
    ranges = _read_ranges(files[0][0], [path.path for path, _ in files], [size + 1 for _, size in files])
    # Stores refuse a range of an object without a byte. What else is wrong with a file shows here as well.
    return [found if isinstance(found, bytes) else read_whole(path) for found, (path, _) in zip(ranges, files)]


@naming_place
def _read_ranges(first: ObjectStoragePath, paths: list[str], ends: list[int]) -> list[bytes | Exception]:
    store = _filesystem(first)
    store.invalidate_cache()
    read: list[bytes | Exception] = store.cat_ranges(paths, [0] * len(paths), ends, on_error="return")
    return read


def names_in(folder: ObjectStoragePath) -> list[str]:
    """
    List the names of a folder's files.

    :param folder: which one.
    :return: the names in alphabetical order; none when the folder is not there.
    :raises LessonspaceDestinationError: when the store refuses.
    """
    return sorted(fingerprints_in(folder))


@naming_place
def fingerprints_in(folder: ObjectStoragePath) -> dict[str, str | None]:
    """
    List a folder's files with what shows whether they were written again, in one request of the store.

    :param folder: which one.
    :return: by each file's name a text that another write of the file changes; None where the store gives nothing of
        the kind. Empty when the folder is not there.
    :raises LessonspaceDestinationError: when the store refuses.
    """
    store = _filesystem(folder)
    store.invalidate_cache()
    try:
        listed: list[dict[str, object]] = store.ls(folder.path, detail=True)
    except OSError as error:
        if _has_code(error, errno.ENOENT):
            return {}
        raise
    return {str(info["name"]).rstrip("/").rpartition("/")[2]: _fingerprint(info) for info in listed}


@naming_place
def files_below(folder: ObjectStoragePath) -> dict[str, str | None]:
    """
    List all files below a folder, in its folders, too.

    :param folder: which one.
    :return: by each file's path below the folder what ``fingerprints_in`` gives. Empty when the folder is not there.
    :raises LessonspaceDestinationError: when the store refuses.
    """
    store, root = _filesystem(folder), folder.path.rstrip("/") + "/"
    store.invalidate_cache()
    try:
        found: dict[str, dict[str, object]] = store.find(root, detail=True)
    except OSError as error:
        if _has_code(error, errno.ENOENT):
            return {}
        raise
    # A store may name its objects with or without a slash before the bucket.
    begin = root.lstrip("/")
    listed = ((str(path).lstrip("/"), info) for path, info in found.items())
    # The folder's own placeholder, as tools of S3 write it, is none of its files.
    below = ((path[len(begin) :], info) for path, info in sorted(listed) if path.startswith(begin))
    return {path: _fingerprint(info) for path, info in below if path}


def _fingerprint(info: Mapping[str, object]) -> str | None:
    found = [f"{field}={info[field]}" for field in _CHANGED_BY_A_WRITE if info.get(field) is not None]
    return " ".join([f"size={info.get('size')}", *found]) if found else None


def is_link(path: ObjectStoragePath) -> bool:
    """Whether a path on a local disk is a symbolic link."""
    return is_local(path) and Path(path.path).is_symlink()


def is_too_long(path: ObjectStoragePath) -> bool:
    """Whether a file has more bytes than are read."""
    try:
        size = _filesystem(path).info(path.path).get("size")
    except Exception:  # whatever a store's client raises
        return False
    return size is not None and size > LONGEST_READ


def folders_below(folder: ObjectStoragePath) -> list[str]:
    """List the folders below a folder on a local disk, the deepest first; other stores have none."""
    if not is_local(folder):
        return []
    root = Path(folder.path)
    return [str(Path(path).relative_to(root)) for path, _, _ in os.walk(root, topdown=False) if Path(path) != root]


def remove_if_empty(folder: ObjectStoragePath) -> bool:
    """Remove a folder on a local disk if it is empty; return whether it was."""
    try:
        if not is_local(folder):
            return False
        Path(folder.path).rmdir()
    except OSError:
        return False
    return True


def remove_files(paths: Sequence[ObjectStoragePath]) -> None:
    """
    Remove files of one store; one that is not there is fine.

    :param paths: all in the same folder.
    :raises LessonspaceDestinationError: when the store refuses.
    """
    if paths:
        _remove(paths[0], [path.path for path in paths])


@naming_place
def _remove(first: ObjectStoragePath, paths: list[str]) -> None:
    if is_local(first):
        with suppress(FileNotFoundError):
            refuse_foreign_links(Path(first.path).parent)
        for path in paths:
            Path(path).unlink(missing_ok=True)
        return
    try:
        _filesystem(first).rm(paths)
    except OSError as error:
        if not _has_code(error, errno.ENOENT):
            raise


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
    """Move a part file, unless the store refuses to replace another; fsspec's WebHDFS does not report that it did."""
    try:
        store.mv(part, path)
    except OSError as error:
        if _has_code(error, errno.EEXIST):
            return False
        raise
    store.invalidate_cache()
    try:
        store.info(part)
    except OSError as error:
        if _has_code(error, errno.ENOENT):
            return True
        raise
    return False


def _has_code(error: OSError, code: int) -> bool:
    """Whether an error means this; SMB's have the number but not Python's class, others the class but no number."""
    return error.errno == code or isinstance(error, type(OSError(code, "")))
