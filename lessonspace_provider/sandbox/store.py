# SPDX-License-Identifier: Apache-2.0
"""The store behind the signed links: transcript files and recordings, in the manner of an object store."""

from __future__ import annotations

import re

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from lessonspace_provider.sandbox.state import State

_TRANSCRIPT = re.compile(r"/transcripts/([0-9a-f-]{36})\.json")
_RECORDING = re.compile(r"/recordings/([0-9a-f-]{36})")


class Store:
    """The ASGI application on the second port.

    :param state: the sandbox.
    """

    def __init__(self, state: State) -> None:
        self._state = state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        await self._respond(Request(scope, receive))(scope, receive, send)

    def _respond(self, request: Request) -> Response:
        if request.method != "GET":
            return _error(405, "MethodNotAllowed", "The specified method is not allowed against this resource.")
        if "authorization" in request.headers:
            return _error(400, "InvalidArgument", "Only one auth mechanism allowed")
        path: str = request.scope["path"]
        now = self._state.advance()
        verdict = self._state.signer.check(path, request.query_params, now)
        if verdict == "missing":
            return _error(403, "AccessDenied", "Access Denied")
        if verdict == "wrong":
            return _error(403, "SignatureDoesNotMatch", "The request signature does not match.")
        if verdict == "expired":
            status = self._state.settings.expired_link_status
            return _error(status, "ExpiredRequest" if status == 400 else "AccessDenied", "Request has expired")
        request.scope["sandbox.call"].authorised = True
        return self._file(path) or _error(404, "NoSuchKey", "The specified key does not exist.")

    def _file(self, path: str) -> Response | None:
        world = self._state.world
        if match := _TRANSCRIPT.fullmatch(path):
            session = world.sessions.get(match[1])
            if session is not None and not session.recording_deleted:
                return Response(self._transcript(match[1]), media_type="application/json")
        if match := _RECORDING.fullmatch(path):
            session = world.sessions.get(match[1])
            if session is not None and session.recorded:
                return Response("<!doctype html><title>A recording</title>", media_type="text/html")
        return None

    def _transcript(self, session_id: str) -> bytes:
        key = ("transcript", session_id)
        rendered = self._state.rendered
        if key not in rendered:
            rendered[key] = self._state.world.transcript_file(self._state.world.sessions[session_id])
        return rendered[key]


def _error(status: int, code: str, message: str) -> Response:
    body = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code><Message>{message}</Message></Error>'
    return Response(body, status, media_type="application/xml")
