# SPDX-License-Identifier: Apache-2.0
"""Servers and proxies behind real sockets, and a gate that notes what happens at it."""

from __future__ import annotations

import json
import socket
import ssl
import threading
from contextlib import suppress


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
        self.received = b""
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
            while data := client.recv(1 << 16):
                self.requests += 1
                self.received += data
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


class Proxy:
    """Opens a tunnel for each CONNECT, and notes where each leads; encrypted itself if it has a certificate."""

    def __init__(self, certificate=None):
        self._tls = None
        if certificate:
            self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._tls.load_cert_chain(certificate)
        self.tunnels = []
        self.closed = threading.Event()  # one of the tunnels
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http{'s' if certificate else ''}://127.0.0.1:{self._listening.getsockname()[1]}"
        self._threads = [threading.Thread(target=self._serve, daemon=True)]

    def __enter__(self):
        self._threads[0].start()
        return self

    def __exit__(self, *_):
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._threads[0].join(10)
        assert not self._threads[0].is_alive()

    def _serve(self):
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            if self._tls:
                client = self._tls.wrap_socket(client, server_side=True)
            place = client.recv(1 << 16).split()[1].decode()
            self.tunnels.append(place)
            host, port = place.split(":")
            server = socket.create_connection((host, int(port)))
            client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            for one, other in ((client, server), (server, client)):
                threading.Thread(target=self._pass_on, args=(one, other), daemon=True).start()

    def _pass_on(self, one, other):
        with suppress(OSError):
            while data := one.recv(1 << 16):
                other.sendall(data)
        with suppress(OSError):
            other.shutdown(socket.SHUT_RDWR)
        one.close()
        self.closed.set()
