# SPDX-License-Identifier: Apache-2.0
"""How long an exchange may take, behind real sockets that give bytes without an end."""

from __future__ import annotations

import select
import socket
import ssl
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from types import SimpleNamespace

import pytest

from lessonspace_provider.api.exchange import Deadline
from lessonspace_provider.api.transport import READ_TIMEOUTS_PER_REPLY
from lessonspace_provider.exceptions import LessonspaceConnectionError, LessonspaceReplyTimeoutError
from lessonspace_provider.rate_limit.gate import OpenGate
from tests.endless_replies import ENDLESS, pieces_of
from tests.unit.hooks.servers import GOOD, Gate

#: A read timeout, and what a whole exchange may then take.
TIMEOUT = 0.2
DEADLINE = READ_TIMEOUTS_PER_REPLY * TIMEOUT

#: Deadlines that anything may take on a machine that is busy otherwise; without a deadline, these replies have no end.
LATEST = 3.0


@contextmanager
def dripping(pieces, *, waits_for_request=True, reads=True, pause=0.01):
    """Serve pieces one after another to each who connects, until it hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        clients, served, ended = [], [], threading.Event()

        def serve(client):
            with client, suppress(OSError):
                if waits_for_request and reads:
                    client.recv(1 << 16)
                for piece in pieces():
                    client.sendall(piece)
                    if ended.wait(pause):
                        return

        def accept():
            while True:
                try:
                    client, _ = listening.accept()
                except OSError:
                    return
                clients.append(client)
                served.append(threading.Thread(target=serve, args=(client,), daemon=True))
                served[-1].start()

        accepting = threading.Thread(target=accept, daemon=True)
        accepting.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        ended.set()
        for ending in [listening, *clients]:
            with suppress(OSError):
                ending.shutdown(socket.SHUT_RDWR)
    for thread in [accepting, *served]:
        thread.join(10)
        assert not thread.is_alive()


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def impatient(transport_to):
    """Make a transport whose exchanges end soon."""
    return lambda base, gate=None, **settings: transport_to(
        base, gate or OpenGate(), **{"read_timeout": TIMEOUT, "connect_timeout": TIMEOUT, **settings}
    )


def deadlines_taken(work):
    """Run what fails, and give its error and how many deadlines it took."""
    began = time.monotonic()
    with pytest.raises(LessonspaceConnectionError) as caught:
        work()
    return caught.value, (time.monotonic() - began) / DEADLINE


def server_side_is_open(server):
    """Whether the server's newest connection has not been ended by the client."""
    client = server.connections[-1]
    return client.fileno() != -1 and not select.select([client], [], [], 1)[0]


def all_at_once(work, kinds=ENDLESS):
    """Do something that fails for each kind, and give each one's error and how many deadlines it took."""
    with ThreadPoolExecutor(len(kinds)) as pool:
        return dict(zip(kinds, pool.map(lambda kind: deadlines_taken(lambda: work(kind)), kinds)))


def test_endless_replies_end_with_the_deadline_and_are_not_retried(impatient, clock):
    def call(kind):
        with dripping(lambda: pieces_of(kind)) as base:
            impatient(base).call("GET", "/hello/")

    for kind, (error, taken) in all_at_once(call).items():
        assert isinstance(error, LessonspaceReplyTimeoutError), kind
        assert f"GET /hello/: the reply had not ended after {DEADLINE:g} s (five times timeout)" in str(error)
        assert "Raise timeout in connection 'lessonspace_default'" in str(error)
        assert 0.9 < taken < LATEST, kind
    assert clock.waits == []


def test_endless_files_end_with_the_deadline(impatient):
    def download(kind):
        with dripping(lambda: pieces_of(kind)) as base:
            impatient(base).download(f"{base}/file?Signature=s", "the file")

    for kind, (error, taken) in all_at_once(download).items():
        assert isinstance(error, LessonspaceReplyTimeoutError), kind
        assert "GET the file: the reply had not ended" in str(error)
        assert 0.9 < taken < LATEST, kind


def test_endless_replies_that_come_fast_end_with_the_deadline(impatient):
    def call(kind):
        with dripping(lambda: pieces_of(kind, at_once=1000), pause=0) as base:
            impatient(base).call("GET", "/hello/")

    for kind in ("interim replies", "gzip blocks", "gzip members", "trailers"):  # one after another: each fills a CPU
        error, taken = deadlines_taken(lambda kind=kind: call(kind))
        assert isinstance(error, LessonspaceReplyTimeoutError), kind
        assert taken < LATEST, kind


def test_a_proxy_that_does_not_end_its_answer_to_connect_ends_with_the_deadline(impatient, monkeypatch, clock):
    gate = Gate()
    with dripping(lambda: pieces_of("header value")) as proxy:
        monkeypatch.setenv("https_proxy", proxy)
        error, taken = deadlines_taken(lambda: impatient("https://api.school.example", gate).call("GET", "/hello/"))
    assert isinstance(error, LessonspaceReplyTimeoutError)
    assert 0.9 < taken < LATEST
    assert clock.waits == gate.events == []


def test_a_handshake_without_an_end_ends_with_the_connect_timeout(impatient):
    def hello_of_a_server():
        yield b"\x16\x03\x03\x40\x00"
        while True:
            yield b"\x02"

    with dripping(hello_of_a_server, waits_for_request=False) as base:
        transport = impatient(base.replace("http", "https"), max_wait=0.001)
        _, taken = deadlines_taken(lambda: transport.call("GET", "/hello/"))
    assert taken < LATEST


def test_a_request_that_the_server_does_not_read_ends_with_the_deadline(impatient):
    def silence():
        while True:
            yield b""

    with dripping(silence, reads=False) as base:
        transport = impatient(base, connect_timeout=100 * DEADLINE, max_wait=0.001)
        _, taken = deadlines_taken(lambda: transport.call("POST", "/spaces/launch/", body={"id": "x" * (1 << 24)}))
    assert taken < LATEST


def test_the_wait_for_the_permit_does_not_count(impatient, serve):
    gate = Gate(lambda: time.sleep(1.2 * DEADLINE))
    assert impatient(serve(GOOD).url, gate).call("GET", "/hello/").status == 200


def watchers():
    return [thread for thread in threading.enumerate() if thread.name == "lessonspace-deadline"]


def test_no_thread_and_no_socket_is_left(impatient, serve):
    server = serve(GOOD)
    transport = impatient(server.url)
    for _ in range(20):
        transport.call("GET", "/hello/")
    with dripping(lambda: pieces_of("known length")) as base:
        for _ in range(3):
            with pytest.raises(LessonspaceReplyTimeoutError):
                impatient(base, read_timeout=0.02).call("GET", "/hello/")
    assert watchers() == []
    assert server_side_is_open(server)
    transport.close()
    assert not server_side_is_open(server)


@pytest.fixture
def pair():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def test_a_deadline_shuts_down_only_while_it_runs(pair):
    ours, theirs = pair
    with Deadline(0.2) as deadline:
        deadline.start(lambda: ours)
        deadline.stop()
        time.sleep(0.5)
        assert not deadline.has_passed
        deadline.start(lambda: ours)
        assert ours.recv(1) == b""
        assert deadline.has_passed
    assert theirs.recv(1) == b""


def test_a_deadline_that_has_ended_shuts_nothing_down(pair):
    ours, theirs = pair
    with Deadline(0.2) as deadline:
        deadline.start(lambda: ours)
    time.sleep(0.5)
    theirs.sendall(b"x")
    assert ours.recv(1) == b"x"


def test_what_is_left_of_one_period_is_what_the_next_has(pair):
    ours, _ = pair
    with Deadline(0.5) as deadline:
        deadline.start(lambda: None)
        time.sleep(0.3)
        deadline.stop()
        assert deadline.left < 0.21
        deadline.start(lambda: ours)
        assert ours.recv(1) == b""
        deadline.stop()
    assert deadline.left < 0.1


def test_a_socket_that_comes_after_the_deadline_is_shut_down_too(pair):
    ours, _ = pair
    in_use = []
    with Deadline(0.0) as deadline:
        deadline.start(lambda: in_use[0] if in_use else None)
        time.sleep(0.05)
        in_use.append(ours)
        assert ours.recv(1) == b""


def test_tls_within_tls_is_shut_down_by_its_innermost_socket(pair):
    ours, theirs = pair
    with Deadline(0.0) as deadline:
        deadline.start(lambda: SimpleNamespace(socket=SimpleNamespace(socket=ours)))
        assert theirs.recv(1) == b""


def test_an_encrypted_socket_is_shut_down_without_forgetting_its_encryption(pair, certificate, monkeypatch):
    """An SSLSocket's own shutdown() forgets it first, and what is sent then would be readable."""
    forgetting = []
    monkeypatch.setattr(ssl.SSLSocket, "shutdown", lambda *_: forgetting.append(True))
    context = ssl.create_default_context(cafile=certificate)
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(certificate)
    ours, theirs = pair
    with ThreadPoolExecutor() as pool:
        peer = pool.submit(serving.wrap_socket, theirs, server_side=True)
        encrypted = context.wrap_socket(ours, server_hostname="127.0.0.1")
        with encrypted, peer.result(), Deadline(0.0) as deadline:
            deadline.start(lambda: encrypted)
            assert encrypted.recv(1) == b""
    assert forgetting == []


def test_nothing_is_waited_for_between_the_permit_and_the_request(impatient, serve, monkeypatch):
    server, begun, at_the_permit = serve(GOOD), [], []
    start = threading.Thread.start
    monkeypatch.setattr(threading.Thread, "start", lambda thread: (begun.append(thread.name), start(thread))[1])
    gate = Gate(lambda: at_the_permit.append(list(begun)))
    transport = impatient(server.url, gate)
    for _ in range(2):
        transport.call("GET", "/hello/")
    assert at_the_permit == [["lessonspace-deadline"], ["lessonspace-deadline"] * 2]
    assert begun == ["lessonspace-deadline"] * 2
