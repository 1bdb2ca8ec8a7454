# SPDX-License-Identifier: Apache-2.0
"""Triggers in an event loop of the test's own, against the sandbox, with short intervals."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta, timezone

import pytest
from airflow.models.trigger import Trigger
from airflow.triggers.base import BaseTrigger

INTERVAL = 0.2
LIST = r"/organisations/\d+/sessions/$"


@pytest.fixture(autouse=True)
def short_intervals(monkeypatch):
    monkeypatch.setattr("lessonspace_provider.waiting.awaited.SHORTEST_INTERVAL", 0.01)
    monkeypatch.setattr("lessonspace_provider.api.retries._backoff", lambda _: 0.0)


@pytest.fixture
def control(lessonspace_sandbox):
    """Control a sandbox in which nothing of its own has ended lately: such a session would wake waits for new rooms."""
    control = lessonspace_sandbox.control
    lately = datetime.now(timezone.utc) - timedelta(hours=3)
    for session in control.sessions():
        if session.end_time is None or session.end_time > lately:
            control.delete_session(session.session_id)
    return control


@pytest.fixture
def present(control) -> datetime:
    return datetime.now(timezone.utc)


@pytest.fixture
def running(control, present) -> Callable[[int], list[str]]:
    """Put sessions of two people into the world that are still running."""

    def add(count: int) -> list[str]:
        return [control.add_session(present - timedelta(minutes=40), users=["Ann", "Ben"]) for _ in range(count)]

    return add


def made_again(trigger: BaseTrigger) -> BaseTrigger:
    """Make a trigger again from what Airflow stores of it, as the triggerer does."""
    return type(trigger)(**Trigger.from_object(trigger).kwargs)


async def fired(trigger) -> dict:
    """Run a trigger up to its first event."""

    async def first() -> dict:
        async for event in trigger.run():
            return event.payload
        raise AssertionError("The trigger ended without an event.")

    return await asyncio.wait_for(first(), timeout=60)


def lists(control) -> int:
    """How often the organisation's sessions were listed, each page counted."""
    return len(control.calls(path=LIST))


async def until(condition: Callable[[], bool]) -> None:
    """Let the loop run until something has happened."""

    async def happened() -> None:
        while not condition():
            await asyncio.sleep(0.02)

    await asyncio.wait_for(happened(), timeout=60)
