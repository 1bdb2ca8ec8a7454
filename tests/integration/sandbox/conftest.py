# SPDX-License-Identifier: Apache-2.0
"""A sandbox whose clock stands still on a Monday afternoon, and a plain client of its API."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timezone

import pytest
import requests

from lessonspace_provider.sandbox import Sandbox, SandboxControl, SandboxSettings

NOW = datetime(2026, 11, 23, 15, 0, tzinfo=timezone.utc)


class Client:
    """Calls the API with the right key; ``organisation(path)`` builds paths below the organisation."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.base_url = sandbox.base_url
        self.http = requests.Session()
        self.http.trust_env = False
        self.http.headers["Authorization"] = f"Organisation {sandbox.api_key}"
        self._organisation = f"/organisations/{sandbox.organisation_id}"

    def organisation(self, path: str) -> str:
        return self._organisation + path

    def call(self, method: str, path: str, **options: object) -> requests.Response:
        url = path if path.startswith("http") else self.base_url + path
        return self.http.request(method, url, timeout=30, **options)  # type: ignore[arg-type]

    def get(self, path: str, **params: object) -> requests.Response:
        return self.call("GET", path, params=params)

    def sessions(self, **params: object) -> list[dict]:
        return self.all_pages(self.organisation("/sessions/"), **{"include_single_user": "true", **params})

    def all_pages(self, path: str, **params: object) -> list[dict]:
        answer = self.get(path, **params)
        answer.raise_for_status()
        results = answer.json()["results"]
        while answer.json()["next"]:
            answer = self.call("GET", answer.json()["next"])
            results += answer.json()["results"]
        assert len(results) == answer.json()["count"]
        return results

    def session(self, session_id: str, rest: str = "") -> requests.Response:
        return self.get(self.organisation(f"/sessions/{session_id}/{rest}"))

    def launch(self, launch_id: object = "maths-7b", **body: object) -> requests.Response:
        return self.call("POST", "/spaces/launch/", json={"id": launch_id, **body})


@pytest.fixture(scope="session")
def server() -> Iterator[Sandbox]:
    with Sandbox(SandboxSettings(rate=0, speed=0, now=NOW, days=8)) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(server: Sandbox) -> Sandbox:
    server.control.reset()
    return server


@pytest.fixture
def control(sandbox: Sandbox) -> SandboxControl:
    return sandbox.control


@pytest.fixture
def client(sandbox: Sandbox) -> Iterator[Client]:
    client = Client(sandbox)
    yield client
    client.http.close()


@pytest.fixture
def now() -> datetime:
    return NOW
