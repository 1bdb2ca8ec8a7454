# SPDX-License-Identifier: Apache-2.0
"""Where the pace of a key is stored: in a file for the processes of one machine, in Redis for several machines."""

from __future__ import annotations

import fcntl
import logging
import os
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from lessonspace_provider._local_files import lock_within, open_private_file
from lessonspace_provider.rate_limit.pace import LONGEST_PACE, Pace, delay, slow_down, take

if TYPE_CHECKING:
    from redis import Redis

#: How long Redis is left alone after it failed, in seconds.
REDIS_RETRY_INTERVAL = 30.0

#: Seconds that a key's pace is kept in Redis after its last use.
KEPT_IN_REDIS = 86_400

#: How often a change is tried that other machines forestall. Each time, one of them has made progress.
CHANGES_TRIED = 100

#: Seconds after which a permit is asked for again when none of these changes succeeded.
CONTENDED_WAIT = 0.05

# The policy is in pace.py alone. This stores its result, unless the pace has changed since it was read: then it returns
# the pace and the time for another try.
_COMPARE_AND_SET = """
local present = redis.call('GET', KEYS[1]) or ''
if present ~= ARGV[1] then
  local time = redis.call('TIME')
  return {present, time[1], time[2]}
end
redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[3])
return false
"""

#: Seconds that the pace's file may be locked by another process, which needs it for less than a millisecond.
LOCK_SECONDS = 10.0

#: Takes a pace and the store's time; gives the pace as it becomes, and an answer.
Change = Callable[[Pace, float], tuple[Pace, float]]

_log = logging.getLogger(__name__)


class PaceStore(ABC):
    """Changes the pace of a key, one caller at a time, under a clock of its own; see pace.py."""

    def take(self, per_second: float, host: str) -> float:
        """Ask for a permit: the seconds to wait before asking again, 0.0 is the permit."""
        return self.update(lambda pace, now: take(pace, now, per_second=per_second, host=host))

    def delay(self, seconds: float) -> None:
        """Take note that a permit is used so much later than it was given."""
        self.update(lambda pace, _: (delay(pace, seconds), 0.0))

    def slow_down(self, retry_after: float | None) -> None:
        """Take note of a 429."""
        self.update(lambda pace, now: (slow_down(pace, now, retry_after=retry_after), 0.0))

    @abstractmethod
    def update(self, change: Change) -> float:
        """
        Apply a change.

        :param change: takes the pace and the store's time; gives the new pace, and what this returns.
        """


class LocalPaceStore(PaceStore):
    """
    Keeps the pace in a small file, under the machine's monotonic clock, which no change of the time disturbs.

    :param path: the file, on a local disk.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def update(self, change: Change) -> float:
        """
        Apply a change; the file is locked for less than a millisecond.

        :raises OSError: when the file can't be used.
        """
        with open_private_file(self._path) as file:
            lock_within(file, LOCK_SECONDS)
            try:
                pace, answer = change(Pace.decode(file.read(LONGEST_PACE)), time.monotonic())
                os.ftruncate(file.fileno(), os.pwrite(file.fileno(), pace.encode(), 0))
            finally:
                fcntl.flock(file, fcntl.LOCK_UN)  # closing alone would leave it to a child that was forked meanwhile
        return answer


class RedisPaceStore(PaceStore):
    """
    Keeps the pace in Redis, under Redis' own clock, so that the machines' clocks need not agree.

    :param client: connected to the Redis that all machines share.
    :param key: names the pace.
    """

    def __init__(self, client: Redis, key: str) -> None:
        self._client = client
        self._key = key
        self._compare_and_set = client.register_script(_COMPARE_AND_SET)

    def update(self, change: Change) -> float:
        """
        Apply a change to the present pace, again if another machine has changed it meanwhile.

        :raises redis.RedisError: when Redis is unavailable.
        """
        stored, time_parts = self._read()
        for _ in range(CHANGES_TRIED):
            pace, answer = change(Pace.decode(stored), int(time_parts[0]) + int(time_parts[1]) / 1e6)
            present = self._compare_and_set([self._key], [stored, pace.encode(), KEPT_IN_REDIS])
            if present is None:
                return answer
            stored, *time_parts = present
        return CONTENDED_WAIT

    def _read(self) -> tuple[bytes, list[int]]:
        from redis import ResponseError

        with self._client.pipeline(transaction=False) as pipeline:
            pipeline.getrange(self._key, 0, LONGEST_PACE)
            pipeline.time()
            try:
                stored, time_parts = pipeline.execute()
            except ResponseError:  # the key holds another type than a string
                self._client.delete(self._key)
                return b"", list(self._client.time())
        return stored, list(time_parts)


class RedisOutage:
    """
    Until when Redis is left alone: one process of the machine finds out that it is unavailable, and all know.

    A Redis that answers nothing at all costs the caller that asks it a timeout, while the others queue.

    :param path: a small file, on a local disk.
    :param clock: monotonic seconds.
    """

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._clock = clock

    def begin(self) -> None:
        """
        Leave Redis alone for REDIS_RETRY_INTERVAL.

        :raises OSError: when the file can't be used.
        """
        with open_private_file(self._path) as file:
            # Always as long as before: written at once, and nothing to cut off.
            os.pwrite(file.fileno(), b"%020.6f" % (self._clock() + REDIS_RETRY_INTERVAL), 0)

    def lasts(self) -> bool:
        """
        Whether Redis is to be left alone now.

        :raises OSError: when the file can't be used.
        """
        with open_private_file(self._path) as file:
            written = file.read(LONGEST_PACE)
        try:
            left = float(written or b"0") - self._clock()
        except ValueError:
            return False
        return 0 < left <= REDIS_RETRY_INTERVAL


class FallbackPaceStore(PaceStore):
    """
    Uses Redis while it is available, and the local file while it is not: a limit per machine is better than none.

    :param shared: the pace in Redis.
    :param local: the pace of this machine.
    :param outage: what this machine knows of an outage of Redis.
    """

    def __init__(self, shared: PaceStore, local: PaceStore, outage: RedisOutage) -> None:
        self._shared = shared
        self._local = local
        self._outage = outage
        self._warned = False

    def take(self, per_second: float, host: str) -> float:
        """Ask the shared pace for a permit, or else the local one."""
        # What Redis gave last may be no spacing ago, of which the local pace knows nothing: it counts as its first.
        return self._ask(
            lambda store: store.take(per_second, host), when_it_goes=lambda: self._local.take(per_second, host)
        )

    def slow_down(self, retry_after: float | None) -> None:
        """Take note of a 429, in the local pace as well: should Redis go now, the pause holds anyway."""
        super().slow_down(retry_after)
        with suppress(OSError):  # Redis knows of it
            self._local.slow_down(retry_after)

    def update(self, change: Change) -> float:
        """Apply a change to the shared pace, or else to the local one."""
        return self._ask(lambda store: store.update(change))

    def _ask(self, question: Callable[[PaceStore], float], when_it_goes: Callable[[], object] = lambda: None) -> float:
        from redis import RedisError

        if self._outage.lasts():
            return question(self._local)
        try:
            answer = question(self._shared)
        except RedisError as error:
            self._outage.begin()
            self._warn(type(error).__name__)
            when_it_goes()
            return question(self._local)
        self._warned = False
        return answer

    def _warn(self, reason: str) -> None:
        """Warn once per outage. The error's own text may hold the address with its password."""
        if not self._warned:
            _log.warning(
                "The rate limit's Redis can't be used (%s): until it is available, each machine keeps its own limit. "
                "Check rate_limit_redis_conn_id in the connection.",
                reason,
            )
        self._warned = True
