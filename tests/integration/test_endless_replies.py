# SPDX-License-Identifier: Apache-2.0
"""Replies without an end, as the hook, the archive and triggers meet them: each ends with the deadline."""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import re
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone

import pytest

from lessonspace_provider.api.transport import READ_TIMEOUTS_PER_REPLY
from lessonspace_provider.exceptions import LessonspaceError, LessonspaceReplyTimeoutError
from lessonspace_provider.hooks.lessonspace import LessonspaceHook
from lessonspace_provider.operators.transcripts import LessonspaceArchiveTranscriptsOperator
from lessonspace_provider.triggers.sessions import LessonspaceSessionEndTrigger
from lessonspace_provider.triggers.shared_poll import CALL_THREADS
from tests.endless_replies import ENDLESS, head, pieces_of
from tests.raw_server import RawServer

KEY = "4f9d2c1e-7a6b-4c3d-9e8f-0a1b2c3d4e5f"
TIMEOUT = 0.8
DEADLINE = READ_TIMEOUTS_PER_REPLY * TIMEOUT
GOOD = "good"
KINDS = [*ENDLESS, GOOD]
IDS = {kind: f"00000000-0000-4000-8000-{number:012d}" for number, kind in enumerate(KINDS)}

ENDED = datetime.now(timezone.utc).replace(microsecond=0) - timedelta(hours=2)
SEGMENT = {"start_time": 1.0, "end_time": 2.0, "user": {"id": 1, "name": "Ann"}, "text": "Hi"}


def a_session(kind):
    return {
        "id": 1,
        "uuid": IDS[kind],
        "name": kind,
        "space": {"id": "0d1e2f3a-5b5f-4a2c-8d4e-4f5a8b9c0d1e"},
        "start_time": (ENDED - timedelta(hours=1)).isoformat(),
        "end_time": ENDED.isoformat(),
        "profiles": [{"user": 1, "name": "Ann", "role": "teacher"}, {"user": 2, "name": "Ben", "role": "student"}],
        "guests": [],
    }


def reply(body):
    data = json.dumps(body).encode()
    return [head(f"Content-Length: {len(data)}") + data]


@pytest.fixture
def server():
    def of_its_kind(path):
        """Answer for a session without an end, in the way of its kind."""
        (session_id,) = re.findall(r"/sessions/([^/]+)/", path)
        (kind,) = (kind for kind in KINDS if IDS[kind] == session_id)
        if kind != GOOD:
            return pieces_of(kind)
        return reply({"transcriptionUrl": f"{server.url}/file"} if "transcript" in path else a_session(kind))

    replies = {
        r"/sessions/[^/?]+/": of_its_kind,
        r"/sessions/\?": lambda _: reply({"count": len(KINDS), "next": None, "results": [*map(a_session, KINDS)]}),
        r"^/file": lambda _: reply([SEGMENT]),
    }
    with RawServer(replies, pause=0.02) as server:
        yield server


@pytest.fixture
def connect(server, monkeypatch):
    """Make a connection to the server."""
    for name in ("http_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)

    def make(conn_id):
        extra = {"organisation_id": "42", "timeout": TIMEOUT, "connect_timeout": 10, "rate_limit_per_second": 0}
        fields = {"conn_type": "lessonspace", "password": KEY, "host": f"{server.url}/v2", "extra": extra}
        monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(fields))
        return conn_id

    return make


def deadlines_since(began):
    return (time.monotonic() - began) / DEADLINE


def test_each_call_of_the_hook_ends(connect):
    hook = LessonspaceHook(connect("endless"))

    def taken(kind):
        began = time.monotonic()
        with pytest.raises(LessonspaceReplyTimeoutError, match=IDS[kind]):
            hook.get_session(IDS[kind])
        return deadlines_since(began)

    with ThreadPoolExecutor(len(ENDLESS)) as pool:
        assert max(pool.map(taken, ENDLESS)) < 1.5


def archive(conn_id, folder):
    return LessonspaceArchiveTranscriptsOperator(
        task_id="archive",
        lessonspace_conn_id=conn_id,
        destination=f"file://{folder}",
        window_start=ENDED - timedelta(hours=1),
        window_end=ENDED + timedelta(hours=1),
    )


def test_the_archive_ends_and_names_each_session_whose_reply_did_not(connect, tmp_path):
    began = time.monotonic()
    with pytest.raises(LessonspaceError) as caught:
        archive(connect("endless"), tmp_path).execute({})
    rounds = -(-len(KINDS) // 8)
    assert deadlines_since(began) < 1.5 * rounds
    assert str(len(ENDLESS)) in str(caught.value)
    (manifest,) = (tmp_path / "manifests").glob("*.json")
    entries = {entry["session_id"]: entry for entry in json.loads(manifest.read_text())["sessions"]}
    assert {kind: entries[IDS[kind]]["status"] for kind in KINDS} == {
        **dict.fromkeys(ENDLESS, "failed"),
        GOOD: "archived",
    }
    assert f"had not ended after {DEADLINE:g} s" in entries[IDS["trailers"]]["reason"]


def run_for(seconds, conn_id, folder, said):
    """Run the archive as Airflow does with an execution_timeout."""
    try:
        try:
            from airflow.sdk.execution_time.timeout import timeout
        except ImportError:  # Airflow 3.0
            from airflow.utils.timeout import timeout
        with timeout(seconds):
            archive(conn_id, folder).execute({})
    except BaseException as error:
        said.send((type(error).__name__, time.monotonic()))


def test_execution_timeout_ends_the_archive_and_its_process(connect, tmp_path):
    connect("endless")
    said, saying = multiprocessing.Pipe(duplex=False)
    context = multiprocessing.get_context("fork")
    process = context.Process(target=run_for, args=(1, "endless", tmp_path, saying))
    began = time.monotonic()
    process.start()
    name, at = said.recv()
    process.join(60)
    assert process.exitcode == 0
    assert name == "AirflowTaskTimeout"
    assert at - began < DEADLINE, "the threads in progress were waited for"
    assert deadlines_since(began) < 2.5


async def event_of(trigger):
    began = time.monotonic()
    event = await anext(aiter(trigger.run()))
    return event.payload, deadlines_since(began)


def test_each_trigger_is_answered_when_its_first_call_has_ended(connect):
    async def scenario():
        triggers = [
            LessonspaceSessionEndTrigger(lessonspace_conn_id=connect(f"endless_{number}"), session_id=IDS[kind])
            for number, kind in enumerate(KINDS)
        ]
        return await asyncio.gather(*map(event_of, triggers))

    events = asyncio.run(scenario())
    assert {payload["status"] for payload, _ in events} == {"ended"}
    assert max(taken for _, taken in events) < 1.5


def test_replies_without_an_end_delay_no_other_waiter_of_the_connection(connect):
    connect("endless")
    stuck = list(ENDLESS)[: CALL_THREADS - 1]

    def waiting(kind):
        return event_of(LessonspaceSessionEndTrigger(lessonspace_conn_id="endless", session_id=IDS[kind]))

    async def scenario():
        first = [asyncio.create_task(waiting(kind)) for kind in stuck]
        events = await asyncio.gather(*(waiting(GOOD) for _ in range(20)))
        for task in first:
            task.cancel()
        return events

    events = asyncio.run(scenario())
    assert {payload["status"] for payload, _ in events} == {"ended"}
    assert max(taken for _, taken in events) < 0.9
