# SPDX-License-Identifier: Apache-2.0
"""When a transcript is asked for, against a connection that is played here."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from datetime import datetime, timedelta, timezone

import pytest

from lessonspace_provider.triggers import transcripts
from lessonspace_provider.triggers.shared_poll import PollResult
from lessonspace_provider.waiting.cursor import EndedSessions

SESSION_ID = "5b5f1a2c-3d4e-4f5a-8b9c-0d1e2f3a4b5c"
NOW = datetime.now(timezone.utc)


class PolledEnough(BaseException):
    """Ends a wait that would go on. No Exception, so that the trigger does not take it for an error."""


class Connection:
    """Has one session, which runs and runs; its poll finds nothing, ``polls`` times."""

    def __init__(self, polls):
        self.polls = polls
        self.looks = 0

    @asynccontextmanager
    async def ended_sessions(self, since, interval):
        yield self

    async def next(self, failed):
        await asyncio.sleep(0)
        if not self.polls:
            raise PolledEnough
        self.polls -= 1
        return PollResult(NOW, EndedSessions([]))

    async def call(self, function):
        return function(self)

    def get_session(self, session_id):
        self.looks += 1
        return {"uuid": session_id, "start_time": NOW.isoformat(), "end_time": None}


def test_a_session_that_runs_on_after_the_wait_is_asked_for_again_and_not_with_each_poll(monkeypatch):
    connection = Connection(polls=10)

    @asynccontextmanager
    async def shared_connection(conn_id):
        yield connection

    monkeypatch.setattr(transcripts, "shared_connection", shared_connection)
    trigger = transcripts.LessonspaceTranscriptTrigger(
        session_id=SESSION_ID,
        lessonspace_conn_id="lessonspace_default",
        give_up_after=60,
        began_at=(NOW - timedelta(days=1)).timestamp(),
    )

    async def events():
        return [event async for event in trigger.run()]

    with pytest.raises(PolledEnough):
        asyncio.run(events())
    assert connection.looks == 1
