# SPDX-License-Identifier: Apache-2.0
"""Replies that never end, each in another place of HTTP: what a server sends first, and then again and again."""

from __future__ import annotations

import gzip
import itertools
import zlib
from collections.abc import Iterator


def head(*headers: str, status: str = "200 OK") -> bytes:
    return "\r\n".join([f"HTTP/1.1 {status}", *headers, "", ""]).encode()


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


_GZIP = head("Content-Encoding: gzip", "Transfer-Encoding: chunked")
_PACKER = zlib.compressobj(wbits=zlib.MAX_WBITS | 16)
_GZIP_HEAD = _PACKER.compress(b"[") + _PACKER.flush(zlib.Z_SYNC_FLUSH)
_EMPTY_BLOCK = b"\x00\x00\x00\xff\xff"

#: The beginning of each reply, and the bytes that follow without an end.
ENDLESS: dict[str, tuple[bytes, bytes]] = {
    "status line": (b"HTTP/1.1 200 ", b"O"),
    "header name": (b"HTTP/1.1 200 OK\r\n", b"X"),
    "header value": (b"HTTP/1.1 200 OK\r\nX-Slow: ", b"x"),
    "folded header": (b"HTTP/1.1 200 OK\r\nX-Slow: x\r\n", b" "),
    "interim replies": (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "chunk size": (head("Transfer-Encoding: chunked"), b"0"),
    "chunk extension": (head("Transfer-Encoding: chunked") + b"1;", b"x"),
    "one chunk": (head("Transfer-Encoding: chunked") + b"FFFFFF\r\n[", b" "),
    "chunks": (head("Transfer-Encoding: chunked"), chunk(b" ")),
    "trailers": (head("Transfer-Encoding: chunked") + chunk(b"[]") + b"0\r\n", b"X: x\r\n"),
    "known length": (head("Content-Length: 100000") + b"[", b" "),
    "until closed": (head("Connection: close") + b"[", b" "),
    "gzip name": (_GZIP + chunk(b"\x1f\x8b\x08\x08\x00\x00\x00\x00\x00\x03"), chunk(b"x")),
    "gzip blocks": (_GZIP + chunk(_GZIP_HEAD), chunk(_EMPTY_BLOCK)),
    "gzip members": (_GZIP, chunk(gzip.compress(b""))),
    "redirect": (head("Location: /elsewhere/", "Content-Length: 100000", status="302 Found"), b" "),
    "error": (head("Transfer-Encoding: chunked", status="500 Oops"), chunk(b" ")),
}


def pieces_of(kind: str, at_once: int = 1) -> Iterator[bytes]:
    """Give a reply piece by piece, so many of those that follow at once."""
    first, following = ENDLESS[kind]
    return itertools.chain([first] if first else [], itertools.repeat(at_once * following))
