# SPDX-License-Identifier: Apache-2.0
"""What the attendance report's page says, without Airflow and a browser."""

from __future__ import annotations

import html
import re
from datetime import datetime

import pytest
from attendance.lessons import Person
from attendance.page import Part, as_page, by_attendance, by_lateness, days, lessons_by_day, number

from tests.attendance_week import ADA, BEN, EVE, GUEL, LONDON, a_lesson, a_session, count

MATHS = a_lesson(1, students=(BEN, GUEL))
A, B = (ADA, "teacher", 0, 45), (BEN, "student", 0, 45)
BAD_DAY = "line 4: 'Mondy' is no weekday, date or 'daily'"


def text_of(report):
    """Give the page as its reader sees it."""
    body = as_page(report, "Europe/London").decode().split("<body>")[1]
    text = html.unescape(re.sub(r"<[^>]+>", "", re.sub(r"</(p|h\d|li|d[dt]|t[dh]|div|figcaption)>", " ", body)))
    return " ".join(text.split())


def a_full_week():
    """Each kind of thing that the page tells of, once."""
    later, eves, guests = a_lesson(2, students=(GUEL,)), a_lesson(3, EVE), a_lesson(4, EVE)
    sessions = {
        "l1": [a_session(MATHS, (ADA, "teacher", 12, 45), B)],
        "l2": [a_session(later, (EVE, "teacher", 0, 45), guests=["g"])],
        "l3": [a_session(eves, (BEN, "student", -40, -20), start=-40, end=-19)],
        "l4": [a_session(guests, guests=["h"])],
    }
    club = a_session(MATHS, (BEN, "student", 0, None), space={"name": "Chess"}, start=300, end=360)
    return count([MATHS, later, eves, guests], sessions, [club], refused=[BAD_DAY])


def test_what_needs_attention_comes_first_and_in_words():
    text = text_of(a_full_week())
    said = [
        "lessons planned 4",
        "What needs attention",
        f"Rows of the timetable that can't be read: 1 Their lessons are missing from this report. {BAD_DAY}",
        "Lessons without a teacher: 1 Maths, Thu 12 Nov, 09:00, Eve Marsh: no one came",
        "Lessons that may have been taught: 1 Maths, Fri 13 Nov, 09:00, Eve Marsh: a person was",
        "Teachers more than 5 minutes late: 1 Ada Byron: 12.0 minutes, Maths, Tue 10 Nov, 09:00",
        "Lessons taught by another person: 1 Maths, Wed 11 Nov, 09:00: Eve Marsh in place of Ada Byron",
        "Students absent from lessons that were taught: 1 Gül Öz, 2 of 2: "
        "Maths, Tue 10 Nov, 09:00; Maths, Wed 11 Nov, 09:00 (not sure)",
        "The week at a glance",
        "Chess Tue 10 Nov, 14:00 to 15:00 Ben Ito, 60 min 60",
        "in the room of Maths, Thu 12 Nov, 09:00, outside of its time Thu 12 Nov, 08:20 to 08:41 Ben Ito, 20 min 21",
        "Guest 2 – 45 45",
        "Ben Ito, Chess: did not leave before the session ended",
    ]
    places = [text.find(words) for words in said]
    assert -1 not in places, said[places.index(-1)]
    assert places == sorted(places)


def test_the_totals_show_the_students_attendance_of_all_lessons_that_were_taught():
    totals = "planned 4 taught 2 no teacher 1 not clear 1 attendance of students 33 % billable minutes 216"
    assert totals in text_of(a_full_week())


def test_rows_that_cannot_be_read_are_reported_also_when_no_row_can():
    text = text_of(count([], refused=[BAD_DAY]))
    assert "What needs attention Rows of the timetable that can't be read: 1" in text
    assert BAD_DAY in text
    assert "No lessons were planned" not in text


def test_a_week_without_anything_reports_it():
    assert "No lessons were planned in this week, and no sessions were held." in text_of(count([]))


def test_text_of_others_is_no_html():
    stranger = Person('<script>alert("x")</script>', "")
    page = as_page(count([], {}, [a_session(MATHS, (stranger, None, 0, 45))]), "Europe/London").decode()
    assert "<script" not in page
    assert stranger.name in html.unescape(page)


def test_namesakes_are_distinguished_by_their_addresses_also_in_plots():
    namesake = Person("ada BYRON", "a2@s.example")
    other = a_lesson(2, teacher=namesake)
    report = count(
        [MATHS, other],
        {"l1": [a_session(MATHS, (ADA, "teacher", 9, 45))], "l2": [a_session(other, (namesake, "teacher", 9, 45))]},
    )
    text = text_of(report)
    assert text.count("Ada Byron ada@s.example") == text.count("ada BYRON a2@s.example") == 2
    assert "Gül Öz guel@h.example" not in text


def test_who_teaches_and_learns_is_no_namesake():
    text = text_of(count([MATHS, a_lesson(2, teacher=EVE, students=(ADA,))]))
    assert "ada@s.example" not in text


def test_plots_show_the_week():
    report = a_full_week()
    taught = lessons_by_day(report)
    assert [(bar.name, bar.words) for bar in taught.bars] == [
        ("Tuesday", "1 of 1"),
        ("Wednesday", "1 of 1"),
        ("Thursday", "0 of 1"),
        ("Friday", "0 of 1"),
    ]
    assert taught.bars[2].parts == [Part("good", 0), Part("unsure", 0), Part("bad", 100)]
    assert taught.bars[3].parts == [Part("good", 0), Part("unsure", 100), Part("bad", 0)]
    students = by_attendance(report.people("student"))
    assert [bar.words for bar in students.bars] == ["1 student", "0 students", "0 students", "0 students", "1 student"]
    (late,) = by_lateness(report.people("teacher")).bars
    assert (late.name, late.words, late.parts) == (
        "Ada Byron",
        "12.0, at worst 12.0",
        [Part("good", 100), Part("pale", 0)],
    )


@pytest.mark.parametrize(("attended", "group"), [(4, 0), (3, 1), (2, 2), (1, 3), (0, 4)])
def test_students_are_grouped_by_the_share_of_their_lessons(attended, group):
    lessons = [a_lesson(number) for number in range(4)]
    sessions = {
        lesson.launch_id: [a_session(lesson, A, *([B] if number < attended else []))]
        for number, lesson in enumerate(lessons)
    }
    bars = by_attendance(count(lessons, sessions).people("student")).bars
    assert [number for number, bar in enumerate(bars) if bar.words == "1 student"] == [group]


def test_no_plot_is_drawn_of_nothing():
    assert "<figure>" not in as_page(count([], refused=[BAD_DAY]), "Europe/London").decode()
    assert by_attendance([]).bars == by_lateness([]).bars == lessons_by_day(count([])).bars == []


def test_the_days_of_a_week_over_new_year_name_both_years():
    report = count([], begin=datetime(2026, 12, 28, tzinfo=LONDON), end=datetime(2027, 1, 4, tzinfo=LONDON))
    assert days(report) == "28 December 2026 to 3 January 2027"


@pytest.mark.parametrize(
    ("value", "digits", "words"),
    [
        (None, 0, "–"),
        (60.5, 0, "61"),
        (61.5, 0, "62"),
        (1234567, 0, "1\u202f234\u202f567"),
        (6.25, 1, "6.3"),
        (0, 1, "0.0"),
    ],
)
def test_numbers_are_rounded_as_people_do(value, digits, words):
    assert number(value, digits) == words
