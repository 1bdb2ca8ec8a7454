# SPDX-License-Identifier: Apache-2.0
"""The timetable that the example DAG class_launch reads."""

from __future__ import annotations

import csv
import io
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from class_timetable import COLUMNS, read_launches

LONDON = ZoneInfo("Europe/London")
MONDAY = datetime(2026, 11, 30, 6, tzinfo=timezone.utc)
ADA, BEN, CEM = "Ada Byron <ada@school.example>", "Ben Ito <ben@home.example>", "Cem Kaya <cem@home.example>"
ROW = {
    "lesson": "7b-maths",
    "subject": "Mathematics",
    "days": "Monday",
    "start": "9:00",
    "end": "09:45",
    "teacher": ADA,
    "students": f"{BEN}; {CEM}",
    "cancelled": "",
}


@pytest.fixture
def read(tmp_path):
    """Write a timetable and read it."""

    def write_and_read(*rows, begin=MONDAY, now=None, columns=COLUMNS):
        lines = [",".join(row.values()) for row in rows]
        path = tmp_path / "timetable.csv"
        path.write_text("\n".join([",".join(columns), *lines]), encoding="utf-8-sig")
        return read_launches(path, begin, now or begin, LONDON)

    return write_and_read


def test_a_lesson_is_one_launch_for_its_teacher_and_one_for_each_student(read):
    launches = read(ROW)
    lesson = {
        "launch_id": "7b-maths-2026-11-30",
        "name": "Mathematics",
        "lesson_start": "2026-11-30T09:00:00+00:00",
        "lesson_end": "2026-11-30T09:45:00+00:00",
    }
    ada = {"id": ADA, "name": "Ada Byron", "email": "ada@school.example", "role": "teacher"}
    assert launches["teachers"] == [{**lesson, "user": ada}]
    assert [launch["user"]["name"] for launch in launches["students"]] == ["Ben Ito", "Cem Kaya"]
    assert {launch["user"]["role"] for launch in launches["students"]} == {"student"}
    assert launches["refused"] == []


def test_brothers_and_sisters_with_one_address_are_two_people(read):
    students = read({**ROW, "students": "Gül Aydin <a@home.example>; Hana Aydin <a@home.example>"})["students"]
    assert len({launch["user"]["id"] for launch in students}) == 2


@pytest.mark.parametrize(
    ("days", "cancelled", "takes_place"),
    [
        ("Monday Thursday", "", True),
        ("daily", "", True),
        ("2026-11-30", "", True),
        ("Wednesday 2026-12-02", "", False),
        ("Monday", "2026-11-30", False),
        ("Monday", "2026-12-07", True),
        ("daily", "daily", False),
        ("daily", "Monday", False),
    ],
)
def test_a_lesson_takes_place_on_its_days_unless_it_is_cancelled(read, days, cancelled, takes_place):
    launches = read({**ROW, "days": days, "cancelled": cancelled})
    assert launches["refused"] == []
    assert (len(launches["teachers"]), len(launches["students"])) == ((1, 2) if takes_place else (0, 0))


@pytest.mark.parametrize(("hour", "lessons"), [(9, 1), (10, 0)])
def test_in_a_late_run_lessons_that_are_over_are_left_out(read, hour, lessons):
    assert len(read(ROW, now=MONDAY.replace(hour=hour))["teachers"]) == lessons


@pytest.mark.parametrize("change_of_clocks", [datetime(2026, 3, 29), datetime(2026, 10, 25)])
def test_every_days_lessons_are_in_one_days_run_also_when_the_clocks_change(read, change_of_clocks):
    rows = [
        {**ROW, "lesson": f"at-{hour}", "days": "daily", "start": f"{hour}:00", "end": f"{hour}:30"}
        for hour in ("05", "06")
    ]
    runs = [(change_of_clocks + timedelta(days=day)).replace(hour=6, tzinfo=LONDON) for day in (-2, -1, 0, 1)]
    found = [launch["launch_id"] for run in runs for launch in read(*rows, begin=run)["teachers"]]
    assert len(found) == len(set(found)) == 8


@pytest.mark.parametrize(("cancelled", "lessons"), [("", 1), ("2026-11-30", 1), ("2026-12-01", 0), ("Tuesday", 0)])
def test_a_lesson_just_after_midnight_is_one_of_the_morning_before_with_the_date_of_its_own_day(
    read, cancelled, lessons
):
    row = {**ROW, "days": "daily", "start": "0:00", "end": "0:45", "cancelled": cancelled}
    found = read(row)["teachers"]
    assert [(launch["launch_id"], launch["lesson_start"]) for launch in found] == [
        ("7b-maths-2026-12-01", "2026-12-01T00:00:00+00:00")
    ] * lessons


@pytest.mark.parametrize(
    ("day_before", "start", "end", "taught"),
    [
        ("2026-03-28", "0:30", "2:30", ("2026-03-29T00:30:00+00:00", "2026-03-29T02:30:00+01:00")),
        ("2026-03-28", "0:30", "1:15", ("2026-03-29T00:30:00+00:00", "2026-03-29T01:15:00+00:00")),
        ("2026-03-28", "1:30", "2:15", None),
        ("2026-03-28", "1:10", "1:55", None),
        ("2026-10-24", "0:30", "2:30", ("2026-10-25T00:30:00+01:00", "2026-10-25T02:30:00+00:00")),
        ("2026-10-24", "1:30", "2:15", ("2026-10-25T01:30:00+01:00", "2026-10-25T02:15:00+00:00")),
    ],
)
def test_a_lesson_in_the_night_in_which_the_clocks_change_ends_after_it_begins_or_is_refused(
    read, day_before, start, end, taught
):
    row = {**ROW, "days": "daily", "start": start, "end": end}
    launches = read(row, begin=datetime.fromisoformat(day_before).replace(hour=6, tzinfo=LONDON))
    if taught is None:
        assert launches["teachers"] == launches["students"] == []
        assert launches["refused"] == [
            f"timetable.csv, line 2, column start: there is no {start} on 2026-03-29: the clocks go forward"
        ]
    else:
        assert [(launch["lesson_start"], launch["lesson_end"]) for launch in launches["teachers"]] == [taught]


def test_a_line_break_in_a_cell_gets_into_no_subject_and_no_name(read):
    row = {**ROW, "subject": '"Maths\nBcc: eve@s.example"', "teacher": '"Ada\r\nByron <ada@school.example>"'}
    (launch,) = read(row)["teachers"]
    assert (launch["name"], launch["user"]["name"]) == ("Maths Bcc: eve@s.example", "Ada Byron")


def test_lessons_at_the_same_time_have_rooms_of_their_own(read):
    launches = read(ROW, {**ROW, "lesson": "8a-maths"})["teachers"]
    assert len({launch["launch_id"] for launch in launches}) == len({launch["lesson_start"] for launch in launches}) + 1
    assert len(launches) == 2


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"lesson": ""}, ": a lesson needs an id"),
        ({"lesson": 54 * "m"}, ", column lesson: the lesson's id is longer than 53"),
        ({"days": ""}, ": a lesson needs an id, a day"),
        (
            {"days": "Mondy"},
            ", column days: 'Mondy' is no weekday, date or 'daily': write Monday, or a date as 2026-12-14, and format",
        ),
        ({"days": "daily Mondy"}, ", column days: 'Mondy' is no weekday"),
        ({"days": "30/11/2026"}, ", column days: '30/11/2026' is no weekday, date or 'daily': write Monday, or a date"),
        ({"days": "46356"}, ", column days: '46356' is no weekday"),
        ({"days": "20261130"}, ", column days: '20261130' is no weekday"),
        ({"days": "2026-11-31"}, ", column days: '2026-11-31' is no weekday"),
        ({"days": "2026-11-30 00:00:00"}, ", column days: '00:00:00' is no weekday"),
        ({"cancelled": "24.12.2026"}, ", column cancelled: '24.12.2026' is no weekday, date or 'daily'"),
        ({"start": "9 am"}, ", column start: '9 am' is no time"),
        ({"start": "9.30"}, ", column start: '9.30' is no time"),
        ({"start": "0.375"}, ", column start: '0.375' is no time"),
        ({"start": '"0,375"'}, ", column start: '0,375' is no time"),
        ({"start": "9:00:30"}, ", column start: '9:00:30' is no time"),
        ({"start": "9:00 PM"}, ", column start: '9:00 PM' is no time"),
        (
            {"end": "25:00"},
            ", column end: '25:00' is no time: write local ones such as 9:00, and format the column as text",
        ),
        ({"start": "09:00+01:00"}, ", column start: '09:00+01:00' is no time: write local ones"),
        ({"start": "Zoe <zoe@home.example>"}, ", column start: what is there is no time"),
        ({"days": "x" * 100_000}, ", column days: what is there is no weekday"),
        ({"end": "08:00"}, ": a lesson needs an id, a day, and an end after its start"),
        ({"teacher": "Ada Byron"}, ", column teacher: the teacher must be written as"),
        ({"students": f"Ito, {BEN}"}, ": there are more cells than columns"),
        ({"students": f'"Ito, {BEN}"'}, ", column students: the student must be written as"),
        (
            {"students": "{{ conn.lessonspace_default.password }} <ben@home.example>"},
            ", column students: there is a brace",
        ),
        ({"subject": "{% set x = conn.lessonspace_default %}"}, ", column subject: there is a brace"),
        ({"lesson": "{{ conn.lessonspace_default.password }}"}, ", column lesson: there is a brace"),
        ({"students": "Ben <ben@home>"}, ", column students: the student must be written as"),
    ],
)
def test_a_row_that_cannot_be_read_is_named_and_the_others_are_launched(read, wrong, reason):
    launches = read({**ROW, **wrong}, {**ROW, "lesson": "other"})
    (refused,) = launches["refused"]
    assert refused.startswith(f"timetable.csv, line 2{reason}")
    assert "Zoe" not in refused
    assert len(refused) < 300
    assert [launch["launch_id"] for launch in launches["teachers"]] == ["other-2026-11-30"]
    assert len(launches["students"]) == 2


@pytest.mark.parametrize("later", ['"Art"', "Art", '"Art, advanced"'])
def test_a_stray_quotation_mark_never_brings_people_to_another_lesson(read, later):
    rows = [{**ROW, "subject": '"Maths'}, {**ROW, "lesson": "bio"}, {**ROW, "lesson": "art", "subject": later}]
    with pytest.raises(ValueError, match=r"^timetable.csv, line 2: it is unsure where this row ends .*quotation mark"):
        read(*rows)


def test_two_lessons_never_share_a_room(read):
    launches = read(ROW, {**ROW, "start": "14:00", "end": "14:45", "students": CEM})
    assert len(launches["teachers"]) == 1
    assert "timetable.csv, line 3, column lesson: a row above is called '7b-maths'" in launches["refused"][0]


def test_a_missing_column_is_named(read):
    with pytest.raises(ValueError, match=r"^timetable.csv lacks the columns cancelled"):
        read(columns=COLUMNS[:-1])


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("separator_line", [False, True])
def test_a_timetable_is_read_as_spreadsheets_save_it(tmp_path, encoding, delimiter, separator_line):
    file = io.StringIO(newline="")
    if separator_line:
        file.write(f"sep={delimiter}\r\n")
    row = {**ROW, "start": "9:00:00", "subject": "Größen; \n1, 2", "note": "not read"}
    writer = csv.DictWriter(file, [*COLUMNS, "note"], delimiter=delimiter)
    writer.writeheader()
    writer.writerow(row)
    writer.writerows([dict.fromkeys(row, "")] * 3)
    path = tmp_path / "timetable.csv"
    path.write_bytes(file.getvalue().encode(encoding))
    launches = read_launches(path, MONDAY, MONDAY, LONDON)
    assert launches["refused"] == []
    assert [(launch["name"], launch["lesson_start"]) for launch in launches["teachers"]] == [
        ("Größen; 1, 2", "2026-11-30T09:00:00+00:00")
    ]
    assert [launch["user"]["name"] for launch in launches["students"]] == ["Ben Ito", "Cem Kaya"]


def test_a_timetable_in_another_encoding_names_the_rows_and_launches_the_others(tmp_path):
    rows = [ROW, {**ROW, "lesson": "8a", "teacher": "Gül Aydin <a@home.example>"}]
    path = tmp_path / "timetable.csv"
    path.write_bytes("\n".join([",".join(COLUMNS), *(",".join(row.values()) for row in rows)]).encode("cp1252"))
    launches = read_launches(path, MONDAY, MONDAY, LONDON)
    assert [launch["launch_id"] for launch in launches["teachers"]] == ["7b-maths-2026-11-30"]
    assert launches["refused"] == [
        "timetable.csv, line 3, column teacher: a letter can't be read as UTF-8. Save it from the spreadsheet as "
        "'CSV UTF-8'"
    ]
