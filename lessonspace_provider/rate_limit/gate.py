# SPDX-License-Identifier: Apache-2.0
"""
RateGate: one queue per API key, over all threads, processes and machines that use it.

Callers queue for the machine's file lock. The one that holds it asks the key's pace for a permit and
waits for its slot. The pace is stored in a file, or in Redis when several machines share the key.
"""

from __future__ import annotations

import hashlib
import logging
import os
import platform
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

from lessonspace_provider._local_files import NotPrivateError, make_private_folder
from lessonspace_provider.exceptions import LessonspaceError, LessonspaceInputError, LessonspaceRateLimitedError
from lessonspace_provider.rate_limit.daily_notice import is_first_today
from lessonspace_provider.rate_limit.file_lock import FileLock
from lessonspace_provider.rate_limit.pace import RESERVATION_LAPSES, TOLERATED_LATENESS
from lessonspace_provider.rate_limit.stores import (
    FallbackPaceStore,
    LocalPaceStore,
    PaceStore,
    RedisOutage,
    RedisPaceStore,
)

if TYPE_CHECKING:
    from redis import Redis

_log = logging.getLogger(__name__)

#: Docker makes this file in each container.
DOCKER_MARK = Path("/.dockerenv")

#: The share of a question's own time by which it is asked before the slot comes: all of it would often be too early.
ASKED_AHEAD = 0.8


class Gate(Protocol):
    """The rate limit of one API key: each call to the API waits for a permit."""

    def acquire(self) -> None:
        """Wait for a permit."""

    def pause(self, retry_after: float | None) -> None:
        """Record a 429 response, so that all callers slow down."""


class RateGate:
    """
    Grants permits at the rate of one key.

    :param file_lock: the machine's queue for the key.
    :param store: where the key's pace is stored.
    :param host: names this machine's queue among those that share the store.
    :param per_second: the key's limit, may be a fraction.
    :param max_wait: seconds that one caller may be made to wait.
    :param clock: monotonic seconds.
    :param sleep: waits that many seconds.
    """

    def __init__(
        self,
        file_lock: FileLock,
        store: PaceStore,
        host: str,
        *,
        per_second: float,
        max_wait: float,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._file_lock = file_lock
        self._store = store
        self._host = host
        self._per_second = per_second
        self._max_wait = max_wait
        self._clock = clock
        self._sleep = sleep

    def acquire(self) -> None:
        """
        Wait for a permit.

        :raises LessonspaceRateLimitedError: if there is no permit within ``max_wait``.
        :raises LessonspaceError: if the files in ``rate_limit_dir`` can't be used.
        """
        began = self._clock()
        problem = "other callers on this machine were ahead in the queue"
        try:
            with self._usable_files(), self._file_lock.entered(self._max_wait):
                too_long = self._take_permit(began + self._max_wait)
        except TimeoutError:
            too_long = None
        else:
            if too_long is None:
                return
            problem = (
                f"after {self._clock() - began:.0f} s in the queue, the next permit would come in {too_long:.0f} s, "
                f"because the server asked for a pause or other machines are ahead of this one"
            )
        raise LessonspaceRateLimitedError(
            f"Timed out waiting for the rate limit (rate_limit_max_wait={self._max_wait:g} s): {problem}. Run fewer "
            f"tasks at once, or raise rate_limit_max_wait in the connection."
        )

    def pause(self, retry_after: float | None) -> None:
        """
        Record a 429 response: all callers with this key pause, and continue more slowly for a while.

        :param retry_after: seconds that the server asked to wait; None if it did not.
        :raises LessonspaceError: if the files in ``rate_limit_dir`` can't be used.
        """
        with self._usable_files():
            self._store.slow_down(retry_after)

    def _take_permit(self, deadline: float) -> float | None:
        """Take a permit; or give the seconds until there will be one, when that is after the deadline."""
        # Asked twice at least: for a slot, and again when it comes, or no one would heed a 429 that others met
        # meanwhile, or learn that this machine is late. The second time is asked ahead, so it costs the key nothing.
        asked_at, took = self._clock(), None
        while (wait := self._store.take(self._per_second, self._host)) > 0:
            now = self._clock()
            if now + wait > deadline:
                return wait
            took = now - asked_at
            self._sleep(max(0.0, wait - ASKED_AHEAD * took))
            asked_at = self._clock()
        if took is not None:
            self._report_lateness(self._clock() - asked_at - took)
        return None

    def _report_lateness(self, seconds: float) -> None:
        """A busy machine may continue so long after the permit was given that the call after it would come too soon."""
        if seconds > TOLERATED_LATENESS / self._per_second:
            # Anyone who was stopped for longer than that is one caller among others, and need not stop them as long.
            self._store.delay(min(seconds, max(RESERVATION_LAPSES, 1 / self._per_second)))

    @contextmanager
    def _usable_files(self) -> Iterator[None]:
        try:
            yield
        except TimeoutError:
            raise
        except OSError as error:
            # Not the caller's fault: the disk may have room again when the task is tried again.
            raise LessonspaceError(_unusable(self._file_lock.path.parent, error)) from None


class OpenGate:
    """Lets all callers pass: ``rate_limit_per_second`` is 0."""

    def acquire(self) -> None:
        """Do not wait."""

    def pause(self, retry_after: float | None) -> None:
        """Take no note: the caller that got the 429 waits on its own."""


@dataclass(frozen=True)
class RateLimitSettings:
    """
    The rate limit's settings in a connection.

    :param per_second: the key's limit, may be a fraction; 0 disables the rate limit.
    :param max_wait: seconds after which a wait ends in an error.
    :param directory: folder of this machine's queue and state; None: in Airflow's home or the temporary directory.
    :param redis_conn_id: Airflow connection to the Redis that several machines share; None: one machine.
    """

    per_second: float
    max_wait: float
    directory: str | None = None
    redis_conn_id: str | None = None


_gates: dict[tuple[str, str, RateLimitSettings], Gate] = {}


def gate_for(api_key: str, base_url: str, settings: RateLimitSettings, redis: Redis | None = None) -> Gate:
    """
    Return the gate of a key. All threads, processes and machines that use the key share one queue.

    :param api_key: the key. It is never stored; files and Redis keys have a hash of it.
    :param base_url: base URL of the API.
    :param settings: see ``RateLimitSettings``.
    :param redis: client for the connection ``redis_conn_id``.
    :return: the gate.
    :raises LessonspaceInputError: if the directory can't be used.
    """
    known = (api_key, base_url, settings)
    if known not in _gates:
        # Without a lock, which a child forked meanwhile would find locked for good: two gates of a key are one queue.
        return _gates.setdefault(known, _make_gate(_queue_name(api_key, base_url), settings, redis))
    return _gates[known]


def _queue_name(api_key: str, base_url: str) -> str:
    """Name the queue of a key at a host, however its URL is written."""
    parts = urlsplit(base_url)
    port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    return hashlib.sha256(f"{api_key} {parts.hostname}:{port}".encode()).hexdigest()[:32]


def _make_gate(name: str, settings: RateLimitSettings, redis: Redis | None) -> Gate:
    if not settings.per_second:
        return OpenGate()
    directory = state_directory(settings.directory, os.environ)
    # Monotonic time begins again with each start of the machine, so what was written before it must not count.
    written_since = f"{name}.{_boot_id()}"
    store: PaceStore = LocalPaceStore(directory / f"{written_since}.pace")
    if redis is not None:
        shared = RedisPaceStore(redis, f"lessonspace:pace:{name}")
        store = FallbackPaceStore(shared, store, RedisOutage(directory / f"{written_since}.outage"))
    elif (notice := scope_notice(settings)) and is_first_today(directory / f"{name}.notice"):
        _log.info("%s", notice)
    host = f"{platform.node()}:{directory}"
    return RateGate(
        FileLock(directory / f"{name}.lock"),
        store,
        host,
        per_second=settings.per_second,
        max_wait=settings.max_wait,
    )


def scope_notice(settings: RateLimitSettings) -> str | None:
    """
    Describe a limit that other machines with the same key do not share.

    :return: a sentence for the log or the connection's test; None outside of containers, with Redis, and without a
        limit.
    """
    if not settings.per_second or settings.redis_conn_id or not _in_container():
        return None
    return (
        "The rate limit of this API key covers this container only. If other containers use the key, set "
        "rate_limit_backend to redis in the connection, or rate_limit_dir to a local folder that all of them mount."
    )


def state_directory(configured: str | None, environment: Mapping[str, str]) -> Path:
    """
    Choose where this machine's queues are stored: a folder on a local disk, readable for this user only.

    :param configured: ``rate_limit_dir`` of the connection.
    :param environment: its AIRFLOW_HOME is used when it can be written to, else the temporary directory.
    :return: the folder, made with mode 0700.
    :raises LessonspaceInputError: when no one has such a home, the folder can't be made, belongs to another user, or
        lets other users in.
    """
    if configured:
        directory = Path(os.path.expanduser(configured))  # noqa: PTH111 - Path's raises for users without a home
        if not directory.is_absolute():
            raise LessonspaceInputError(
                f"rate_limit_dir={configured!r} was refused: no user of this machine has this home folder. Give an "
                f"absolute path in the connection."
            )
        return _made(directory)
    home = Path(environment.get("AIRFLOW_HOME") or os.path.expanduser("~/airflow"))  # noqa: PTH111
    if home.is_dir() and os.access(home, os.W_OK):
        return _made(home / "lessonspace_rate_limit")
    return _made(Path(tempfile.gettempdir()) / f"lessonspace_rate_limit_{os.geteuid()}")


def _made(directory: Path) -> Path:
    try:
        make_private_folder(directory)
    except OSError as error:
        raise LessonspaceInputError(_unusable(directory, error)) from None
    return directory


def _unusable(directory: Path, error: OSError) -> str:
    if isinstance(error, NotPrivateError):
        return (
            f"rate_limit_dir={str(directory)!r} was refused: {error.strerror}. It must belong to the user that runs "
            f"Airflow, with mode 0700: set rate_limit_dir in the connection to such a folder, or to a folder that does "
            f"not exist yet."
        )
    return (
        f"rate_limit_dir={str(directory)!r} can't be used ({error.strerror or type(error).__name__}): use a folder on "
        f"a local disk with free space that this user can write to."
    )


def _in_container() -> bool:
    """Whether this machine's disk is likely not that of others who use the key: Kubernetes or Docker."""
    return "KUBERNETES_SERVICE_HOST" in os.environ or DOCKER_MARK.exists()


def _boot_id() -> str:
    """Name this start of the machine. Where the kernel has none, a pace too far ahead is not heeded (pace.py)."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return "boot"
