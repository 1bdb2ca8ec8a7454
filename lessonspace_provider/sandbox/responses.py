# SPDX-License-Identifier: Apache-2.0
"""Answers, in the manner of Django REST Framework (which the real API seems to run on: inferred)."""

from __future__ import annotations

import json
from collections.abc import Mapping

from starlette.responses import Response


class ApiError(Exception):
    """An answer that is not a success.

    :param status: HTTP status.
    :param body: JSON body: ``{"detail": text}``, or ``{field: [text]}`` for bad input.
    :param headers: extra headers.
    """

    def __init__(self, status: int, body: Mapping[str, object], headers: dict[str, str] | None = None) -> None:
        super().__init__(status)
        self.status = status
        self.body = body
        self.headers = headers


def invalid(field: str, message: str) -> ApiError:
    """Return the 400 for a field or parameter that cannot be taken."""
    return ApiError(400, {field: [message]})


def not_found(detail: str = "Not found.") -> ApiError:
    """Return the API's own 404."""
    return ApiError(404, {"detail": detail})


def json_answer(body: object, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Return a JSON answer."""
    return json_bytes(json.dumps(body, ensure_ascii=False).encode(), status, headers)


def json_bytes(body: bytes, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Return an answer whose JSON is already written."""
    return Response(body, status, headers, media_type="application/json")


def html_answer(status: int, title: str) -> Response:
    """Return Django's bare page for what no view has answered."""
    return Response(f"<!doctype html><title>{title}</title><h1>{title}</h1>", status, media_type="text/html")
