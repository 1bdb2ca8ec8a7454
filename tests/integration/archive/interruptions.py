# SPDX-License-Identifier: Apache-2.0
"""Ends or spoils a run of the archive in this process at its n-th request, read of a store, or write."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count

import fsspec.asyn
import pytest

_WRITING = os.O_WRONLY | os.O_RDWR
_current: Interruption | None = None


class Killed(BaseException):
    """Ends a run as a killed process ends: nothing in it can catch this and continue."""


class Interruption:
    """
    Raises an error at a step of a run, and at all that follow.

    :param error: what is raised.
    :param after: how many steps succeed.
    :param requests: whether calls to the API count as steps, or only what is done to the destination.
    """

    def __init__(self, error: BaseException, after: int, *, requests: bool) -> None:
        self._error = error
        self._after = after
        self._requests = requests
        self._steps = count(1)
        self.fired = False

    def step(self, *, is_request: bool = False) -> None:
        """Count a step, and raise the error if it is too many."""
        if is_request and not self._requests:
            return
        if next(self._steps) > self._after:
            self.fired = True
            raise self._error


@contextmanager
def interrupted(interruption: Interruption | None) -> Iterator[None]:
    """Interrupt what runs inside, threads included."""
    global _current
    before = set(threading.enumerate())
    _current = interruption
    try:
        yield
    finally:
        # The threads of a killed process end with it.
        for thread in set(threading.enumerate()) - before:
            if not thread.daemon:
                thread.join(60)
        _current = None


class Reads:
    """Counts how often files below a folder of this machine are opened for reading."""

    folder: str | None = None
    count = 0


def _on_event(event: str, arguments: tuple[object, ...]) -> None:
    path = str(arguments[0]) if arguments else ""
    is_write = event == "open" and bool(_flags(arguments) & _WRITING)
    if event == "open" and not is_write and Reads.folder and path.startswith(Reads.folder):
        Reads.count += 1
    if _current is None:
        return
    if event == "http.client.send":
        _current.step(is_request=True)
    elif path.endswith(".part") and (is_write or event in ("os.rename", "os.remove")):
        _current.step()


def _flags(arguments: tuple[object, ...]) -> int:
    return arguments[2] if isinstance(arguments[2], int) else 0


def install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Watch the files and requests of this process, and each call to a store on another machine."""
    global _installed
    if not _installed:  # an audit hook stays for good
        sys.addaudithook(_on_event)
        _installed = True
    sync = fsspec.asyn.sync

    def watched(*arguments: object, **more: object) -> object:
        if _current is not None:
            _current.step()
        return sync(*arguments, **more)

    monkeypatch.setattr(fsspec.asyn, "sync", watched)


_installed = False
