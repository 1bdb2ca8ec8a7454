# SPDX-License-Identifier: Apache-2.0
"""Weeks of lessons: sums over days, with what archives lack."""

from __future__ import annotations

from datetime import date, timedelta

from analytics.figures import SILENT_WEEKS, WEEKS, analytics
from analytics.page import as_csv_files, as_page

MONDAY = date(2026, 11, 16)


def a_day(teachers=(), students=(), without_transcript=()):
    return {
        "teachers": [
            {"user_id": user, "name": name, "lessons": 1, "talk_seconds": talk, "of_seconds": of}
            for user, name, talk, of in teachers
        ],
        "students": [{"user_id": user, "lessons": lessons, "spoke": spoke} for user, lessons, spoke in students],
        "without_transcript": [
            {"status": status, "reason": reason, "sessions": count} for status, reason, count in without_transcript
        ],
    }


def test_a_teachers_share_is_of_all_their_lessons_in_the_week():
    found = analytics(
        {
            MONDAY: a_day(teachers=[(1, None, 30.0, 60.0)]),
            MONDAY + timedelta(days=6): a_day(teachers=[(1, "Ann", 10.0, 100.0), (2, "Bob", 0.0, 0.0)]),
            MONDAY + timedelta(days=7): a_day(teachers=[(1, "Ann", 5.0, 10.0)]),
        }
    )
    assert [week.name for week in found.weeks] == ["2026-W47", "2026-W48"]
    ann, bob = found.weeks[0].teachers.values()
    assert (ann.label, ann.lessons, ann.percent) == ("Ann", 2, 25.0)
    assert bob.percent is None
    assert found.weeks[1].teachers[1].percent == 50.0


def test_a_student_without_words_in_the_last_weeks_is_silent():
    old = MONDAY - timedelta(weeks=SILENT_WEEKS)
    found = analytics(
        {
            old: a_day(students=[(1, 1, 1), (4, 9, 0)]),
            MONDAY - timedelta(days=7): a_day(students=[(1, 1, 0), (2, 1, 0), (3, 1, 1)]),
            MONDAY: a_day(students=[(1, 1, 0), (2, 2, 0), (3, 1, 0), (5, 1, 0)]),
        }
    )
    assert [(student.user_id, student.lessons) for student in found.silent] == [(2, 3), (1, 2)]
    assert found.silent[0].last_day == MONDAY


def test_only_the_latest_weeks_are_shown():
    days = {MONDAY - timedelta(weeks=number): a_day(without_transcript=[("pending", "", 1)]) for number in range(20)}
    assert len(analytics(days).weeks) == WEEKS


def test_without_a_day_there_is_a_page_anyway():
    page = as_page(analytics({})).decode()
    assert "There are no sessions." in page
    assert [data.decode("utf-8-sig").count("\n") for data in as_csv_files(analytics({})).values()] == [1, 1, 1]


def test_foreign_text_is_escaped_in_the_page_and_no_formula_in_a_csv_file():
    name, reason = '=1+<script>alert("x")</script>', "<img src=x>"
    days = {
        MONDAY: a_day(teachers=[(1, name, 1.0, 2.0)], without_transcript=[("not_eligible", reason, 2)]),
        MONDAY + timedelta(days=7): a_day(teachers=[(1, name, 1.0, 2.0)]),
    }
    page = as_page(analytics(days)).decode()
    assert "<script" not in page
    assert "<img" not in page
    assert "&lt;script&gt;" in page
    assert (
        as_csv_files(analytics(days))["talk_share.csv"].decode("utf-8-sig").splitlines()[1].split(",")[2][1:3] == "'="
    )


def test_many_reasons_share_the_last_colour():
    reasons = [("not_eligible", f"reason {number}", 20 - number) for number in range(9)]
    page = as_page(analytics({MONDAY: a_day(without_transcript=reasons)})).decode()
    assert "other reasons: " in page
    assert "reason 8" not in page
