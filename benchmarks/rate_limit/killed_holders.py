# SPDX-License-Identifier: Apache-2.0
"""How long others wait when the process that holds the lock is killed."""

from __future__ import annotations

import multiprocessing
import time
from multiprocessing.connection import Connection, wait
from pathlib import Path

from lessonspace_provider.rate_limit.file_lock import FileLock

SPAWN = multiprocessing.get_context("spawn")
LONGEST = 60.0


def seconds_until_next(path: Path, kills: int) -> list[float]:
    """
    Let processes queue for a lock, and kill the one that holds it, again and again.

    :param path: of the lock's file.
    :param kills: how many.
    :return: seconds from each SIGKILL until the next process held the lock.
    """
    processes = {}
    try:
        for _ in range(kills + 1):
            passed, answer = SPAWN.Pipe(duplex=False)
            process = SPAWN.Process(target=_hold, args=(path, answer), daemon=True)
            process.start()
            processes[passed] = process
        for passed in processes:
            if not passed.poll(LONGEST):
                raise RuntimeError("a process did not reach the lock")
            passed.recv()
        holder, _ = _next_holder(list(processes))
        waited = []
        for _ in range(kills):
            killed_at = time.monotonic()
            processes[holder].kill()
            processes.pop(holder).join()
            holder, acquired_at = _next_holder(list(processes))
            waited.append(acquired_at - killed_at)
        return waited
    finally:
        for process in processes.values():
            process.kill()
            process.join()


def _next_holder(waiting: list[Connection]) -> tuple[Connection, float]:
    ready = wait(waiting, LONGEST)
    if not ready:
        raise RuntimeError("no process got the lock after its holder was killed")
    holder = next(connection for connection in ready if isinstance(connection, Connection))
    return holder, holder.recv()


def _hold(path: Path, answer: Connection) -> None:
    answer.send("queueing")
    with FileLock(path).entered(LONGEST * 10):
        answer.send(time.monotonic())
        time.sleep(LONGEST * 10)
