# SPDX-License-Identifier: Apache-2.0
"""Reads the body of a reply, and no more of it than its kind may have."""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from lessonspace_provider.api.responses import Call, Reply
from lessonspace_provider.exceptions import LessonspaceReplyTooLargeError, LessonspaceServerError

if TYPE_CHECKING:
    import requests

    from lessonspace_provider.api.deadline import Deadline

#: What ``Accept-Encoding`` asks for.
ACCEPTED_ENCODING = "gzip"

#: Bytes of a decoded body. Parsed JSON takes up to 50 times its bytes (lists within lists), so what is parsed at once
#: must be far smaller than a worker's memory. A transcript is parsed segment by segment; that of a long day's session
#: has some 50 MB at most (assumption).
LARGEST_OBJECT = 2 * 1024 * 1024
LARGEST_PAGE = 4 * 1024 * 1024
LARGEST_FILE = 256 * 1024 * 1024

#: What is read of a body that comes with an error.
LARGEST_ERROR = 64 * 1024

#: Bytes that are read, and decoded, at once.
_PIECE = 64 * 1024

#: What stands in Content-Encoding where nothing is encoded; the second is left over from uploads to S3.
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
    for piece in _decoded(response, call):
        body.write(piece)
        if deadline.has_passed:
            break
        if is_good and body.tell() > largest:
            raise LessonspaceReplyTooLargeError(
                f"{call}: the reply is larger than {_size(largest)} and was not read to its end. Check that the host "
                f"of connection {call.conn_id!r} is the API's base URL, or ask Lessonspace.",
                status=response.status_code,
                method=call.method,
                path=call.path,
            )
        if not is_good and body.tell() > LARGEST_ERROR:
            body.truncate(LARGEST_ERROR)
            break
    return Reply(response.status_code, response.headers, body.getvalue())


def _is_good(response: requests.Response) -> bool:
    return 200 <= response.status_code < 300


def _size(largest: int) -> str:
    return f"{largest >> 20} MB" if largest >= 1 << 20 else f"{largest >> 10} kB"


def _decoded(response: requests.Response, call: Call) -> Iterator[bytes]:
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
        pass
    else:
        return
    if _is_good(response):
        raise _undecodable(response, call, "says that it is gzip and is not")


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
    return LessonspaceServerError(
        f"{call}: the reply ({response.status_code}) {what}. If this lasts, check that no proxy changes what the "
        f"server sends.",
        status=response.status_code,
        method=call.method,
        path=call.path,
    )
