# SPDX-License-Identifier: Apache-2.0
"""A way to Redis that takes its time, and counts how often somebody waits for it."""

from __future__ import annotations

import asyncio
import contextlib
import threading


class Way:
    """
    Forwards connections, each piece half a round trip late.

    :ivar port: where it listens, on loopback.
    :ivar round_trips: how often a client spoke after it had heard the last answer.
    """

    def __init__(self, port_of_redis, round_trip):
        self._port_of_redis = port_of_redis
        self._half = round_trip / 2
        self.port = 0
        self.round_trips = 0

    async def serve(self, ready, end):
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        ready.set()
        await end.wait()
        server.close()
        open_ones = asyncio.all_tasks() - {asyncio.current_task()}
        for task in open_ones:
            task.cancel()
        await asyncio.gather(*open_ones, return_exceptions=True)

    async def _connected(self, client, to_client):
        server, to_server = await asyncio.open_connection("127.0.0.1", self._port_of_redis)
        heard = [True]

        def client_speaks():
            self.round_trips += heard[0]
            heard[0] = False

        def redis_speaks():
            heard[0] = True

        with contextlib.suppress(asyncio.CancelledError, ConnectionError):
            await asyncio.gather(
                self._forward(client, to_server, client_speaks), self._forward(server, to_client, redis_speaks)
            )

    async def _forward(self, source, target, note):
        loop = asyncio.get_running_loop()
        while data := await source.read(1 << 16):
            note()
            loop.call_later(self._half, target.write, data)
        loop.call_later(self._half, target.close)


@contextlib.contextmanager
def way_to_redis(port_of_redis, *, round_trip):
    """Serve a way to Redis, from a thread of its own."""
    way, loop, ready, end = Way(port_of_redis, round_trip), asyncio.new_event_loop(), threading.Event(), asyncio.Event()
    thread = threading.Thread(target=loop.run_until_complete, args=(way.serve(ready, end),))
    thread.start()
    assert ready.wait(10)
    try:
        yield way
    finally:
        loop.call_soon_threadsafe(end.set)
        thread.join()
        loop.close()
