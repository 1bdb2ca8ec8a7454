# SPDX-License-Identifier: Apache-2.0
"""Reads a reply, no more of it than its kind may have, and turns it into its JSON or into an error."""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lessonspace_provider.api import json_list, plain_json
from lessonspace_provider.api.errors import Call, Reply, error_for, unexpected
from lessonspace_provider.api.foreign_words import clean_words, holds_key, without_key
from lessonspace_provider.api.replaced_errors import ErrorsReplaced
from lessonspace_provider.api.retries import retry_after_seconds
from lessonspace_provider.exceptions import (
    LessonspaceBadRequestError,
    LessonspaceError,
    LessonspaceLinkExpiredError,
    LessonspaceReplyTooLargeError,
    LessonspaceServerError,
)

if TYPE_CHECKING:
    import requests

    from lessonspace_provider.api.exchange import Deadline

#: How much of a Content-Type is shown.
LONGEST_TYPE = 80

#: What ``Accept-Encoding`` asks for.
ACCEPTED_ENCODING = "gzip"

#: Bytes of a decoded body. Parsed JSON needs at most 50 times its bytes (lists within lists), so what is parsed at once
#: must be far smaller than a worker's memory. A transcript is parsed segment by segment; that of a long day's session
#: has some 50 MB at most (assumption).
LARGEST_OBJECT = 2 * 1024 * 1024
LARGEST_PAGE = 4 * 1024 * 1024
LARGEST_FILE = 256 * 1024 * 1024

#: What is read of a body that comes with an error.
LARGEST_ERROR = 64 * 1024

#: Bytes that are read, and decoded, at once.
_PIECE = 64 * 1024

#: The values of Content-Encoding where nothing is encoded; the second is left over from uploads to S3.
_NOT_ENCODED = ("", "identity", "aws-chunked")


def read_reply(response: requests.Response, call: Call, largest: int, deadline: Deadline) -> Reply:
    """
    Read a reply to its end. urllib3 is not let decode it: which versions bound what they decode differs.

    :param response: unread.
    :param call: what was asked.
    :param largest: bytes of the decoded body, where the reply is good; of any other the beginning is read.
    :param deadline: of the exchange; when it has passed, the body may be cut off anywhere.
    :return: the reply.
    :raises LessonspaceReplyTooLargeError: the body of a good reply is larger.
    :raises LessonspaceServerError: it is encoded otherwise than was asked for.
    """
    is_good, body = _is_good(response), io.BytesIO()
    for piece in _decoded_body(response, call):
        body.write(piece)
        if deadline.has_passed:
            break
        if is_good and body.tell() > largest:
            raise call.error(
                LessonspaceReplyTooLargeError,
                f"{call}: the reply is larger than {_size(largest)} and was not read to its end. Check that the host "
                f"of connection {call.conn_id!r} is the API's base URL, or ask Lessonspace.",
                status=response.status_code,
            )
        if not is_good and body.tell() > LARGEST_ERROR:
            body.truncate(LARGEST_ERROR)
            break
    return Reply(response.status_code, response.headers, body.getvalue())


def _is_good(response: requests.Response) -> bool:
    return 200 <= response.status_code < 300


def _size(largest: int) -> str:
    return f"{largest >> 20} MB" if largest >= 1 << 20 else f"{largest >> 10} kB"


def _decoded_body(response: requests.Response, call: Call) -> Iterator[bytes]:
    named = (name.strip().lower() for name in response.headers.get("Content-Encoding", "").split(","))
    encodings = [name for name in named if name not in _NOT_ENCODED]
    if not encodings:
        return _received(response)
    if encodings in (["gzip"], ["x-gzip"]):
        return _unpacked(response, call)
    if not _is_good(response):
        return iter(())
    raise _undecodable(response, call, "is encoded in another way than the gzip that was asked for")


def _received(response: requests.Response) -> Iterator[bytes]:
    # Not iter_content(): that returns only when a piece is full, however slowly it fills.
    while piece := response.raw.read1(_PIECE, decode_content=False):
        yield piece


def _unpacked(response: requests.Response, call: Call) -> Iterator[bytes]:
    try:
        yield from unpack(_received(response))
    except zlib.error:
        pass  # raised below, or its frames, which hold the body, would be the new error's context
    else:
        return
    if _is_good(response):
        raise _undecodable(response, call, "is marked as gzip and is not gzip")


def unpack(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """
    Decode gzip, a bounded piece for each step.

    :param pieces: of one or several members; what follows them and is no member is ignored, as browsers do.
    :return: what is in them, with empty pieces where nothing came out.
    :raises zlib.error: it is no gzip.
    """
    member, is_first = _member(), True
    for piece in pieces:
        packed = piece
        while packed or not member.eof:
            if member.eof:
                member, is_first = _member(), False
            try:
                unpacked = member.decompress(packed, _PIECE)
            except zlib.error:
                if is_first:
                    raise
                return
            yield unpacked
            packed = member.unused_data if member.eof else member.unconsumed_tail
            if not packed and len(unpacked) < _PIECE:
                break


def _member() -> zlib._Decompress:
    return zlib.decompressobj(zlib.MAX_WBITS | 16)


def _undecodable(response: requests.Response, call: Call, what: str) -> LessonspaceServerError:
    return call.error(
        LessonspaceServerError,
        f"{call}: the reply ({response.status_code}) {what}. If this lasts, check that no proxy changes what the "
        f"server sends.",
        status=response.status_code,
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
        raise error_for(reply, call, api_key)
    if reply.status == 204 or (call.method == "DELETE" and not reply.body):
        return Answer(call, reply.status, None)
    return Answer(call, reply.status, _read_json(reply, call, lambda body: _parsed_without_key(body, api_key), api_key))


def read_file(reply: Reply, call: Call) -> object:
    """
    Read the reply of the store behind a signed link. Its errors are never quoted: they may repeat the link.

    :param reply: what came back.
    :param call: what was asked, with the file's name in place of a path.
    :return: the file's JSON, a list as a ``JsonList``.
    :raises LessonspaceLinkExpiredError: 403, or a 400 that names the reason: ask the API for a new link.
    :raises LessonspaceServerError: 1xx, 404, 429, 5xx, or a file that is not JSON: worth another try, as the API has
        just reported that the file exists.
    :raises LessonspaceBadRequestError: any other status.
    """
    status = reply.status
    if 200 <= status < 300:
        return _read_json(reply, call, json_list.loads)
    kind: type[LessonspaceError] = LessonspaceBadRequestError
    advice = "the store behind the signed link refused the file. If this lasts, ask Lessonspace about it."
    if status == 403 or (status == 400 and b"expired" in reply.body.lower()):
        kind, advice = LessonspaceLinkExpiredError, "the signed link has expired, ask for a new one."
    elif status == 404:
        kind = LessonspaceServerError
        advice = "the store behind the signed link does not have the file that the API named. Try again later."
    elif status < 200 or status == 429 or status >= 500:
        kind, advice = LessonspaceServerError, "the store behind the signed link had a fault, try again later."
    raise call.error(
        kind,
        f"{call} failed with {status}: {advice}",
        status=status,
        retry_after=retry_after_seconds(reply.headers.get("Retry-After")),
    )


def _parsed_without_key(body: bytes, api_key: str) -> object:
    """Parse JSON, and take the API key out of it: what is read here goes into XCom, files and messages."""
    parsed = plain_json.parse(body)
    return without_key(parsed, api_key) if holds_key(body.decode(errors="replace"), api_key) else parsed


def _read_json(reply: Reply, call: Call, parse: Callable[[bytes], object], api_key: str = "") -> object:
    # Not requests' json(): that takes "text/..." for Latin-1, and JSON is UTF-8 whatever its Content-Type is.
    with ErrorsReplaced(lambda _: _not_json(reply, call, api_key), ValueError, RecursionError):
        return parse(reply.body)


def _not_json(reply: Reply, call: Call, api_key: str) -> LessonspaceServerError:
    media_type, _, _ = reply.headers.get("Content-Type", "of no stated type").partition(";")
    kind = clean_words(media_type, api_key=api_key, longest=LONGEST_TYPE)
    return call.error(
        LessonspaceServerError,
        f"{call}: the response ({reply.status}, {kind}) is not JSON. If this lasts, check that the host of "
        f"connection {call.conn_id!r} is the API's base URL and no proxy responds in its place.",
        status=reply.status,
    )
