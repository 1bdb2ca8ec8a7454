# SPDX-License-Identifier: Apache-2.0
"""Starting the processes of a run so that none of them outlives it."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType

import psutil

CHECKOUT = Path(__file__).resolve().parent.parent
STOP_SECONDS = 30.0
GRACE_SECONDS = 5.0
GIVE_UP_SECONDS = 20.0

#: Marks a guard and its descendants.
GUARD_VARIABLE = "LESSONSPACE_GUARD"


class GuardedProcess:
    """A command that runs in a session of its own, under a guard (see :mod:`scripts.guard`).

    Leaving the `with` block ends the command and all its descendants. They also end when this process dies,
    however it dies.
    """

    def __init__(
        self, name: str, command: list[str], *, environment: Mapping[str, str], log: Path, held: int | None = None
    ) -> None:
        """Start it.

        :param name: what to call it in messages.
        :param environment: the whole environment of the command.
        :param log: receives what the command prints.
        :param held: a file descriptor to keep open until the command and its descendants have ended.
        """
        self.name = name
        self.log = log
        with log.open("ab") as output:
            self._guard = subprocess.Popen(
                [sys.executable, "-m", "scripts.guard", *command],
                cwd=CHECKOUT,
                env={**environment, GUARD_VARIABLE: uuid.uuid4().hex},
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=() if held is None else (held,),
            )

    def __enter__(self) -> GuardedProcess:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def exit_status(self) -> int | None:
        """The command's exit status, or None while it runs."""
        return self._guard.poll()

    def stop(self) -> None:
        """End the command and its descendants, and return when they have ended. May be called twice."""
        if self._guard.stdin:
            self._guard.stdin.close()
        try:
            self._guard.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._guard.kill()
            self._guard.wait()


def processes_with(variable: str, value: str) -> set[psutil.Process]:
    """Find the living processes that inherited `variable=value`, this process excepted."""
    found = set()
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):  # it ended meanwhile, or belongs to another user
            if process.environ().get(variable) == value and process.status() != psutil.STATUS_ZOMBIE:
                found.add(process)
    return found - {psutil.Process()}


def end_all(find: Callable[[], set[psutil.Process]], *, grace: float = GRACE_SECONDS) -> set[int]:
    """End processes: ask first, kill those that are there after the grace period.

    :param find: finds those that are left. It is called again, since a process may start others meanwhile.
    :param grace: seconds; 0 kills at once.
    :return: the ids of processes that could not be ended.
    """
    started = time.monotonic()
    asked: set[psutil.Process] = set()
    while left := find():
        elapsed = time.monotonic() - started
        if elapsed > GIVE_UP_SECONDS:
            return {process.pid for process in left}
        for process in left if elapsed >= grace else left - asked:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill() if elapsed >= grace else process.terminate()
        asked |= left
        psutil.wait_procs(left, timeout=0.1)
    return set()


def end_leftovers(variable: str, value: str) -> set[int]:
    """Kill the processes that inherited `variable=value`. The guards leave none, unless a guard was killed.

    :return: the ids of the processes that were killed.
    """
    killed: set[int] = set()

    def found() -> set[psutil.Process]:
        left = processes_with(variable, value)
        killed.update(process.pid for process in left)
        return left

    end_all(found, grace=0)
    return killed
