# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import subprocess
import sys
import time
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace

import pytest
from airflow.providers.common.compat.sdk import (
    AirflowException,
    AirflowFailException,
    AirflowSensorTimeout,
    AirflowSkipException,
    AirflowTaskTimeout,
    TaskDeferred,
)

from lessonspace_provider import exceptions
from lessonspace_provider.api.arguments import as_window
from lessonspace_provider.exceptions import (
    PASSING_ERRORS,
    LessonspaceAuthError,
    LessonspaceBadRequestError,
    LessonspaceConnectionError,
    LessonspaceError,
    LessonspaceInputError,
    LessonspaceNotFoundError,
    LessonspaceRateLimitedError,
    LessonspaceServerError,
)
from lessonspace_provider.sensors.base import LessonspaceWaitFailed
from lessonspace_provider.sensors.sessions import LessonspaceSessionEndSensor
from tests.unit.hooks.known import connection_json

SESSION_ID = "5b5f1a2c-3d4e-4f5a-8b9c-0d1e2f3a4b5c"
NOW = datetime.now(timezone.utc)
WINDOW = {"window_start": NOW - timedelta(hours=3), "window_end": NOW - timedelta(hours=2)}
ENDED = {
    "uuid": SESSION_ID,
    "name": "Algebra",
    "space": {"id": "0d1e2f3a-5b5f-4a2c-8d4e-4f5a8b9c0d1e", "slug": "room-1", "url": "https://x/?jwt=SECRET"},
    "start_time": WINDOW["window_start"].isoformat(),
    "end_time": WINDOW["window_end"].isoformat(),
    "profiles": [{"user": 1, "name": "Ann", "email": "ann@example.org"}, {"user": 2, "name": "Ben"}],
    "guests": [{"uuid": "g", "name": "Cleo"}],
    "playback_url": "https://x/SECRET",
    "billable_seconds": 3600,
}
RUNNING = {**ENDED, "end_time": None}


class Hook:
    """Stands in for the hook: answers in turn, the last one for ever; errors are raised."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.calls = []

    def get_session(self, session_id):
        return self._answer(session_id)

    def list_sessions(self, **filters):
        return iter(self._answer(filters))

    def _answer(self, asked):
        self.calls.append(asked)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


#: A room's parameter, and its name in messages.
ROOMS = [({"space_id": "room-1"}, "space_id='room-1'"), ({"launch_id": "maths 7b"}, "launch_id='maths 7b'")]


def a_sensor(*answers, **parameters):
    sensor = LessonspaceSessionEndSensor(task_id="wait", **parameters)
    if answers:
        sensor.hook = Hook(*answers)
    return sensor


@pytest.fixture(autouse=True)
def nobody_sleeps(monkeypatch):
    monkeypatch.setattr("time.sleep", lambda seconds: None)


@pytest.fixture
def connection(monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_LESSONSPACE_DEFAULT", connection_json())


# Parameters


@pytest.mark.parametrize("deferrable", [False, True])
@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({}, "session_id, or either space_id or launch_id"),
        (WINDOW, "session_id, or either space_id or launch_id"),
        ({"space_id": "room-1", "launch_id": "maths", **WINDOW}, "either space_id or launch_id"),
        ({"session_id": SESSION_ID, "space_id": "room-1"}, "together with"),
        ({"session_id": SESSION_ID, "launch_id": "maths"}, "together with"),
        ({"session_id": SESSION_ID, "window_end": NOW}, "together with"),
        ({"session_id": 17}, "session_id=17"),
        ({"session_id": "17"}, "session_id='17'"),
        ({"session_id": "None"}, "session_id='None'"),
        ({"space_id": 17, **WINDOW}, "space_id=17"),
        ({"space_id": "a/b", **WINDOW}, "space_id='a/b'"),
        ({"launch_id": " ", **WINDOW}, "launch_id=' '"),
        ({"launch_id": "x" * 65, **WINDOW}, "launch_id="),
        ({"space_id": "room-1"}, "window_start"),
        ({"space_id": "room-1", "window_start": NOW}, "window_end"),
        ({"space_id": "room-1", **WINDOW, "window_end": datetime(2026, 1, 1)}, "window_end"),
        ({"space_id": "room-1", **WINDOW, "window_start": "2026-01-01"}, "window_start"),
        ({"space_id": "room-1", "window_start": NOW, "window_end": NOW}, "empty"),
        ({"space_id": "room-1", **WINDOW, "min_participants": 0}, "min_participants=0"),
        ({"space_id": "room-1", **WINDOW, "min_participants": True}, "min_participants=True"),
        ({"space_id": "room-1", **WINDOW, "min_participants": 2.5}, "min_participants=2.5"),
        ({"space_id": "room-1", **WINDOW, "on_no_session": "ignore"}, "one of fail, skip, wait"),
        ({"space_id": "room-1", **WINDOW, "grace": 0}, "grace=0"),
        ({"space_id": "room-1", **WINDOW, "grace": "15"}, "grace='15'"),
        ({"space_id": "room-1", **WINDOW, "max_delay": "15"}, "max_delay='15'"),
        ({"space_id": "room-1", **WINDOW, "max_delay": -1}, "max_delay=-1"),
    ],
)
def test_bad_parameters_end_the_task_before_any_request(connection, requests_mock, deferrable, parameters, message):
    with pytest.raises(LessonspaceInputError) as caught:
        a_sensor(deferrable=deferrable, **parameters).execute({})
    assert message in str(caught.value).splitlines()[0]
    assert not requests_mock.called


@pytest.mark.parametrize("deferrable", ["yes", "False", 1, None])
def test_deferrable_is_true_or_false(deferrable):
    with pytest.raises(LessonspaceInputError, match=f"^deferrable={deferrable!r} .* must be True or False"):
        a_sensor(deferrable=deferrable, session_id=SESSION_ID)


@pytest.mark.parametrize("interval", [0, 4.9, timedelta(seconds=1)])
def test_an_interval_below_5_seconds_is_refused_when_the_dag_is_read(interval):
    with pytest.raises(LessonspaceInputError, match=r"poke_interval=.*at least 5"):
        a_sensor(session_id=SESSION_ID, poke_interval=interval)


def test_a_longer_interval_is_taken():
    assert a_sensor(session_id=SESSION_ID, poke_interval=timedelta(minutes=1)).poke_interval == 60


def test_what_is_waited_for_can_be_templated():
    parameters = {"space_id": "{{ a }}", "launch_id": None, "window_start": "{{ b }}", "window_end": "{{ c }}"}
    sensor = a_sensor(lessonspace_conn_id="{{ d }}", **parameters)
    sensor.render_template_fields(
        {"a": "room-1", "b": "2026-11-23T09:00:00Z", "c": "2026-11-23T11:00:00+01:00", "d": "x"}
    )
    assert sensor.lessonspace_conn_id == "x"
    lesson = sensor._awaited()
    assert lesson.space_id == "room-1"
    assert lesson.lesson.window_start == datetime(2026, 11, 23, 9, tzinfo=timezone.utc)
    assert lesson.lesson.window_end == datetime(2026, 11, 23, 10, tzinfo=timezone.utc)
    one = a_sensor(session_id="{{ a }}")
    one.render_template_fields({"a": SESSION_ID.upper()})
    assert one._awaited().session_id == SESSION_ID


def test_importing_the_sensors_imports_no_http_client():
    code = (
        "import sys, lessonspace_provider.sensors.sessions, lessonspace_provider.sensors.transcripts;"
        "print(*{'requests', 'lessonspace_provider.hooks.lessonspace'} & set(sys.modules))"
    )
    result = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert result.stdout.split() == []


# Checks


@pytest.mark.parametrize(
    ("parameters", "answer"),
    [({"session_id": SESSION_ID}, ENDED), ({"space_id": "room-1", **WINDOW}, [ENDED])],
)
@pytest.mark.parametrize("deferrable", [False, True])
def test_the_result_holds_ids_times_and_counts_and_no_one(deferrable, parameters, answer):
    sensor = a_sensor(answer, deferrable=deferrable, **parameters)
    result = sensor.execute({})
    assert result == {
        "session_id": SESSION_ID,
        "space_id": ENDED["space"]["id"],
        "name": "Algebra",
        "start_time": WINDOW["window_start"].isoformat().replace("+00:00", "Z"),
        "end_time": WINDOW["window_end"].isoformat().replace("+00:00", "Z"),
        "duration_seconds": 3600.0,
        "participants": 3,
        "billable_seconds": 3600,
    }
    assert not [name for name in ("Ann", "Ben", "Cleo", "example.org", "SECRET") if name in json.dumps(result)]
    assert len(sensor.hook.calls) == 1


def test_a_session_that_the_api_does_not_know_is_logged_as_such(capfd):
    assert not a_sensor(LessonspaceNotFoundError("none", status=404), session_id=SESSION_ID).poke({}).is_done
    assert f"There is no session {SESSION_ID} so far" in (told := "".join(capfd.readouterr()))
    assert "Check that it is not the id of a space." in told


@pytest.mark.parametrize(
    ("parameters", "named"),
    [({"session_id": SESSION_ID}, f"It waited for the end of session {SESSION_ID}.")]
    + [({**room, **WINDOW, "on_no_session": "wait"}, named) for room, named in ROOMS],
)
def test_a_wait_that_times_out_names_what_was_waited_for_and_the_connection(parameters, named):
    poked = a_sensor([] if "on_no_session" in parameters else RUNNING, timeout=0, **parameters)
    deferred = a_sensor(**parameters)
    for wait in (
        lambda: poked.execute({}),
        lambda: deferred.resume_execution("__fail__", {"error": "Trigger timeout"}, {}),
    ):
        with pytest.raises(AirflowSensorTimeout) as caught:
            wait()
        assert named in str(caught.value)
        assert "connection 'lessonspace_default'" in str(caught.value)


def test_a_poke_that_finds_it_running_is_not_done():
    poked = a_sensor(RUNNING, session_id=SESSION_ID).poke({})
    assert (poked.is_done, poked.xcom_value) == (False, None)


def test_a_session_that_no_one_has_joined_yet_is_waited_for():
    sensor = a_sensor(LessonspaceNotFoundError("none", status=404), RUNNING, ENDED, session_id=SESSION_ID)
    assert sensor.execute({})["session_id"] == SESSION_ID
    assert sensor.hook.calls == [SESSION_ID] * 3


@pytest.mark.parametrize(
    "error",
    [
        LessonspaceConnectionError("no answer"),
        LessonspaceServerError("503", status=503),
        LessonspaceRateLimitedError("429", status=429),
    ],
)
def test_an_error_that_passes_ends_no_wait(error, capfd):
    sensor = a_sensor(error, error, ENDED, session_id=SESSION_ID)
    assert sensor.execute({})["session_id"] == SESSION_ID
    assert "".join(capfd.readouterr()).count(f"failed and will be repeated: {error}") == 1, "once in a few minutes"


TERMINAL = [
    LessonspaceAuthError("the key was refused", status=401, method="GET", path="/sessions/"),
    LessonspaceBadRequestError("nonsense", status=400),
    LessonspaceError("whatever"),
]


@pytest.mark.parametrize("deferrable", [False, True])
@pytest.mark.parametrize("error", TERMINAL)
def test_an_error_that_stays_ends_the_wait_without_a_retry(error, deferrable):
    sensor = a_sensor(error, ENDED, session_id=SESSION_ID, deferrable=deferrable)
    with pytest.raises(LessonspaceWaitFailed, match=str(error)) as caught:
        sensor.execute({})
    assert isinstance(caught.value, AirflowFailException)
    assert (caught.value.status, caught.value.method, caught.value.path) == (error.status, error.method, error.path)
    assert len(sensor.hook.calls) == 1


@pytest.mark.parametrize("deferrable", [False, True])
@pytest.mark.parametrize("softness", ["soft_fail", "never_fail"])
@pytest.mark.parametrize("error", TERMINAL)
def test_or_skips_the_task_if_it_is_to_fail_softly(error, softness, deferrable):
    sensor = a_sensor(error, session_id=SESSION_ID, deferrable=deferrable, **{softness: True})
    with pytest.raises(AirflowSkipException):
        sensor.execute({})


def test_a_typing_mistake_is_not_skipped_over_by_soft_fail():
    for deferrable in (False, True):
        with pytest.raises(LessonspaceInputError):
            a_sensor(session_id="17", soft_fail=True, deferrable=deferrable).execute({})


@pytest.mark.parametrize("deferrable", [False, True])
def test_never_fail_skips_the_task_for_errors_of_any_kind(deferrable):
    sensor = a_sensor(AirflowException("no such connection"), session_id=SESSION_ID, deferrable=deferrable)
    sensor.never_fail = True
    with pytest.raises(AirflowSkipException):
        sensor.execute({})


@pytest.mark.parametrize(
    ("softness", "ends"), [({}, AirflowSensorTimeout), ({"never_fail": True}, AirflowSkipException)]
)
def test_a_poked_wait_ends_at_its_timeout(softness, ends):
    with pytest.raises(ends):
        a_sensor(RUNNING, session_id=SESSION_ID, timeout=0, **softness).execute({})


@pytest.mark.parametrize("deferrable", [False, True])
@pytest.mark.parametrize(
    ("parameters", "ends"),
    [
        ({}, LessonspaceWaitFailed),
        ({"on_no_session": "fail"}, LessonspaceWaitFailed),
        ({"on_no_session": "fail", "soft_fail": True}, AirflowSkipException),
        ({"on_no_session": "fail", "never_fail": True}, AirflowSkipException),
        ({"on_no_session": "skip"}, AirflowSkipException),
        ({"on_no_session": "skip", "never_fail": True}, AirflowSkipException),
    ],
)
def test_when_no_session_was_the_lesson_the_task_ends_as_the_author_chose(deferrable, parameters, ends):
    sensor = a_sensor([{**ENDED, "guests": [], "profiles": [{"user": 1}]}], space_id="room-1", **WINDOW, **parameters)
    sensor.deferrable = deferrable
    with pytest.raises(ends):
        sensor.execute({})
    assert len(sensor.hook.calls) == 1


@pytest.mark.parametrize("deferrable", [False, True])
@pytest.mark.parametrize(("room", "named"), ROOMS)
@pytest.mark.parametrize("on_no_session", ["fail", "skip"])
def test_the_end_without_a_session_names_room_window_and_connection_and_what_to_check(
    deferrable, room, named, on_no_session
):
    sensor = a_sensor([], deferrable=deferrable, on_no_session=on_no_session, **room, **WINDOW)
    with pytest.raises((LessonspaceWaitFailed, AirflowSkipException)) as caught:
        sensor.execute({})
    window = [moment.isoformat().replace("+00:00", "Z") for moment in WINDOW.values()]
    message = str(caught.value)
    assert [
        part for part in (named, *window, "'lessonspace_default'", "Check the id first") if part not in message
    ] == []
    assert message.find("Check the id first") < message.find("on_no_session='skip'") or on_no_session == "skip"


LATE = {
    **ENDED,
    "start_time": (WINDOW["window_start"] + timedelta(minutes=32)).isoformat(),
    "end_time": (WINDOW["window_end"] + timedelta(hours=1)).isoformat(),
}


@pytest.mark.parametrize("deferrable", [False, True])
def test_a_lesson_that_began_late_and_overran_is_the_lesson(deferrable):
    sensor = a_sensor([LATE], space_id="room-1", **WINDOW, deferrable=deferrable)
    assert sensor.execute({})["session_id"] == SESSION_ID


@pytest.mark.parametrize("deferrable", [False, True])
def test_what_was_found_is_named_and_a_skip_is_warned_of(deferrable, capfd):
    sensor = a_sensor([LATE], space_id="room-1", **WINDOW, max_delay=60, on_no_session="skip", deferrable=deferrable)
    with pytest.raises(AirflowSkipException, match=f"found session {SESSION_ID} from .*it began after") as caught:
        sensor.execute({})
    assert "Check the id" not in str(caught.value)
    (line,) = [line for line in "".join(capfd.readouterr()).splitlines() if "it began after" in line]
    assert "warning" in line.lower()


def test_a_delay_beyond_the_window_is_waited_for():
    sensor = a_sensor([], space_id="room-1", **WINDOW, max_delay=timedelta(hours=4), grace=60)
    assert not sensor.poke({}).is_done, "the window and its grace are over, the delay's grace is not"
    sensor.max_delay = timedelta(hours=2)
    with pytest.raises(LessonspaceWaitFailed):
        sensor.poke({})


def test_or_waits_on_for_a_later_session():
    later = {**ENDED, "start_time": (NOW - timedelta(hours=1)).isoformat(), "end_time": NOW.isoformat()}
    sensor = a_sensor([], [], [later], space_id="room-1", on_no_session="wait", **WINDOW)
    assert sensor.execute({})["session_id"] == SESSION_ID
    assert len(sensor.hook.calls) == 3


def test_grace_is_waited_for_after_the_window_before_it_is_given_up():
    sensor = a_sensor([], space_id="room-1", grace=timedelta(days=1), **WINDOW)
    assert not sensor.poke({}).is_done
    sensor.grace = timedelta(hours=1)
    with pytest.raises(LessonspaceWaitFailed, match="on_no_session='skip'"):
        sensor.poke({})


# Deferred


def deferral_of(sensor):
    with pytest.raises(TaskDeferred) as caught:
        sensor.execute({})
    return caught.value


def test_a_sensor_that_found_it_running_defers_and_reports_when_it_asked():
    sensor = a_sensor(RUNNING, session_id=SESSION_ID.upper(), deferrable=True, timeout=600, poke_interval=45)
    before = datetime.now(timezone.utc).timestamp()
    deferral = deferral_of(sensor)
    assert (deferral.method_name, deferral.timeout) == ("execute_complete", timedelta(seconds=600))
    assert deferral.trigger.session_id == SESSION_ID
    assert deferral.trigger.poll_interval == 45
    assert before <= deferral.trigger.asked_at <= datetime.now(timezone.utc).timestamp()
    assert len(sensor.hook.calls) == 1


def test_a_sensor_whose_first_check_failed_lets_the_trigger_check():
    sensor = a_sensor(LessonspaceServerError("503"), session_id=SESSION_ID, deferrable=True)
    assert deferral_of(sensor).trigger.asked_at is None


def test_a_lesson_that_is_not_over_defers_without_a_call_when_its_room_is_known():
    window_end = NOW + timedelta(hours=1)
    sensor = a_sensor(
        [], space_id="room-1", window_start=NOW, window_end=window_end, grace=60, min_participants=3, deferrable=True
    )
    trigger = deferral_of(sensor).trigger
    window = as_window(trigger.window_start, trigger.window_end)
    assert (trigger.space_id, window) == ("room-1", (NOW, window_end))
    assert (trigger.min_participants, trigger.give_up_at) == (3, window_end.timestamp() + 60)
    assert sensor.hook.calls == []


def test_on_no_session_wait_never_gives_up():
    lesson = {"window_start": NOW, "window_end": NOW + timedelta(hours=1)}
    sensor = a_sensor([], space_id="room-1", on_no_session="wait", deferrable=True, **lesson)
    assert deferral_of(sensor).trigger.give_up_at is None


@pytest.mark.parametrize(
    ("answer", "space_id"),
    [([ENDED], ENDED["space"]["id"]), ([], None), (LessonspaceAuthError("refused", status=403), None)],
)
def test_a_launch_id_of_which_no_session_is_known_is_warned_of(answer, space_id, capfd):
    lesson = {"window_start": NOW, "window_end": NOW + timedelta(hours=1)}
    sensor = a_sensor(answer, launch_id="maths", deferrable=True, **lesson)
    deferral_of(sensor)
    warned = "No session was ever held in the room with launch_id='maths' (connection 'lessonspace_default')"
    assert (warned in "".join(capfd.readouterr())) is (answer == [])
    assert len(sensor.hook.calls) == 1


@pytest.mark.parametrize(
    ("answer", "space_id"),
    [([ENDED], ENDED["space"]["id"]), ([], None), (LessonspaceAuthError("refused", status=403), None)],
)
def test_a_room_known_by_its_launch_id_is_made_known_to_the_trigger_if_it_can_be(answer, space_id):
    lesson = {"window_start": NOW, "window_end": NOW + timedelta(hours=1)}
    trigger = deferral_of(a_sensor(answer, launch_id="maths", deferrable=True, **lesson)).trigger
    assert (trigger.launch_id, trigger.space_id) == ("maths", space_id)


def event(status, **fields):
    return {"status": status, "reason": None, "message": "what happened", "session_id": SESSION_ID, **fields}


def test_the_session_of_the_event_is_the_result():
    kept = {"session_id": SESSION_ID, "participants": 2}
    sensor = a_sensor(session_id=SESSION_ID)
    assert sensor.execute_complete({}, event("ended", session=kept)) == kept


PASSING = [kind for kind in vars(exceptions).values() if isinstance(kind, type) and issubclass(kind, PASSING_ERRORS)]


@pytest.mark.parametrize("reason", [kind.__name__ for kind in PASSING])
def test_an_outage_that_the_trigger_met_leaves_the_task_its_retries(reason):
    sensor = a_sensor(session_id=SESSION_ID)
    with pytest.raises(LessonspaceError, match="what happened") as ended:
        sensor.execute_complete({}, event("error", reason=reason))
    assert not isinstance(ended.value, LessonspaceWaitFailed)


def test_an_error_of_the_trigger_ends_the_wait_with_its_kind_and_message():
    sensor = a_sensor(session_id=SESSION_ID)
    with pytest.raises(LessonspaceWaitFailed, match=r"what happened.*LessonspaceAuthError"):
        sensor.execute_complete({}, event("error", reason="LessonspaceAuthError"))


@pytest.mark.parametrize("reason", [None, 7, [], "PASSING_ERRORS", "__builtins__", "LessonspaceError"])
def test_an_event_that_names_no_outage_ends_the_wait(reason):
    with pytest.raises(LessonspaceWaitFailed, match="what happened"):
        a_sensor(session_id=SESSION_ID).execute_complete({}, event("error", reason=reason))


@pytest.mark.parametrize(
    "unknown",
    [
        {},
        event("waiting"),
        event("brand_new"),
        event("ended"),
        event("ended", session=None),
        event(None),
        event("brand_new", session={"session_id": SESSION_ID}),
    ],
)
def test_an_event_of_another_version_fails_and_names_what_to_do(unknown):
    with pytest.raises(LessonspaceWaitFailed, match="restart the triggerer"):
        a_sensor(session_id=SESSION_ID).execute_complete({}, unknown)


@pytest.mark.parametrize(
    ("limits", "ends", "named"),
    [
        ({"timeout": 60}, AirflowSensorTimeout, "after 60 s (timeout)"),
        ({"timeout": 60, "execution_timeout": timedelta(hours=1)}, AirflowSensorTimeout, "after 60 s (timeout)"),
        (
            {"timeout": 60, "execution_timeout": timedelta(seconds=30)},
            AirflowTaskTimeout,
            "0:00:30 (execution_timeout)",
        ),
    ],
)
@pytest.mark.parametrize("softness", [{}, {"soft_fail": True}, {"never_fail": True}])
@pytest.mark.parametrize(
    ("resumed", "found"),
    [
        (("execute_complete", {"event": event("timeout")}), "what happened"),
        (("__fail__", {"error": "Trigger timeout"}), "Check that a triggerer runs"),
    ],
)
def test_a_deferred_wait_that_times_out_ends_as_a_poked_one(limits, ends, named, softness, resumed, found):
    sensor = a_sensor(session_id=SESSION_ID, **limits, **softness)
    with pytest.raises(AirflowSkipException if softness else ends) as caught:
        sensor.resume_execution(*resumed, {})
    message = str(caught.value)
    assert [part for part in (named, found, SESSION_ID, "'lessonspace_default'") if part not in message] == []
    assert ("a triggerer runs" in message) is (resumed[0] == "__fail__")


@pytest.mark.parametrize(
    ("limits", "at_most"),
    [
        ({"timeout": 600}, 600),
        ({"timeout": 600, "execution_timeout": timedelta(hours=1)}, 600),
        ({"timeout": 600, "execution_timeout": timedelta(seconds=60)}, 60),
    ],
)
def test_it_defers_with_the_smaller_of_both_limits(limits, at_most):
    before = time.time()
    deferral = deferral_of(a_sensor(RUNNING, session_id=SESSION_ID, deferrable=True, **limits))
    assert at_most / 2 < deferral.timeout.total_seconds() <= at_most
    assert before < deferral.trigger.timeout_at < before + deferral.timeout.total_seconds() + 1


@pytest.mark.parametrize("softness", [{}, {"soft_fail": True}, {"never_fail": True}])
def test_execution_timeout_ends_a_poked_wait_like_a_deferred_one(monkeypatch, softness):
    def interrupted(seconds):
        raise AirflowTaskTimeout("Timeout, PID: 1")

    monkeypatch.setattr("time.sleep", interrupted)
    with pytest.raises(AirflowSkipException if softness else AirflowTaskTimeout, match=f"PID: 1.*{SESSION_ID}"):
        a_sensor(RUNNING, session_id=SESSION_ID, **softness).execute({})


def test_a_soft_failure_names_what_failed():
    with pytest.raises(AirflowSkipException, match="key was refused"):
        a_sensor(TERMINAL[0], session_id=SESSION_ID, soft_fail=True).execute({})
    sensor = a_sensor(session_id=SESSION_ID, soft_fail=True)
    with pytest.raises(AirflowSkipException, match="what happened"):
        sensor.resume_execution("execute_complete", {"event": event("error")}, {})


def test_a_poked_wait_is_logged_now_and_then(monkeypatch, capfd):
    sensor = a_sensor(*[RUNNING] * 20, ENDED, session_id=SESSION_ID)
    moments = iter(NOW + timedelta(minutes=minute) for minute in range(100))
    monkeypatch.setattr("lessonspace_provider.sensors.base.datetime", SimpleNamespace(now=lambda zone: next(moments)))
    sensor.execute({})
    lines = [line for line in "".join(capfd.readouterr()).splitlines() if SESSION_ID in line]
    assert [("is running. Next check at" in line, " ended at " in line) for line in lines] == [
        *[(True, False)] * 4,
        (False, True),
    ]


@pytest.mark.parametrize(
    ("parameters", "ends"), [({}, LessonspaceWaitFailed), ({"on_no_session": "skip"}, AirflowSkipException)]
)
def test_an_event_of_no_session_ends_as_a_check_that_found_none(parameters, ends):
    sensor = a_sensor(space_id="room-1", **WINDOW, **parameters)
    with pytest.raises(ends, match="what happened"):
        sensor.execute_complete({}, event("no_session"))


@pytest.mark.parametrize("softness", ["soft_fail", "never_fail"])
@pytest.mark.parametrize("fired", [event("error"), event("no_session"), event("brand_new")])
def test_what_the_trigger_fired_fails_softly_too(softness, fired):
    sensor = a_sensor(space_id="room-1", **WINDOW, **{softness: True})
    with pytest.raises(AirflowSkipException):
        sensor.resume_execution("execute_complete", {"event": fired}, {})


@pytest.mark.parametrize(
    ("softness", "ends"),
    [
        ({}, AirflowSensorTimeout),
        ({"soft_fail": True}, AirflowSkipException),
        ({"never_fail": True}, AirflowSkipException),
    ],
)
def test_a_deferred_wait_ends_at_its_timeout(softness, ends):
    sensor = a_sensor(session_id=SESSION_ID, **softness)
    with pytest.raises(ends):
        sensor.resume_execution("__fail__", {"error": "Trigger timeout"}, {})


@pytest.mark.parametrize("odd", [{"end_time": "10:"}, {"start_time": ["9"]}, {"profiles": {"0": {}}, "space": []}])
@pytest.mark.parametrize("deferrable", [False, True])
def test_an_odd_session_does_not_hide_the_lesson_of_its_room(odd, deferrable):
    sensor = a_sensor([{**ENDED, **odd, "uuid": "odd"}, ENDED], space_id="room-1", deferrable=deferrable, **WINDOW)
    result = sensor.execute({})
    assert getattr(result, "xcom_value", result)["session_id"] == SESSION_ID
