# SPDX-License-Identifier: Apache-2.0
"""Makes the LessonspaceError for a call that failed: what happened, and what to do. Pure."""

from __future__ import annotations

import json
import re
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

from lessonspace_provider.api.connection import DEFAULT_BASE_URL
from lessonspace_provider.api.fields import KEYS_TO_ROOMS
from lessonspace_provider.api.foreign_words import LONGEST_READ, clean_host, clean_words
from lessonspace_provider.api.retries import retry_after_seconds
from lessonspace_provider.exceptions import (
    LessonspaceAuthError,
    LessonspaceBadRequestError,
    LessonspaceConnectionError,
    LessonspaceError,
    LessonspaceNotFoundError,
    LessonspaceRateLimitedError,
    LessonspaceReplyTimeoutError,
    LessonspaceServerError,
    LessonspaceTlsError,
)

Error = TypeVar("Error", bound=LessonspaceError)

#: How deeply the messages in an error's body may be nested, and how much of a field's name is shown.
_DEEPEST_MESSAGE, _LONGEST_NAME = 8, 64
#: What a path asks for, when it names one of them.
_OF_A_SESSION = re.compile(r"/sessions/[^/]+/")
_OF_A_SPACE = re.compile(r"/spaces/[^/]+/sessions/$")
_OF_A_USER = re.compile(r"/users/[^/]+/$")
#: Fields that are in no message, should an error's body have them; what is wrong with a ``url`` of ours is shown.
_NEVER_QUOTED = (KEYS_TO_ROOMS | {"token"}) - {"url"}

#: How OpenSSL calls an answer that is no TLS: up to 3.1, and from 3.2 on.
_NO_TLS = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE")


@dataclass(frozen=True, repr=False)
class Reply:
    """
    What came back, read to its end. It has no repr of its fields, since the body may hold secrets.

    :param status: HTTP status.
    :param headers: found by their names in any case.
    :param body: decoded by its Content-Encoding.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Call:
    """
    The request, in words that a log may show.

    :param method: HTTP method.
    :param path: path without its query, or the name of a file behind a signed link.
    :param conn_id: the connection it was asked with.
    """

    method: str
    path: str
    conn_id: str

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    def error(
        self, kind: type[Error], message: str, *, status: int | None = None, retry_after: float | None = None
    ) -> Error:
        """Make an error of this call, to be raised by the caller."""
        return kind(message, status=status, method=self.method, path=self.path, retry_after=retry_after)


def unexpected(call: Call, wanted: str) -> LessonspaceServerError:
    """
    Make the error for a response of another shape.

    :param call: what was asked.
    :param wanted: what the API documents.
    """
    return call.error(
        LessonspaceServerError,
        f"{call}: the response is not what the API documents ({wanted}). Check that the host of connection "
        f"{call.conn_id!r} is the API's base URL.",
    )


def no_whole_reply(call: Call, seconds: float) -> LessonspaceReplyTimeoutError:
    """
    Make the error for a reply whose deadline passed.

    :param call: what was asked.
    :param seconds: that the reply had.
    """
    return call.error(
        LessonspaceReplyTimeoutError,
        f"{call}: the reply had not ended after {seconds:g} s (five times timeout): the connection or the server is "
        f"slow. Raise timeout in connection {call.conn_id!r} if this lasts.",
    )


def no_reply(error: BaseException, call: Call) -> LessonspaceConnectionError:
    """
    Make the error for a request that failed without a reply.

    :param error: of requests, urllib3 or Python. Its text may hold the URL, so only its kind is used.
    :param call: what was asked.
    """
    kind, what = _kind_and_reason(error, call)
    return call.error(kind, f"{call}: {what}")


def error_for(reply: Reply, call: Call, api_key: str) -> LessonspaceError:
    """
    Make the error for a reply that is no 2xx.

    :param reply: what came back.
    :param call: what was asked.
    :param api_key: the key it was asked with, to be left out when the server repeats it.
    """
    status = reply.status
    kind, advice = _kind_and_advice(reply, call, api_key)
    detail = _detail(reply.body, api_key)
    return call.error(
        kind,
        f"{call} failed with {status}: {advice}{f' The server replied: {detail}' if detail else ''}",
        status=status,
        retry_after=retry_after_seconds(reply.headers.get("Retry-After")),
    )


def _kind_and_advice(reply: Reply, call: Call, api_key: str) -> tuple[type[LessonspaceError], str]:
    status, connection = reply.status, f"connection {call.conn_id!r}"
    if status < 200:
        return LessonspaceServerError, (
            f"that is not a final response. If this lasts, check that the host of {connection} is the API's base URL "
            f"and no proxy responds in its place."
        )
    if 300 <= status < 400:
        return LessonspaceServerError, (
            f"a redirect to {_target(reply, api_key)} was not followed, because the key is for the host of "
            f"{connection} only. Check that this host is the API's base URL."
        )
    if status == 401:
        return LessonspaceAuthError, f"the API key was refused, check the API key of {connection}."
    if status == 403:
        return LessonspaceAuthError, (
            f"not allowed with this API key, check that organisation_id and API key of {connection} belong "
            f"to the same organisation."
        )
    if status == 404:
        return LessonspaceNotFoundError, _not_found(call)
    if status == 429:
        return LessonspaceRateLimitedError, (
            "the requests per second of this API key are used up, by this Airflow or by another program with the "
            "same key. Run fewer tasks at once, or raise rate_limit_max_wait."
        )
    if status >= 500:
        return LessonspaceServerError, "Lessonspace had a fault, try again later."
    return LessonspaceBadRequestError, "the request was refused. Correct the field that the server names."


def _not_found(call: Call) -> str:
    """Describe what to check after a 404: the id in the path, or the connection when there is none."""
    connection = f"connection {call.conn_id!r}"
    if _OF_A_SESSION.search(call.path):
        what = "no such session, or no recording of it" if call.path.endswith("/playback/") else "no such session"
        return (
            f"{what} in the organisation of {connection}. Use the session's uuid, not its space's id. A launched "
            f"session exists after a person has joined it."
        )
    if _OF_A_SPACE.search(call.path):
        return (
            f"no such space in the organisation of {connection}. Use the space's UUID or slug (launch's room_id). For "
            f"your own id of the space, list the organisation's sessions with the filter launch_id."
        )
    if _OF_A_USER.search(call.path):
        return (
            f"no such user in the organisation of {connection}. Use the user_id of a launch or profiles[].user. The "
            f"user may have been removed already."
        )
    return (
        f"there is no such address. Check that the host of {connection} is the API's base URL, such as "
        f"{DEFAULT_BASE_URL}, and that its organisation_id is right or blank."
    )


def _target(reply: Reply, api_key: str) -> str:
    """Name the host that a redirect leads to; its path and query may open something."""
    try:
        host = clean_host(reply.headers.get("Location", ""), api_key=api_key)
    except ValueError:
        return "an address that can't be read"
    return f"host {host}" if host else "another path of the same host"


def _detail(body: bytes, api_key: str) -> str:
    """
    Take the server's own words: ``{"field": ["message"]}`` or ``{"detail": "..."}``.

    Other bodies, such as a proxy's HTML, are left out.
    """
    try:
        parsed = json.loads(body)
        words = _bounded(_messages(parsed)) if isinstance(parsed, Mapping) else ""
    except (ValueError, RecursionError):
        return ""
    return clean_words(words, api_key=api_key)


def _bounded(messages: Iterator[str]) -> str:
    """Join messages up to the length that is read of them."""
    joined = ""
    for message in messages:
        joined += f"; {message}" if joined else message
        if len(joined) > LONGEST_READ:
            break
    return joined


def _messages(body: Mapping[str, object], prefix: str = "", depth: int = 0) -> Iterator[str]:
    for name, value in body.items():
        if name in _NEVER_QUOTED:
            continue
        entries = list(_flattened(value))
        label = "" if name in ("detail", "non_field_errors") else f"{prefix}{name[:_LONGEST_NAME]}: "
        words = [str(entry) for entry in entries if not isinstance(entry, Mapping)]
        if words or not entries:
            yield label + " ".join(words)
        for entry in entries:
            if isinstance(entry, Mapping) and depth < _DEEPEST_MESSAGE:
                yield from _messages(entry, f"{prefix}{name[:_LONGEST_NAME]}.", depth + 1)


def _flattened(value: object, depth: int = 0) -> Iterator[object]:
    """Yield what is in a list and the lists in it; what is nested too deeply is left out."""
    if not isinstance(value, list):
        yield value
    elif depth < _DEEPEST_MESSAGE:
        for entry in value:
            yield from _flattened(entry, depth + 1)


def _kind_and_reason(error: BaseException, call: Call) -> tuple[type[LessonspaceConnectionError], str]:
    of_api = call.path.startswith("/")  # else it is a file's name
    host = f"the host of connection {call.conn_id!r}" if of_api else "the store behind the signed link"
    tls = _tls_error(error)
    if isinstance(tls, ssl.SSLCertVerificationError):
        return LessonspaceTlsError, (
            f"the server's certificate was refused ({getattr(tls, 'verify_message', tls.reason)}). Check {host}, or "
            f"let this machine trust its issuer (REQUESTS_CA_BUNDLE names a file of certificates)."
        )
    if tls is not None and tls.reason in _NO_TLS:
        advice = (
            f"begin {host} with http://, or use the port that speaks TLS"
            if of_api
            else f"check the network up to {host}"
        )
        return LessonspaceTlsError, f"the server, or a proxy before it, does not speak TLS: {advice}."
    spelling = ", that it begins with the right http:// or https://," if of_api else ""
    return LessonspaceConnectionError, (
        f"no response ({_kind_of(error)}). Check that this machine reaches {host}{spelling} and that the timeouts of "
        f"connection {call.conn_id!r} are long enough."
    )


def _tls_error(error: BaseException | None) -> ssl.SSLError | None:
    """Find Python's own error, which knows the reason, below those of requests and urllib3."""
    while error is not None and not isinstance(error, ssl.SSLError):
        error = error.__cause__ or error.__context__
    return error


def _kind_of(error: BaseException) -> str:
    """Name the kind of a failure: urllib3's, which is more precise than requests' own, where there is one."""
    cause = error.args[0] if error.args else error
    cause = getattr(cause, "reason", cause)
    return type(cause if isinstance(cause, Exception) else error).__name__
