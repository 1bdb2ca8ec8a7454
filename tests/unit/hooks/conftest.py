# SPDX-License-Identifier: Apache-2.0
"""A hook whose waits cost no time, and servers behind real sockets."""

from __future__ import annotations

import json
import logging
from datetime import datetime, timedelta, timezone
from ipaddress import ip_address

import pytest
import tenacity
from airflow.sdk import Connection
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from lessonspace_provider.api.connection import ConnectionSettings
from lessonspace_provider.api.transport import Transport
from lessonspace_provider.hooks.lessonspace import LessonspaceHook
from lessonspace_provider.rate_limit.gate import RateLimitSettings
from tests.unit.hooks.known import KEY, connection_json
from tests.unit.hooks.servers import Proxy, Server


class Clock:
    """Time that passes only when somebody sleeps.

    ``waits`` are the sleeps so far, in seconds.
    """

    def __init__(self):
        self.waits = []
        self.now = 1000.0

    def monotonic(self):
        return self.now

    def sleep(self, seconds):
        assert len(self.waits) < 10_000, "the waits of a call have no end"
        self.waits.append(seconds)
        self.now += seconds


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    """Every transport made in these tests sleeps on this clock, and tenacity reads it."""
    clock = Clock()
    monkeypatch.setattr("tenacity.nap.time", clock)
    monkeypatch.setattr(tenacity, "time", clock)
    return clock


@pytest.fixture(autouse=True)
def no_netrc(monkeypatch, tmp_path):
    """Nothing of the machine's own ~/.netrc reaches the tests."""
    monkeypatch.setenv("NETRC", str(tmp_path / "no-netrc"))


@pytest.fixture
def connect(monkeypatch):
    """Make a hook for a connection with these fields; see ``connection_json``. Airflow masks nothing of it."""

    def make(**fields):
        # Airflow 3.0 has no Connection.from_json.
        known = json.loads(connection_json(**fields))
        connection = Connection(**{"conn_id": "lessonspace_default", **known, "extra": json.dumps(known["extra"])})
        monkeypatch.setattr(
            LessonspaceHook, "get_connection", lambda _, conn_id: {connection.conn_id: connection}[conn_id]
        )
        return LessonspaceHook()

    return make


@pytest.fixture
def hook(connect):
    """A hook for organisation 42, without a rate limit of its own."""
    return connect()


@pytest.fixture
def serve(monkeypatch):
    """Start servers that give these replies; no proxy of the machine's own stands before them."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    servers = []

    def start(*replies, certificate=None):
        servers.append(Server(*replies, certificate=certificate))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


@pytest.fixture
def proxy():
    """Start a proxy that opens tunnels."""
    with Proxy() as proxy:
        yield proxy


@pytest.fixture
def encrypted_proxy(certificate):
    """Start a proxy that opens tunnels, and speaks TLS itself."""
    with Proxy(certificate) as proxy:
        yield proxy


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
    """Make a transport to a server, with a gate."""
    transports = []

    def make(url, gate, max_wait=600.0, **settings):
        limit = RateLimitSettings(per_second=0, max_wait=max_wait)
        connection = ConnectionSettings("lessonspace_default", f"{url}/v2", KEY, rate_limit=limit, **settings)
        transports.append(Transport(connection, gate, logging.getLogger("quiet")))
        return transports[-1]

    yield make
    for transport in transports:
        transport.close()
