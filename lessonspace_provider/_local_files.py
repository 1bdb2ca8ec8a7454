# SPDX-License-Identifier: Apache-2.0
"""
Files on a local disk that has other users, too.

Whole files may be in a folder that others can write to. What has a file's name already may be a link, a FIFO or another
user's file: it is never opened for writing, and no read or write waits for another process. Files that the processes of
one user share and lock are in a private folder, which belongs to that user and lets no one else in.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import re
import secrets
import stat
import time
from collections.abc import Iterable
from contextlib import suppress
from io import FileIO
from pathlib import Path
from typing import BinaryIO, NamedTuple

#: Bytes of the longest file that is read. A transcript has 256 MB at most, a manifest of 100,000 sessions 100 MB.
LONGEST_READ = 512 * 2**20

#: Seconds after which a part file belongs to no running task.
LEFTOVER_AGE = 24 * 3600.0

#: The longest pause between two attempts to lock a file, in seconds.
LOCK_INTERVAL = 0.02

_PART_NAME = re.compile(r"\.lessonspace-[0-9a-f]{16}\.part")
_CHUNK = 2**20

#: What a folder answers to fsync on a system that can't, or when it may not be listed.
_NO_FOLDER_SYNC = (errno.EINVAL, errno.ENOTSUP, errno.EACCES, errno.EPERM, errno.EBADF)

# Listing a folder for each of its files would take the square of their number.
_swept: set[Path] = set()


class NotPrivateError(PermissionError):
    """A folder or file that must be this user's alone is not; ``strerror`` has the reason."""


class Written(NamedTuple):
    """What was written: how many bytes, and their SHA-256 as hexadecimal digits."""

    size: int
    sha256: str


def write_file(path: Path, pieces: Iterable[bytes], mode: int = 0o666) -> Written:
    """
    Write a file, unless it is there, the same and this user's: whole, or not at all.

    The content goes to a new file in the same folder, with the rights that the umask leaves, which then takes the name.
    A link, a FIFO or a socket of that name is replaced, not followed or opened.

    :param path: missing folders are made.
    :param pieces: the content, which is never in memory as a whole.
    :param mode: of the file, from which the umask is taken off.
    :raises OSError: when it can't be written; whatever was there before still is.
    """
    make_folder(path.parent)
    part, file = _new_part(path.parent, mode)
    digest = hashlib.sha256()
    try:
        with file:
            _sweep(path.parent, os.fstat(file.fileno()))
            for piece in pieces:
                digest.update(piece)
                file.write(piece)
            file.flush()
            written = Written(file.tell(), digest.hexdigest())
            if _is_there(path, written, os.fstat(file.fileno())):
                part.unlink()
                return written
            os.fsync(file.fileno())
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)
    return written


def read_file(path: Path, longest: int = LONGEST_READ) -> bytes:
    """
    Read a file.

    :param path: which one.
    :param longest: bytes that it may have.
    :return: all of its content.
    :raises OSError: when it can't be read, is longer, is no regular file, or when another user's link leads there.
    """
    refuse_foreign_links(path)
    with _opened_to_read(path) as file:
        size = os.fstat(file.fileno()).st_size
        if size > longest:
            raise OSError(errno.EFBIG, too_long(size, longest))
        data = file.read(size + 1)
        if len(data) > size:
            raise OSError(errno.EAGAIN, "it grew while it was read")
    return data


def too_long(size: int, longest: int) -> str:
    """Give the words for a file of so many bytes that it is not read."""
    return f"it has {size} bytes, and at most {longest} are read"


def make_folder(path: Path) -> None:
    """
    Make a folder and those above it, where they are not there yet.

    :raises OSError: when it can't be made, or another user's link leads there.
    """
    with suppress(FileNotFoundError):  # as far as it is there
        refuse_foreign_links(path)
    path.mkdir(parents=True, exist_ok=True)
    refuse_foreign_links(path)


def refuse_foreign_links(path: Path) -> None:
    """
    Refuse a path that leads over another user's symbolic link; those of root and of a folder's owner are fine.

    :raises OSError: when it does, or is not there.
    """
    for step in (*reversed(path.parents), path):
        status = step.lstat()
        if stat.S_ISLNK(status.st_mode) and status.st_uid not in (0, os.geteuid(), step.parent.stat().st_uid):
            raise OSError(errno.ELOOP, f"{step} is a link that the user with id {status.st_uid} made")


def make_private_folder(path: Path) -> None:
    """
    Make a folder with mode 0700, or check the one that is there.

    :raises NotPrivateError: when another user made it or its link, or other users are let in.
    :raises OSError: when it can't be made.
    """
    with suppress(FileNotFoundError):  # as far as it is there
        refuse_foreign_links(path.parent)
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    _check_private(path)


def open_private_file(path: Path) -> FileIO:
    """
    Open a file that the processes of this user share, and make it and its folder when they are not there (any more).

    :param path: the file.
    :return: the file, open for reading and writing; neither a link is followed nor a child process inherits it.
    :raises NotPrivateError: see ``make_private_folder``.
    :raises OSError: when it can't be used.
    """
    try:
        return _opened_in_private(path)
    except FileNotFoundError:
        make_private_folder(path.parent)
        return _opened_in_private(path)


def lock_within(file: FileIO | int, seconds: float) -> None:
    """
    Lock a file that is locked for moments only.

    :param file: an open file, or the descriptor of a folder.
    :param seconds: how long to try; a process that was stopped may hold it for ever.
    :raises OSError: when it is still locked, or the disk knows no locks.
    """
    deadline, interval = time.monotonic() + seconds, 0.0005
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise OSError(errno.EBUSY, f"another process has locked it for {seconds:g} s") from None
        time.sleep(interval)
        interval = min(2 * interval, LOCK_INTERVAL)


def _check_private(folder: Path) -> None:
    link, status = folder.lstat(), folder.stat()
    if stat.S_ISLNK(link.st_mode) and link.st_uid not in (0, os.geteuid()):
        raise NotPrivateError(errno.EPERM, f"it is a link that the user with id {link.st_uid} made")
    if not stat.S_ISDIR(status.st_mode):
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
    if status.st_uid != os.geteuid():
        raise NotPrivateError(errno.EPERM, f"it belongs to the user with id {status.st_uid}, and not to this one")
    if status.st_mode & 0o077:
        raise NotPrivateError(errno.EPERM, f"its mode {stat.S_IMODE(status.st_mode):04o} lets other users in")


def _opened_in_private(path: Path) -> FileIO:
    _check_private(path.parent)
    file = FileIO(path, "r+", opener=_open_or_create)
    status = os.fstat(file.fileno())
    if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid():
        file.close()
        raise NotPrivateError(errno.EPERM, f"{path.name} in it is no regular file of this user's")
    return file


def _open_or_create(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK, 0o600)


def _opened_to_read(path: Path, flags: int = 0) -> BinaryIO:
    _refuse_irregular(path.stat())  # opening a device may do something
    # Without O_NONBLOCK, opening a FIFO waits for its writer.
    file = os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | flags), "rb")
    try:
        _refuse_irregular(os.fstat(file.fileno()))
    except OSError:
        file.close()
        raise
    return file


def _refuse_irregular(status: os.stat_result) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.ENXIO, "it is a FIFO, a socket or a device")


def _new_part(folder: Path, mode: int) -> tuple[Path, BinaryIO]:
    part = folder / f".lessonspace-{secrets.token_hex(8)}.part"
    # The kernel takes the umask off, and heeds the folder's default ACL, which fchmod would not.
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
    return part, os.fdopen(descriptor, "wb")


def _is_there(path: Path, written: Written, part: os.stat_result) -> bool:
    """Whether a file has this content already, is this user's, and no more open to others than a new one."""
    try:
        there = path.lstat()
        is_alike = stat.S_ISREG(there.st_mode) and (there.st_uid, there.st_size) == (part.st_uid, written.size)
        if not is_alike or there.st_mode & ~part.st_mode:
            return False
        with _opened_to_read(path, os.O_NOFOLLOW) as file:
            digest = hashlib.sha256()
            while piece := file.read(_CHUNK):
                digest.update(piece)
    except OSError:
        return False
    return digest.hexdigest() == written.sha256


def _sync_folder(folder: Path) -> None:
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        if error.errno not in _NO_FOLDER_SYNC:
            raise


def _sweep(folder: Path, part: os.stat_result) -> None:
    """
    Remove the part files that killed processes of this user have left, once per folder and process.

    :param part: a file that was just made there, whose times are those of the disk's own clock.
    """
    if folder in _swept:
        return
    _swept.add(folder)
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if _PART_NAME.fullmatch(entry.name):
                with suppress(OSError):
                    _remove_leftover(Path(entry.path), part)


def _remove_leftover(path: Path, part: os.stat_result) -> None:
    status = path.lstat()
    is_old = part.st_mtime - status.st_mtime > LEFTOVER_AGE
    if stat.S_ISREG(status.st_mode) and status.st_uid == part.st_uid and is_old:
        path.unlink()
