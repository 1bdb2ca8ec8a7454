# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from airflow.providers.common.compat.sdk import AirflowSensorTimeout, AirflowSkipException, TaskDeferred

from lessonspace_provider.exceptions import (
    LessonspaceAuthError,
    LessonspaceConnectionError,
    LessonspaceInputError,
    LessonspaceNotFoundError,
    LessonspaceRateLimitedError,
    LessonspaceServerError,
)
from lessonspace_provider.sensors.base import LessonspaceWaitFailed
from lessonspace_provider.sensors.transcripts import LessonspaceTranscriptSensor
from tests.unit.hooks.known import connection_json

SESSION_ID = "5b5f1a2c-3d4e-4f5a-8b9c-0d1e2f3a4b5c"
END = datetime.now(timezone.utc).replace(microsecond=0) - timedelta(hours=1)
ENDED = {
    "uuid": SESSION_ID,
    "start_time": (END - timedelta(minutes=45)).isoformat(),
    "end_time": END.isoformat(),
    "profiles": [{"user": 1, "name": "Ann"}, {"user": 2, "name": "Ben"}],
    "guests": [],
    "record_av": True,
}
RUNNING = {**ENDED, "end_time": None}
ONE_PERSON = {**ENDED, "profiles": [{"user": 1}]}


class Hook:
    """Stands in for the hook: one session or error, and whether its transcript is there, look by look."""

    def __init__(self, session, *is_there):
        self.session = session
        self.is_there = list(is_there)
        self.calls = []

    def get_session(self, session_id):
        self.calls.append("session")
        if isinstance(self.session, Exception):
            raise self.session
        return self.session

    def has_transcript(self, session_id):
        self.calls.append("transcript")
        answer = self.is_there.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def a_sensor(session=None, *is_there, **parameters):
    sensor = LessonspaceTranscriptSensor(task_id="wait", **{"session_id": SESSION_ID, **parameters})
    if session is not None:
        sensor.hook = Hook(session, *is_there)
    return sensor


@pytest.fixture(autouse=True)
def nobody_sleeps(monkeypatch):
    monkeypatch.setattr("time.sleep", lambda seconds: None)


@pytest.mark.parametrize("deferrable", [False, True])
@pytest.mark.parametrize("session_id", [17, "17", None, "", "room-1"])
def test_a_session_id_that_is_none_ends_the_task_before_any_request(monkeypatch, requests_mock, deferrable, session_id):
    monkeypatch.setenv("AIRFLOW_CONN_LESSONSPACE_DEFAULT", connection_json())
    with pytest.raises(LessonspaceInputError, match="session_id="):
        a_sensor(session_id=session_id, deferrable=deferrable).execute({})
    assert not requests_mock.called


@pytest.mark.parametrize("give_up_after", [0, -1, "7 days", True])
def test_a_duration_that_is_none_is_refused_when_the_dag_is_read(give_up_after):
    with pytest.raises(LessonspaceInputError, match="give_up_after="):
        a_sensor(give_up_after=give_up_after)


@pytest.mark.parametrize("interval", [0, 4.9, timedelta(seconds=1)])
def test_an_interval_below_5_seconds_is_refused_when_the_dag_is_read(interval):
    with pytest.raises(LessonspaceInputError, match="poke_interval="):
        a_sensor(poke_interval=interval)


def test_it_asks_ever_more_rarely_and_for_a_day_longer_than_it_waits():
    sensor = a_sensor()
    assert (sensor.poke_interval, sensor.max_wait, sensor.exponential_backoff) == (300, timedelta(hours=12), True)
    assert sensor.timeout == timedelta(days=8).total_seconds()
    assert a_sensor(give_up_after=3600).timeout == 3600 + 86400
    assert a_sensor(give_up_after=timedelta(hours=1), timeout=60).timeout == 60
    longest = timedelta(days=36_525)
    assert a_sensor(give_up_after=longest).timeout == longest.total_seconds()


def test_what_is_waited_for_can_be_templated():
    sensor = a_sensor(session_id="{{ a }}", lessonspace_conn_id="{{ b }}")
    sensor.render_template_fields({"a": SESSION_ID, "b": "other"})
    assert (sensor.session_id, sensor.lessonspace_conn_id) == (SESSION_ID, "other")


@pytest.mark.parametrize("deferrable", [False, True])
def test_the_result_is_the_sessions_uuid(deferrable):
    sensor = a_sensor(ENDED, True, deferrable=deferrable, session_id=SESSION_ID.upper())
    assert sensor.execute({}) == SESSION_ID
    assert sensor.hook.calls == ["session", "transcript"]


def test_a_transcript_that_is_not_there_yet_is_waited_for():
    sensor = a_sensor(ENDED, False, False, True)
    assert sensor.execute({}) == SESSION_ID
    assert sensor.hook.calls.count("transcript") == 3


def test_a_session_is_asked_for_until_its_end_is_known_and_not_again():
    sensor = a_sensor(RUNNING, False, True)
    sensor.poke({})
    sensor.hook.session = ENDED
    sensor.poke({})
    assert sensor.poke({}).is_done
    assert sensor.hook.calls == ["session", "session", "transcript", "transcript"]


@pytest.mark.parametrize("session", [RUNNING, LessonspaceNotFoundError("none", status=404)])
def test_a_session_that_has_not_ended_is_waited_for_and_its_transcript_not_asked_for(session):
    sensor = a_sensor(session)
    assert not sensor.poke({}).is_done
    assert sensor.hook.calls == ["session"]


@pytest.mark.parametrize("deferrable", [False, True])
@pytest.mark.parametrize(
    ("session", "is_there", "parameters", "reason"),
    [
        (ONE_PERSON, [], {}, "one person only"),
        ({**ENDED, "record_av": False}, [], {}, "not recorded"),
        (ENDED, [False], {"give_up_after": 600}, "given up"),
        (LessonspaceAuthError("the key was refused", status=401), [], {}, "the key was refused"),
        (ENDED, [LessonspaceAuthError("the key was refused", status=403)], {}, "the key was refused"),
    ],
)
def test_a_transcript_that_will_not_come_ends_the_wait(deferrable, session, is_there, parameters, reason):
    with pytest.raises(LessonspaceWaitFailed, match=reason):
        a_sensor(session, *is_there, deferrable=deferrable, **parameters).execute({})
    for softness in ("soft_fail", "never_fail"):
        with pytest.raises(AirflowSkipException):
            a_sensor(session, *is_there, deferrable=deferrable, **parameters, **{softness: True}).execute({})


@pytest.mark.parametrize(
    "error",
    [LessonspaceConnectionError("none"), LessonspaceServerError("503"), LessonspaceRateLimitedError("429", status=429)],
)
def test_an_error_that_passes_ends_no_wait(error):
    sensor = a_sensor(ENDED, error, True)
    assert sensor.execute({}) == SESSION_ID
    assert sensor.hook.calls.count("transcript") == 2


def deferral_of(sensor):
    with pytest.raises(TaskDeferred) as caught:
        sensor.execute({})
    return caught.value


def test_the_trigger_gets_the_end_and_need_not_ask_for_the_session():
    deferral = deferral_of(a_sensor(ENDED, False, deferrable=True, give_up_after=86400, lessonspace_conn_id="other"))
    trigger = deferral.trigger
    assert (trigger.session_id, trigger.lessonspace_conn_id) == (SESSION_ID, "other")
    assert (trigger.ended_at, trigger.give_up_after) == (END.timestamp(), 86400)
    assert (deferral.method_name, deferral.timeout) == ("execute_complete", timedelta(days=2))


def test_the_trigger_gets_the_time_since_when_it_is_waited_for():
    before = datetime.now(timezone.utc).timestamp()
    trigger = deferral_of(a_sensor(RUNNING, deferrable=True)).trigger
    assert trigger.ended_at is None
    assert before <= trigger.began_at <= datetime.now(timezone.utc).timestamp()


def test_a_sensor_whose_first_check_failed_lets_the_trigger_check():
    trigger = deferral_of(a_sensor(LessonspaceServerError("503"), deferrable=True)).trigger
    assert (trigger.began_at, trigger.ended_at) == (None, None)


def test_the_trigger_gets_the_id_as_lists_show_it():
    assert (
        deferral_of(a_sensor(RUNNING, deferrable=True, session_id=SESSION_ID.upper())).trigger.session_id == SESSION_ID
    )


def event(status):
    return {"status": status, "reason": None, "message": "what happened", "session_id": SESSION_ID}


def test_when_the_trigger_found_it_the_uuid_is_the_result():
    assert a_sensor().execute_complete({}, event("ready")) == SESSION_ID


@pytest.mark.parametrize("status", ["not_eligible", "given_up", "error"])
def test_what_the_trigger_reports_ends_the_wait(status):
    with pytest.raises(LessonspaceWaitFailed, match="what happened"):
        a_sensor().execute_complete({}, event(status))
    with pytest.raises(AirflowSkipException):
        a_sensor(soft_fail=True).resume_execution("execute_complete", {"event": event(status)}, {})


@pytest.mark.parametrize("unknown", [{}, event("waiting"), event("brand_new"), event(None)])
def test_an_event_of_another_version_fails_and_names_what_to_do(unknown):
    with pytest.raises(LessonspaceWaitFailed, match="restart the triggerer"):
        a_sensor().execute_complete({}, unknown)


def test_a_wait_that_times_out_names_the_session_and_the_connection():
    with pytest.raises(
        AirflowSensorTimeout,
        match=f"Timed out after 691200 s \\(timeout\\).*It waited for the transcript of session {SESSION_ID}.*default'",
    ):
        a_sensor().resume_execution("__fail__", {"error": "Trigger timeout"}, {})
