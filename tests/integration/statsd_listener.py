# SPDX-License-Identifier: Apache-2.0
"""A StatsD server on loopback, that keeps what it is sent."""

from __future__ import annotations

import re
import socket
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

_LINE = re.compile(r"(?P<name>[^:|]+):(?P<value>[+-]?[0-9.e+-]+)\|(?P<kind>c|ms|g)")


class StatsdListener:
    """
    What was received, by the metric's name: ``counters`` are added up, the others are lists.

    :param port: the UDP port on 127.0.0.1.
    """

    def __init__(self, port: int) -> None:
        self.port = port
        self.counters: dict[str, float] = defaultdict(float)
        self.timers: dict[str, list[float]] = defaultdict(list)
        self.gauges: dict[str, list[float]] = defaultdict(list)
        self.lines: list[str] = []

    @property
    def settings(self) -> dict[str, str]:
        """Airflow's configuration that sends metrics here, as environment variables."""
        return {
            "AIRFLOW__METRICS__STATSD_ON": "True",
            "AIRFLOW__METRICS__STATSD_HOST": "127.0.0.1",
            "AIRFLOW__METRICS__STATSD_PORT": str(self.port),
        }

    def names(self) -> set[str]:
        """The names of this provider's metrics that were received, without Airflow's prefix."""
        received = {*self.counters, *self.timers, *self.gauges}
        return {name.removeprefix("airflow.") for name in received if name.startswith("airflow.lessonspace.")}

    def receive(self, datagram: str) -> None:
        """Take the lines of a datagram."""
        for line in datagram.splitlines():
            self.lines.append(line)
            if (match := _LINE.fullmatch(line)) is None:
                continue
            name, value = match["name"], float(match["value"])
            if match["kind"] == "c":
                self.counters[name] += value
            else:
                (self.timers if match["kind"] == "ms" else self.gauges)[name].append(value)


@contextmanager
def statsd_listener() -> Iterator[StatsdListener]:
    """Listen until the block ends."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        listener = StatsdListener(server.getsockname()[1])
        thread = threading.Thread(target=_serve, args=(server, listener), daemon=True)
        thread.start()
        try:
            yield listener
        finally:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
                client.sendto(b"", ("127.0.0.1", listener.port))
            thread.join(10)


def _serve(server: socket.socket, listener: StatsdListener) -> None:
    while datagram := server.recv(65_536):
        listener.receive(datagram.decode(errors="replace"))
