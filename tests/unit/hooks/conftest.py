# SPDX-License-Identifier: Apache-2.0
"""A hook whose waits cost no time."""

from __future__ import annotations

import json

import pytest
import tenacity
from airflow.sdk import Connection

from lessonspace_provider.hooks.lessonspace import LessonspaceHook
from lessonspace_provider.hooks.transport import Transport
from tests.unit.hooks.known import connection_json


class Clock:
    """Time that passes only when somebody sleeps.

    ``waits`` are the sleeps so far, in seconds.
    """

    def __init__(self):
        self.waits = []
        self.now = 1000.0

    def monotonic(self):
        return self.now

    def sleep(self, seconds):
        assert len(self.waits) < 10_000, "the waits of a call have no end"
        self.waits.append(seconds)
        self.now += seconds


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    """Every transport made in these tests sleeps on this clock, and tenacity reads it."""
    clock = Clock()
    monkeypatch.setitem(Transport.__init__.__kwdefaults__, "sleep", clock.sleep)
    monkeypatch.setattr(tenacity, "time", clock)
    return clock


@pytest.fixture(autouse=True)
def no_netrc(monkeypatch, tmp_path):
    """Nothing of the machine's own ~/.netrc reaches the tests."""
    monkeypatch.setenv("NETRC", str(tmp_path / "no-netrc"))


@pytest.fixture
def connect(monkeypatch):
    """Make a hook for a connection with these fields; see ``connection_json``. Airflow masks nothing of it."""

    def make(**fields):
        # Airflow 3.0 has no Connection.from_json.
        known = json.loads(connection_json(**fields))
        connection = Connection(**{"conn_id": "lessonspace_default", **known, "extra": json.dumps(known["extra"])})
        monkeypatch.setattr(
            LessonspaceHook, "get_connection", lambda _, conn_id: {connection.conn_id: connection}[conn_id]
        )
        return LessonspaceHook()

    return make


@pytest.fixture
def hook(connect):
    """A hook for organisation 42, without a rate limit of its own."""
    return connect()
