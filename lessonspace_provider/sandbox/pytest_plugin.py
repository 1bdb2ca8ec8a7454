# SPDX-License-Identifier: Apache-2.0
"""Fixtures to test DAGs against a sandbox: ``pytest_plugins = ["lessonspace_provider.sandbox.pytest_plugin"]``."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from lessonspace_provider.sandbox.server import Sandbox
from lessonspace_provider.sandbox.settings import SandboxSettings

CONNECTION_ID = "lessonspace_default"


@pytest.fixture(scope="session")
def lessonspace_sandbox_settings() -> SandboxSettings:
    """The settings of the sandbox, without a rate limit. Override this fixture to change them."""
    return SandboxSettings(rate=0)


@pytest.fixture(scope="session")
def _lessonspace_sandbox_server(lessonspace_sandbox_settings: SandboxSettings) -> Iterator[Sandbox]:
    with Sandbox(lessonspace_sandbox_settings) as sandbox:
        yield sandbox


@pytest.fixture
def lessonspace_sandbox(_lessonspace_sandbox_server: Sandbox) -> Sandbox:
    """A running sandbox, reset to its initial data: no calls, no faults, its clock at the start."""
    _lessonspace_sandbox_server.control.reset()
    return _lessonspace_sandbox_server


@pytest.fixture
def lessonspace_connection(lessonspace_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> str:
    """An Airflow connection to the sandbox, as an environment variable during the test.

    :return: its id.
    """
    unlimited = lessonspace_sandbox.settings.rate == 0
    connection = {
        "conn_type": "lessonspace",
        "host": lessonspace_sandbox.base_url,
        "password": lessonspace_sandbox.api_key,
        "extra": {"rate_limit_per_second": 0} if unlimited else {},
    }
    monkeypatch.setenv(f"AIRFLOW_CONN_{CONNECTION_ID.upper()}", json.dumps(connection))
    return CONNECTION_ID
