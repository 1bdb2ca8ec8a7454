# SPDX-License-Identifier: Apache-2.0
"""The lessons of the attendance report's week, without Airflow."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from attendance.lessons import lesson_label, planned_lessons, week_before

from tests.attendance_week import ADA, BEN, LONDON, MONDAY

HEADER = "lesson,subject,days,start,end,teacher,students,cancelled\n"
ADA_AND_BEN = "Ada Byron <ada@s.example>,Ben Ito <ben@h.example>"


@pytest.fixture
def read(tmp_path):
    """Write a timetable and read a week of it."""

    def write_and_read(*rows, begin=MONDAY):
        path = tmp_path / "timetable.csv"
        path.write_text(HEADER + "\n".join(rows))
        return planned_lessons(path, begin, begin + timedelta(days=7), LONDON)

    return write_and_read


@pytest.mark.parametrize("monday", [datetime(2026, 3, 23), datetime(2026, 10, 19), datetime(2026, 11, 9)])
def test_a_weeks_lessons_are_in_their_order_also_when_the_clocks_change(read, monday):
    lessons, _ = read(
        f"b,Biology,Sunday,23:00,23:45,{ADA_AND_BEN},",
        f"a,Art,daily,00:30,01:00,{ADA_AND_BEN},",
        begin=monday.replace(tzinfo=LONDON),
    )
    assert [lesson.start.replace(tzinfo=None) for lesson in lessons] == [
        *(monday + timedelta(days=day, minutes=30) for day in range(7)),
        monday + timedelta(days=6, hours=23),
    ]
    assert (lessons[0].teacher, lessons[0].students) == (ADA, (BEN,))
    assert lesson_label(lessons[-1]) == f"Biology, Sun {lessons[-1].start.day} {lessons[-1].start:%b}, 23:00"


def test_a_row_that_cannot_be_read_is_reported_once(read):
    lessons, refused = read(f"a,Art,Mondy,9:00,9:45,{ADA_AND_BEN},", f"b,Biology,Monday,9:00,9:45,{ADA_AND_BEN},")
    assert [lesson.subject for lesson in lessons] == ["Biology"]
    (problem,) = refused
    assert problem.startswith(
        "timetable.csv, line 2, column days: 'Mondy' is no weekday, date or 'daily': write Monday"
    )


def test_a_student_who_is_listed_twice_is_one(read):
    ((lesson,), _) = read(f"a,Art,Monday,9:00,9:45,{ADA_AND_BEN}; ben ito <BEN@h.example>,")
    assert [student.name for student in lesson.students] == ["Ben Ito"]


@pytest.mark.parametrize(
    ("moment", "monday"),
    [
        (datetime(2026, 11, 16, 5, tzinfo=LONDON), datetime(2026, 11, 9)),
        (datetime(2026, 11, 16, tzinfo=LONDON), datetime(2026, 11, 9)),
        (datetime(2026, 11, 15, 23, 59, tzinfo=LONDON), datetime(2026, 11, 2)),
        (datetime(2026, 11, 18, 12, tzinfo=timezone.utc), datetime(2026, 11, 9)),
        (datetime(2026, 3, 30, 4, tzinfo=timezone.utc), datetime(2026, 3, 23)),
        (datetime(2026, 3, 29, 23, tzinfo=timezone.utc), datetime(2026, 3, 23)),
        (datetime(2026, 10, 26, 5, tzinfo=LONDON), datetime(2026, 10, 19)),
    ],
)
def test_the_last_whole_week_before_a_moment_is_between_two_midnights_of_mondays(moment, monday):
    begin, end = week_before(moment, LONDON)
    assert begin == monday.replace(tzinfo=LONDON)
    assert end == (monday + timedelta(days=7)).replace(tzinfo=LONDON)
