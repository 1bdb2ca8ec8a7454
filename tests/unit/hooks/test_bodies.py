# SPDX-License-Identifier: Apache-2.0
"""How long and how large a reply may be, behind a real socket."""

from __future__ import annotations

import gzip
import itertools
import json
import logging
import socket
import threading
from contextlib import contextmanager

import pytest

from lessonspace_provider.exceptions import LessonspaceConnectionError, LessonspaceServerError
from lessonspace_provider.hooks import transport as module
from lessonspace_provider.hooks.connection_settings import ConnectionSettings
from lessonspace_provider.hooks.transport import READ_TIMEOUTS_PER_REPLY, Transport
from lessonspace_provider.rate_limit import OpenGate
from tests.unit.hooks.known import KEY

READ_TIMEOUT = 10.0


@contextmanager
def server(*pieces):
    """Answer one request after the other with these pieces, and then say nothing more until the client hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve():
            while True:
                try:
                    client, _ = listening.accept()
                except OSError:
                    return
                with client:
                    try:
                        while client.recv(1 << 16):
                            for piece in pieces:
                                client.sendall(piece)
                    except OSError:
                        continue

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        listening.shutdown(socket.SHUT_RDWR)
    thread.join(10)
    assert not thread.is_alive()


def head(*headers):
    return "\r\n".join(["HTTP/1.1 200 OK", *headers, "", ""]).encode()


def download(base, clock=lambda: 0.0):
    settings = ConnectionSettings(
        "lessonspace_default", f"{base}/v2", KEY, read_timeout=READ_TIMEOUT, rate_limit_max_wait=0.001
    )
    transport = Transport(settings, OpenGate(), logging.getLogger("quiet"), clock=clock)
    try:
        return transport.download(f"{base}/file", "the file")
    finally:
        transport.close()


DRIPS = {
    "length": [head("Content-Length: 1000"), b"["],
    "chunks": [head("Transfer-Encoding: chunked"), b"1\r\n[\r\n"],
    "one chunk": [head("Transfer-Encoding: chunked"), b"FFFF\r\n["],
    "until the end": [head("Connection: close"), b"["],
}


@pytest.mark.parametrize("pieces", DRIPS.values(), ids=list(DRIPS))
def test_a_reply_that_drips_is_given_up_after_so_many_read_timeouts_though_bytes_come(pieces):
    seconds = itertools.count(0.0, READ_TIMEOUTS_PER_REPLY * READ_TIMEOUT + 1)
    with server(*pieces) as base, pytest.raises(LessonspaceConnectionError) as caught:
        download(base, clock=lambda: next(seconds))
    # Had it waited for more than that one byte, the read timeout would have ended it.
    assert "GET the file: the answer had not come to its end after 5 read timeouts of 10 s" in str(caught.value)
    assert "Raise timeout in connection 'lessonspace_default'" in str(caught.value)


def test_a_reply_that_comes_in_time_may_come_in_pieces():
    whole = json.dumps(["word"] * 1000).encode()
    pieces = [whole[at : at + 100] for at in range(0, len(whole), 100)]
    with server(head(f"Content-Length: {len(whole)}"), *pieces) as base:
        assert list(download(base)) == ["word"] * 1000


@pytest.mark.parametrize("compressed", [False, True])
def test_a_transcript_of_50_mb_passes(compressed):
    whole = b'["' + b"x" * 50_000_000 + b'"]'
    body = gzip.compress(whole, 1) if compressed else whole
    headers = [f"Content-Length: {len(body)}", *(["Content-Encoding: gzip"] if compressed else [])]
    with server(head(*headers), body) as base:
        (text,) = download(base)
    assert len(text) == 50_000_000


@pytest.mark.parametrize("compressed", [False, True])
def test_a_reply_that_is_too_large_is_not_read_to_its_end(monkeypatch, compressed):
    monkeypatch.setattr(module, "LARGEST_BODY", 1 << 20)
    body = b"[" + b" " * (3 << 20)
    body = gzip.compress(body) if compressed else body
    headers = [f"Content-Length: {len(body) + 1}", *(["Content-Encoding: gzip"] if compressed else [])]
    # The last byte never comes: whoever wants the whole body waits in vain.
    with server(head(*headers), body) as base, pytest.raises(LessonspaceServerError) as caught:
        download(base)
    assert "GET the file: the answer is larger than 1 MB" in str(caught.value)
    assert caught.value.status == 200


def test_a_connection_is_used_again():
    with server(head("Content-Length: 2"), b"[]") as base:
        transport = Transport(
            ConnectionSettings("lessonspace_default", f"{base}/v2", KEY), OpenGate(), logging.getLogger("quiet")
        )
        for _ in range(3):
            assert transport.call("GET", "/hello/").body == []  # the server takes one connection at a time
        transport.close()
