# SPDX-License-Identifier: Apache-2.0
"""The lessons that `make ui` puts into the sandbox: what the attendance report is to find in them."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from lessonspace_provider.attendance import attendance, teacher_lateness
from lessonspace_provider.hooks.lessonspace import LessonspaceHook
from scripts.sample_school import LEAVERS, ODD_STAYS, WAITED, SampleSchool, last_monday, lessons_until
from tests.integration.conftest import EXAMPLES

TIMETABLE = EXAMPLES / "timetable.csv"
NOW = datetime(2026, 11, 26, 12, 30, tzinfo=timezone.utc)  # a Thursday
RATE = 5
MONDAY = datetime(2026, 11, 16, tzinfo=timezone.utc)


@pytest.fixture
def control(lessonspace_connection, lessonspace_sandbox):
    lessonspace_sandbox.control.reset(now=NOW, speed=0, sessions_per_day=2, rate=RATE)
    return lessonspace_sandbox.control


@pytest.fixture
def school(control, lessonspace_sandbox):
    return SampleSchool(lessonspace_sandbox.base_url, lessonspace_sandbox.api_key, TIMETABLE)


def sessions_of(launch_id):
    hook = LessonspaceHook()
    listed = hook.list_sessions(launch_id=launch_id, include_single_user=True)
    spaces = {session["space"]["id"] for session in listed}
    return [s for space in spaces for s in hook.list_space_sessions(space, include_single_user=True)]


def people_in(sessions):
    return {(p["name"], p["email"], p["role"]) for session in sessions for p in session["profiles"]}


def test_last_week_begins_on_a_monday_of_the_schools_time():
    assert last_monday(NOW) == MONDAY
    assert last_monday(datetime(2026, 6, 14, 23, 30, tzinfo=timezone.utc)).isoformat() == "2026-06-08T00:00:00+01:00"


def test_the_lessons_are_those_of_the_timetable_that_are_over():
    held = {lesson.launch_id for lesson in lessons_until(NOW, TIMETABLE)}
    assert {f"7b-maths-2026-11-{day}" for day in range(16, 27)} <= held
    assert not [launch_id for launch_id in held if "8a-physics" in launch_id or "exam-help" in launch_id]
    assert "8a-music-2026-11-19" in held
    assert "8a-music-2026-11-26" not in held, "it begins at 13:00"


def test_everything_that_goes_wrong_in_a_week_does_in_last_week():
    week = [lesson for lesson in lessons_until(NOW, TIMETABLE) if lesson.start < MONDAY + timedelta(days=7)]
    as_planned = [[{who: [(-2, 45)] for who in range(people)}] for people in range(5)]
    odd = [lesson for lesson in week if lesson.sessions() != as_planned[len(lesson.people)]]
    assert len(odd) == len(ODD_STAYS) + len(WAITED)


def test_the_sandbox_has_the_lessons_with_their_people_and_what_went_wrong(school, control, tmp_path):
    lessons = {lesson.launch_id: lesson for lesson in lessons_until(NOW, TIMETABLE)}
    assert school.open(tmp_path / "leavers.csv") == len(lessons)
    assert control.state().rate == RATE
    control.set_rate(0)
    launch_ids = [truth.launch_id for truth in control.sessions() if truth.launch_id in lessons]
    assert set(launch_ids) == set(lessons)

    as_planned = sessions_of("7b-english-2026-11-17")
    english = lessons["7b-english-2026-11-17"]
    assert people_in(as_planned) == {(p["name"], p["email"], p["role"]) for p in english.people}
    assert teacher_lateness(attendance(as_planned), english.start, english.end).late_by == timedelta(0)

    late = lessons["7b-maths-2026-11-16"]
    present = attendance(sessions_of(late.launch_id))
    assert teacher_lateness(present, late.start, late.end).late_by == timedelta(minutes=12)
    assert "Cem Kaya" not in {name for name, _, _ in people_in(sessions_of("7b-maths-2026-11-17"))}
    assert [len(p.stays) for p in attendance(sessions_of("7b-english-2026-11-18")).people].count(2) == 1
    assert {role for _, _, role in people_in(sessions_of("8a-history-2026-11-18"))} == {"student"}
    assert sorted(len(session["profiles"]) for session in sessions_of("8a-music-2026-11-19")) == [1, 3]
    assert [truth.name for truth in control.sessions() if truth.name == "Chess club"] == ["Chess club"]


def test_those_who_leave_are_users_who_were_in_no_session(school, control, tmp_path):
    school.open(tmp_path / "leavers.csv")
    control.set_rate(0)
    header, *rows = (tmp_path / "leavers.csv").read_text().splitlines()
    assert header == "user_id,name"
    leaving = {int(user_id): name for user_id, name in (row.split(",") for row in rows)}
    assert sorted(leaving.values()) == sorted(LEAVERS)
    users = {user["user"]["id"]: user["name"] for user in LessonspaceHook().list_users()}
    assert leaving.items() <= users.items()
    assert not {user_id for truth in control.sessions() for user_id in truth.user_ids} & set(leaving)


def test_the_space_to_view_has_transcripts(school, control):
    space_id = school.busy_space()
    states = [truth.transcript for truth in control.sessions() if truth.space_id == space_id]
    assert "ready" in states
