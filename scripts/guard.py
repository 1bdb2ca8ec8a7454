# SPDX-License-Identifier: Apache-2.0
"""Runs a command, and ends it and all its descendants when standard input closes.

Whoever starts the guard keeps the write end of its standard input open. However that process goes away,
killed outright included, the pipe closes and the guard cleans up. Airflow's components and tasks make process
groups of their own, so a group signal would miss some: the guard follows the parent links instead, and on
Linux adopts the orphans among its descendants, so that none can slip out of its sight.

Usage: python -m scripts.guard COMMAND [ARGUMENT ...]
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

GRACE_SECONDS = 5.0
GIVE_UP_SECONDS = 20.0
PR_SET_CHILD_SUBREAPER = 36


def process_parents() -> dict[int, int]:
    """Every process of this machine that has not ended, and its parent.

    :return: process id -> parent's process id.
    """
    if sys.platform == "linux":
        return _parents_from_proc()
    listing = subprocess.run(["ps", "-axo", "pid=,ppid=,stat="], capture_output=True, text=True, check=True)
    rows = (line.split() for line in listing.stdout.splitlines())
    return {int(pid): int(parent) for pid, parent, state in rows if not state.startswith("Z")}


def _parents_from_proc() -> dict[int, int]:
    parents = {}
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        with contextlib.suppress(OSError):  # it ended while we were reading
            # The command name, in parentheses, may hold anything: the fields begin after the last one.
            state, parent = (folder / "stat").read_text(errors="replace").rpartition(")")[2].split()[:2]
            if state != "Z":
                parents[int(folder.name)] = int(parent)
    return parents


def descendants(roots: set[int], parents: dict[int, int]) -> set[int]:
    """The processes that descend from any of the roots; the roots themselves are not among them.

    :param roots: process ids.
    :param parents: process id -> parent's process id, as from :func:`process_parents`.
    """
    found: set[int] = set()
    generation = roots
    while generation:
        generation = {pid for pid, parent in parents.items() if parent in generation} - found - roots
        found |= generation
    return found


def run_guarded(command: list[str]) -> int:
    """Run the command until it ends or standard input closes, then end whatever descends from this process.

    :return: the command's exit status, or 0 if it was ended from here.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    status = None
    while status is None and not _told_to_stop(within_seconds=0.1):
        status = _reap().get(child.pid)
    _end_descendants()
    return status or 0


def _told_to_stop(within_seconds: float) -> bool:
    readable, _, _ = select.select([0], [], [], within_seconds)
    return bool(readable) and os.read(0, 1024) == b""


def _reap() -> dict[int, int]:
    """Collect the children that have ended, adopted ones included: process id -> exit status."""
    ended = {}
    with contextlib.suppress(ChildProcessError):
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                break
            ended[pid] = os.waitstatus_to_exitcode(status)
    return ended


def _end_descendants() -> None:
    started = time.monotonic()
    ours: set[int] = set()
    asked: set[int] = set()
    while True:
        _reap()
        parents = process_parents()
        # Where orphans are not adopted, one is known by having been seen before its parent ended.
        ours |= descendants({os.getpid(), *ours}, parents)
        alive = ours & parents.keys()
        if not alive:
            return
        elapsed = time.monotonic() - started
        if elapsed > GIVE_UP_SECONDS:
            print(f"guard: could not end the processes {sorted(alive)}", file=sys.stderr)
            return
        signal_number = signal.SIGTERM if elapsed < GRACE_SECONDS else signal.SIGKILL
        for pid in alive - asked if signal_number == signal.SIGTERM else alive:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal_number)
        asked |= alive
        time.sleep(0.05)


def _stop_on_signal(*_: object) -> None:
    # From here on standard input reads as closed, which is what ends the guarded command.
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)


if __name__ == "__main__":
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, _stop_on_signal)
    raise SystemExit(run_guarded(sys.argv[1:]))
