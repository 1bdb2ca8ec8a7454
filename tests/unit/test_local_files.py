# SPDX-License-Identifier: Apache-2.0
"""Files in a folder in which others may write: whatever has the name already."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import socket
import stat
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from lessonspace_provider import _local_files as local_files
from lessonspace_provider._local_files import LEFTOVER_AGE, read_file, write_file
from tests.users import ANOTHER_USER, NEEDS_ROOT


@pytest.fixture(autouse=True)
def _sweep_again(monkeypatch):
    monkeypatch.setattr(local_files, "_swept", set())


@contextmanager
def umask(mask):
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


def promptly(call):
    """Call a function that must not wait for another process, and give what it returned or raised."""
    outcome = []

    def run():
        try:
            outcome.append(call())
        except OSError as error:
            outcome.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(30)
    assert not thread.is_alive(), "it waits without end"
    return outcome[0]


def mode(path):
    return stat.S_IMODE(path.lstat().st_mode)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def make_fifo(path, _):
    os.mkfifo(path)


def make_socket(path, _):
    with socket.socket(socket.AF_UNIX) as server:
        before = Path.cwd()
        os.chdir(path.parent)  # a socket's path has 107 bytes at most
        try:
            server.bind(path.name)
        finally:
            os.chdir(before)


def link_to_file(path, target):
    target.write_bytes(b"victim")
    path.symlink_to(target)


def link_to_folder(path, target):
    target.mkdir()
    path.symlink_to(target)


def link_to_fifo(path, target):
    os.mkfifo(target)
    path.symlink_to(target)


def link_to_nothing(path, target):
    path.symlink_to(target)


def hard_link(path, target):
    target.write_bytes(b"victim")
    os.link(target, path)


def file_open_to_all(path, _):
    path.write_bytes(b"longer than the new one")
    path.chmod(0o666)


IN_THE_WAY = [
    make_fifo,
    make_socket,
    link_to_file,
    link_to_folder,
    link_to_fifo,
    link_to_nothing,
    hard_link,
    file_open_to_all,
]


@pytest.mark.parametrize("put", IN_THE_WAY)
def test_write_replaces_what_has_the_name_and_opens_nothing(tmp_path, put):
    path, target = tmp_path / "folder" / "y.json", tmp_path / "target"
    path.parent.mkdir()
    put(path, target)
    with umask(0o077):
        assert promptly(lambda: write_file(path, [b"one", b"other"])).size == 8
    assert path.read_bytes() == b"oneother"
    assert not path.is_symlink()
    assert mode(path) == 0o600
    assert names(path.parent) == ["y.json"]
    if target.is_file():
        assert target.read_bytes() == b"victim"


@pytest.mark.parametrize("put", IN_THE_WAY)
def test_write_does_not_touch_a_predictable_part_file(tmp_path, put):
    path, part = tmp_path / "y.json", tmp_path / ".y.json.part"
    put(part, tmp_path / "target")
    before = part.lstat()
    with umask(0o077):
        promptly(lambda: write_file(path, [b"new"]))
    assert mode(path) == 0o600
    assert (part.lstat().st_ino, part.lstat().st_size) == (before.st_ino, before.st_size)


def test_write_over_a_folder_fails_and_leaves_it(tmp_path):
    (tmp_path / "y.json").mkdir()
    with pytest.raises(IsADirectoryError):
        write_file(tmp_path / "y.json", [b"new"])
    assert names(tmp_path) == ["y.json"]


def test_write_and_read_do_not_wait_for_a_lock(tmp_path):
    path = tmp_path / "y.json"
    path.write_bytes(b"old")
    with path.open("r+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        fcntl.lockf(file, fcntl.LOCK_EX)
        assert promptly(lambda: read_file(path)) == b"old"
        promptly(lambda: write_file(path, [b"new"]))
    assert path.read_bytes() == b"new"


@pytest.mark.parametrize(("mask", "expected"), [(0o077, 0o600), (0o027, 0o640), (0o022, 0o644), (0, 0o666)])
def test_new_file_has_the_rights_that_the_umask_leaves(tmp_path, mask, expected):
    with umask(mask):
        write_file(tmp_path / "y.json", [b"new"])
    assert mode(tmp_path / "y.json") == expected


def test_same_content_that_is_open_to_more_users_is_written_again(tmp_path):
    path = tmp_path / "y.json"
    path.write_bytes(b"same")
    path.chmod(0o666)
    with umask(0o077):
        write_file(path, [b"same"])
    assert mode(path) == 0o600


def test_same_content_that_is_open_to_fewer_users_stays(tmp_path):
    path = tmp_path / "y.json"
    path.write_bytes(b"same")
    path.chmod(0o600)
    before = path.stat().st_ino
    with umask(0o022):
        write_file(path, [b"sa", b"me"])
    assert (path.stat().st_ino, mode(path)) == (before, 0o600)


@NEEDS_ROOT
def test_same_content_of_another_user_is_written_again(tmp_path):
    path = tmp_path / "y.json"
    path.write_bytes(b"same")
    os.chown(path, ANOTHER_USER, -1)
    write_file(path, [b"same"])
    assert path.stat().st_uid == os.geteuid()


def test_link_to_the_same_content_is_replaced(tmp_path):
    path, target = tmp_path / "y.json", tmp_path / "target"
    target.write_bytes(b"same")
    path.symlink_to(target)
    write_file(path, [b"same"])
    assert not path.is_symlink()


def test_file_and_folder_reach_the_disk_around_the_rename(tmp_path, monkeypatch):
    steps, fsync, replace = [], os.fsync, Path.replace

    def record_fsync(descriptor):
        steps.append("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")
        fsync(descriptor)

    def record_replace(part, path):
        steps.append("rename")
        return replace(part, path)

    monkeypatch.setattr(os, "fsync", record_fsync)
    monkeypatch.setattr(Path, "replace", record_replace)
    write_file(tmp_path / "y.json", [b"new"])
    assert steps == ["file", "rename", "folder"]


@pytest.mark.parametrize("code", [errno.EINVAL, errno.EACCES])
def test_folder_that_knows_no_fsync_is_no_error(tmp_path, monkeypatch, code):
    fsync = os.fsync

    def no_folders(descriptor):
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(code, os.strerror(code))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", no_folders)
    assert write_file(tmp_path / "y.json", [b"new"]).size == 3


def test_writers_at_the_same_time_each_write_a_whole_file(tmp_path):
    path, barrier = tmp_path / "y.json", threading.Barrier(2, timeout=30)

    def pieces(byte):
        yield byte * 1000
        barrier.wait()
        yield byte * 1000

    threads = [threading.Thread(target=write_file, args=(path, pieces(byte))) for byte in (b"a", b"b")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert path.read_bytes() in (b"a" * 2000, b"b" * 2000)
    assert names(tmp_path) == ["y.json"]


def test_part_file_of_a_killed_writer_is_removed_when_it_is_old(tmp_path):
    path = tmp_path / "y.json"
    path.write_bytes(b"old")

    def killed():
        yield b"ha"
        os.kill(os.getpid(), signal.SIGKILL)

    child = os.fork()
    if child == 0:
        write_file(path, killed())
    os.waitpid(child, 0)
    (part,) = set(tmp_path.iterdir()) - {path}
    write_file(path, [b"new"])
    assert part.exists(), "it may belong to a task that still runs"
    local_files._swept.clear()
    old = time.time() - LEFTOVER_AGE - 60
    os.utime(part, (old, old))
    write_file(path, [b"newer"])
    assert names(tmp_path) == ["y.json"]
    assert path.read_bytes() == b"newer"


def test_nothing_else_is_taken_for_a_leftover(tmp_path):
    kept = [".lessonspace-0123.part", ".y.json.part", "lessonspace-0123456789abcdef.part", ".lessonspace-x.part"]
    for name in kept:
        (tmp_path / name).write_bytes(b"")
    (tmp_path / ".lessonspace-0123456789abcdef.part").symlink_to(tmp_path / "target")
    (tmp_path / ".lessonspace-0123456789abcde0.part").mkdir()
    for path in tmp_path.iterdir():
        os.utime(path, (0, 0), follow_symlinks=False)
    before = names(tmp_path)
    write_file(tmp_path / "z", [b""])
    assert names(tmp_path) == sorted([*before, "z"])


@NEEDS_ROOT
def test_part_file_of_another_user_is_no_leftover_of_ours(tmp_path):
    part = tmp_path / ".lessonspace-0123456789abcdef.part"
    part.write_bytes(b"")
    os.utime(part, (0, 0))
    os.chown(part, ANOTHER_USER, -1)
    write_file(tmp_path / "z", [b""])
    assert part.exists()


@NEEDS_ROOT
@pytest.mark.parametrize("use", [read_file, lambda path: write_file(path, [b"new"])])
def test_folder_that_is_another_users_link_is_refused(tmp_path, use):
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "y.json").write_bytes(b"old")
    (tmp_path / "folder").symlink_to("real")
    os.lchown(tmp_path / "folder", ANOTHER_USER, -1)
    with pytest.raises(OSError, match=rf"{tmp_path}/folder is a link that the user with id {ANOTHER_USER} made"):
        use(tmp_path / "folder" / "y.json")
    assert (tmp_path / "real" / "y.json").read_bytes() == b"old"


@NEEDS_ROOT
def test_no_folder_is_made_over_another_users_link(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "folder").symlink_to("real")
    os.lchown(tmp_path / "folder", ANOTHER_USER, -1)
    with pytest.raises(OSError, match="is a link that the user"):
        write_file(tmp_path / "folder" / "2026" / "y.json", [b"new"])
    assert list((tmp_path / "real").iterdir()) == []


@NEEDS_ROOT
def test_file_that_is_another_users_link_is_not_read(tmp_path):
    (tmp_path / "target").write_bytes(b"secret")
    (tmp_path / "y.json").symlink_to("target")
    os.lchown(tmp_path / "y.json", ANOTHER_USER, -1)
    with pytest.raises(OSError, match="is a link that the user"):
        read_file(tmp_path / "y.json")


@NEEDS_ROOT
def test_link_of_the_folders_owner_is_followed(tmp_path):
    (tmp_path / "shared" / "real").mkdir(parents=True)
    (tmp_path / "shared" / "folder").symlink_to("real")
    os.lchown(tmp_path / "shared" / "folder", ANOTHER_USER, -1)
    os.chown(tmp_path / "shared", ANOTHER_USER, -1)
    write_file(tmp_path / "shared" / "folder" / "y.json", [b"new"])
    assert (tmp_path / "shared" / "real" / "y.json").read_bytes() == b"new"


def test_own_link_is_followed(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "folder").symlink_to("real")
    write_file(tmp_path / "folder" / "y.json", [b"new"])
    assert read_file(tmp_path / "folder" / "y.json") == b"new"


@pytest.mark.parametrize("put", [make_fifo, make_socket, link_to_fifo])
def test_what_is_no_regular_file_is_not_read(tmp_path, put):
    put(tmp_path / "y.json", tmp_path / "target")
    error = promptly(lambda: read_file(tmp_path / "y.json"))
    assert isinstance(error, OSError)
    assert error.errno == errno.ENXIO


def test_device_is_not_opened(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "open", lambda *_: pytest.fail("it was opened"))
    (tmp_path / "y.json").symlink_to("/dev/zero")
    error = promptly(lambda: read_file(tmp_path / "y.json"))
    assert isinstance(error, OSError)
    assert "a FIFO, a socket or a device" in str(error)


def test_folder_is_not_read(tmp_path):
    with pytest.raises(IsADirectoryError):
        read_file(tmp_path)


def test_file_that_is_too_long_is_not_read(tmp_path):
    with (tmp_path / "y.json").open("wb") as file:
        file.truncate(2**40)
    with pytest.raises(OSError, match=f"it has {2**40} bytes, and at most") as caught:
        read_file(tmp_path / "y.json")
    assert caught.value.errno == errno.EFBIG
    (tmp_path / "z").write_bytes(b"1234")
    assert read_file(tmp_path / "z", longest=4) == b"1234"
    with pytest.raises(OSError, match="at most 3 are read"):
        read_file(tmp_path / "z", longest=3)
