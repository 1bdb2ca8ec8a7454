# SPDX-License-Identifier: Apache-2.0
"""The CSV of the attendance report, without Airflow."""

from __future__ import annotations

import csv
import io

import pytest
from attendance.figures import Row
from attendance.sheet import COLUMNS, as_csv

from tests.attendance_week import ADA, BEN, a_lesson, a_session, count


def rows_of(report):
    return list(csv.DictReader(io.StringIO(as_csv(report).decode("utf-8-sig"), newline="")))


def written(name):
    """Write a name and read it again."""
    report = count([], {})
    report.rows["guest", name] = Row("guest", name)
    (row,) = rows_of(report)
    return row["name"]


@pytest.mark.parametrize("sign", "=+-@＝＋－＠")
@pytest.mark.parametrize("before", ["", " ", "\xa0", "\u200b", '"', "\t", "\n"])
def test_no_cell_begins_as_a_formula(before, sign):
    name = f"{before}{sign}1+1"
    assert written(name)[0] == "'"
    assert written(name).replace("'", "") == name


@pytest.mark.parametrize("separator", [";", ",", "\t", "\r", "\n", "\r\n"])
@pytest.mark.parametrize("before", ["", " ", "\xa0", '"'])
def test_no_cell_holds_a_formula_for_a_spreadsheet_that_separates_otherwise(separator, before):
    assert written(f"x{separator}{before}=1+1") == f"x{separator}'{before}=1+1"


@pytest.mark.parametrize("name", ["\tx", "\rx", "\nx"])
def test_no_cell_begins_with_a_control_character(name):
    assert written(name) == f"'{name}"


@pytest.mark.parametrize("name", ['a"b,c', "x\r\ny", "Jo-Ann", "a@b.example", "Smith; Jones", "O'Hara", "נועה לוי"])
def test_other_cells_stay_as_they_are(name):
    assert written(name) == name


def test_lines_end_as_rfc_4180_requires():
    assert as_csv(count([])) == "\ufeff".encode() + ",".join(COLUMNS).encode() + b"\r\n"


def test_a_teacher_who_missed_lessons_has_no_attendance_that_resembles_a_good_one():
    lessons = [a_lesson(number) for number in (1, 2, 3, 4)]
    came = a_session(lessons[0], (ADA, "teacher", 0, 45), (BEN, "student", 0, 45))
    teacher, student = rows_of(count(lessons, {"l1": [came]}))
    columns = ("lessons_planned", "lessons_held", "lessons_attended", "attendance_percent")
    assert [teacher[column] for column in columns] == ["4", "", "1", ""]
    assert [student[column] for column in columns] == ["4", "1", "1", "100.0"]
