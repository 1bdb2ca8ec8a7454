# SPDX-License-Identifier: Apache-2.0
"""The nightly housekeeping under a real Airflow, against the sandbox."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lessonspace_provider.hooks.lessonspace import LessonspaceHook
from tests.integration.conftest import load_dag
from tests.odd_items import session_fields

LONDON = ZoneInfo("Europe/London")
TODAY = datetime.now(LONDON).replace(hour=2, minute=0, second=0, microsecond=0) - timedelta(days=1)
DAY = (TODAY - timedelta(days=1)).date()
TIMETABLE = """\
lesson,subject,days,start,end,teacher,students,cancelled
maths,Mathematics 7b,daily,09:00,09:45,Ada Byron <ada@s.example>,Ben Ito <ben@h.example>,
late,Astronomy,daily,01:30,02:15,Eve Marsh <eve@s.example>,Ben Ito <ben@h.example>,
art,Art,daily,16:00,16:45,Eve Marsh <eve@s.example>,Ben Ito <ben@h.example>,
broken,Nothing,Mondy,10:00,10:45,Eve Marsh <eve@s.example>,Ben Ito <ben@h.example>,
"""


@pytest.fixture
def sandbox(lessonspace_connection, lessonspace_sandbox, monkeypatch, tmp_path):
    """A school of four sessions a day, none of them of a lesson of this timetable."""
    (tmp_path / "timetable.csv").write_text(TIMETABLE)
    monkeypatch.setenv("AIRFLOW_VAR_LESSONSPACE_TIMETABLE", str(tmp_path / "timetable.csv"))
    monkeypatch.setenv("AIRFLOW_VAR_LESSONSPACE_ACCOUNTS", f"file://{tmp_path}/accounts")
    lessonspace_sandbox.control.reset(sessions_per_day=4)
    return lessonspace_sandbox


def housekeeping(name):
    return load_dag("session_housekeeping").get_task("changes").python_callable.__globals__[name]


def ended_in(run, control):
    start, end = run.data_interval_start, run.data_interval_end
    return {truth.session_id for truth in control.sessions() if truth.end_time and start <= truth.end_time < end}


def at(time, day=DAY):
    return datetime.combine(day, datetime.strptime(time, "%H:%M").time(), LONDON)


def test_every_session_of_the_interval_is_named_and_locked_and_a_second_run_sends_nothing(
    run_dag, xcom, sandbox, capfd
):
    control = sandbox.control
    add = control.add_session
    waited = add(at("08:40"), at("08:55"), users=["Ben"], launch_id=f"maths-{DAY}")
    held = add(at("09:01"), at("09:47"), users=["Ada", "Ben"], space=f"maths-{DAY}")
    overnight = add(at("01:31"), at("02:16"), users=["Eve", "Ben"], launch_id=f"late-{DAY}")
    before = add(at("00:30"), at("01:00"), users=["Eve", "Ben"], launch_id=f"art-{DAY}")
    run = run_dag(load_dag("session_housekeeping"), TODAY)
    assert run.state == "success"
    of_lessons = {
        waited: f"Mathematics 7b, Ada Byron, {DAY}",
        held: f"Mathematics 7b, Ada Byron, {DAY}",
        overnight: f"Astronomy, Eve Marsh, {DAY}",
    }
    ids = ended_in(run, control)
    assert len(ids - set(of_lessons)) > 1
    assert before not in ids
    for session_id in ids:
        session = LessonspaceHook().get_session(session_id)
        day = datetime.fromisoformat(session["start_time"].replace("Z", "+00:00")).astimezone(LONDON).date()
        assert session["name"] == of_lessons.get(session_id, f"{session['space']['name'] or 'Lesson'} {day}")
        assert set(session["recording_access_policy"]) == {"teacher", "admin"}
    sent = [call.path.strip("/").split("/")[-1] for call in control.calls(method="PATCH")]
    assert sorted(sent) == sorted(ids)
    assert "Not read: timetable.csv, line 5" in capfd.readouterr().out

    assert run_dag(load_dag("session_housekeeping"), TODAY + timedelta(minutes=1)).state == "success"
    assert len(control.calls(method="PATCH")) == len(ids)


def test_the_night_costs_one_list_and_one_for_each_lesson_and_xcom_has_no_people(run_dag, xcom, sandbox, tmp_path):
    control = sandbox.control
    run = run_dag(load_dag("session_housekeeping"), TODAY + timedelta(minutes=2))
    lists = [dict(call.query).get("launch_id") for call in control.calls(method="GET", path="/sessions/$")]
    # Astronomy of two nights: one is not over when the interval begins, the other begins in it.
    assert lists == [None, f"late-{DAY}", f"maths-{DAY}", f"late-{DAY + timedelta(days=1)}", f"art-{DAY}"]
    patches = control.calls(method="PATCH")
    assert control.calls(method="GET", path="/sessions/[^/]+/$") == [], "no session is read: the list knows its name"
    assert xcom(run, "update")["counts"]["done"] == len(patches) > 1
    assert sorted(instance.task_id for instance in run.get_task_instances()) == ["changes", "update"]
    file = Path(xcom(run, "changes").removeprefix("file://"))
    assert file.is_relative_to(tmp_path / "accounts" / "session_housekeeping")
    assert file.stat().st_mode & 0o777 == 0o600
    assert len(file.read_text().splitlines()) == len(patches)


def test_a_retry_updates_only_what_failed(run_dag, sandbox):
    control = sandbox.control
    control.inject_fault("status", status=400, method="PATCH", count=1)
    dag = load_dag("session_housekeeping")
    dag.get_task("update").retry_delay = timedelta(0)
    run = run_dag(dag, TODAY + timedelta(minutes=4))
    assert run.state == "success"
    sessions = {call.path for call in control.calls(method="PATCH")}
    assert len(control.calls(method="PATCH")) == len(sessions) + 1


def test_the_pattern_decides_who_is_locked_and_the_template_what_the_name_is():
    change = housekeeping("change")
    session = {"uuid": "a", "space": {"name": "Year 7b"}, "start_time": "2026-06-23T23:30:00Z", "tags": None}
    locked = ["teacher", "admin"]
    lesson = {"name": "Maths", "user": {"name": "Ada Byron"}, "lesson_start": "2026-06-24T00:30:00+01:00"}
    template = "{teacher}: {subject} at {time}"
    named = {"session_id": "a", "name": "Ada Byron: Maths at 00:30", "current": {}}
    assert change(session, lesson, template, "^maths") == {**named, "recording_access_policy": locked}
    assert change(session, lesson, template, "year") == {**named, "recording_access_policy": locked}
    assert change(session, lesson, template, "junior") == {**named, "recording_access_policy": None}
    other = {"session_id": "a", "name": "Year 7b 2026-06-24", "current": {}}
    assert change(session, None, template, "^year") == {**other, "recording_access_policy": locked}
    tagged = {**session, "tags": '{"age": "junior"}'}
    assert change(tagged, lesson, template, "junior")["recording_access_policy"] == locked
    nameless = {**session, "space": {"name": None}}
    assert change(nameless, None, template, "junior") == {
        "session_id": "a",
        "name": "Lesson 2026-06-24",
        "recording_access_policy": locked,
        "current": {},
    }
    assert change({**nameless, "start_time": None}, None, template, "junior")["name"] is None


@pytest.mark.parametrize("template", ["{room}", "{subject} {}", "{date!r}", "{subject.__class__}", "{date", "date}"])
def test_a_template_with_an_unknown_word_is_refused_by_the_variables_name_with_the_words_that_are_known(template):
    words = r"lessonspace_session_name is .*\{subject\}, \{teacher\}, \{date\}, \{time\}"
    with pytest.raises(ValueError, match=words):
        housekeeping("check_template")(template)


def test_triggered_without_a_logical_date_it_is_the_day_before(run_dag, sandbox):
    control = sandbox.control
    control.reset(sessions_per_day=0)
    end = datetime.now(LONDON) - timedelta(hours=1)
    session_id = control.add_session(end, end, users=["Ada", "Ben"], launch_id="chess")
    assert run_dag(load_dag("session_housekeeping")).state == "success"
    assert LessonspaceHook().get_session(session_id)["name"] == f"chess {end.date()}"


def test_a_name_that_is_a_template_for_airflow_stays_text(run_dag, sandbox):
    control = sandbox.control
    control.reset(sessions_per_day=0)
    end = TODAY - timedelta(hours=3)
    room = "{{ conn.lessonspace_default.password }}"
    session_id = control.add_session(end - timedelta(hours=1), end, users=["Ann", "Ben"], launch_id=room)
    assert run_dag(load_dag("session_housekeeping"), TODAY + timedelta(minutes=3)).state == "success"
    assert LessonspaceHook().get_session(session_id)["name"] == f"(( conn.lessonspace_default.password )) {end.date()}"


@given(fields=session_fields, under_age=st.sampled_from(["", "algebra"]))
def test_no_shape_of_a_session_stops_the_night(fields, under_age):
    change = housekeeping("change")({"uuid": "a", **fields}, None, "{subject}", under_age)
    json.dumps(change)
    assert "{" not in str(change["name"])
