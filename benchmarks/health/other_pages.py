# SPDX-License-Identifier: Apache-2.0
"""
What Airflow's own pages take with the provider's plugin and without it.

As a program, ``python -m benchmarks.health.other_pages`` prints, as JSON, the median of each page in milliseconds:
``{page: [with, without]}``. It serves Airflow's application in its own process, with an Airflow home of its own.
"""

from __future__ import annotations

import json
import logging
import os
import statistics
import subprocess
import sys
import time
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING
from unittest.mock import patch

from lessonspace_provider.links import PAGE

if TYPE_CHECKING:
    from fastapi.testclient import TestClient

#: Its start page, a response that needs no database, and an address that no page has.
PAGES = ("/", "/api/v2/version", "/nowhere")

REQUESTS = 300


def measured_apart(folder: Path) -> dict[str, tuple[float, float]]:
    """
    Measure in a process of its own.

    :param folder: becomes its Airflow home.
    :return: milliseconds of each page with the plugin and without it.
    """
    command = [sys.executable, "-m", "benchmarks.health.other_pages"]
    environment = {**os.environ, "AIRFLOW_HOME": str(folder)}
    output = subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout
    return {page: (both[0], both[1]) for page, both in json.loads(output.splitlines()[-1]).items()}


def measure() -> dict[str, list[float]]:
    """Request each page with and without the plugin, in turn."""
    from airflow.api_fastapi import app
    from fastapi.testclient import TestClient

    def client() -> TestClient:
        app.purge_cached_app()
        return TestClient(app.create_app())

    with_plugin = client()
    if with_plugin.get(f"/{PAGE}/").status_code != HTTPStatus.UNAUTHORIZED:
        raise RuntimeError("the plugin does not serve its page")
    with patch.object(app, "init_plugins"):
        without = client()
    logging.disable()
    return {page: [1000 * statistics.median(each) for each in times_of(page, with_plugin, without)] for page in PAGES}


def times_of(page: str, *clients: TestClient) -> tuple[list[float], ...]:
    """Give the seconds of each request, per client; the first requests are not counted."""
    times: tuple[list[float], ...] = tuple([] for _ in clients)
    for number in range(REQUESTS + 10):
        for client, its in zip(clients, times, strict=True):
            began = time.perf_counter()
            client.get(page)
            if number >= 10:
                its.append(time.perf_counter() - began)
    return times


if __name__ == "__main__":
    print(json.dumps(measure()))
