# SPDX-License-Identifier: Apache-2.0
"""Combine the two ASGI applications. Importing this loads the web libraries."""

from __future__ import annotations

from typing import TextIO

from starlette.types import ASGIApp, Receive, Scope, Send

from lessonspace_provider.sandbox.api import Api
from lessonspace_provider.sandbox.control import Control
from lessonspace_provider.sandbox.hosts import OwnHostOnly
from lessonspace_provider.sandbox.middleware import SandboxMiddleware
from lessonspace_provider.sandbox.settings import SandboxSettings
from lessonspace_provider.sandbox.state import State
from lessonspace_provider.sandbox.store import Store


def make_applications(
    settings: SandboxSettings, root_url: str, store_port: int, log: TextIO | None
) -> tuple[ASGIApp, ASGIApp]:
    """Return the application of the API's port, and the one of the store's.

    :param root_url: where the API is, without ``/v2``.
    :param store_port: where the store is.
    :param log: where a line per call goes.
    """
    state = State(settings, root_url, store_port)
    api, store = SandboxMiddleware(Api(state), "api", state, log), SandboxMiddleware(Store(state), "store", state, log)
    control = Control(state)

    async def api_or_control(scope: Scope, receive: Receive, send: Send) -> None:
        chosen = control if scope["path"].startswith("/sandbox/") else api
        await chosen(scope, receive, send)

    if settings.allow_remote:  # it may be reached by any name
        return api_or_control, store
    return OwnHostOnly(api_or_control, settings.host), OwnHostOnly(store, settings.host)
