# SPDX-License-Identifier: Apache-2.0
"""Whatever happens to those who pass the lock, the next one gets through."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import sys
import threading
from contextlib import contextmanager
from pathlib import Path

import pytest

from lessonspace_provider.rate_limit import file_lock as module
from lessonspace_provider.rate_limit.file_lock import FileLock


class Interrupted(BaseException):
    """Stands for Ctrl-C and for a task's time limit, which may come between any two lines."""


@contextmanager
def interrupted_at(number):
    """Interrupt this thread at so many lines of the lock's code, those that leave it excepted."""
    lines = [0]

    def trace(frame, event, _):
        if frame.f_code.co_filename != module.__file__ or frame.f_code.co_name in ("leave", "_release", "_queue"):
            return None
        if event == "line":
            lines[0] += 1
            if lines[0] == number:
                raise Interrupted
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        yield
    finally:
        sys.settrace(before)


def open_files():
    return len(list(Path("/proc/self/fd").iterdir()))


def pass_at(path, number):
    """Pass the lock, interrupted at a line, and return whether there was such a line."""
    try:
        with interrupted_at(number), FileLock(path).entered(30.0):
            pass
    except Interrupted:
        return True
    return False


def passes_at_once(path):
    with FileLock(path).entered(0.0):
        return True


def test_an_interrupt_at_any_line_leaves_no_lock_and_no_open_file(tmp_path):
    path = tmp_path / "t"
    assert passes_at_once(path)
    before, number = open_files(), 1
    while pass_at(path, number):
        assert passes_at_once(path), f"line {number}"
        assert open_files() == before, f"line {number}"
        number += 1
    assert number > 10


def test_an_interrupt_at_any_line_of_someone_who_queues_leaves_no_lock_either(tmp_path, monkeypatch):
    path, queued, freed = tmp_path / "t", threading.Event(), threading.Event()
    real = fcntl.flock

    def flock(file, operation):
        if threading.current_thread().name == "lessonspace-file-lock":
            queued.set()
            real(file, operation)
            freed.set()
        else:
            real(file, operation)

    number, interrupted, queuers = 1, True, 0
    while interrupted:
        queued.clear()
        freed.clear()
        holder = os.open(path, os.O_RDWR | os.O_CREAT)
        real(holder, fcntl.LOCK_EX)
        monkeypatch.setattr(fcntl, "flock", flock)
        releaser = threading.Thread(target=lambda held=holder: (queued.wait(10), os.close(held)))
        releaser.start()
        interrupted = pass_at(path, number)
        waits = queued.is_set()
        queuers += waits
        queued.set()  # whoever was interrupted before is not waited for
        releaser.join()
        assert not waits or freed.wait(10)
        monkeypatch.setattr(fcntl, "flock", real)
        with FileLock(path).entered(10.0):
            number += 1
    assert number > 15
    assert queuers > 3, "some were interrupted while their thread was in the queue"


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EIO])
@pytest.mark.parametrize("blocking", [False, True])
def test_a_disk_without_locks_fails_at_once(tmp_path, monkeypatch, number, blocking):
    path = tmp_path / "t"
    real, before = fcntl.flock, open_files()

    def flock(file, operation):
        if operation & fcntl.LOCK_UN:
            real(file, operation)
        elif blocking and operation & fcntl.LOCK_NB:
            raise BlockingIOError
        else:
            raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", flock)
    with pytest.raises(OSError, match=os.strerror(number)) as caught, FileLock(path).entered(3600.0):
        pass
    assert caught.value.errno == number
    del caught
    assert open_files() == before


def test_where_no_thread_is_to_be_had_nothing_stays_open(tmp_path, monkeypatch):
    path = tmp_path / "t"
    with FileLock(path).entered(1.0):
        before = open_files()

        def start(_):
            raise RuntimeError("can't start new thread")

        monkeypatch.setattr(threading.Thread, "start", start)
        with pytest.raises(RuntimeError, match="new thread"), FileLock(path).entered(1.0):
            pass
        assert open_files() == before


def test_a_caller_that_gave_up_leaves_the_queue_even_when_a_child_was_forked_meanwhile(tmp_path):
    path = tmp_path / "t"
    with FileLock(path).entered(1.0):
        with pytest.raises(TimeoutError), FileLock(path).entered(0.01):
            pass
        child = os.fork()
        if child == 0:
            signal.pause()
            os._exit(0)
    try:
        with FileLock(path).entered(10.0):
            pass
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def test_a_caller_that_gave_up_leaves_no_file_open(tmp_path):
    path = tmp_path / "t"
    before = open_files()
    with FileLock(path).entered(1.0):
        for _ in range(3):
            with pytest.raises(TimeoutError), FileLock(path).entered(0.01):
                pass
    with FileLock(path).entered(10.0):
        pass
    for thread in threading.enumerate():
        if thread.name == "lessonspace-file-lock":
            thread.join(10)
    assert open_files() == before
