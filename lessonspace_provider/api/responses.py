# SPDX-License-Identifier: Apache-2.0
"""Turns the server's reply into its JSON, or into the LessonspaceError that says what to do. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from lessonspace_provider.api import json_list, plain_json
from lessonspace_provider.api.connection import DEFAULT_BASE_URL
from lessonspace_provider.api.fields import KEYS_TO_ROOMS
from lessonspace_provider.api.foreign_words import LONGEST_READ, clean_host, clean_words, holds_key, without_key
from lessonspace_provider.api.replaced_errors import ErrorsReplaced
from lessonspace_provider.api.retries import retry_after_seconds
from lessonspace_provider.exceptions import (
    LessonspaceAuthError,
    LessonspaceBadRequestError,
    LessonspaceError,
    LessonspaceLinkExpiredError,
    LessonspaceNotFoundError,
    LessonspaceRateLimitedError,
    LessonspaceServerError,
)

#: How deeply the messages in an error's body may be nested, and how much of a field's name is shown.
_DEEPEST_MESSAGE, _LONGEST_NAME = 8, 64

#: How much of a Content-Type is shown.
LONGEST_TYPE = 80

#: What a path asks for, when it names one of them.
_OF_A_SESSION = re.compile(r"/sessions/[^/]+/")
_OF_A_SPACE = re.compile(r"/spaces/[^/]+/sessions/$")
_OF_A_USER = re.compile(r"/users/[^/]+/$")

#: Fields that are in no message, should an error's body have them; what is wrong with a ``url`` of ours is shown.
_NEVER_QUOTED = (KEYS_TO_ROOMS | {"token"}) - {"url"}


@dataclass(frozen=True, repr=False)
class Reply:
    """
    What came back, read to its end. It has no repr of its fields, since the body may hold secrets.

    :param status: HTTP status.
    :param headers: found by their names in any case.
    :param body: decoded as its Content-Encoding says.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Call:
    """
    What was asked, in words that may stand in a log.

    :param method: HTTP method.
    :param path: path without its query, or the name of a file behind a signed link.
    :param conn_id: the connection it was asked with.
    """

    method: str
    path: str
    conn_id: str

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def unexpected(call: Call, wanted: str) -> LessonspaceServerError:
    """
    Make the error for an answer of another shape.

    :param call: what was asked.
    :param wanted: what the API documents.
    """
    return LessonspaceServerError(
        f"{call}: the answer is not what the API documents ({wanted}). Check that the host of connection "
        f"{call.conn_id!r} is the API's base URL.",
        method=call.method,
        path=call.path,
    )


@dataclass(frozen=True, repr=False)
class Answer:
    """
    A good answer. It has no repr of its fields, since the body may hold secrets.

    :param call: what was asked.
    :param status: HTTP status, 2xx.
    :param body: its JSON; None for an empty body (204).
    """

    call: Call
    status: int
    body: object

    @property
    def fields(self) -> dict[str, object]:
        """
        The body, which must be an object.

        :raises LessonspaceServerError: it is something else.
        """
        if not isinstance(self.body, dict):
            raise unexpected(self.call, "an object")
        return self.body


def read_answer(reply: Reply, call: Call, api_key: str) -> Answer:
    """
    Read the API's reply.

    :param reply: what came back.
    :param call: what was asked.
    :param api_key: the key it was asked with, to be left out when the server repeats it.
    :return: the answer of a 2xx reply.
    :raises LessonspaceError: of the kind that fits the status, or LessonspaceServerError for a body that is
        not JSON.
    """
    if not 200 <= reply.status < 300:
        raise _error_for(reply, call, api_key)
    if reply.status == 204 or (call.method == "DELETE" and not reply.body):
        return Answer(call, reply.status, None)
    return Answer(call, reply.status, _read_json(reply, call, lambda body: _parsed_without_key(body, api_key), api_key))


def read_file(reply: Reply, call: Call) -> object:
    """
    Read the reply of the store behind a signed link. Its errors are never quoted: they may repeat the link.

    :param reply: what came back.
    :param call: what was asked, with the file's name in place of a path.
    :return: the file's JSON, a list as a ``JsonList``.
    :raises LessonspaceLinkExpiredError: 403, or 400 of a store that says so: ask the API for a new link (facts, C).
    :raises LessonspaceServerError: 1xx, 404, 429, 5xx, or a file that is not JSON: worth another try, as the API has
        just said that the file is there.
    :raises LessonspaceBadRequestError: any other status.
    """
    status = reply.status
    if 200 <= status < 300:
        return _read_json(reply, call, json_list.loads)
    kind: type[LessonspaceError] = LessonspaceBadRequestError
    advice = "the store behind the signed link does not give the file; if this lasts, ask Lessonspace about it."
    if status == 403 or (status == 400 and b"expired" in reply.body.lower()):
        kind, advice = LessonspaceLinkExpiredError, "the signed link has expired, ask for a new one."
    elif status == 404:
        kind = LessonspaceServerError
        advice = "the store behind the signed link does not have the file that the API named, try again later."
    elif status < 200 or status == 429 or status >= 500:
        kind, advice = LessonspaceServerError, "the store behind the signed link had a fault, try again later."
    raise kind(
        f"{call} failed with {status}: {advice}",
        status=status,
        method=call.method,
        path=call.path,
        retry_after=retry_after_seconds(reply.headers.get("Retry-After")),
    )


def _parsed_without_key(body: bytes, api_key: str) -> object:
    """Parse JSON, and take the API key out of it: what is read here goes into XCom, files and messages."""
    parsed = plain_json.parse(body)
    return without_key(parsed, api_key) if holds_key(body.decode(errors="replace"), api_key) else parsed


def _read_json(reply: Reply, call: Call, parse: Callable[[bytes], object], api_key: str = "") -> object:
    # Not requests' json(): that takes "text/..." for Latin-1, and JSON is UTF-8 whatever its Content-Type says.
    with ErrorsReplaced(lambda _: _not_json(reply, call, api_key), ValueError, RecursionError):
        return parse(reply.body)


def _not_json(reply: Reply, call: Call, api_key: str) -> LessonspaceServerError:
    media_type, _, _ = reply.headers.get("Content-Type", "of no stated type").partition(";")
    kind = clean_words(media_type, api_key=api_key, longest=LONGEST_TYPE)
    return LessonspaceServerError(
        f"{call}: the answer ({reply.status}, {kind}) is not JSON. If this lasts, check that the host of "
        f"connection {call.conn_id!r} is the API's base URL and no proxy answers in its place.",
        status=reply.status,
        method=call.method,
        path=call.path,
    )


def _error_for(reply: Reply, call: Call, api_key: str) -> LessonspaceError:
    status = reply.status
    kind, advice = _kind_and_advice(reply, call, api_key)
    detail = _detail(reply.body, api_key)
    return kind(
        f"{call} failed with {status}: {advice}{f' The server says: {detail}' if detail else ''}",
        status=status,
        method=call.method,
        path=call.path,
        retry_after=retry_after_seconds(reply.headers.get("Retry-After")),
    )


def _kind_and_advice(reply: Reply, call: Call, api_key: str) -> tuple[type[LessonspaceError], str]:
    status, connection = reply.status, f"connection {call.conn_id!r}"
    if status < 200:
        return LessonspaceServerError, (
            f"that is no final reply. If this lasts, check that the host of {connection} is the API's base URL and no "
            f"proxy answers in its place."
        )
    if 300 <= status < 400:
        return LessonspaceServerError, (
            f"a redirect to {_target(reply, api_key)} was not followed, the key stays with the host of {connection}: "
            f"check that it is the API's base URL."
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
            "the requests per second of this API key are used up, by this deployment or another user with the "
            "same key: run fewer tasks at once, or raise rate_limit_max_wait."
        )
    if status >= 500:
        return LessonspaceServerError, "Lessonspace had a fault, try again later."
    return LessonspaceBadRequestError, "the request was refused, correct what the server names."


def _not_found(call: Call) -> str:
    """Say what to check after a 404: the id in the path, or the connection when there is none."""
    connection = f"connection {call.conn_id!r}"
    if _OF_A_SESSION.search(call.path):
        what = "no such session, or no recording of it," if call.path.endswith("/playback/") else "no such session"
        return (
            f"{what} in the organisation of {connection}: a session goes by its uuid, not by its space's id, and one "
            f"that was launched does not exist before a person has joined it."
        )
    if _OF_A_SPACE.search(call.path):
        return (
            f"no such space in the organisation of {connection}: a space goes by its UUID or slug (launch's room_id); "
            f"your own id of it is the filter launch_id of the organisation's sessions."
        )
    if _OF_A_USER.search(call.path):
        return (
            f"no such user in the organisation of {connection}: a user goes by the user_id of a launch or "
            f"profiles[].user, and may have been removed already."
        )
    return (
        f"nothing is there: check that the host of {connection} is the API's base URL, such as {DEFAULT_BASE_URL}, and "
        f"that its organisation_id is right or blank."
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
    Take the server's own words: ``{"field": ["message"]}`` or ``{"detail": "..."}`` (facts, D).

    Other bodies, such as a proxy's HTML, are left out.
    """
    try:
        parsed = json.loads(body)
        words = _first(_messages(parsed)) if isinstance(parsed, Mapping) else ""
    except (ValueError, RecursionError):
        return ""
    return clean_words(words, api_key=api_key)


def _first(messages: Iterator[str]) -> str:
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
        entries = list(_entries(value))
        label = "" if name in ("detail", "non_field_errors") else f"{prefix}{name[:_LONGEST_NAME]}: "
        words = [str(entry) for entry in entries if not isinstance(entry, Mapping)]
        if words or not entries:
            yield label + " ".join(words)
        for entry in entries:
            if isinstance(entry, Mapping) and depth < _DEEPEST_MESSAGE:
                yield from _messages(entry, f"{prefix}{name[:_LONGEST_NAME]}.", depth + 1)


def _entries(value: object, depth: int = 0) -> Iterator[object]:
    """Yield what is in a list and the lists in it; what is nested too deeply is left out."""
    if not isinstance(value, list):
        yield value
    elif depth < _DEEPEST_MESSAGE:
        for entry in value:
            yield from _entries(entry, depth + 1)
