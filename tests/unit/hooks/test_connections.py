# SPDX-License-Identifier: Apache-2.0
"""How calls pass the gate, behind a real socket: over a connection that is open by then, directly or by a proxy."""

from __future__ import annotations

import socket

import pytest

from lessonspace_provider.api.retries import ATTEMPTS
from lessonspace_provider.exceptions import LessonspaceConnectionError, LessonspaceTlsError
from tests.unit.hooks.servers import GOOD, RESET, Gate, reply


def test_the_connection_is_open_when_the_permit_is_asked_for(serve, transport_to):
    server = serve(GOOD)
    open_then = []
    gate = Gate(lambda: open_then.append((server.connected.wait(10), server.requests)))
    assert transport_to(server.url, gate).call("GET", "/hello/").status == 200
    assert open_then == [(True, 0)]


def test_an_encrypted_connection_is_the_one_that_was_open_then(serve, transport_to, certificate, monkeypatch):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", certificate)
    server = serve(GOOD, certificate=certificate)
    open_then = []
    transport = transport_to(server.url, Gate(lambda: open_then.append(server.encrypted.wait(10))))
    for _ in range(2):
        assert transport.call("GET", "/hello/").status == 200
    assert open_then == [True, True]
    assert len(server.connections) == 1


def test_an_encrypted_connection_that_was_closed_meanwhile_is_opened_again(
    serve, transport_to, certificate, monkeypatch
):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", certificate)
    server = serve(GOOD, certificate=certificate)

    def closed_meanwhile():
        assert server.encrypted.wait(10)
        server.hang_up()

    assert transport_to(server.url, Gate(closed_meanwhile)).call("GET", "/hello/").status == 200
    assert len(server.connections) == 2


def test_a_certificate_that_no_one_trusts_is_reported_as_such_at_once(
    serve, transport_to, certificate, monkeypatch, clock
):
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    server = serve(GOOD, certificate=certificate)
    with pytest.raises(LessonspaceTlsError, match=r"GET /hello/: .* certificate was refused \(self.signed .*_BUNDLE"):
        transport_to(server.url, Gate()).call("GET", "/hello/")
    assert server.requests == 0
    assert clock.waits == []


def test_a_server_that_speaks_no_tls_is_reported_as_such_at_once(serve, transport_to, clock):
    server = serve(reply(400))
    gate = Gate()
    with pytest.raises(LessonspaceTlsError, match=r"does not speak TLS: begin .*'lessonspace_default' with http://"):
        transport_to(server.url.replace("http", "https"), gate).call("GET", "/hello/")
    assert gate.events == []
    assert clock.waits == []


def test_of_a_store_behind_a_signed_link_that_speaks_no_tls_the_connections_host_is_not_blamed(
    serve, transport_to, clock
):
    link = serve(reply(400)).url.replace("http", "https")
    with pytest.raises(
        LessonspaceTlsError, match=r"the file.*does not speak TLS: check the network up to the store"
    ) as told:
        transport_to(serve(GOOD).url, Gate()).download(f"{link}/a?Signature=s", "the file")
    assert "Signature" not in str(told.value)
    assert "http://" not in str(told.value)


def test_a_handshake_that_breaks_off_is_tried_again(serve, transport_to, clock):
    server = serve(RESET)
    with pytest.raises(LessonspaceConnectionError, match="no response") as caught:
        transport_to(server.url.replace("http", "https"), Gate()).call("GET", "/hello/")
    assert type(caught.value) is LessonspaceConnectionError
    assert len(clock.waits) == ATTEMPTS - 1


def test_it_trusts_no_other_certificates_than_requests_does(serve, transport_to, certificate, monkeypatch, clock):
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SSL_CERT_FILE", certificate)  # of the machine's own certificates, which requests does not use
    server = serve(GOOD, certificate=certificate)
    with pytest.raises(LessonspaceConnectionError, match="certificate was refused"):
        transport_to(server.url, Gate()).call("GET", "/hello/")
    assert server.requests == 0


def test_one_connection_serves_all_calls(serve, transport_to):
    server = serve(GOOD)
    gate = Gate()
    transport = transport_to(server.url, gate)
    for _ in range(3):
        transport.call("GET", "/hello/")
    assert gate.events == ["permit"] * 3
    assert len(server.connections) == 1


def test_a_connection_that_was_closed_while_the_permit_was_waited_for_is_opened_again(serve, transport_to):
    server = serve(GOOD)

    def closed_meanwhile():
        assert server.connected.wait(10)
        server.hang_up()

    gate = Gate(closed_meanwhile)
    assert transport_to(server.url, gate).call("GET", "/hello/").status == 200
    assert gate.events == ["permit"]
    assert len(server.connections) == 2


def test_a_server_that_is_not_there_costs_no_permit(serve, transport_to, clock):
    gate = Gate()
    with socket.socket() as not_listening:
        not_listening.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{not_listening.getsockname()[1]}"
        with pytest.raises(LessonspaceConnectionError, match="GET /hello/: no response"):
            transport_to(url, gate).call("GET", "/hello/")
    assert gate.events == []
    assert len(clock.waits) == ATTEMPTS - 1


def test_through_a_proxy_the_connection_is_open_at_the_permit(serve, transport_to, monkeypatch):
    server = serve(GOOD)
    monkeypatch.setenv("http_proxy", server.url)
    open_then = []
    gate = Gate(lambda: open_then.append((server.connected.wait(10), server.requests)))
    assert transport_to("http://api.school.example", gate).call("GET", "/hello/").status == 200
    assert open_then == [(True, 0)]
    assert server.requests == 1


@pytest.mark.parametrize("kind", ["proxy", "encrypted_proxy"])
def test_through_a_tunnel_the_encrypted_connection_is_open_at_the_permit(
    request, serve, transport_to, certificate, monkeypatch, kind
):
    proxy = request.getfixturevalue(kind)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", certificate)
    server = serve(GOOD, certificate=certificate)
    monkeypatch.setenv("https_proxy", proxy.url)
    open_then = []
    transport = transport_to(server.url, Gate(lambda: open_then.append(server.encrypted.wait(10))))
    for _ in range(2):
        assert transport.call("GET", "/hello/").status == 200
    assert open_then == [True, True]
    assert len(proxy.tunnels) == len(server.connections) == 1


@pytest.mark.parametrize("kind", ["proxy", "encrypted_proxy"])
def test_a_tunnel_that_was_closed_before_the_permit_is_opened_again(
    request, serve, transport_to, certificate, monkeypatch, kind
):
    proxy = request.getfixturevalue(kind)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", certificate)
    server = serve(GOOD, certificate=certificate)
    monkeypatch.setenv("https_proxy", proxy.url)

    def closed_meanwhile():
        assert server.encrypted.wait(10)
        server.hang_up()
        assert proxy.closed.wait(10)

    gate = Gate(closed_meanwhile)
    assert transport_to(server.url, gate).call("GET", "/hello/").status == 200
    assert proxy.tunnels == [server.url.removeprefix("https://")] * 2
    assert gate.events == ["permit"]


def test_an_unexpected_byte_before_the_request_costs_the_connection(serve, transport_to):
    server = serve(GOOD)

    def unasked():
        assert server.connected.wait(10)
        server.connections[0].sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")

    gate = Gate(unasked)
    assert transport_to(server.url, gate).call("GET", "/hello/").body == {"response": "The sun is shining"}


def test_a_server_sets_no_cookie(serve, transport_to):
    server = serve(reply(200, b"{}", "Set-Cookie: tracked=1; Path=/"))
    transport = transport_to(server.url, Gate())
    for _ in range(2):
        transport.call("GET", "/hello/")
    assert b"tracked" not in server.received
    assert server.requests == 2
