# SPDX-License-Identifier: Apache-2.0
"""Starting the processes of a run so that none of them outlives it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

CHECKOUT = Path(__file__).resolve().parent.parent
STOP_SECONDS = 30.0


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
        :param held: a file descriptor to keep open until the command and its descendants are gone.
        """
        self.name = name
        self.log = log
        with log.open("ab") as output:
            self._guard = subprocess.Popen(
                [sys.executable, "-m", "scripts.guard", *command],
                cwd=CHECKOUT,
                env=dict(environment),
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
        """End the command and its descendants, and return when they are gone. May be called twice."""
        if self._guard.stdin:
            self._guard.stdin.close()
        try:
            self._guard.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._guard.kill()
            self._guard.wait()


def processes_with(variable: str, value: str) -> set[int]:
    """The processes whose environment holds `variable=value`, this process excepted.

    :return: process ids; none where the system does not show environments (anything but Linux).
    """
    marker = f"{variable}={value}".encode()
    found = set()
    for environment in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):  # it ended while we were reading, or is another user's
            if marker in environment.read_bytes().split(b"\0"):
                found.add(int(environment.parent.name))
    return found - {os.getpid()}


def end_leftovers(variable: str, value: str) -> set[int]:
    """Kill whatever still carries the marker. The guards leave nothing: this is for a guard that was killed.

    :return: the ids of the processes that were killed.
    """
    killed: set[int] = set()
    while left := processes_with(variable, value):
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        killed |= left
        time.sleep(0.05)
    return killed
