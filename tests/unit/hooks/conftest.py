# SPDX-License-Identifier: Apache-2.0
"""A hook whose waits cost no time."""

from __future__ import annotations

import pytest
import tenacity

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
    """Make a hook for a connection with these fields; see ``connection_json``."""

    def make(**fields):
        monkeypatch.setenv("AIRFLOW_CONN_LESSONSPACE_DEFAULT", connection_json(**fields))
        return LessonspaceHook()

    return make


@pytest.fixture
def hook(connect):
    """A hook for organisation 42, without a rate limit of its own."""
    return connect()
