# SPDX-License-Identifier: Apache-2.0
"""Where the pace of a key lies: in a file for the processes of one machine, in Redis for several machines."""

from __future__ import annotations

import fcntl
import logging
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from lessonspace_provider.pace import Pace

if TYPE_CHECKING:
    from redis import Redis
    from redis.client import Pipeline

#: Computes the next pace, and an answer for the caller, from the present pace and the store's time.
Change = Callable[[Pace, float], tuple[Pace, float]]

#: How long a key's pace is kept in Redis after its last use, in seconds.
KEPT_IN_REDIS = 86_400

#: How long Redis is left alone after it failed, in seconds.
REDIS_RETRY_INTERVAL = 30.0

_log = logging.getLogger(__name__)


class PaceStore(Protocol):
    """Changes the pace of a key, one caller at a time."""

    def update(self, change: Change) -> float:
        """Apply a change, and give back its answer."""


class LocalPaceStore:
    """
    Keeps the pace in a small file, under the machine's monotonic clock, which no change of the time disturbs.

    :param path: the file, on a local disk.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def update(self, change: Change) -> float:
        """Apply a change, and give back its answer; the file is locked for less than a millisecond."""
        file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            pace, answer = change(Pace.decode(os.read(file, 1 << 16)), time.monotonic())
            os.ftruncate(file, os.pwrite(file, pace.encode(), 0))
        finally:
            fcntl.flock(file, fcntl.LOCK_UN)  # closing alone would leave it to a child that was forked meanwhile
            os.close(file)
        return answer


class RedisPaceStore:
    """
    Keeps the pace in Redis, under Redis' own clock, so that the machines' clocks need not agree.

    :param client: connected to the Redis that all machines share.
    :param key: names the pace.
    """

    def __init__(self, client: Redis, key: str) -> None:
        self._client = client
        self._key = key

    def update(self, change: Change) -> float:
        """
        Apply a change, and give back its answer; tried again when another machine was faster.

        :raises redis.RedisError: when Redis is gone.
        """

        answers: list[float] = []

        def in_transaction(pipe: Pipeline) -> None:
            seconds, microseconds = pipe.time()
            pace, answer = change(Pace.decode(pipe.get(self._key)), seconds + microseconds / 1e6)
            pipe.multi()
            pipe.set(self._key, pace.encode(), ex=KEPT_IN_REDIS)
            answers.append(answer)

        self._client.transaction(in_transaction, self._key)
        return answers[-1]


class FallbackPaceStore:
    """
    Uses Redis while it is there, and the local file while it is gone: a limit per machine is better than none.

    :param shared: the pace in Redis.
    :param local: the pace of this machine.
    :param clock: monotonic seconds.
    """

    def __init__(self, shared: PaceStore, local: PaceStore, clock: Callable[[], float] = time.monotonic) -> None:
        self._shared = shared
        self._local = local
        self._clock = clock
        self._shared_again_at = 0.0
        self._warned = False

    def update(self, change: Change) -> float:
        """Apply a change to the shared pace, or else to the local one, and give back its answer."""
        from redis import RedisError

        if self._clock() < self._shared_again_at:
            return self._local.update(change)
        try:
            return self._shared.update(change)
        except RedisError as error:
            self._shared_again_at = self._clock() + REDIS_RETRY_INTERVAL
            self._warn(type(error).__name__)
            return self._local.update(change)

    def _warn(self, reason: str) -> None:
        # The error's own text may hold the address with its password.
        if not self._warned:
            _log.warning(
                "The rate limit's Redis can't be used (%s): until it is back, the limit holds on this machine only. "
                "Check rate_limit_redis_url in the connection.",
                reason,
            )
        self._warned = True
