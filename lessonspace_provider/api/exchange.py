# SPDX-License-Identifier: Apache-2.0
"""One request and its reply: a connection that opens before the request's permit is taken, and ends at a deadline."""

from __future__ import annotations

import logging
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection

if TYPE_CHECKING:
    from urllib3 import HTTPConnectionPool, PoolManager

#: Seconds after which the socket is shut down again: urllib3 may have replaced it in the meantime.
_AGAIN = 0.1


class Deadline:
    """
    Shuts a socket down when its time is up, so that the thread that reads or writes it continues at once.

    The timeout of a socket bounds each wait for bytes, and not their number: a server that sends one byte at a time
    keeps a reader for ever. Time counts between ``start`` and ``stop`` only, so that a wait for the rate limit between
    two such periods costs nothing. Use it as a context manager: a thread watches the time meanwhile.

    :param seconds: of all periods together.
    """

    def __init__(self, seconds: float) -> None:
        self._left = seconds
        self._socket_in_use: Callable[[], object] | None = None
        self._started_at = 0.0
        self._has_passed = False
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="lessonspace-deadline", daemon=True)

    def __enter__(self) -> Deadline:
        self._watcher.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._watcher.join()  # then no socket is shut down any more that others may use

    @property
    def has_passed(self) -> bool:
        """Whether the time is up: what the socket has given since may be cut off."""
        return self._has_passed

    @property
    def left(self) -> float:
        """Seconds that were left when the present or next period began."""
        return self._left

    def start(self, socket_in_use: Callable[[], object]) -> None:
        """
        Begin a period. It wakes no thread, since a request may be sent only at its moment.

        :param socket_in_use: gives the socket, or None as long as there is none. It is called in another thread.
        """
        with self._lock:
            self._socket_in_use, self._started_at = socket_in_use, time.monotonic()

    def stop(self) -> None:
        """End the period."""
        with self._lock:
            if self._socket_in_use is not None:
                self._socket_in_use = None
                self._left -= time.monotonic() - self._started_at

    def _watch(self) -> None:
        # A wait between two periods delays the end, so this never wakes too late.
        wait = self._left
        while not self._ended.wait(wait):
            with self._lock:
                wait = self._check()

    def _check(self) -> float:
        """Shut the socket down if the time is up; give the seconds until the next check."""
        in_use = self._socket_in_use
        remaining = self._left - (time.monotonic() - self._started_at if in_use else 0.0)
        if in_use is None or remaining > 0:
            return max(remaining, _AGAIN)
        self._has_passed = True
        _shut_down(in_use())
        return _AGAIN


def _shut_down(used: object) -> None:
    while hasattr(used, "socket"):  # TLS within TLS, as through a proxy that speaks TLS itself
        used = used.socket
    if isinstance(used, socket.socket):
        # Not its own method: an SSLSocket's forgets its encryption first, and what is sent then would be readable.
        with suppress(OSError):
            socket.socket.shutdown(used, socket.SHUT_RDWR)


@dataclass(frozen=True)
class Exchange:
    """
    One request and its reply.

    :param acquire: waits until the request may be sent.
    :param deadline: runs from the connection's beginning until the exchange ends, except while waiting for the permit.
    """

    acquire: Callable[[], None]
    deadline: Deadline


_exchange: ContextVar[Exchange] = ContextVar("lessonspace_exchange")


@contextmanager
def under_way(exchange: Exchange) -> Iterator[None]:
    """Let the connections of an ``ExchangeAdapter`` serve an exchange in this thread, and keep urllib3's log quiet."""
    token = _exchange.set(exchange)
    try:
        with exchange.deadline:
            yield
    finally:
        _exchange.reset(token)


class _NotOurCalls(logging.Filter):
    """Drops urllib3's lines about our calls: they hold signed links, and queries with people's names."""

    def filter(self, record: logging.LogRecord) -> bool:
        return _exchange.get(None) is None


# All of urllib3's loggers that ever write a URL: a filter does not reach the loggers below its own.
for _name in ("connection", "connectionpool", "poolmanager", "response", "util.retry"):
    logging.getLogger(f"urllib3.{_name}").addFilter(_NotOurCalls())


class _Connection(HTTPConnection):
    """What a connection of any kind does for an ``Exchange``: see docs/adr/0001-permit-after-connecting.md."""

    _set_tunnel_again: Callable[[], None] | None = None

    def connect(self) -> None:
        """Open the connection, within the deadline."""
        deadline = _exchange.get().deadline
        if self.timeout is not None:
            self.timeout = min(self.timeout, max(deadline.left, 0.001))  # nothing interrupts the connecting itself
        deadline.start(lambda: self.sock)
        try:
            super().connect()
        except BaseException:
            self.close()  # or it would count as open after a handshake that failed
            raise
        finally:
            deadline.stop()
        if deadline.has_passed:
            self.close()
            raise TimeoutError("The deadline passed while connecting.")

    def set_tunnel(self, *args: Any, **kwargs: Any) -> None:
        """Remember the way through a proxy, which ``close`` forgets."""
        super().set_tunnel(*args, **kwargs)
        self._set_tunnel_again = partial(super().set_tunnel, *args, **kwargs)

    def request(self, *args: Any, **kwargs: Any) -> None:
        """Send a request when it has its permit, over a connection that is open by then."""
        exchange = _exchange.get()
        if self.is_closed:
            self.connect()
        exchange.acquire()
        if _has_ended(self.sock):
            self._connect_again()
        used = self.sock  # http.client drops its own reference where the server announces to close the connection
        exchange.deadline.start(lambda: used)
        super().request(*args, **kwargs)

    def _connect_again(self) -> None:
        self.close()
        if self._set_tunnel_again:
            self._set_tunnel_again()
        self.connect()


def _has_ended(sock: Any) -> bool:
    """
    Whether the peer has hung up, or sent what was not asked for.

    Reading also takes the session tickets that a server sends after a TLS 1.3 handshake: urllib3 takes a connection
    with unread bytes for dropped.
    """
    sock.settimeout(0)  # the request sets its own
    try:
        sock.recv(1)
    except (BlockingIOError, ssl.SSLWantReadError):
        return False
    except OSError:
        pass
    return True


class ExchangeAdapter(HTTPAdapter):
    """Sends requests of an ``Exchange``, directly or through any proxy that requests knows."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Make the pools of direct connections."""
        super().init_poolmanager(*args, **kwargs)
        _serve_exchanges(self.poolmanager)

    def proxy_manager_for(self, proxy: str, **proxy_kwargs: Any) -> Any:
        """Get the pools of a proxy's connections."""
        is_new = proxy not in self.proxy_manager
        manager = super().proxy_manager_for(proxy, **proxy_kwargs)
        if is_new:
            _serve_exchanges(manager)
        return manager

    def close(self) -> None:
        """Close the connections that are not in use. Without this, urllib3 does so when it forgets their pools."""
        for manager in (self.poolmanager, *self.proxy_manager.values()):
            for key in manager.pools.keys():  # noqa: SIM118 - it can't be iterated
                if (pool := manager.pools.get(key)) is not None:
                    pool.close()
        super().close()


def _serve_exchanges(manager: PoolManager) -> None:
    pools: Mapping[str, type[HTTPConnectionPool]] = manager.pool_classes_by_scheme
    manager.pool_classes_by_scheme = {scheme: _serving_exchanges(pool) for scheme, pool in pools.items()}


def _serving_exchanges(pool: type[HTTPConnectionPool]) -> type[HTTPConnectionPool]:
    connection = type(pool.ConnectionCls.__name__, (_Connection, pool.ConnectionCls), {})
    return type(pool.__name__, (pool,), {"ConnectionCls": connection})
