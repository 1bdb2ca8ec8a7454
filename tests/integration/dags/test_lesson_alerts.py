# SPDX-License-Identifier: Apache-2.0
"""The example lesson_alerts over a simulated morning on the sandbox's clock, minute by minute, and as a DAG."""

from __future__ import annotations

import json
import re
import sys
from datetime import datetime, timedelta, timezone

import pytest
from airflow.sdk import ObjectStoragePath

from lessonspace_provider.hooks.lessonspace import LessonspaceHook
from lessonspace_provider.sandbox import Sandbox, SandboxSettings
from tests.integration.conftest import load_dag
from tests.integration.mailbox import mail_server

#: A Monday in winter, when the school's time is UTC.
NINE = datetime(2026, 11, 30, 9, tzinfo=timezone.utc)
MINUTE = timedelta(minutes=1)
COLUMNS = "lesson,subject,days,start,end,teacher,students,cancelled\n"
ADA, BEN, CEM = "Ada B <ada@s.example>", "Ben I <ben@h.example>", "Cem K <cem@h.example>"
MATHS = f"maths,Mathematics,daily,09:00,09:45,{ADA},{BEN}; {CEM},\n"
LIST = r"/organisations/\d+/sessions/$"


@pytest.fixture(scope="module")
def server():
    """A sandbox whose clock only moves when a test moves it."""
    with Sandbox(SandboxSettings(rate=0, speed=0.0, now=NINE - 30 * MINUTE, days=0, sessions_per_day=0)) as sandbox:
        yield sandbox


class School:
    """A school, its people, and what was reported to it."""

    def __init__(self, sandbox, module, folder):
        self.control, self.module = sandbox.control, module
        self.path = ObjectStoragePath(f"file://{folder}/alerts/lesson_alerts.json")
        self.timetable = folder / "timetable.csv"
        self.hook = LessonspaceHook()
        self.reported = []
        self.rooms = {}

    def launch(self, lesson, *people):
        """Make the room of a lesson, and a link for each of these."""
        for person in people:
            name, email = re.fullmatch("(.*) <(.*)>", person).groups()
            user = {
                "id": person,
                "name": name,
                "email": email,
                "role": "teacher" if "@s." in email else "student",
            }
            launched = self.hook.launch_space(f"{lesson}-{NINE:%Y-%m-%d}", name=lesson, user=user)
            self.rooms[lesson, person] = launched["room_id"], launched["user_id"]

    def join(self, lesson, person):
        room, user_id = self.rooms[lesson, person]
        self.control.join(room, user_id=user_id)

    def leave(self, lesson, person):
        room, user_id = self.rooms[lesson, person]
        self.control.leave(room, user_id=user_id)

    def run(self, minute):
        """Run the task at a minute after nine; give what it reports."""
        self.control.set_clock(NINE + minute * MINUTE)
        before = len(self.reported)
        self.module.watch_once(self.hook, self.path)
        return self.reported[before:]

    def run_until(self, first, last):
        """Run it every minute; give the reports by minute."""
        return {minute: texts for minute in range(first, last + 1) if (texts := self.run(minute))}


@pytest.fixture
def school(server, tmp_path, monkeypatch):
    server.control.reset()
    connection = {
        "conn_type": "lessonspace",
        "host": server.base_url,
        "password": server.api_key,
        "extra": {"rate_limit_per_second": 0},
    }
    monkeypatch.setenv("AIRFLOW_CONN_LESSONSPACE_DEFAULT", json.dumps(connection))
    monkeypatch.setenv("AIRFLOW_VAR_LESSONSPACE_TIMETABLE", str(tmp_path / "timetable.csv"))
    monkeypatch.setenv("AIRFLOW_VAR_LESSONSPACE_ALERTS", f"file://{tmp_path}/alerts")
    load_dag("lesson_alerts")
    import lesson_alerts

    school = School(server, lesson_alerts, tmp_path)
    monkeypatch.setattr(lesson_alerts, "report", school.reported.extend)
    school.timetable.write_text(COLUMNS + MATHS)
    school.launch("maths", ADA, BEN, CEM)
    return school


LESSON = "Mathematics, Mon 30 Nov, 09:00"


def test_a_lesson_in_which_all_is_well_is_not_reported(school):
    school.run(-12)
    school.join("maths", BEN)
    assert school.run_until(-11, -1) == {}, "a student may come early, and wait"
    school.join("maths", ADA)
    assert school.run_until(0, 40) == {}
    for person in (ADA, BEN):
        school.leave("maths", person)
    assert school.run_until(41, 60) == {}, "a lesson may end early"


def test_an_empty_room_is_reported_five_minutes_late_once_and_again_after_a_quarter_of_an_hour(school):
    assert school.run_until(-5, 46) == {
        5: [f"{LESSON}: for 5 minutes, the room is empty"],
        20: [f"{LESSON}: for 20 minutes, the room is empty"],
        35: [f"{LESSON}: for 35 minutes, the room is empty"],
    }


def test_a_late_tutor_is_reported_when_a_student_waits(school):
    school.run(-3)
    school.join("maths", BEN)
    text = "a student waits, and the tutor has not come"
    assert school.run_until(-2, 19) == {5: [f"{LESSON}: for 5 minutes, {text}"]}
    school.join("maths", ADA)
    assert school.run_until(20, 44) == {}


def test_a_student_who_comes_late_and_finds_an_empty_room_is_reported_at_once(school):
    assert list(school.run_until(0, 8)) == [5]
    school.join("maths", BEN)
    assert school.run(9) == [f"{LESSON}: for 9 minutes, a student waits, and the tutor has not come"]


def test_a_student_whom_the_tutor_leaves_is_reported_after_five_minutes(school):
    for person in (ADA, BEN):
        school.join("maths", person)
    assert school.run_until(0, 19) == {}
    school.leave("maths", ADA)
    assert school.run_until(20, 33) == {24: [f"{LESSON}: for 5 minutes, a student is without the tutor"]}
    school.join("maths", ADA)
    assert school.run_until(34, 44) == {}


def test_it_is_reported_again_when_the_tutor_came_back_and_left_again(school):
    for person in (ADA, BEN):
        school.join("maths", person)
    school.run(1)
    school.leave("maths", ADA)
    assert list(school.run_until(2, 7)) == [6]
    school.join("maths", ADA)
    assert school.run(8) == []
    school.leave("maths", ADA)
    assert list(school.run_until(9, 16)) == [13], "the second time is a new alert, within a quarter of an hour"


def test_a_tutor_who_had_waited_in_vain_and_left_is_not_there(school):
    school.join("maths", ADA)
    school.run(2)
    school.leave("maths", ADA)
    school.run_until(3, 8)
    school.join("maths", BEN)
    reports = school.run_until(9, 16)
    assert reports == {13: [f"{LESSON}: for 5 minutes, a student is without the tutor"]}


def test_a_substitute_is_a_tutor_and_a_stranger_is_not(school):
    school.launch("maths", "Sub S <sub@s.example>")
    school.join("maths", "Sub S <sub@s.example>")
    assert school.run_until(0, 12) == {}, "the room is asked, in which no one of the timetable is"
    school.join("maths", BEN)
    assert school.run_until(13, 30) == {}


def test_people_without_a_role_at_lessonspace_are_known_by_the_timetable(school, monkeypatch):
    as_sent = type(school.hook).list_sessions

    def without_roles(hook, **filters):
        for session in as_sent(hook, **filters):
            profiles = [{**profile, "role": None, "email": None} for profile in session["profiles"]]
            yield {**session, "profiles": profiles}

    monkeypatch.setattr(LessonspaceHook, "list_sessions", without_roles)
    school.join("maths", BEN)
    school.join("maths", ADA)
    assert school.run_until(0, 10) == {}


def test_nothing_is_reported_of_a_lesson_that_is_cancelled(school):
    school.timetable.write_text(COLUMNS + MATHS.replace(",\n", ",2026-11-30\n"))
    school.join("maths", BEN)
    assert school.run_until(0, 30) == {}


def test_a_session_that_overruns_is_not_taken_for_the_next_lesson(school):
    school.timetable.write_text(COLUMNS + MATHS + f"music,Music,daily,09:45,10:30,Eve M <eve@s.example>,{BEN},\n")
    for person in (ADA, BEN, CEM):
        school.join("maths", person)
    assert school.run_until(1, 49) == {}
    assert school.run(50) == ["Music, Mon 30 Nov, 09:45: for 5 minutes, the room is empty"]


def test_a_row_that_can_not_be_read_is_reported_once_and_the_others_are_watched(school):
    school.timetable.write_text(COLUMNS + MATHS + "art,Art,daily,9 o'clock,10:00,Ada,Ben,\n")
    reports = school.run_until(0, 16)
    assert sorted(reports) == [0, 5, 15]
    assert reports[0] == reports[15]
    assert re.match(r"Not watched: .*timetable\.csv.*line 3", reports[0][0])
    assert reports[5] == [f"{LESSON}: for 5 minutes, the room is empty"]


@pytest.mark.parametrize("content", [b"lesson;subject\n", b"\x00\xff\xfe broken", b""])
def test_a_timetable_that_can_not_be_read_fails_the_task(school, content):
    school.timetable.write_bytes(content)
    with pytest.raises(ValueError, match=r"timetable\.csv"):
        school.run(6)


def test_an_alert_that_could_not_be_sent_is_sent_by_the_next_run(school, monkeypatch):
    def refuse(texts):
        raise ConnectionError("no mail server")

    school.run_until(0, 4)
    with monkeypatch.context() as broken:
        broken.setattr(school.module, "report", refuse)
        with pytest.raises(ConnectionError):
            school.run(5)
    assert school.run(6) == [f"{LESSON}: for 6 minutes, the room is empty"]


@pytest.mark.parametrize(
    "content", [b"{}", b"not json", b'{"came": 1}', b'{"came":{},"alone":{"a":"2026-11-30"}}', b"\xff"]
)
def test_a_memory_that_can_not_be_used_costs_a_second_report_at_most(school, content):
    assert list(school.run_until(4, 5)) == [5]
    school.path.write_bytes(content)
    assert list(school.run_until(6, 8)) == [6]


def test_one_list_a_minute_serves_many_lessons_and_rooms_are_read_in_turn(school):
    lessons = [f"class{number}" for number in range(25)]
    rows, people = [], {}
    for number, lesson in enumerate(lessons):
        tutor, student = f"T{number} T <t{number}@s.example>", f"P{number} P <p{number}@h.example>"
        people[lesson] = tutor, student
        rows.append(f"{lesson},Class {number},daily,09:00,09:45,{tutor},{student},\n")
        school.launch(lesson, tutor, student)
        for person in people[lesson]:
            school.join(lesson, person)
    school.timetable.write_text(COLUMNS + "".join(rows))
    school.run(1)
    calls = len(school.control.calls(target="api"))
    assert school.run_until(2, 7) == {}
    asked = [call.path for call in school.control.calls(target="api")[calls:]]
    lists = [path for path in asked if re.search(LIST, path)]
    rooms = [path for path in asked if "/spaces/" in path]
    assert len(rooms) <= 6 * 10
    assert len(lists) == len(asked) - len(rooms), "nothing else is asked"
    assert len(set(rooms)) == len(lessons), "each room is read within three minutes"
    school.leave(lessons[-1], people[lessons[-1]][0])
    reports = school.run_until(8, 18)
    assert [text for texts in reports.values() for text in texts] == [
        f"Class 24, Mon 30 Nov, 09:00: for {next(iter(reports)) - 7} minutes, a student is without the tutor"
    ]
    assert 12 <= next(iter(reports)) <= 15


def test_a_room_that_can_not_be_asked_stops_no_other_and_no_alert(school):
    school.control.inject_fault("status", status=403, path=r"/spaces/.*/sessions/")
    for person in (ADA, BEN):
        school.join("maths", person)
    school.timetable.write_text(
        COLUMNS + MATHS + "art,Art,daily,09:00,10:00,Eve M <eve@s.example>,Dan D <d@h.example>,\n"
    )
    assert school.run_until(0, 6) == {5: ["Art, Mon 30 Nov, 09:00: for 5 minutes, the room is empty"]}


def test_nothing_of_people_is_remembered(school):
    school.join("maths", BEN)
    school.run_until(0, 6)
    written = school.path.read_text()
    assert "tutor_late maths-2026-11-30" in written
    for word in ("Ben", "ben@", "Ada", school.hook.settings.api_key):
        assert word not in written


def test_a_run_of_the_dag_mails_what_it_finds_and_logs_no_name(school, run_dag, xcom, monkeypatch, all_said):
    school.control.set_clock(NINE + 7 * MINUTE)
    school.join("maths", BEN)
    with mail_server() as mailbox:
        monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", mailbox.connection)
        monkeypatch.setenv("AIRFLOW_VAR_LESSONSPACE_ALERT_ADDRESS", "head@s.example")
        dag = load_dag("lesson_alerts")
        for reported in (1, 0):
            run = run_dag(dag)
            assert run.state == "success"
            assert xcom(run, "watch_lessons") == {"sessions": 1, "found": 1, "reported": reported}
    ((address, text),) = mailbox.mails
    assert address == "head@s.example"
    assert f"{LESSON}: for 7 minutes, a student waits, and the tutor has not come" in text
    said = all_said()
    assert "Ben I" not in said
    assert "ben@h.example" not in said
    assert sys.modules["lesson_alerts"]
