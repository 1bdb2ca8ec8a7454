# SPDX-License-Identifier: Apache-2.0
"""Start and stop a sandbox: two servers on one event loop in one background thread."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import threading
from collections.abc import Callable
from contextlib import ExitStack
from types import TracebackType
from typing import TYPE_CHECKING, Any, TextIO

from lessonspace_provider.sandbox.client import SandboxControl
from lessonspace_provider.sandbox.settings import ORGANISATION_ID, SandboxSettings

if TYPE_CHECKING:
    import uvicorn
    from starlette.types import ASGIApp, Receive, Scope, Send

STARTUP_TIMEOUT = 30.0
"""Seconds to wait for the servers."""


class Sandbox:
    """A local Lessonspace in this process, as a context manager.

    :param settings: how it behaves; ports default to free ones.
    :param log: where a line per call goes, unless the settings name a file.
    """

    def __init__(self, settings: SandboxSettings | None = None, *, log: TextIO | None = None) -> None:
        self.settings = settings or SandboxSettings()
        self._log = log
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._servers: list[uvicorn.Server] = []
        self._started = threading.Event()
        self._failure: BaseException | None = None

    @property
    def base_url(self) -> str:
        """The API's base URL, ``/v2`` included: the host of a connection."""
        return f"{self.root_url}/v2"

    @property
    def api_key(self) -> str:
        """The API key: the password of a connection. A reset does not change it."""
        return self.settings.key

    @property
    def organisation_id(self) -> int:
        """The school's integer id. A reset does not change it."""
        return ORGANISATION_ID

    def start(self) -> None:
        """Start both servers; return when they answer.

        :raises OSError: when a port is taken, or the log file cannot be written.
        :raises RuntimeError: when it is already running, or does not start in time.
        """
        if self._thread is not None:
            raise RuntimeError("This sandbox is already running")
        with ExitStack() as opened:
            sockets = [
                opened.enter_context(_listen(self.settings.host, port))
                for port in (self.settings.port, self.settings.store_port)
            ]
            log = self._log
            if self.settings.log_file is not None:
                log = opened.enter_context(self.settings.log_file.open("a", encoding="utf-8"))
            host = _reachable(self.settings.host)
            self.root_url, self.store_url = (f"http://{host}:{s.getsockname()[1]}" for s in sockets)
            self.control = SandboxControl(self.root_url)
            self._thread = threading.Thread(
                target=self._run, args=(opened.pop_all(), sockets, log), name="lessonspace-sandbox", daemon=True
            )
        self._thread.start()
        if not self._started.wait(STARTUP_TIMEOUT):
            raise RuntimeError(f"The sandbox did not start within {STARTUP_TIMEOUT:g} seconds")
        if self._failure is not None:
            raise RuntimeError("The sandbox did not start") from self._failure

    def stop(self) -> None:
        """Stop both servers at once; calls under way are cut off."""
        if self._thread is None:
            return
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._cut)
        self._thread.join()
        self._thread = None
        self._started.clear()

    def __enter__(self) -> Sandbox:
        """Start."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop."""
        self.stop()

    def _run(self, opened: ExitStack, sockets: list[socket.socket], log: TextIO | None) -> None:
        with opened:
            try:
                asyncio.run(self._serve(sockets, log))
            except BaseException as error:
                self._failure = error
            finally:
                self._started.set()

    async def _serve(self, sockets: list[socket.socket], log: TextIO | None) -> None:
        from lessonspace_provider.sandbox.application import make_applications

        applications = make_applications(self.settings, self.root_url, sockets[1].getsockname()[1], log)
        self._loop = asyncio.get_running_loop()
        self._servers = [_server(application) for application in applications]
        serving = asyncio.gather(
            *(server.serve(sockets=[listener]) for server, listener in zip(self._servers, sockets, strict=True))
        )
        while not serving.done() and not all(server.started for server in self._servers):
            await asyncio.sleep(0.005)
        self._started.set()
        await serving

    def _cut(self) -> None:
        for server in self._servers:
            server.should_exit = server.force_exit = True
            for connection in list(server.server_state.connections):
                if connection.transport is not None:
                    connection.transport.abort()


def _server(app: ASGIApp) -> uvicorn.Server:
    import uvicorn

    config = uvicorn.Config(
        app,
        http=_protocol_for(app),  # type: ignore[arg-type]
        log_config=None,
        log_level="warning",
        access_log=False,
        lifespan="off",
        ws="none",
        proxy_headers=False,
        server_header=False,
        date_header=False,
        timeout_keep_alive=75,
    )
    return uvicorn.Server(config)


def _protocol_for(app: ASGIApp) -> Callable[..., asyncio.Protocol]:
    """Return what makes uvicorn's connections, changed in two ways ASGI and uvicorn's settings leave no room for.

    The application gets the connection, to cut it. And nothing is logged: uvicorn's logs hold whole URLs,
    signatures included, and its switches are global, so that anyone who configures logging later, as Airflow
    does, switches them on again.
    """
    from uvicorn.protocols.http.auto import AutoHTTPProtocol

    def make(**options: Any) -> asyncio.Protocol:
        protocol: Any = AutoHTTPProtocol(**options)

        async def with_connection(scope: Scope, receive: Receive, send: Send) -> None:
            scope["sandbox.connection"] = protocol.transport
            await app(scope, receive, send)

        protocol.access_log = False
        protocol.app = with_connection
        return protocol  # type: ignore[no-any-return]

    return make


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio turns Nagle's delay off only where it sees the protocol named: else every answer takes 40 ms.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise OSError(error.errno, f"The sandbox cannot listen on {host} port {port}: {error.strerror}") from None
    return listener


def _reachable(host: str) -> str:
    """Return the host as it is written in a URL; where all addresses are listened on, the loopback one."""
    if host != "localhost" and ipaddress.ip_address(host).is_unspecified:
        host = "::1" if ":" in host else "127.0.0.1"
    return f"[{host}]" if ":" in host else host
