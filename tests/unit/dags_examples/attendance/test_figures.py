# SPDX-License-Identifier: Apache-2.0
"""What the attendance report counts of a week, without Airflow."""

from __future__ import annotations

from datetime import timedelta

import pytest
from attendance.figures import DOUBTS
from attendance.lessons import Person
from attendance.page import as_page
from attendance.sheet import as_csv
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.attendance_week import ADA, BEN, EVE, GUEL, MONDAY, NEXT_MONDAY, a_lesson, a_session, count, user_id
from tests.odd_items import session_fields, values

STRANGER = Person("Una Known", "una@x.example")
MATHS, OF_EVE = a_lesson(1, students=(BEN, GUEL)), a_lesson(2, teacher=EVE, students=(BEN,))
A, B, G = (ADA, "teacher", 0, 45), (BEN, "student", 0, 45), (GUEL, "student", 0, 45)
NOBODYS = {"log_type": "user-joined", "date": MATHS.start.isoformat()}
SURE, UNSURE = True, False
KINDS = ("teacher", "student")


def of_maths(*sessions):
    """Say what became of one lesson: the word, who taught in place of Ada, and of the absent whether it is sure."""
    report = count([MATHS, OF_EVE], {"l1": list(sessions)})
    assert OF_EVE in [lesson for lesson, _ in report.missed]
    missed, unclear = (
        [why for lesson, why in entries if lesson == MATHS] for entries in (report.missed, report.unclear)
    )
    word = f"missed: {missed[0]}" if missed else f"not clear: {unclear[0]}" if unclear else "taught"
    absent = {row.name: sure for row in report.people("student") for lesson, sure in row.absent if lesson == MATHS}
    return word, [name for _, name in report.substituted], absent


def renamed(person, name=None, email=None):
    return Person(person.name if name is None else name, person.email if email is None else email)


def test_talk_is_the_sum_over_the_sessions_that_have_a_transcript():
    lessons = [a_lesson(number, students=(BEN, GUEL)) for number in (1, 2, 3)]
    sessions = {lesson.launch_id: [a_session(lesson, A, B, G, guests=["g"])] for lesson in lessons}
    ada, ben, stranger = user_id(ADA), user_id(BEN), 5
    talk = {("l1-0", ada): 20.5, ("l1-0", ben): 0.0, ("l2-0", ada): 1.25, ("l1-0", stranger): 9.0, ("x", ben): 4.0}
    report = count(lessons, sessions, talk=talk)
    assert {row.name: row.talk for row in report.rows.values()} == {
        ADA.name: 21.75,
        BEN.name: 0.0,
        GUEL.name: None,
        "Guest 1": None,
    }
    page, table = as_page(report, "Europe/London").decode(), as_csv(report).decode("utf-8-sig")
    assert page.count("Minutes of talk</th>") == 2
    assert '<td class="n">21.8</td>' in page
    assert [line.rpartition(",")[2] for line in table.splitlines()] == ["talk_minutes", "21.8", "0.0", "", ""]


def test_a_report_without_an_archive_has_no_column_of_talk():
    assert "Minutes of talk" not in as_page(count([MATHS], {"l1": [a_session(MATHS, A, B)]}), "UTC").decode()


TAUGHT = {
    "everybody came": ([A, B, G], {}, []),
    "one is absent": ([A, B], {"Gül Öz": SURE}, []),
    "came before the lesson and left": ([A, B, (GUEL, "student", -9, -2)], {"Gül Öz": SURE}, []),
    "the absent one may be a stranger": ([A, B, (STRANGER, "student", 0, 45)], {"Gül Öz": UNSURE}, []),
    "the absent one may be somebody without a role": ([A, B, (STRANGER, None, 0, 45)], {"Gül Öz": UNSURE}, []),
    "the absent one is no second teacher": ([A, B, (STRANGER, "teacher", 0, 45)], {"Gül Öz": SURE}, []),
    "the absent one is nobody of another lesson": ([A, B, (EVE, None, 0, 45)], {"Gül Öz": SURE}, []),
    "the absent one is on the list, without times": ([A, B, (GUEL, "student", None, None)], {"Gül Öz": UNSURE}, []),
    "capitals and blanks do not matter": (
        [(renamed(ADA, "ada  BYRON", "Ada@S.example"), "teacher", 0, 45), B, G],
        {},
        [],
    ),
    "letters may be composed or not": ([A, B, (renamed(GUEL, "Gu\u0308l O\u0308z"), "student", 0, 45)], {}, []),
    "the API gives no address": ([(renamed(ADA, email=""), "teacher", 0, 45), B, G], {}, []),
    "another address is another person": (
        [A, B, (renamed(GUEL, email="g@x.example"), "student", 0, 45)],
        {"Gül Öz": UNSURE},
        [],
    ),
    "the teacher has no role": ([(ADA, None, 0, 45), B, G], {}, []),
    "another teacher of the school steps in": ([(EVE, "teacher", 0, 45), B, G], {}, ["Eve Marsh"]),
    "somebody from outside steps in": ([(STRANGER, "teacher", 0, 45), B, G], {}, ["Una Known"]),
    "who steps in later changes nothing": ([A, (EVE, "teacher", 20, 45), B, G], {}, []),
}  # fmt: skip


@pytest.mark.parametrize(("people", "absent", "substitutes"), TAUGHT.values(), ids=list(TAUGHT))
def test_a_lesson_that_was_taught(people, absent, substitutes):
    assert of_maths(a_session(MATHS, *people)) == ("taught", substitutes, absent)


NO_ROLE = DOUBTS["role_unknown"]
NOT_TAUGHT = {
    "students only": ([B, G], "missed: 2 people came, but no teacher"),
    "a student without a role is no teacher": ([(BEN, None, 0, 45)], "missed: 1 person came, but no teacher"),
    "a student who teaches elsewhere": ([(BEN, "teacher", 0, 45)], "missed: 1 person came, but no teacher"),
    "a stranger who is a student": ([B, (STRANGER, "student", 0, 45)], "missed: 2 people came, but no teacher"),
    "a stranger without a role": ([B, (STRANGER, None, 0, 45)], f"not clear: {NO_ROLE}"),
    "an administrator": ([B, (STRANGER, "admin", 0, 45)], f"not clear: {NO_ROLE}"),
    "the teacher of another lesson, without a role": ([B, (EVE, None, 0, 45)], f"not clear: {NO_ROLE}"),
    "a teacher without times": ([(ADA, "teacher", None, None), B], f"not clear: Ada Byron {DOUBTS['no_rows']}"),
    "another teacher who only left": ([(EVE, "teacher", None, 40)], f"not clear: Eve Marsh {DOUBTS['join_missing']}"),
    "a teacher who left before": ([(ADA, "teacher", -9, -1), B], "missed: 1 person came, but no teacher"),
}


@pytest.mark.parametrize(("people", "word"), NOT_TAUGHT.values(), ids=list(NOT_TAUGHT))
def test_a_lesson_that_was_not_taught_or_perhaps_not(people, word):
    assert of_maths(a_session(MATHS, *people, start=-10)) == (word, [], {})


UNREADABLE, NOBODY_KNOWN = DOUBTS["unreadable"], DOUBTS["nobody_known"]
ODD = {
    "a guest": ({"guests": ["g"]}, NO_ROLE),
    "a join of nobody": ({"logs": [NOBODYS]}, NOBODY_KNOWN),
    "no logs": ({"logs": None}, UNREADABLE),
    "an end that is no time": ({"end_time": "soon"}, UNREADABLE),
    "a start that is no time": ({"start_time": "soon", "logs": [{**NOBODYS, "profile": 7}]}, UNREADABLE),
    "neither people nor logs": ({"profiles": None, "logs": []}, NOBODY_KNOWN),
}


@pytest.mark.parametrize(("odd", "why"), ODD.values(), ids=list(ODD))
def test_what_is_odd_about_a_session_makes_its_lesson_and_absences_unsure(odd, why):
    session = a_session(MATHS, **odd)
    assert of_maths(session) == (f"not clear: {why}", [], {})
    assert of_maths(a_session(MATHS, A, start=-5), session) == ("taught", [], {"Ben Ito": UNSURE, "Gül Öz": UNSURE})


def test_a_session_that_cannot_be_read_is_noted_and_the_others_are_counted():
    sessions = {"l1": [a_session(MATHS, A, B, G)], "l2": [a_session(OF_EVE, logs=None)]}
    unreadable = a_session(OF_EVE, B, end_time="soon", space={"name": "Chess"})
    report = count([MATHS, OF_EVE], sessions, [unreadable])
    assert report.notes == [("Maths, Wed 11 Nov, 09:00", UNREADABLE), ("Chess", UNREADABLE)]
    assert report.held == 1
    assert (report.sessions, report.unbilled, report.billable) == (3, 1, 90)
    ((room, start, end, people, billable),) = report.others
    assert (room, start, end, people, billable) == ("Chess", None, None, [], None)


def test_without_a_session_no_one_came():
    assert of_maths() == ("missed: no one came", [], {})


def test_a_session_outside_of_the_lessons_time_is_not_the_lesson():
    before = a_session(MATHS, (ADA, "teacher", -30, 0), (BEN, "student", -20, 0), start=-30, end=0)
    after = a_session(MATHS, (ADA, "teacher", 45, 60), (GUEL, "student", 45, 50), start=45, end=60)
    report = count([MATHS], {"l1": [before, after]})
    assert report.missed == [(MATHS, "no one came")]
    assert [other.room for other in report.others] == [
        "in the room of Maths, Tue 10 Nov, 09:00, outside of its time"
    ] * 2
    assert [other.people for other in report.others] == [
        ["Ada Byron, 30 min", "Ben Ito, 20 min"],
        ["Ada Byron, 15 min", "Gül Öz, 5 min"],
    ]


def test_a_lessons_sessions_are_taken_together():
    first = a_session(MATHS, (BEN, "student", 0, 5), end=6)
    second = a_session(MATHS, (ADA, "teacher", 7, 45), (BEN, "student", 10, 40), start=7)
    report = count([MATHS], {"l1": [first, second]})
    ada, ben, guel = report.people("teacher", "student")
    assert (ada.attended, ada.lateness, ada.late, ada.minutes, ada.billable) == (1, [7], 1, 38, 38)
    assert (ben.attended, ben.lateness, ben.late, ben.minutes, ben.billable) == (1, [0], 0, 35, 44)
    assert (guel.attended, guel.held, guel.percent, guel.average_lateness) == (0, 1, 0, None)
    assert report.late == [(MATHS, "Ada Byron", 7)]
    assert (report.billable, report.percent) == (44, 50)


def test_one_person_whose_name_is_written_in_several_ways_has_one_row_with_the_first_spelling():
    other = a_lesson(2, Person("ada byron", "Ada@s.example"), (Person("BEN Ito", "Ben@h.example"),))
    report = count([MATHS, other], {"l1": [a_session(MATHS, A, B, G)], "l2": [a_session(other, A, B)]})
    rows = [(row.name, row.email, row.planned, row.attended) for row in report.people("teacher", "student")]
    assert rows == [(*person, 2, 2) for person in (("Ada Byron", ADA.email), ("Ben Ito", BEN.email))] + [
        ("Gül Öz", GUEL.email, 1, 1)
    ]


def test_a_name_without_an_address_is_no_one_when_two_have_it():
    lesson = a_lesson(1, students=(BEN, renamed(BEN, email="b@x.example")))
    report = count([lesson], {"l1": [a_session(lesson, A, (renamed(BEN, email=""), "student", 0, 45))]})
    assert [row.attended for row in report.people("student")] == [0, 0]
    assert [row.name for row in report.people("not in the timetable")] == ["Ben Ito"]


def test_who_teaches_one_lesson_and_learns_in_another_has_in_each_only_what_they_are_there():
    learns = a_lesson(2, teacher=EVE, students=(ADA,))
    sessions = {
        "l1": [a_session(MATHS, A, B, G)],
        "l2": [a_session(learns, (EVE, "teacher", 0, 45), (ADA, "teacher", 5, 25))],
    }
    club = a_session(MATHS, (ADA, "student", 300, 310), start=300, end=310)
    report = count([MATHS, learns], sessions, [club])
    as_teacher, as_student = (next(row for row in report.people(kind) if row.name == ADA.name) for kind in KINDS)
    assert (as_teacher.planned, as_teacher.attended, as_teacher.minutes, as_teacher.billable) == (1, 1, 45, 45)
    assert (as_student.planned, as_student.attended, as_student.minutes, as_student.billable) == (1, 1, 30, 55)


def test_one_person_on_two_accounts_is_billed_once():
    session = a_session(MATHS, A, (renamed(BEN, email="BEN@h.example"), "student", 0, 20), (BEN, "student", 20, 45))
    ben = next(row for row in count([MATHS], {"l1": [session]}).people("student") if row.name == BEN.name)
    assert (ben.attended, ben.minutes, ben.billable) == (1, 45, 45)


def test_users_are_found_also_when_their_ids_are_text():
    session = a_session(MATHS, A, B, G)
    for profile in session["profiles"]:
        profile["user"] = str(profile["user"])
    report = count([MATHS], {"l1": [session]})
    assert (report.held, report.percent, report.people("not in the timetable")) == (1, 100, [])


def test_a_user_without_a_name_is_named_by_the_id():
    nameless = Person("", "")
    (row,) = count([], {}, [a_session(MATHS, (nameless, None, 0, 45))]).people("not in the timetable")
    assert row.name == f"User {user_id(nameless)}"


def test_what_is_not_sure_is_reported_of_the_person_and_the_lesson():
    report = count([MATHS], {"l1": [a_session(MATHS, A, (BEN, "student", 5, None), G)]})
    assert report.notes == [("Ben Ito", "Maths, Tue 10 Nov, 09:00", DOUBTS["leave_missing"])]
    assert [row.unsure for row in report.people("student")] == [1, 0]


def test_a_lessons_session_that_never_ended_counts_up_to_the_lessons_end_and_is_noted():
    report = count([MATHS], {"l1": [a_session(MATHS, (ADA, "teacher", 5, None), end_time=None)]})
    (ada,) = report.people("teacher")
    assert (ada.attended, ada.minutes, ada.billable) == (1, 40, 0)
    assert report.unbilled == 1
    ((where, words),) = report.notes
    assert (where, words[:13]) == ("Maths, Tue 10 Nov, 09:00", "still running")


def test_a_session_without_a_lesson_that_still_runs_is_noted_and_not_counted():
    report = count([], {}, [a_session(MATHS, (BEN, "student", 0, None), end_time=None, space={"name": "Chess"})])
    assert report.notes == [("Chess", "still running; counts in the week in which it ends")]
    assert (report.others, report.sessions, report.rows) == ([], 0, {})


def test_a_sunday_lesson_that_runs_over_midnight_is_counted_in_its_week_and_in_no_other():
    late = a_lesson(1, start=MONDAY + timedelta(days=6, hours=23), students=(BEN,))
    sessions = {"l1": [a_session(late, (ADA, "teacher", 0, 80), (BEN, "student", 0, 80), end=80)]}
    this = count([late], sessions)
    assert (this.held, this.billable, [row.minutes for row in this.people("teacher")]) == (1, 80, [80])
    next_week = count([late], sessions, begin=NEXT_MONDAY, end=NEXT_MONDAY + timedelta(days=7))
    assert (next_week.lessons, next_week.sessions, next_week.others) == ([], 0, [])


@pytest.mark.parametrize(("minutes", "weeks"), [(-1, [0]), (0, [1]), (7 * 24 * 60 - 1, [1]), (7 * 24 * 60, [2])])
def test_a_session_without_a_lesson_counts_in_the_week_in_which_it_ended(minutes, weeks):
    end = MONDAY + timedelta(minutes=minutes)
    session = a_session(MATHS, B, start_time=(end - timedelta(minutes=30)).isoformat(), end_time=end.isoformat())
    begins = [MONDAY + timedelta(days=7 * week) for week in (-1, 0, 1)]
    found = [count([], {}, [session], begin=begin, end=begin + timedelta(days=7)).others for begin in begins]
    assert [number for number, others in enumerate(found) if others] == weeks


@given(odd=st.lists(session_fields, min_size=1, max_size=2), uuid=values)
@settings(max_examples=60)
def test_no_shape_of_one_session_stops_the_report(odd, uuid):
    odd = [{"uuid": uuid, "logs": [], **fields} for fields in odd]
    good = a_session(MATHS, A, B, G)
    report = count([MATHS], {"l1": [*odd, good]}, [*odd, a_session(OF_EVE, B)])
    ada = next(row for row in report.people("teacher") if row.name == ADA.name)
    assert ada.attended == 1
    assert ada.minutes >= 45
    assert len(report.others) >= 1
    assert as_csv(report).decode("utf-8-sig").count(BEN.name) >= 1
    assert ADA.name in as_page(report, "Europe/London").decode()
