# SPDX-License-Identifier: Apache-2.0
"""A server puts hostile words wherever a string may be: no log line, error or event repeats what it should not."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from base64 import b64encode
from copy import deepcopy
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace

import pytest
from airflow.providers.common.compat.sdk import TaskDeferred
from requests_mock import ANY

from lessonspace_provider.api.foreign_words import holds_key
from lessonspace_provider.operators.archive import LessonspaceArchiveTranscriptsOperator
from lessonspace_provider.operators.sessions import (
    LessonspaceGetRecordingUrlOperator,
    LessonspaceGetSessionOperator,
    LessonspaceListSessionsOperator,
    LessonspaceUpdateSessionOperator,
    LessonspaceUpdateSessionsOperator,
)
from lessonspace_provider.operators.spaces import (
    LessonspaceLaunchSpaceOperator,
    LessonspaceLaunchSpacesOperator,
    LessonspaceListSpacesOperator,
    space_page,
)
from lessonspace_provider.operators.transcripts import LessonspaceGetTranscriptOperator
from lessonspace_provider.operators.users import LessonspaceListUsersOperator, LessonspaceRemoveUserOperator
from lessonspace_provider.sensors.sessions import LessonspaceSessionEndSensor
from lessonspace_provider.sensors.transcripts import LessonspaceTranscriptSensor
from lessonspace_provider.triggers import sessions as session_triggers
from lessonspace_provider.triggers import shared_poll as shared
from lessonspace_provider.triggers.sessions import LessonspaceSessionEndedEventTrigger, LessonspaceSessionEndTrigger
from lessonspace_provider.triggers.transcripts import LessonspaceTranscriptTrigger
from tests.unit.hooks.known import (
    API,
    KEY,
    LAUNCH,
    LINK,
    RECORDING_URL,
    SEGMENT,
    SESSION,
    SIGNATURE,
    SLUG,
    SPACE,
    connection_json,
    messages_of,
    page,
)

NOW = datetime.now(timezone.utc).replace(microsecond=0)
START, END = NOW - timedelta(hours=2), NOW - timedelta(hours=1)
MARK = "FORGED"
HEADER = b64encode(f"Organisation {KEY}".encode()).decode()

#: Words that forge a line and turn text round, and words that know every secret.
HOSTILE = {
    "lines": f"x\r\n{MARK}\u2028{MARK} \x1b[35;7m \u202e \ud800 \x00 {LINK} t.json?s={SIGNATURE} {'y' * 300}",
    "key": f"{KEY} {KEY.upper()} {KEY.replace('-', '')} {HEADER} {''.join(f'%{ord(c):x}' for c in KEY)}",
    "a key": KEY,
}

A_SESSION = {
    "uuid": SESSION,
    "id": 7,
    "name": "Algebra",
    "space": {"id": SPACE, "slug": SLUG, "name": "Maths", "url": "https://room.example/x"},
    "start_time": START.isoformat(),
    "end_time": END.isoformat(),
    "profiles": [{"user": 1, "name": "Ann", "email": "ann@example.org", "role": "teacher"}, {"user": 2}],
    "guests": [{"id": 1, "uuid": SPACE}],
    "logs": [],
    "billable_seconds": 3600,
    "tags": "{}",
    "recording_access_policy": ["teacher"],
    "record_av": True,
}
A_SPACE = {"id": SPACE, "slug": SLUG, "name": "Maths", "created_at": START.isoformat()}
A_USER = {"user": {"id": 7, "username": "ann"}, "role": "teacher", "name": "Ann"}
BODIES = {
    r"/hello/$": {"response": "Hello"},
    r"/my-organisation/$": {"id": 42},
    r"/organisations/42/sessions/(\?.*)?$": page(A_SESSION),
    r"/spaces/[^/]+/sessions/(\?.*)?$": page(A_SESSION),
    r"/organisations/42/sessions/[^/]+/$": A_SESSION,
    r"/organisations/42/sessions/[^/]+/transcript/": {"transcriptionUrl": LINK},
    r"/sessions/[^/]+/playback/$": {"recording_url": RECORDING_URL},
    r"/organisations/42/spaces/": page(A_SPACE),
    r"/organisations/42/users/(\?.*)?$": page(A_USER),
    r"/spaces/launch/$": LAUNCH,
}
FILE = [SEGMENT]


def places_in(value, place=()):
    """The places of a value's leaves and of the names of its fields."""
    if isinstance(value, dict):
        for name, entry in value.items():
            yield from places_in(entry, (*place, name))
    elif isinstance(value, list):
        for number, entry in enumerate(value):
            yield from places_in(entry, (*place, number))
    else:
        yield place


def with_words(value, place, words):
    """Put words into one place of a value."""
    if not place:
        return words
    changed = deepcopy(value)
    inner = changed
    for step in place[:-1]:
        inner = inner[step]
    inner[place[-1]] = words
    return changed


def everywhere(value, words):
    if isinstance(value, dict):
        return {**{name: everywhere(entry, words) for name, entry in value.items()}, words: words}
    if isinstance(value, list):
        return [everywhere(entry, words) for entry in value]
    return words


def answers_for(words, errors=slice(None)):
    """Every answer that has the words somewhere: errors and redirects of each status, and good ones of each shape."""
    for status in (400, 401, 403, 404, 409, 429, 500, 503):
        bodies = ({"name": [words], words: {words: [words, [words]]}}, {"detail": words}, [words], words)
        for body in bodies[errors]:
            yield f"{status}", lambda path, status=status, body=body: (status, body)
    yield "302", lambda path: (302, None)
    yield "not JSON", lambda path: (200, words.encode("utf-8", "replace"))
    for path, body in BODIES.items():
        for place in places_in(body):
            changed = with_words(body, place, words)
            yield (
                f"{path} {place}",
                lambda asked, path=path, changed=changed: (200, changed if path == asked else BODIES[asked]),
            )
    yield "everywhere", lambda path: (200, everywhere(BODIES[path], words))


@pytest.fixture
def serve(requests_mock):
    """Answer all paths with what a function of the path's pattern gives, and the words in the headers."""

    def serve(answer, words):
        line = "".join(char for char in words if char.isprintable() and ord(char) < 256)[:2000]
        headers = {"Content-Type": f"text/{line}", "Location": f"https://{KEY}.example/{line}", "Retry-After": line}
        requests_mock.get(ANY, status_code=403, text=words, headers=headers)  # where a changed link leads to
        for path in BODIES:
            status, body = answer(path)
            content = body if isinstance(body, bytes) else json.dumps(body).encode()
            requests_mock.register_uri(
                ANY,
                re.compile(re.escape(API) + path),
                status_code=status,
                content=content,
                headers=headers,
            )
        requests_mock.delete(re.compile(".*/users/.*"), status_code=answer(r"/hello/$")[0], json={"detail": words})
        requests_mock.get(LINK, json=[{**SEGMENT, "text": words, "user": {"id": 1, "name": words}}])

    return serve


def leaks_of(text):
    """What a text shows that it should not."""
    found = [sign for sign in (SIGNATURE, "\u202e", "\x1b[35;7m", "\x00", "\u2028", KEY) if sign in text]
    found += ["the key"] if holds_key(text, KEY) else []
    found += ["a forged line"] if re.search(rf"^\W*{MARK}", text, re.MULTILINE) else []
    try:
        text.encode()
    except UnicodeEncodeError:
        found.append("half a character")
    return found + ([f"{longest} characters"] if (longest := max(map(len, text.split("\n")))) > 5000 else [])


WINDOW = {"window_start": (END - timedelta(minutes=30)).isoformat(), "window_end": NOW.isoformat()}


def operators_of(tmp_path):
    """A task of each kind."""
    deliver = {"deliver": lambda handed, context: None}
    lesson = {"window_start": START, "window_end": END, "grace": 1, "on_no_session": "fail"}
    return [
        LessonspaceListSessionsOperator(task_id="a", fields=["uuid"]),
        LessonspaceListSessionsOperator(task_id="b", space_id=SPACE),
        LessonspaceGetSessionOperator(task_id="c", session_id=SESSION),
        LessonspaceUpdateSessionOperator(task_id="d", session_id=SESSION, recording_access_policy=["admin"]),
        LessonspaceUpdateSessionsOperator(
            task_id="e", updates=[{"session_id": SESSION, "name": "x"}], account=str(tmp_path / "updates")
        ),
        LessonspaceGetRecordingUrlOperator(task_id="f", session_id=SESSION, **deliver),
        LessonspaceLaunchSpaceOperator(task_id="g", launch_id="maths", transcribe=True, record_av=True, **deliver),
        LessonspaceLaunchSpacesOperator(
            task_id="h", launches=[{"launch_id": "maths"}], account=str(tmp_path / "launches"), **deliver
        ),
        LessonspaceListSpacesOperator(task_id="i"),
        LessonspaceListUsersOperator(task_id="j"),
        LessonspaceRemoveUserOperator(task_id="k", user_id=7),
        LessonspaceGetTranscriptOperator(task_id="l", session_id=SESSION, destination=str(tmp_path / "one")),
        LessonspaceGetTranscriptOperator(task_id="m", session_id=SESSION, wait=True, on_missing="none"),
        LessonspaceArchiveTranscriptsOperator(task_id="n", destination=str(tmp_path / "archive"), **WINDOW),
        LessonspaceSessionEndSensor(task_id="o", session_id=SESSION, deferrable=True),
        LessonspaceSessionEndSensor(task_id="p", space_id=SPACE, **lesson, deferrable=True),
        LessonspaceSessionEndSensor(task_id="q", launch_id="maths", **lesson, deferrable=True),
        LessonspaceTranscriptSensor(task_id="r", session_id=SESSION, deferrable=True),
    ]


def outcome_of(function):
    """What a task's log and XCom would show: all texts of an error, or the result."""
    try:
        return "", function()
    except TaskDeferred as deferral:
        return "", deferral.trigger.serialize()
    except Exception as error:
        return messages_of(error), None


@pytest.mark.parametrize("words", HOSTILE.values(), ids=list(HOSTILE))
def test_no_call_of_the_hook_repeats_hostile_words(connect, serve, caplog, capfd, words):
    calls = {
        "hello": lambda hook: hook.hello(),
        "test": lambda hook: hook.test_connection(),
        "organisation": lambda hook: hook.my_organisation_id(),
        "sessions": lambda hook: list(hook.list_sessions()),
        "space": lambda hook: list(hook.list_space_sessions(SPACE)),
        "session": lambda hook: hook.get_session(SESSION),
        "update": lambda hook: hook.update_session(SESSION, recording_access_policy=["admin"]),
        "transcript": lambda hook: len(hook.get_transcript(SESSION)),
        "recording": lambda hook: len(hook.get_recording_url(SESSION)),
        "spaces": lambda hook: list(hook.list_spaces()),
        "users": lambda hook: list(hook.list_users()),
        "remove": lambda hook: hook.remove_user(7),
        "launch": lambda hook: len(hook.launch_space("maths")),
    }
    caplog.set_level(logging.DEBUG, logger="lessonspace_provider")
    hook = connect(rate_limit_max_wait=0.5)
    found = {}
    for number, (name, answer) in enumerate(answers_for(words)):
        serve(answer, words)
        for call_name, call in calls.items():
            said, result = outcome_of(lambda call=call: call(hook))
            leaks = leaks_of(said) + (["the key"] if holds_key(repr(result), KEY) else [])
            leaks += leaks_of(result[1]) if call_name == "test" and result else []
            if leaks:
                found[f"{number} {call_name} {name}"] = leaks
    assert found == {}
    assert leaks_of(caplog.text + "".join(capfd.readouterr())) == []


@pytest.mark.parametrize("words", [HOSTILE["lines"], HOSTILE["key"]], ids=["lines", "key"])
def test_no_task_repeats_hostile_words(connect, serve, caplog, capfd, tmp_path, words):
    caplog.set_level(logging.INFO)
    hook = connect(rate_limit_max_wait=0.5)
    found = {}
    for number, (name, answer) in enumerate(answers_for(words, errors=slice(1))):
        serve(answer, words)
        for operator in operators_of(tmp_path / str(number)):
            operator.hook = hook
            said, result = outcome_of(lambda operator=operator: operator.execute({"outlet_events": {}}))
            is_text_of_people = isinstance(operator, LessonspaceGetTranscriptOperator)  # and none of the API's
            leaks = leaks_of(said) + (["the key"] if holds_key(repr(result), KEY) and not is_text_of_people else [])
            if leaks:
                found[f"{operator.task_id} {type(operator).__name__} {name}"] = leaks
    assert found == {}
    assert leaks_of(caplog.text + "".join(capfd.readouterr())) == []


class WatchedOnceError(Exception):
    """The second poll of a watch has come, and the first one found nothing."""


class CursorStore:
    """An asset's store, with a cursor from before the session's end; it ends the watch with the second poll."""

    def __init__(self):
        self.writes = 0

    async def aget(self, key):
        return {"reported_from": START.isoformat(), "reported": {}}

    async def aset(self, key, value):
        self.writes += 1
        if self.writes > 1:
            raise WatchedOnceError


@pytest.mark.parametrize("words", HOSTILE.values(), ids=list(HOSTILE))
def test_no_trigger_repeats_hostile_words(connect, serve, caplog, capfd, monkeypatch, words):
    connect(rate_limit_max_wait=0.5)
    connection = json.loads(connection_json(rate_limit_max_wait=0.5))
    airflows = SimpleNamespace(
        conn_id="lessonspace_default", port=None, schema=None, login=None, extra_dejson=connection["extra"], **{
            name: connection[name] for name in ("password", "host")
        }
    )  # fmt: skip

    async def get_connection(conn_id):
        return airflows

    monkeypatch.setattr("lessonspace_provider.hooks.lessonspace.get_async_connection", get_connection)
    monkeypatch.setattr(shared, "FAILURES_ALLOWED", 1)
    monkeypatch.setattr(shared, "OUTAGE_ALLOWED", 0.0)
    monkeypatch.setattr(session_triggers, "PASSING_ERRORS", ())  # or a watch would outlast them
    caplog.set_level(logging.INFO)
    found, reported = {}, []

    async def first_event(trigger):
        async for event in trigger.run():
            return event.payload
        return None

    async def event_of(trigger):
        return await asyncio.wait_for(first_event(trigger), 5)

    for name, answer in answers_for(words):
        if not re.match(r"\d+$|everywhere|not JSON|/organisations/42/sessions/", name):
            continue
        serve(answer, words)
        default = {"lessonspace_conn_id": "lessonspace_default"}
        for trigger in (
            LessonspaceSessionEndTrigger(session_id=SESSION, **default),
            LessonspaceSessionEndTrigger(
                space_id=SPACE, window_start=START, window_end=END, give_up_at=END.timestamp(), **default
            ),
            LessonspaceTranscriptTrigger(session_id=SESSION, give_up_after=60.0, **default),
        ):
            event = asyncio.run(event_of(trigger))
            leaks = leaks_of(str(event["message"])) + (["the key"] if holds_key(repr(event), KEY) else [])
            if leaks:
                found[f"{type(trigger).__name__} {name}"] = leaks
        watch = LessonspaceSessionEndedEventTrigger()
        watch.asset_state_store = CursorStore()
        said, payload = outcome_of(lambda watch=watch: asyncio.run(event_of(watch)))
        reported += [session["session_id"] for session in (payload or {}).get("sessions", [])]
        if leaks := leaks_of(said) + leaks_of(repr(payload)):
            found[f"{type(watch).__name__} {name}"] = leaks
    assert found == {}
    assert SESSION in reported, "the watch has seen sessions"
    assert leaks_of(caplog.text + "".join(capfd.readouterr())) == []


@pytest.mark.parametrize("event", [{"status": "error"}, {"status": "no_session"}, {"status": "?"}, {}])
@pytest.mark.parametrize("words", HOSTILE.values(), ids=list(HOSTILE))
def test_no_event_that_another_user_wrote_is_repeated_as_it_is(connect, words, event):
    sensor = LessonspaceSessionEndSensor(
        task_id="wait", space_id=SPACE, window_start=START, window_end=END, on_no_session="fail"
    )
    sensor.hook = connect()
    said, _ = outcome_of(
        lambda: sensor.execute_complete(
            {}, {**event, "reason": words, "message": words, "status": event.get("status", words)}
        )
    )
    assert set(leaks_of(said)) <= {KEY, "the key"}  # an event has no place for a key: its makers took it out


@pytest.mark.parametrize(
    "link", ["javascript://x/maths", "javascript://%0aalert(1)/maths", "data:text/html,/maths", "ftp://x/maths"]
)
def test_only_a_web_page_becomes_the_link_in_airflows_ui(link):
    assert space_page({"client_url": link, "room_id": "maths"}) is None
    assert space_page({"client_url": "https://x/maths?user=jwt", "room_id": "maths"}) == "https://x/maths"
