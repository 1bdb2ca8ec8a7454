# SPDX-License-Identifier: Apache-2.0
"""Decisions of the example lesson_alerts on single sessions; its integration test has whole mornings."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import lesson_watch as watch
import pytest
from attendance.lessons import STUDENT, TEACHER, Person, PlannedLesson

NINE = datetime(2026, 11, 30, 9, tzinfo=timezone.utc)
MINUTE = timedelta(minutes=1)
ADA, BEN, CEM = (Person(name, f"{name}@x.example") for name in ("Ada", "Ben", "Cem"))
MATHS = PlannedLesson("maths", "Mathematics", NINE, NINE + 45 * MINUTE, ADA, (BEN, CEM))
UUID = "00000000-0000-4000-8000-000000000001"


def profile(user, name, role=None, email=None):
    return {"user": user, "name": name, "role": role, "email": f"{name}@x.example" if email is None else email}


def session(*profiles, start=NINE, logs=None, **fields):
    times = {"start_time": start.isoformat(), "end_time": None}
    return {"uuid": UUID, **times, "profiles": list(profiles), **({"logs": logs} if logs else {}), **fields}


def row(kind, user, minute, number=0):
    return {"id": number, "log_type": f"user-{kind}", "profile": user, "date": (NINE + minute * MINUTE).isoformat()}


@pytest.mark.parametrize(
    ("someone", "kind"),
    [
        (profile(1, "Ada"), TEACHER),
        (profile(1, "ADA", "student"), TEACHER),  # the timetable comes first
        (profile(1, "Ben", "teacher"), STUDENT),
        (profile(1, "Ben", email=""), STUDENT),
        (profile(1, "Sub", "teacher"), TEACHER),
        (profile(1, "Head", "admin"), TEACHER),
        (profile(1, "Guest"), None),
        (profile(1, "Ada", email="ada@elsewhere.example"), None),
        (profile(1, "Dan", "student"), STUDENT),
        ({"name": ["Ada"], "email": 7, "role": {"a": 1}}, None),
        ({}, None),
    ],
)
def test_what_a_person_is_in_a_lesson(someone, kind):
    assert watch.kind_of(MATHS, someone) == kind


@pytest.mark.parametrize("profiles", [None, "Ada", 7, [None, "Ada", ["Ada"]]])
def test_profiles_that_can_not_be_read_are_no_one(profiles):
    odd = {**session(), "profiles": profiles}
    assert watch.kinds_in(MATHS, [odd]) == set()
    assert watch.assigned([MATHS], [odd], NINE) == {}


LOGS = [row("joined", 1, 0), row("joined", "2", 3), row("left", 1, 10)]


@pytest.mark.parametrize(
    ("logs", "minute"),
    [
        (LOGS[:2], None),
        (LOGS, 10),
        ([*LOGS, row("joined", 1, 12)], None),
        ([*LOGS, row("joined", 1, 12, 5), row("left", 1, 14, 6)], 14),
        ([*LOGS, row("left", 2, 11)], None),  # no one is there
        ([*LOGS, row("left", 2, 11), row("joined", 2, 13)], 13),
        ([row("joined", 2, -5)], 0),  # before the lesson, a student may wait
        ([{"log_type": "user-joined", "profile": 2, "date": "never"}], None),
        (None, None),
    ],
)
def test_since_when_students_are_without_a_tutor(logs, minute):
    held = session(profile(1, "Ada"), profile(2, "Ben"), start=NINE - 5 * MINUTE, logs=logs)
    expected = None if minute is None else NINE + minute * MINUTE
    assert watch.alone_since(MATHS, held, NINE + 20 * MINUTE) == expected


def test_a_session_belongs_to_the_lesson_that_most_of_its_people_have_then():
    music = PlannedLesson(
        "music", "Music", NINE + 45 * MINUTE, NINE + 90 * MINUTE, Person("Eve", "Eve@x.example"), (BEN,)
    )
    overrunning = session(profile(1, "Ada"), profile(2, "Ben"))
    next_one = session(profile(3, "Eve"), profile(2, "Ben"))
    rooms = watch.assigned([MATHS, music], [overrunning, next_one], NINE + 50 * MINUTE)
    assert rooms == {"maths": [overrunning], "music": [next_one]}
    assert watch.assigned([MATHS, music], [overrunning], NINE + 200 * MINUTE) == {}


def test_what_is_remembered_survives_the_file_and_is_forgotten_when_it_is_over():
    memory = watch.Memory({"maths": {TEACHER}, "old": {STUDENT}}, {UUID: NINE}, {UUID: NINE, "gone": NINE}, {"a": NINE})
    read = watch.Memory.from_json(memory.to_json())
    assert read == memory
    read.forget([MATHS], {"maths": [session()]})
    assert read == watch.Memory({"maths": {TEACHER}}, {UUID: NINE}, {UUID: NINE}, {"a": NINE})
    watch.note_reported(read, [], NINE)
    assert read.reported == {}


def test_a_second_is_no_reason_to_repeat_a_minute_later():
    memory = watch.Memory(reported={"a": NINE + timedelta(seconds=2)})
    assert not watch.is_due("a", memory, NINE + 14 * MINUTE)
    assert watch.is_due("a", memory, NINE + 15 * MINUTE)
