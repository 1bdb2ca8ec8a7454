# SPDX-License-Identifier: Apache-2.0
"""
Measure the rate limit of four machines that share a key through a Redis that is some milliseconds away.

Each machine is a thread with a folder and a Redis client of its own. Round trips are delayed by a proxy on loopback.

Usage: python -m benchmarks.rate_limit.redis_distance
"""

from __future__ import annotations

import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from redis import Redis

from benchmarks.shared.servers import redis_server
from lessonspace_provider.rate_limit.gate import Gate, RateLimitSettings, gate_for
from tests.integration.rate_limit.far_redis import way_to_redis

RATE, MACHINES, SECONDS = 5.0, 4, 20.0
ROUND_TRIPS = (0.001, 0.02, 0.04)


def permits_until(gate: Gate, end: float) -> list[float]:
    """Take permits until a moment of the monotonic clock; return when each was given."""
    given = []
    while time.monotonic() < end:
        gate.acquire()
        given.append(time.monotonic())
    return given


def measure(port: int, round_trip: float, folder: Path) -> str:
    """Let the machines take permits through a delayed connection, and return a row of the table."""
    with way_to_redis(port, round_trip=round_trip) as way, ThreadPoolExecutor(MACHINES) as pool:
        gates = [
            gate_for(
                f"far {round_trip}",
                "http://far",
                RateLimitSettings(RATE, 600.0, str(folder / f"{round_trip}-{machine}"), "far"),
                Redis.from_url(f"redis://127.0.0.1:{way.port}/0"),
            )
            for machine in range(MACHINES)
        ]
        end = time.monotonic() + SECONDS
        taken = list(pool.map(lambda gate: permits_until(gate, end), gates))
        trips = way.round_trips
    given = sorted(moment for machine in taken for moment in machine)
    share = (len(given) - 1) / RATE / (given[-1] - given[0])
    gap = min(later - earlier for earlier, later in zip(given, given[1:]))
    each = ", ".join(str(len(machine)) for machine in taken)
    return f"| {round_trip * 1000:.0f} ms | {share:.2f} | {gap:.3f} s | {trips / len(given):.1f} | {each} |"


def main() -> None:
    """Print a table."""
    print("| round trip | share of the rate | smallest gap | round trips per permit | per machine |")
    print("|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder, redis_server(Path(folder)) as server:
        for round_trip in ROUND_TRIPS:
            print(measure(server.port, round_trip, Path(folder)), flush=True)


if __name__ == "__main__":
    main()
