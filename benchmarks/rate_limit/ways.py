# SPDX-License-Identifier: Apache-2.0
"""Ways to keep a rate limit: this provider's gate, and what a user would write without it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import requests
from pyrate_limiter import AbstractBucket, BucketAsyncWrapper, Duration, InMemoryBucket, Limiter, Rate, SQLiteBucket
from redis import Redis
from tenacity import retry, retry_if_result, wait_random_exponential

from lessonspace_provider.api.connection import ConnectionSettings
from lessonspace_provider.api.transport import Transport
from lessonspace_provider.rate_limit.gate import RateLimitSettings, gate_for

if TYPE_CHECKING:
    import httpx

Way = Literal["gate", "retry_after", "tenacity", "in_memory", "sqlite"]

WAYS: dict[Way, str] = {
    "gate": "this provider's gate",
    "retry_after": "no limiter, sleeps Retry-After",
    "tenacity": "no limiter, tenacity's wait_random_exponential",
    "in_memory": "pyrate-limiter in memory, one per process",
    "sqlite": "pyrate-limiter SQLite with its file lock, one file",
}

PATH = "/my-organisation/"

#: Names the caller in the server's log.
CALLER_HEADER = "x-caller"

MAX_WAIT = 600.0


@dataclass(frozen=True)
class Place:
    """
    Where a caller calls, and what it shares with others.

    :param per_second: the limit that it is given.
    :param directory: of its machine.
    :param redis_url: of all machines, for the gate.
    """

    base_url: str
    api_key: str
    per_second: float
    directory: Path
    redis_url: str | None = None


def make_caller(way: Way, place: Place, name: str) -> Callable[[], object]:
    """
    Make what a task would call: it returns when the server has accepted the call.

    :param name: of the caller, for the server's log.
    """
    if way == "gate":
        transport = _transport(place)
        return lambda: transport.call("GET", PATH, headers={CALLER_HEADER: name})
    session = requests.Session()
    session.headers.update(_headers(place, name))

    def attempt() -> float | None:
        response = session.get(place.base_url + PATH, timeout=60)
        return _pause(response.status_code, response.headers.get("Retry-After"))

    if way == "tenacity":
        return retry(retry=retry_if_result(_is_refused), wait=wait_random_exponential(multiplier=1, max=60))(attempt)
    bucket = _bucket(way, place)
    limiter = Limiter(bucket) if bucket else None

    def call() -> None:
        while True:
            if limiter:
                limiter.try_acquire("lessonspace")
            pause = attempt()
            if pause is None:
                return
            time.sleep(pause)

    return call


async def call_from_loop(way: Way, place: Place, name: str, waiters: int) -> None:
    """
    Let so many waiters of one event loop make a call each, as a trigger would.

    The gate's waiters make theirs through one dedicated thread; the others use httpx's AsyncClient, asyncio.sleep,
    tenacity's own async form, and pyrate-limiter's try_acquire_async over its BucketAsyncWrapper.
    """
    if way == "gate":
        call = make_caller(way, place, name)
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(1) as one_thread:
            await asyncio.gather(*(loop.run_in_executor(one_thread, call) for _ in range(waiters)))
        return
    import httpx  # here, so that not every process of a task loads it

    async with httpx.AsyncClient(headers=_headers(place, name), timeout=60, trust_env=False) as client:
        call_once = _async_caller(way, place, client)
        await asyncio.gather(*(call_once() for _ in range(waiters)))


def _async_caller(way: Way, place: Place, client: httpx.AsyncClient) -> Callable[[], Awaitable[object]]:
    async def attempt() -> float | None:
        response = await client.get(place.base_url + PATH)
        return _pause(response.status_code, response.headers.get("Retry-After"))

    if way == "tenacity":
        return retry(retry=retry_if_result(_is_refused), wait=wait_random_exponential(multiplier=1, max=60))(attempt)
    bucket = _bucket(way, place)
    limiter = Limiter(BucketAsyncWrapper(bucket)) if bucket else None

    async def call() -> None:
        while True:
            if limiter:
                await limiter.try_acquire_async("lessonspace")
            pause = await attempt()
            if pause is None:
                return
            await asyncio.sleep(pause)

    return call


def _transport(place: Place) -> Transport:
    settings = RateLimitSettings(place.per_second, MAX_WAIT, str(place.directory), place.redis_url and "redis_default")
    redis = Redis.from_url(place.redis_url) if place.redis_url else None
    connection = ConnectionSettings(conn_id="benchmark", base_url=place.base_url, api_key=place.api_key)
    gate = gate_for(place.api_key, place.base_url, settings, redis)
    return Transport(connection, gate, logging.getLogger("benchmark"))


def _headers(place: Place, name: str) -> dict[str, str]:
    return {"Authorization": f"Organisation {place.api_key}", CALLER_HEADER: name}


def _pause(status: int, retry_after: str | None) -> float | None:
    """Read an answer: None when the call was accepted, else the seconds to wait."""
    if status == requests.codes.too_many_requests:
        return float(retry_after or 1)
    if status != requests.codes.ok:
        raise RuntimeError(f"the sandbox answered {status}")
    return None


def _is_refused(pause: float | None) -> bool:
    return pause is not None


def _bucket(way: Way, place: Place) -> AbstractBucket | None:
    rates = [Rate(int(place.per_second), Duration.SECOND)]
    if way == "in_memory":
        return InMemoryBucket(rates)
    if way == "sqlite":
        path = place.directory / "pyrate.sqlite"
        return SQLiteBucket.init_from_file(rates, db_path=str(path), use_file_lock=True)
    return None
