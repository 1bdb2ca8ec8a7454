# SPDX-License-Identifier: Apache-2.0
"""
Whatever operators, sensors and triggers are given, they work with it or refuse it in clear words, and tell no secret.

Arguments that work are known; one or two of them are replaced by anything at all. What is then taken has to be of the
kind that the parameter stands for, and what is refused is refused before any request.
"""

from __future__ import annotations

import asyncio
import importlib
import inspect
import itertools
import json
import os
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import date, datetime, timedelta, timezone
from pathlib import Path, PurePosixPath
from types import SimpleNamespace
from uuid import UUID

import pytest
import requests_mock
from airflow.providers.common.compat.sdk import (
    AirflowFailException,
    AirflowNotFoundException,
    AirflowSensorTimeout,
    AirflowSkipException,
    BaseOperator,
    BaseSensorOperator,
    TaskDeferred,
)
from airflow.sdk import ObjectStoragePath
from airflow.triggers.base import BaseEventTrigger, BaseTrigger
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from lessonspace_provider.exceptions import LessonspaceError, LessonspaceInputError
from lessonspace_provider.operators.archive import (
    LessonspaceBuildTablesOperator,
    LessonspaceEraseOperator,
    LessonspaceExpireArchiveOperator,
)
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
)
from lessonspace_provider.operators.transcripts import (
    LessonspaceArchiveTranscriptsOperator,
    LessonspaceGetTranscriptOperator,
)
from lessonspace_provider.operators.users import LessonspaceListUsersOperator, LessonspaceRemoveUserOperator
from lessonspace_provider.sensors.sessions import LessonspaceSessionEndSensor
from lessonspace_provider.sensors.transcripts import LessonspaceTranscriptSensor
from lessonspace_provider.triggers.sessions import LessonspaceSessionEndedEventTrigger, LessonspaceSessionEndTrigger
from lessonspace_provider.triggers.shared_poll import Subscription
from lessonspace_provider.triggers.transcripts import LessonspaceTranscriptTrigger
from tests.unit.archive.health_kit import a_manifest, write_manifest
from tests.unit.hooks.known import (
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

#: A refusal repeats what was given, but no more of it than can be read.
LONGEST_MESSAGE = 1500

START, END = datetime(2026, 11, 23, 8, tzinfo=timezone.utc), datetime(2026, 11, 23, 9, tzinfo=timezone.utc)
LATER = datetime.now(timezone.utc) + timedelta(days=1)
TOKEN = "token-of-the-school-7a6b"
TELLING = (KEY, SIGNATURE, LAUNCH["secret"], LAUNCH["client_url"], RECORDING_URL, TOKEN)

# What is given

FAR_OFF = [
    *(datetime.min.replace(tzinfo=timezone(timedelta(hours=hours))) for hours in (0, 23)),
    *(datetime.max.replace(tzinfo=timezone(timedelta(hours=hours))) for hours in (0, -23)),
]
TEXTS = [
    *(
        "",
        " ",
        "\0",
        "\ud800",
        "a\r\nb",
        "{{ ds }}",
        "{{ x",
        "{% raw",
        "True",
        "4711",
        "9" * 5000,
        "x" * 300,
        "%",
        "..",
    ),
    *(SESSION, SESSION.upper(), SLUG, "all", "json", "name", "teacher", "fail", "skip", "wait", "/", "203.0.113.7"),
    *("now", "2026-11-23", "2026-11-23T08:00:00", "2026-11-23T08:00:00Z", "0001-01-01T00:00:00Z"),
    *("9999-12-31T23:59:59Z", "fe80::1%a\r\nb", "pupil@example.org", "https://school.example/x", "https://["),
    *("{session_id}", "{session_id}/{name:>999999999}", "{end:%999999999Y}{session_id}", "{end:{name}}{session_id}"),
    *("\ud800{session_id}", "\0{session_id}", "x" * 300 + "{session_id}", "{name.__class__}{session_id}"),
]
NAMES = [
    *("search", "page", "space", "user", "role", "session", "tags", "start_time_after", "end_time_after", "launch_id"),
    *("tag_key", "tag_value", "duration_min", "in_progress_only", "name", "email", "id", "url", "method", "not_before"),
    *("not_after", "transcription", "finish", "nmae", "self", "space_id", "filters", "extra_options", "client_ip"),
]
#: None of them leads to a place that can be written to.
NO_PLACES = [
    *("", ".", "relative", "relative/x.jsonl", "file://", "file://relative", "file://relative/x.jsonl"),
    *(":///x.jsonl", "://", "s3://", "memory://", "file:///tmp/\0/x.jsonl", "/\ud800/x.jsonl"),
    *(5, None, b"/tmp/x.jsonl", PurePosixPath("/tmp/x.jsonl"), ["/tmp"], {"/tmp": 1}, True),
]
ODDS = [None, True, False, b"", b"x", UUID(SESSION), PurePosixPath("/tmp"), ..., object, print, {1}, range(3), 1j]

#: These are right nowhere, or nowhere as they are.
MEANINGLESS = [..., 1j, 10**5000, "\ud800"]


def _huge(_):
    return 10**5000  # Python refuses to write it as text, for a strategy's name as well


_numbers = st.integers() | st.floats() | st.sampled_from([0, 1, -1, 4711, 2**63, 5.0, 1e17]) | st.none().map(_huge)
_times = st.sampled_from([START, END, LATER, START.replace(tzinfo=None), date(2026, 11, 23), *FAR_OFF]) | st.datetimes(
    timezones=st.sampled_from([None, timezone.utc])
)
_durations = st.sampled_from([timedelta(0), timedelta.min, timedelta.max, timedelta(days=7)]) | st.timedeltas()
_anything = st.recursive(
    st.one_of(_numbers, st.sampled_from(TEXTS) | st.text(max_size=8), _times, _durations, st.sampled_from(ODDS)),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=2).map(tuple)
        | st.dictionaries(st.sampled_from([*NAMES, None, 1, ()]) | st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=5,
)
_tokens = st.sampled_from([TOKEN, f"{TOKEN} {{{{ x", f"{{{{ {TOKEN!r}.x.y }}}}", [TOKEN], {TOKEN}])
_auth_external = st.fixed_dictionaries(
    {"token": _tokens},
    optional={"method": st.just("child") | _anything, "url": st.just("https://school.example/") | _anything},
)
_near = {
    "destination": st.sampled_from(NO_PLACES),
    "account": st.sampled_from(NO_PLACES),
    "auth_external": _anything | _auth_external,
}


# What may be taken


def is_text(value):
    return isinstance(value, str)


def is_flag(value):
    return isinstance(value, bool)


def is_rendered_flag(value):
    return is_flag(value) or value in ("True", "False")


def is_mapping(value):
    return isinstance(value, Mapping)


def is_list(value):
    return isinstance(value, Iterable) and not isinstance(value, str)


def is_place(value):
    return isinstance(value, (str, ObjectStoragePath))


def is_rows(value):
    return is_place(value) or (is_list(value) and not isinstance(value, bytes))


def is_uuid(value):
    return str(UUID(str(value))) != ""


def is_space_id(value):
    return isinstance(value, (str, UUID))


def is_time(value):
    return isinstance(value, (str, datetime))


def is_count(value):
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def is_user_id(value):
    return is_count(int(value))


def is_seconds(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def is_duration(value):
    return is_seconds(value) or isinstance(value, timedelta)


def is_fields(value):
    return value == "all" or is_list(value)


def one_of(*allowed):
    return lambda value: value in allowed


def or_none(is_right):
    return lambda value: value is None or is_right(value)


def each(is_right, *names):
    return dict.fromkeys(names, is_right)


#: Gone with Airflow's home at the end of the run.
ARCHIVE = f"file://{os.environ['AIRFLOW_HOME']}/archive"
#: Has a manifest, so that there is something to search.
OLD_ARCHIVE = f"file://{os.environ['AIRFLOW_HOME']}/old_archive"

CONNECTION = {"lessonspace_conn_id": is_text}
LIST = {
    **CONNECTION,
    "filters": or_none(is_mapping),
    "fields": or_none(is_fields),
    "destination": or_none(is_place),
    "chunk_size": or_none(is_count),
}
WAIT = {
    **CONNECTION,
    **each(or_none(is_duration), "timeout", "max_wait"),
    "poke_interval": is_duration,
    "deferrable": is_flag,
}
LESSON = {"lesson_start": LATER, "lesson_end": LATER + timedelta(hours=1)}

JOB = {
    **CONNECTION,
    **each(is_flag, "accept_incomplete_file", "account_names"),
    "defaults": or_none(is_mapping),
    "on_refused": one_of("continue", "fail"),
    "max_threads": lambda value: is_count(value) and value <= 64,
}

#: Each class: arguments that work, and what may be taken for each parameter. None: anything, it says yes or no.
TASKS = {
    LessonspaceListSessionsOperator: ({}, {**LIST, "space_id": or_none(is_space_id)}),
    LessonspaceListSpacesOperator: ({}, LIST),
    LessonspaceListUsersOperator: ({}, LIST),
    LessonspaceGetSessionOperator: (
        {"session_id": SESSION},
        {**CONNECTION, "session_id": is_uuid, "fields": or_none(is_fields)},
    ),
    LessonspaceUpdateSessionOperator: (
        {"session_id": SESSION, "name": "Maths"},
        {
            **CONNECTION,
            "session_id": is_uuid,
            "name": or_none(is_text),
            "recording_access_policy": or_none(is_list),
            "force": is_flag,
        },
    ),
    LessonspaceGetRecordingUrlOperator: (
        {"session_id": SESSION},
        {**CONNECTION, "session_id": is_uuid, "deliver": or_none(callable), "push_recording_url": is_flag},
    ),
    LessonspaceRemoveUserOperator: ({"user_id": 7}, {**CONNECTION, "user_id": is_user_id, "dry_run": is_flag}),
    LessonspaceGetTranscriptOperator: (
        {"session_id": SESSION},
        {
            **CONNECTION,
            "session_id": is_uuid,
            "session": or_none(lambda value: is_mapping(value) and value.get("session_id") == SESSION),
            "destination": or_none(is_place),
            "formats": is_list,
            "wait": is_flag,
            "give_up_after": is_duration,
            "on_missing": one_of("fail", "skip", "none"),
        },
    ),
    LessonspaceArchiveTranscriptsOperator: (
        {"destination": ARCHIVE, "window_start": START, "window_end": END, "redact_spoken_names": True},
        {
            **CONNECTION,
            **each(or_none(is_time), "window_start", "window_end"),
            "extra_names": lambda value: value is None or is_list(value) or is_place(value),
            "diminutives": or_none(is_mapping),
            "redact": or_none(callable),
            **each(
                is_flag,
                "redact_speakers",
                "redact_spoken_names",
                "summaries",
                "tables",
                "include_single_user",
                "dry_run",
            ),
            "destination": is_place,
            "formats": is_list,
            "path_template": is_text,
            "space_id": or_none(is_space_id),
            "filters": or_none(is_mapping),
            "give_up_after": is_duration,
        },
    ),
    LessonspaceBuildTablesOperator: (
        {"destination": OLD_ARCHIVE},
        {"destination": is_place, **each(or_none(is_time), "window_start", "window_end")},
    ),
    LessonspaceEraseOperator: (
        {"destination": OLD_ARCHIVE, "user_ids": [48151], "names": ["Ben Okafor"]},
        {
            "destination": is_place,
            "user_ids": is_list,
            "names": is_list,
            "mode": one_of("redact", "delete"),
            **each(is_rendered_flag, "dry_run", "for_future", "force"),
            "reference": or_none(is_text),
        },
    ),
    LessonspaceExpireArchiveOperator: (
        {"destination": OLD_ARCHIVE, "keep": timedelta(days=30)},
        {"destination": is_place, "keep": is_duration, "dry_run": is_rendered_flag},
    ),
    LessonspaceLaunchSpaceOperator: (
        {"launch_id": "maths", **LESSON},
        {
            **CONNECTION,
            **each(is_text, "launch_id"),
            **each(or_none(is_text), "client_ip", "name", "locale", "server", "invite_url", "resource_url"),
            **each(is_flag, "deliver_secret", "push_client_url"),
            "on_setting_refused": one_of("warn", "fail"),
            **each(or_none(is_flag), "allow_guests", "record_av", "record_content", "transcribe", "summarise"),
            **each(or_none(is_time), "lesson_start", "lesson_end"),
            **each(is_duration, "join_early", "join_late"),
            **each(or_none(is_mapping), "extra_options", "user", "webhooks", "timeouts", "features", "theme"),
            **each(or_none(is_mapping), "session_tags", "space_tags", "holodeck_parameters", "auth_external"),
            "deliver": or_none(callable),
            "video_layout_mode": or_none(one_of("grid", "sidebar", "floating")),
        },
    ),
    LessonspaceLaunchSpacesOperator: (
        {"launches": [{"launch_id": "maths", **LESSON}], "account": f"{ARCHIVE}/launches"},
        {
            **JOB,
            "account": is_place,
            "launches": is_rows,
            **each(or_none(callable), "deliver", "deliver_many"),
            "deliver_batch_size": is_count,
            "deliver_secret": is_flag,
            "on_setting_refused": one_of("warn", "fail"),
            "max_links_per_space": is_count,
        },
    ),
    LessonspaceUpdateSessionsOperator: (
        {"updates": [{"session_id": SESSION, "name": "Maths"}]},
        {**JOB, "account": or_none(is_place), "updates": is_rows},
    ),
    LessonspaceSessionEndSensor: (
        {"space_id": SLUG, "window_start": START, "window_end": END},
        {
            **WAIT,
            **each(or_none(is_time), "window_start", "window_end"),
            "session_id": or_none(is_uuid),
            "space_id": or_none(is_space_id),
            "launch_id": or_none(is_text),
            "min_participants": is_count,
            "on_no_session": one_of("fail", "skip", "wait"),
            "grace": is_duration,
            "max_delay": or_none(is_duration),
        },
    ),
    LessonspaceTranscriptSensor: (
        {"session_id": SESSION},
        {
            **WAIT,
            "session_id": is_uuid,
            "give_up_after": is_duration,
            "exponential_backoff": None,
        },
    ),
}
TRIGGERS = {
    LessonspaceSessionEndTrigger: (
        {"lessonspace_conn_id": "lessonspace_default", "space_id": SLUG, "window_start": START, "window_end": END},
        {
            **CONNECTION,
            **each(or_none(is_time), "window_start", "window_end"),
            **each(or_none(is_seconds), "give_up_at", "asked_at", "timeout_at"),
            "poll_interval": is_seconds,
            "session_id": or_none(is_uuid),
            "space_id": or_none(is_space_id),
            "launch_id": or_none(is_text),
            "min_participants": is_count,
            "max_delay": or_none(is_duration),
        },
    ),
    LessonspaceSessionEndedEventTrigger: (
        {"lessonspace_conn_id": "lessonspace_default"},
        {**CONNECTION, "poll_interval": is_seconds, "min_participants": is_count},
    ),
    LessonspaceTranscriptTrigger: (
        {"lessonspace_conn_id": "lessonspace_default", "session_id": SESSION, "give_up_after": 1e9},
        {
            **CONNECTION,
            **each(or_none(is_seconds), "began_at", "ended_at", "timeout_at"),
            "session_id": is_uuid,
            "give_up_after": is_duration,
            "poll_interval": is_seconds,
        },
    ),
}


def _cases(classes):
    """Choose a class, and one or two of its parameters to be replaced."""
    every = [(cls, name) for cls, (_, kinds) in classes.items() for name in kinds]
    return st.sampled_from(every).flatmap(lambda chosen: st.tuples(st.just(chosen[0]), _replaced(*chosen, classes)))


def _replaced(cls, name, classes):
    names = st.just(name) | st.sampled_from([*classes[cls][1]])
    pair = names.flatmap(lambda name: st.tuples(st.just(name), _near.get(name, _anything)))
    return st.lists(pair, min_size=1, max_size=2).map(dict)


def is_right(kind, value):
    with suppress(TypeError, ValueError):  # a kind that can't be told of such a value
        return kind is None or kind(value)
    return False


# Who answers


def answers(*, has_ended, is_transcribed):
    """A Lessonspace with one session in one space; all else is not there."""
    session = {
        "uuid": SESSION,
        "name": "Maths",
        "space": {"id": SPACE, "slug": SLUG},
        "start_time": START.isoformat(),
        "end_time": END.isoformat() if has_ended else None,
        "profiles": [{"user": 1, "role": "teacher"}, {"user": 2}],
        "playback_url": RECORDING_URL,
    }
    found = {"transcriptionUrl": LINK} if is_transcribed else None
    server = requests_mock.Mocker()
    for method, path, answer in [
        (requests_mock.ANY, ".*", None),
        ("GET", r"/sessions/(\?|$)", page(session)),
        ("GET", r"/spaces/(\?|$)", page({"id": SPACE, "slug": SLUG, "url": LAUNCH["client_url"]})),
        ("GET", r"/users/(\?|$)", page({"user": 1, "role": "teacher"})),
        ("GET", f"/sessions/{SESSION}/$", session),
        ("PATCH", f"/sessions/{SESSION}/$", {"name": "Maths"}),
        ("GET", f"/sessions/{SESSION}/transcript/$", found),
        ("GET", f"/sessions/{SESSION}/playback/$", {"recording_url": RECORDING_URL}),
        ("GET", re.escape(LINK), [SEGMENT]),
        ("POST", "/spaces/launch/$", LAUNCH),
        ("DELETE", r"/users/\d+/$", {}),
    ]:
        status = 404 if answer is None else 200
        server.register_uri(method, re.compile(path), json=answer or {"detail": "Not found."}, status_code=status)
    return server


class StillWaits(BaseException):
    """Waits for what may yet come. No Exception, so that nobody takes it for an error."""


def _still_waits(*_):
    raise StillWaits


@pytest.fixture(autouse=True)
def _connected(monkeypatch, tmp_path):
    monkeypatch.setenv("AIRFLOW_CONN_LESSONSPACE_DEFAULT", connection_json())
    # What is imported first while nobody can sleep keeps that as its default.
    importlib.import_module("lessonspace_provider.api.transport")
    monkeypatch.setattr("time.sleep", _still_waits)
    monkeypatch.chdir(tmp_path)
    write_manifest(Path(OLD_ARCHIVE.removeprefix("file://")), a_manifest(0, archived=1, pending=1))


# Judgement


def names_in(replaced):
    """The parameters, and what stands in mappings that were given for them: ``user`` is refused as ``user.email``."""
    inner = {str(name) for value in replaced.values() if is_mapping(value) for name in value}
    return inner | replaced.keys() | {"Unknown filter"}


def check_refusal(message, replaced, server):
    """A refusal comes before any request, names what it is about, and can be read."""
    assert not server.request_history
    assert len(message) < LONGEST_MESSAGE
    assert any(name in message for name in names_in(replaced))


def check_taken(replaced, kinds):
    """What was taken is what the parameters stand for."""
    assert not [name for name, value in replaced.items() if not is_right(kinds[name], value)]


def check_trigger(trigger):
    """A trigger's keywords reach the triggerer as JSON and times."""
    assert all(
        value is None or isinstance(value, (str, int, float, datetime)) for value in trigger.serialize()[1].values()
    )


def own_parameters(cls):
    """The keywords of a class that are this provider's."""
    bases = {BaseOperator, BaseSensorOperator, BaseTrigger, BaseEventTrigger}
    own = [inspect.signature(c.__init__).parameters for c in cls.__mro__ if bases & set(c.__mro__) and c not in bases]
    return {name for parameters in own for name in parameters} - {"self", "args", "kwargs"}


@pytest.mark.parametrize("cls", [*TASKS, *TRIGGERS])
def test_every_parameter_is_replaced(cls):
    _, kinds = {**TASKS, **TRIGGERS}[cls]
    assert own_parameters(cls) - kinds.keys() == set()


def try_task(task, replaced, caplog, *, deferrable=False, has_ended=True, is_transcribed=True):
    """Make a task and run it, as far as it goes at once."""
    known, kinds = TASKS[task]
    arguments = {"deferrable": deferrable, **known, **replaced}
    if not issubclass(task, BaseSensorOperator):
        del arguments["deferrable"]
    said = ""
    with answers(has_ended=has_ended, is_transcribed=is_transcribed) as server:
        try:
            task(task_id="t", **arguments).execute({})
        except LessonspaceError as error:
            said = messages_of(error)
            if isinstance(error, LessonspaceInputError):
                check_refusal(str(error), replaced, server)
        except AirflowNotFoundException:
            assert "lessonspace_conn_id" in replaced
        except (StillWaits, AirflowSkipException, AirflowFailException, AirflowSensorTimeout):
            check_taken(replaced, kinds)
        except TaskDeferred as deferral:
            check_taken(replaced, kinds)
            check_trigger(deferral.trigger)
        else:
            check_taken(replaced, kinds)
    assert not [secret for secret in TELLING if secret in said + caplog.text]


@given(_cases(TASKS), st.booleans(), st.booleans(), st.booleans())
@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_task_takes_what_is_right_and_refuses_what_is_not(caplog, case, deferrable, has_ended, is_transcribed):
    try_task(*case, caplog, deferrable=deferrable, has_ended=has_ended, is_transcribed=is_transcribed)


@pytest.mark.parametrize("task", TASKS)
def test_no_parameter_of_a_task_goes_unchecked(task, caplog):
    for name, value in itertools.product(TASKS[task][1], MEANINGLESS):
        try_task(task, {name: value}, caplog)


# Triggers


async def _first_payload(trigger):
    async for event in trigger.run():
        return event.payload
    raise AssertionError("The trigger ended without an event.")


def try_trigger(cls, replaced, caplog, *, has_ended=True, is_transcribed=True):
    """Make a trigger, and run it up to its first event, or to where it waits for another poll."""
    known, kinds = TRIGGERS[cls]
    with answers(has_ended=has_ended, is_transcribed=is_transcribed) as server:
        try:
            event = asyncio.run(asyncio.wait_for(_first_payload(cls(**known | replaced)), timeout=60))
        except StillWaits:
            event = {}
        except LessonspaceInputError as error:
            event = {"status": "error", "reason": type(error).__name__, "message": str(error)}
        said = str(event.get("message"))
        if event.get("status") != "error":
            check_taken(replaced, kinds)
            said = json.dumps(event)
        elif event["reason"] == LessonspaceInputError.__name__:
            check_refusal(event["message"], replaced, server)
        else:
            assert "can't be read" in event["message"]
            assert "lessonspace_conn_id" in replaced
    assert not [secret for secret in TELLING if secret in said + caplog.text]


@pytest.fixture
def _one_poll(monkeypatch):
    """Whoever has heard a poll and waits for the next, or sleeps, is known to wait; no failure is borne."""
    heard = Subscription.next

    async def next_once(subscription, *_):
        if hasattr(subscription, "has_heard"):
            raise StillWaits
        subscription.has_heard = True
        return await heard(subscription)

    async def still_waits(*_):
        raise StillWaits

    monkeypatch.setattr("lessonspace_provider.triggers.shared_poll.FAILURES_ALLOWED", 1)
    monkeypatch.setattr(Subscription, "next", next_once)
    # In that module only: the loops of other threads, such as a sandbox that serves other tests, sleep as well.
    monkeypatch.setattr(
        "lessonspace_provider.triggers.transcripts.asyncio", SimpleNamespace(**{**vars(asyncio), "sleep": still_waits})
    )


@pytest.mark.usefixtures("_one_poll")
@given(case=_cases(TRIGGERS), has_ended=st.booleans(), is_transcribed=st.booleans())
@example(case=(LessonspaceTranscriptTrigger, {"began_at": 0}), has_ended=False, is_transcribed=False)
@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_trigger_takes_what_is_right_and_refuses_what_is_not(caplog, case, has_ended, is_transcribed):
    try_trigger(*case, caplog, has_ended=has_ended, is_transcribed=is_transcribed)


@pytest.mark.usefixtures("_one_poll")
@pytest.mark.parametrize("cls", TRIGGERS)
def test_no_parameter_of_a_trigger_goes_unchecked(cls, caplog):
    for name, value in itertools.product(TRIGGERS[cls][1], MEANINGLESS):
        try_trigger(cls, {name: value}, caplog)
