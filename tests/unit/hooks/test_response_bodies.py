# SPDX-License-Identifier: Apache-2.0
"""How large a reply may be and how it may be encoded, behind a real socket."""

from __future__ import annotations

import gzip
import json
import logging
import socket
import threading
import zlib
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lessonspace_provider.api import responses
from lessonspace_provider.api.connection import ConnectionSettings
from lessonspace_provider.api.responses import unpack
from lessonspace_provider.api.transport import Transport
from lessonspace_provider.exceptions import (
    LessonspaceBadRequestError,
    LessonspaceReplyTooLargeError,
    LessonspaceServerError,
)
from lessonspace_provider.rate_limit.gate import OpenGate, RateLimitSettings
from tests.endless_replies import head
from tests.unit.hooks.known import KEY


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


def transport_to(base):
    settings = ConnectionSettings("lessonspace_default", f"{base}/v2", KEY, rate_limit=RateLimitSettings(0, 0.001))
    return Transport(settings, OpenGate(), logging.getLogger("quiet"))


def download(base):
    transport = transport_to(base)
    try:
        return transport.download(f"{base}/file", "the file")
    finally:
        transport.close()


def call(base, **options):
    transport = transport_to(base)
    try:
        return transport.call("GET", "/hello/", **options)
    finally:
        transport.close()


def reply(body, *headers, status="200 OK"):
    return head(f"Content-Length: {len(body)}", *headers, status=status) + body


def test_a_reply_that_comes_in_time_may_come_in_pieces():
    whole = json.dumps(["word"] * 1000).encode()
    pieces = [whole[at : at + 100] for at in range(0, len(whole), 100)]
    with server(head(f"Content-Length: {len(whole)}"), *pieces) as base:
        assert list(download(base)) == ["word"] * 1000


@pytest.mark.parametrize("compressed", [False, True])
def test_a_transcript_of_50_mb_passes(compressed):
    whole = json.dumps(["x" * 1000] * 50_000).encode()
    body = gzip.compress(whole, 1) if compressed else whole
    headers = [f"Content-Length: {len(body)}", *(["Content-Encoding: gzip"] if compressed else [])]
    with server(head(*headers), body) as base:
        texts = download(base)
    assert (len(texts), {len(text) for text in texts}) == (50_000, {1000})


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize(
    ("ask", "largest"),
    [(download, "LARGEST_FILE"), (call, None), (lambda base: call(base, largest=1 << 20), None)],
    ids=["file", "object", "page"],
)
def test_a_reply_that_is_too_large_is_not_read_to_its_end(monkeypatch, clock, compressed, ask, largest):
    if largest:
        monkeypatch.setattr(f"lessonspace_provider.api.transport.{largest}", 1 << 20)
    body = b"[" + b" " * (3 << 20)
    body = gzip.compress(body) if compressed else body
    headers = [f"Content-Length: {len(body) + 1}", *(["Content-Encoding: gzip"] if compressed else [])]
    # The last byte never comes: a client that wants the whole body would wait for it.
    with server(head(*headers), body) as base, pytest.raises(LessonspaceReplyTooLargeError) as caught:
        ask(base)
    assert "the reply is larger than" in str(caught.value)
    assert " MB and was not read to its end. Check that the host of connection" in str(caught.value)
    assert caught.value.status == 200
    assert clock.waits == []


@pytest.mark.parametrize("compressed", [False, True])
def test_of_an_error_only_the_beginning_is_read(compressed):
    body = json.dumps({"detail": "No. " * (1 << 20)}).encode()
    body = gzip.compress(body) if compressed else body
    headers = [f"Content-Length: {len(body) + 1}", *(["Content-Encoding: gzip"] if compressed else [])]
    with server(head(*headers, status="400 Bad Request"), body) as base, pytest.raises(LessonspaceBadRequestError):
        call(base)


def test_a_detail_that_fits_is_quoted():
    with (
        server(reply(b'{"detail": "No."}', status="400 Bad Request")) as base,
        pytest.raises(LessonspaceBadRequestError, match=r"The server replied: No\."),
    ):
        call(base)


def test_a_redirect_with_a_body_is_not_read_to_its_end():
    body = gzip.compress(b" " * (64 << 20))
    headers = [f"Content-Length: {len(body) + 1}", "Content-Encoding: gzip", "Location: /elsewhere/"]
    with (
        server(head(*headers, status="302 Found"), body) as base,
        pytest.raises(LessonspaceServerError, match="a redirect to another path of the same host"),
    ):
        call(base)


# --- Encodings ---------------------------------------------------------------------------------------------------


def test_only_gzip_is_asked_for(requests_mock):
    requests_mock.get("https://api.school.example/v2/hello/", json={})
    call("https://api.school.example")
    assert requests_mock.last_request.headers["Accept-Encoding"] == "gzip"


@pytest.mark.parametrize("encoding", ["gzip", "x-gzip", "GZIP", " gzip ", "aws-chunked, gzip", "gzip, identity"])
def test_gzip_is_decoded_however_it_is_called(encoding):
    with server(reply(gzip.compress(b'{"response": "good"}'), f"Content-Encoding: {encoding}")) as base:
        assert call(base).body == {"response": "good"}


@pytest.mark.parametrize("encoding", ["", "identity", "aws-chunked"])
def test_what_is_not_encoded_is_taken_as_it_is(encoding):
    with server(reply(b'{"response": "good"}', f"Content-Encoding: {encoding}")) as base:
        assert call(base).body == {"response": "good"}


@pytest.mark.parametrize("encoding", ["gzip, gzip", "deflate", "br", "zstd", "br, gzip", "rot13"])
@pytest.mark.parametrize("ask", [call, download])
def test_another_encoding_is_refused_undecoded(encoding, ask):
    body = gzip.compress(gzip.compress(b"{}")) if encoding == "gzip, gzip" else zlib.compress(b"{}")
    with (
        server(reply(body, f"Content-Encoding: {encoding}")) as base,
        pytest.raises(LessonspaceServerError, match="encoded in another way than the gzip that was asked for"),
    ):
        ask(base)


@pytest.mark.parametrize("body", [b"{}", gzip.compress(b"[" * 5000)[:-8] + b"xxxxxxxx"], ids=["none", "checksum"])
def test_gzip_that_is_broken_is_reported(body):
    with (
        server(reply(body, "Content-Encoding: gzip")) as base,
        pytest.raises(LessonspaceServerError, match="is marked as gzip and is not gzip") as caught,
    ):
        call(base)
    error: BaseException | None = caught.value
    while error is not None:  # the frames of a decoder's error hold the body, in which a link may be
        assert not isinstance(error, zlib.error)
        error = error.__context__


@pytest.mark.parametrize("encoding", ["br", "gzip"])
def test_an_error_keeps_its_status_though_its_body_cant_be_decoded(encoding):
    with (
        server(reply(b"{}", f"Content-Encoding: {encoding}", status="400 Bad Request")) as base,
        pytest.raises(LessonspaceBadRequestError),
    ):
        call(base)


@given(
    st.lists(st.one_of(st.binary(max_size=200), st.integers(60_000, 140_000).map(bytes)), min_size=1, max_size=4),
    st.integers(1, 5000),
    st.binary(max_size=3),
)
def test_gzip_is_unpacked_whole_in_bounded_pieces(members, size, garbage):
    packed = b"".join(map(gzip.compress, members)) + b"\0\0" + garbage
    pieces = list(unpack(packed[at : at + size] for at in range(0, len(packed), size)))
    assert b"".join(pieces) == b"".join(members)
    assert max(map(len, pieces)) <= responses._PIECE


# --- Connections -------------------------------------------------------------------------------------------------


def test_a_connection_is_used_again():
    with server(head("Content-Length: 2"), b"[]") as base:
        transport = Transport(
            ConnectionSettings("lessonspace_default", f"{base}/v2", KEY), OpenGate(), logging.getLogger("quiet")
        )
        for _ in range(3):
            assert transport.call("GET", "/hello/").body == []  # the server takes one connection at a time
        transport.close()
