# SPDX-License-Identifier: Apache-2.0
"""A server behind a real socket whose replies are bytes: whatever a hostile or broken server may send."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress

#: Gives the pieces of the reply to a request's path and query.
Reply = Callable[[str], Iterable[bytes]]


class RawServer:
    """
    Answers each request with the pieces of the first reply whose pattern is found in its path.

    :param replies: by pattern.
    :param pause: seconds between two pieces.
    """

    def __init__(self, replies: dict[str, Reply], pause: float = 0.0) -> None:
        self.paths: list[str] = []
        self._replies = replies
        self._pause = pause
        self._ended = threading.Event()
        self._clients: list[socket.socket] = []
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"

    def __enter__(self) -> RawServer:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        for ending in [self._listening, *self._clients]:
            with suppress(OSError):
                ending.shutdown(socket.SHUT_RDWR)
        self._listening.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            self._clients.append(client)
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, suppress(OSError):
            while request := client.recv(1 << 16):
                path = request.split(b" ", 2)[1].decode()
                self.paths.append(path)
                for piece in self._reply_to(path):
                    client.sendall(piece)
                    if self._pause and self._ended.wait(self._pause):
                        return

    def _reply_to(self, path: str) -> Iterable[bytes]:
        for pattern, reply in self._replies.items():
            if re.search(pattern, path):
                return reply(path)
        return [b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\n{}"]
