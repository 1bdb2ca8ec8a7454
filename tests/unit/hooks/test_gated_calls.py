# SPDX-License-Identifier: Apache-2.0
"""How calls pass the gate, behind a real socket: each attempt, and over a connection that is open by then."""

from __future__ import annotations

import json
import logging
import socket
import ssl
import threading
from contextlib import suppress
from datetime import datetime, timedelta, timezone
from ipaddress import ip_address

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from lessonspace_provider.exceptions import (
    LessonspaceConnectionError,
    LessonspaceInputError,
    LessonspaceRateLimitedError,
    LessonspaceTlsError,
)
from lessonspace_provider.hooks.connection_settings import ConnectionSettings
from lessonspace_provider.hooks.transport import Transport
from lessonspace_provider.retries import ATTEMPTS
from tests.unit.hooks.known import KEY


def reply(status, body=b"{}", *headers):
    head = [f"HTTP/1.1 {status} -", "Content-Type: application/json", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(head).encode() + body


GOOD = reply(200, json.dumps({"response": "The sun is shining"}).encode())
RESET = b""


def too_many(seconds=None):
    return reply(429, b"{}", *([] if seconds is None else [f"Retry-After: {seconds}"]))


class Server:
    """Gives the replies in turn, the last of them to all that follows, and counts connections and requests."""

    def __init__(self, *replies, certificate=None):
        self.replies = list(replies)
        self.requests = 0
        self._tls = None
        if certificate:
            self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._tls.load_cert_chain(certificate)
        self.connections = []
        self.connected = threading.Event()
        self.encrypted = threading.Event()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http{'s' if certificate else ''}://127.0.0.1:{self._listening.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self):
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            self.connections.append(client)
            self.connected.set()
            with client:
                self._answer(client)

    def _answer(self, client):
        try:
            if self._tls:
                client = self.connections[-1] = self._tls.wrap_socket(client, server_side=True)
                self.encrypted.set()  # it has sent all that belongs to the handshake
            while client.recv(1 << 16):
                self.requests += 1
                answer = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
                if not answer:
                    return
                client.sendall(answer)
        except OSError:
            return

    def hang_up(self):
        """Close the newest connection, as servers do with one that was idle for long."""
        self.connections[-1].shutdown(socket.SHUT_RDWR)

    def close(self):
        self._listening.shutdown(socket.SHUT_RDWR)
        while self._thread.is_alive():
            # Connections may be open still: urllib3 closes what an exception's frames hold when they are gone.
            for client in list(self.connections):
                with suppress(OSError):
                    client.shutdown(socket.SHUT_RDWR)
            self._thread.join(0.1)
        self._listening.close()


class Gate:
    """Gives every permit after what is done meanwhile, and writes down what happens at it."""

    def __init__(self, meanwhile=lambda: None):
        self.events = []
        self._meanwhile = meanwhile

    def acquire(self):
        self.events.append("permit")
        self._meanwhile()

    def pause(self, seconds):
        self.events.append(("pause", seconds))


@pytest.fixture
def serve(monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    servers = []

    def start(*replies, certificate=None):
        servers.append(Server(*replies, certificate=certificate))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """Make a file with a certificate of 127.0.0.1 that nobody has signed, and its key."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(timezone.utc)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    itself = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
    signed = builder.add_extension(itself, critical=False).sign(key, hashes.SHA256())
    file = tmp_path_factory.mktemp("tls") / "certificate.pem"
    pem = serialization.Encoding.PEM
    written = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    file.write_bytes(written + signed.public_bytes(pem))
    return str(file)


@pytest.fixture
def transport_to():
    transports = []

    def make(url, gate, rate_limit_max_wait=600.0):
        settings = ConnectionSettings("lessonspace_default", f"{url}/v2", KEY, rate_limit_max_wait=rate_limit_max_wait)
        transports.append(Transport(settings, gate, logging.getLogger("quiet")))
        return transports[-1]

    yield make
    for transport in transports:
        transport.close()


# --- Connections -------------------------------------------------------------------------------------------------


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


def test_a_certificate_that_nobody_trusts_is_told_as_such_at_once(serve, transport_to, certificate, monkeypatch, clock):
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    server = serve(GOOD, certificate=certificate)
    with pytest.raises(LessonspaceTlsError, match=r"GET /hello/: .* certificate was refused \(self.signed .*_BUNDLE"):
        transport_to(server.url, Gate()).call("GET", "/hello/")
    assert server.requests == 0
    assert clock.waits == []


def test_a_server_that_speaks_no_tls_is_told_as_such_at_once(serve, transport_to, clock):
    server = serve(reply(400))
    gate = Gate()
    with pytest.raises(LessonspaceTlsError, match=r"speaks no TLS there: begin .*'lessonspace_default' with http://"):
        transport_to(server.url.replace("http", "https"), gate).call("GET", "/hello/")
    assert gate.events == ["permit"]
    assert clock.waits == []


def test_of_a_store_behind_a_signed_link_that_speaks_no_tls_the_connections_host_is_not_blamed(
    serve, transport_to, clock
):
    link = serve(reply(400)).url.replace("http", "https")
    with pytest.raises(LessonspaceTlsError, match=r"the file.*speaks no TLS there: check the way to the store") as told:
        transport_to(serve(GOOD).url, Gate()).download(f"{link}/a?Signature=s", "the file")
    assert "Signature" not in str(told.value)
    assert "http://" not in str(told.value)


def test_a_handshake_that_breaks_off_is_tried_again(serve, transport_to, clock):
    server = serve(RESET)
    with pytest.raises(LessonspaceConnectionError, match="no answer") as caught:
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


def test_a_server_that_is_not_there_costs_a_permit_an_attempt_and_is_told(serve, transport_to):
    gate = Gate()
    with socket.socket() as nobody_listens:
        nobody_listens.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{nobody_listens.getsockname()[1]}"
        with pytest.raises(LessonspaceConnectionError, match="GET /hello/: no answer"):
            transport_to(url, gate).call("GET", "/hello/")
    assert gate.events == ["permit"] * ATTEMPTS


def test_through_a_proxy_the_connection_is_opened_with_the_request(serve, transport_to, monkeypatch):
    server = serve(GOOD)
    monkeypatch.setenv("http_proxy", server.url)
    open_then = []
    gate = Gate(lambda: open_then.append(server.connected.wait(0.2)))
    assert transport_to("http://api.school.example", gate).call("GET", "/hello/").status == 200
    assert open_then == [False]
    assert server.requests == 1


# --- Permits -----------------------------------------------------------------------------------------------------


def test_every_attempt_passes_the_gate_and_a_429_holds_everybody_back(serve, transport_to):
    gate = Gate()
    server = serve(RESET, too_many(3), too_many(), GOOD)
    transport_to(server.url, gate).call("GET", "/hello/")
    assert gate.events == ["permit", "permit", ("pause", 3.0), "permit", ("pause", None), "permit"]
    assert server.requests == 4


def test_one_absurd_retry_after_does_not_stop_the_key_for_good(serve, transport_to):
    gate = Gate()
    server = serve(too_many(99999999))
    with pytest.raises(LessonspaceRateLimitedError):
        transport_to(server.url, gate, rate_limit_max_wait=60).call("GET", "/hello/")
    assert gate.events == ["permit", ("pause", 30)]


@pytest.mark.parametrize("queued", [1.0, 599.0, 100_000.0])
def test_a_call_that_queued_for_long_has_its_retries_all_the_same(serve, transport_to, clock, queued):
    server = serve(*[RESET] * (ATTEMPTS - 1), GOOD)
    queues = iter([queued])

    def wait():
        clock.now += next(queues, 0.0)

    transport_to(server.url, Gate(wait)).call("GET", "/hello/")
    assert server.requests == ATTEMPTS


def test_but_queues_between_its_attempts_count(serve, transport_to, clock):
    server = serve(too_many(5))
    queues = iter([0.0, 50.0, 50.0])

    def wait():
        clock.now += next(queues)

    with pytest.raises(LessonspaceRateLimitedError):
        transport_to(server.url, Gate(wait), rate_limit_max_wait=60).call("GET", "/hello/")
    assert server.requests == 2


@pytest.mark.parametrize(
    "refusal", [LessonspaceRateLimitedError("The queue is too long."), LessonspaceInputError("No.")]
)
def test_the_gates_own_refusal_is_not_tried_again(serve, transport_to, clock, refusal):
    server = serve(GOOD)

    def refuse():
        raise refusal

    gate = Gate(refuse)
    with pytest.raises(type(refusal), match=str(refusal)):
        transport_to(server.url, gate).call("GET", "/hello/")
    assert gate.events == ["permit"]
    assert clock.waits == []
    assert server.requests == 0


def test_a_download_does_not_pass_the_gate(serve, transport_to):
    gate = Gate()
    server = serve(reply(503), reply(429), reply(200, b"[]"))
    assert list(transport_to(server.url, gate).download(f"{server.url}/file", "transcript file")) == []
    assert gate.events == []
    assert server.requests == 3
