# SPDX-License-Identifier: Apache-2.0
"""The middleware of the API and of the store: records, log, latency and injected faults."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import time
from collections.abc import Callable
from datetime import datetime
from email.utils import format_datetime
from typing import TextIO

from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lessonspace_provider.sandbox.calls import Call, log_line
from lessonspace_provider.sandbox.messages import Fault, Target
from lessonspace_provider.sandbox.responses import json_answer
from lessonspace_provider.sandbox.state import State

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class SandboxMiddleware:
    """The ASGI middleware around one of the two applications.

    :param app: what answers when nothing goes wrong on purpose.
    :param target: which of the two it is.
    :param state: the sandbox.
    :param log: where a line per call goes.
    """

    def __init__(self, app: ASGIApp, target: Target, state: State, log: TextIO | None) -> None:
        self._app = app
        self._target = target
        self._state = state
        self._log = log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one call."""
        call = Call(
            target=self._target,
            method=scope["method"],
            raw_path=scope["raw_path"],
            query_string=scope["query_string"],
            raw_headers=scope["headers"],
            arrived=time.monotonic(),
        )
        scope["sandbox.call"] = call
        self._state.calls.begin(call)
        fault = self._state.faults.pick(self._target, call.method, scope["path"])
        call.fault = fault.kind if fault else None
        answer = _Answer(call, send, scope["sandbox.connection"], self._state.clock.now)
        try:
            if self._target == "api" and self._state.settings.latency:
                await asyncio.sleep(self._state.settings.latency)
            await self._handle(fault, scope, receive, answer)
        except (asyncio.CancelledError, ClientDisconnect):
            # The sandbox is being stopped, or the caller has disconnected.
            answer.connection.abort()
        finally:
            self._finish(call)

    def _finish(self, call: Call) -> None:
        call.milliseconds = (time.monotonic() - call.arrived) * 1000
        if self._log is not None:
            # No one reading the log any more is no reason to stop serving.
            with contextlib.suppress(OSError, ValueError):
                self._log.write(log_line(call))
                self._log.flush()

    async def _handle(self, fault: Fault | None, scope: Scope, receive: Receive, answer: _Answer) -> None:
        if fault is None:
            await self._app(scope, receive, answer.send)
            return
        if fault.kind == "slow" and not fault.after:
            await asyncio.sleep(fault.seconds)
            await self._app(scope, receive, answer.send)
            return
        held: list[Message] = []
        if fault.after or fault.kind == "truncated":
            held = await _hold_back(self._app, scope, receive)
        if fault.kind == "slow":
            await asyncio.sleep(fault.seconds)
            for message in held:
                await answer.send(message)
        elif fault.kind == "truncated":
            await answer.send_half(held, receive)
        elif fault.kind == "reset":
            if not fault.after:
                await _read_request(receive)
            await answer.reset(receive)
        else:
            await _canned(fault)(scope, receive, answer.send)


class _Answer:
    """The way back to the caller, which can also be cut."""

    def __init__(self, call: Call, send: Send, connection: asyncio.Transport, now: Callable[[], datetime]) -> None:
        self._call = call
        self._send = send
        self._now = now
        self.connection = connection

    async def send(self, message: Message) -> None:
        """Send on with the sandbox's time as ``Date``, and record the status."""
        if message["type"] == "http.response.start":
            self._call.status = message["status"]
            date = format_datetime(self._now(), usegmt=True).encode()
            message = {**message, "headers": [*message["headers"], (b"date", date)]}
        await self._send(message)

    async def send_half(self, messages: list[Message], receive: Receive) -> None:
        """Send the head as it is and half of the body, then close."""
        body = b"".join(message.get("body", b"") for message in messages)
        await self.send(messages[0])
        await self._send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})
        self.connection.close()
        await _until_disconnected(receive)

    async def reset(self, receive: Receive) -> None:
        """Reset the connection without an answer."""
        tcp: socket.socket = self.connection.get_extra_info("socket")
        tcp.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        self.connection.abort()
        await _until_disconnected(receive)


async def _hold_back(app: ASGIApp, scope: Scope, receive: Receive) -> list[Message]:
    """Let the application do its work and keep its answer."""
    messages: list[Message] = []

    async def keep(message: Message) -> None:
        messages.append(message)

    await app(scope, receive, keep)
    return messages


async def _read_request(receive: Receive) -> None:
    """Take the whole request in: a caller still sending would see a broken pipe instead of a reset."""
    while (await receive()).get("more_body"):
        pass


async def _until_disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _canned(fault: Fault) -> Response:
    if fault.kind == "not_json":
        body = fault.body or "<!doctype html><title>Just a moment</title><h1>Just a moment</h1>"
        return Response(body, fault.status or 200, media_type="text/html")
    headers = {"Retry-After": fault.retry_after} if fault.retry_after is not None else None
    if fault.body is not None:
        return Response(fault.body, fault.status or 503, headers, media_type="application/json")
    return json_answer({"detail": "Injected by the sandbox."}, fault.status or 503, headers)
