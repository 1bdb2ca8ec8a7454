# SPDX-License-Identifier: Apache-2.0
"""Run a command, and end it and all its descendants when standard input closes.

The caller keeps the write end of this process's standard input open. The pipe closes when the caller ends, even when it
is killed. Airflow's components make process groups of their own and leave orphans, so a group signal would miss some:
descendants are found by their parents and by a variable that they inherit.

Usage: python -m scripts.guard COMMAND [ARGUMENT ...]
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys

import psutil

from scripts.processes import GUARD_VARIABLE, end_all, processes_with


def run_guarded(command: list[str]) -> int:
    """Run the command until it ends or standard input closes, then end its descendants.

    :return: the command's exit status, or 0 if the guard ended it.
    """
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    while child.poll() is None and not _is_asked_to_stop(within_seconds=0.1):
        pass
    status = child.poll()
    if left := end_all(_descendants):
        print(f"guard: could not end the processes {sorted(left)}", file=sys.stderr)
    return status or 0


def _descendants() -> set[psutil.Process]:
    # The variable finds orphans, the parents find those that cleaned their environment.
    children = {child for child in psutil.Process().children(recursive=True) if child.is_running()}
    return children | processes_with(GUARD_VARIABLE, os.environ[GUARD_VARIABLE])


def _is_asked_to_stop(within_seconds: float) -> bool:
    readable, _, _ = select.select([0], [], [], within_seconds)
    return bool(readable) and os.read(0, 1024) == b""


def _stop_on_signal(*_: object) -> None:
    # From here on standard input reads as closed, which ends the guarded command.
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)


if __name__ == "__main__":
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, _stop_on_signal)
    raise SystemExit(run_guarded(sys.argv[1:]))
