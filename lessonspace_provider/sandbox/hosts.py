# SPDX-License-Identifier: Apache-2.0
"""Refuse requests that a web page has sent here under a name of its own (DNS rebinding)."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Receive, Scope, Send

from lessonspace_provider.sandbox.responses import json_answer


class OwnHostOnly:
    """The ASGI middleware that lets requests to an IP address, ``localhost`` or the sandbox's own host pass.

    :param app: what answers them.
    :param host: the host that the sandbox listens on.
    """

    def __init__(self, app: ASGIApp, host: str) -> None:
        self._app = app
        self._names = {"localhost", host.lower()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, with 400 where its Host header names another machine."""
        given = [value.decode("latin-1") for name, value in scope["headers"] if name == b"host"]
        if len(given) == 1 and self._is_own(given[0]):
            await self._app(scope, receive, send)
        else:
            detail = "Address the sandbox by an IP address, localhost or its own host; see --allow-remote."
            await json_answer({"detail": detail}, 400)(scope, receive, send)

    def _is_own(self, host: str) -> bool:
        try:
            name = urlsplit(f"//{host}").hostname or ""
            if name not in self._names:
                ipaddress.ip_address(name)  # no name, so that no one else can choose what it leads to
        except ValueError:
            return False
        return True
