# SPDX-License-Identifier: Apache-2.0
"""
Reads a school's timetable for several of the DAGs beside it. It is not a DAG; keep it beside them.

The timetable is a CSV file with a row per lesson, saved from a spreadsheet as UTF-8 or UTF-16, with commas, semicolons
or tabs between its cells:

| column | meaning |
|---|---|
| `lesson` | the school's own id of the lesson, at most 53 characters; with the date, it names the room |
| `subject` | what people read |
| `days` | weekdays, dates or `daily`, such as `Monday Thursday` or `2026-12-14 2026-12-16` |
| `start`, `end` | the school's local time, such as `9:00`; a lesson ends on the day on which it began |
| `teacher` | `Ada Byron <ada@school.example>` |
| `students` | likewise, with `;` between them |
| `cancelled` | the days on which it is cancelled, written as in `days`; blank for none |

Format the columns of days and times as text in the spreadsheet, or it may save dates and times in another form.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import date, datetime, time, timedelta, timezone
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from lessonspace_provider.spreadsheets import Row, read_rows

COLUMNS = ("lesson", "subject", "days", "start", "end", "teacher", "students", "cancelled")
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
# Spreadsheets add seconds.
TIME = re.compile(r"([0-9]?[0-9]:[0-9][0-9])(:00)?")
# Not all that is ISO 8601: Python 3.11 would read 20261214 as a date, and a spreadsheet may write numbers for days.
DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
PERSON = re.compile(r"\s*([^<>,;]*[^<>,;\s])\s*<([^<>@,;\s]+@[^<>@,;\s]+\.[^<>@,;\s]+)>\s*")

#: A launch's id has 64 characters at most, of which the date and its hyphen take 11.
LONGEST_ID = 53

#: Characters of a cell that a message repeats.
LONGEST_SHOWN = 30

SAMPLE = Path(__file__).with_name("timetable.csv")

#: The arguments of one launch.
Launch = dict[str, Any]


def timetable_file() -> Any:
    """Give the file in the Airflow Variable `lessonspace_timetable`, on any store; without it, the sample."""
    from airflow.sdk import ObjectStoragePath, Variable

    return ObjectStoragePath(Variable.get("lessonspace_timetable", default=str(SAMPLE)))


def read_launches(path: Any, begin: datetime, now: datetime, zone: ZoneInfo) -> dict[str, list[Any]]:
    """
    List whom to launch for the lessons that begin within a day and are not over yet.

    :param path: the timetable, a `Path` or an `ObjectStoragePath`.
    :param begin: aware; lessons from this moment until the same time of the next day in the school's zone.
    :param now: aware; later than ``begin`` when Airflow runs late, or when a DAG has just been unpaused.
    :param zone: the school's time zone.
    :return: the launches of ``teachers`` and of ``students``, and which rows were ``refused``: file, line, column, why
        and what to write instead.
    :raises ValueError: when it is no such file, a column is missing or there twice, or a quotation mark makes it unsure
        where a row ends.
    """
    launches: dict[str, list[Any]] = {"teachers": [], "students": [], "refused": []}
    taken: set[str] = set()
    for row in read_rows(path.read_bytes(), path.name, COLUMNS):
        try:
            lessons = [lesson for lesson in _lessons(row, begin.astimezone(zone)) if is_ahead(lesson, now)]
            teacher, students = _person(row, "teacher", row["teacher"]), _students(row)
            for lesson in lessons:
                if lesson["launch_id"] in taken:
                    raise row.error(f"a row above is called {row['lesson']!r} on that day, too", "lesson")
                taken.add(lesson["launch_id"])
                launches["teachers"].append({**lesson, "user": teacher})
                launches["students"] += [{**lesson, "user": student} for student in students]
        except ValueError as error:
            launches["refused"].append(str(error))
    return launches


def is_ahead(launch: Launch, now: datetime) -> bool:
    """Whether a lesson is not over yet, so that a link to it is of use."""
    return datetime.fromisoformat(launch["lesson_end"]) > now


def _lessons(row: Row, begin: datetime) -> Iterator[Launch]:
    if row.problem:
        raise ValueError(row.problem)
    for column, cell in row.cells.items():
        if "{" in cell:
            # Airflow would render it, with all that its connections and variables hold.
            raise row.error("there is a brace, and a timetable can't have templates", column)
    start, end = _time(row, "start"), _time(row, "end")
    if not row["lesson"] or not row["days"] or start >= end:
        raise row.error("a lesson needs an id, a day, and an end after its start")
    if len(row["lesson"]) > LONGEST_ID:
        raise row.error(f"the lesson's id is longer than {LONGEST_ID} characters", "lesson")
    for day in (begin.date(), begin.date() + timedelta(days=1)):
        if not _includes(row, "days", day) or _includes(row, "cancelled", day):
            continue
        lesson_start = datetime.combine(day, start, begin.tzinfo)
        # Sums of local times: a day on which the clocks change has its night's lessons, too.
        if begin <= lesson_start < begin + timedelta(days=1):
            if _is_left_out(lesson_start):
                raise row.error(f"there is no {row['start']} on {day}: the clocks go forward", "start")
            yield {
                "launch_id": f"{row['lesson']}-{day}",  # without the day, it is the same room in all weeks
                "name": row["subject"],
                "lesson_start": lesson_start.isoformat(),
                "lesson_end": datetime.combine(day, end, begin.tzinfo).isoformat(),
            }


def _time(row: Row, column: str) -> time:
    # Not all that is ISO 8601: Python reads 9.30 as nine o'clock and a fraction of a second.
    if match := TIME.fullmatch(row[column]):
        with suppress(ValueError):
            return time.fromisoformat(match[1].zfill(5))
    raise row.error(
        f"{_shown(row[column])} is no time: write local ones such as 9:00, and format the column as text", column
    )


def _is_left_out(moment: datetime) -> bool:
    """Whether the clocks never show this local time, since they go forward over it."""
    back = moment.astimezone(timezone.utc).astimezone(moment.tzinfo)
    return back.replace(tzinfo=None) != moment.replace(tzinfo=None)


def _includes(row: Row, column: str, day: date) -> bool:
    words = row[column].split()
    # Every word is read: a misspelt weekday must not pass for a day without the lesson.
    dates = [_date(row, column, word) for word in words if word not in ("daily", *WEEKDAYS)]
    return "daily" in words or WEEKDAYS[day.weekday()] in words or day in dates


def _date(row: Row, column: str, word: str) -> date:
    if DATE.fullmatch(word):
        with suppress(ValueError):
            return date.fromisoformat(word)
    allowed = "write Monday, or a date as 2026-12-14, and format the column as text"
    raise row.error(f"{_shown(word)} is no weekday, date or 'daily': {allowed}", column)


def _shown(text: str) -> str:
    """Write a cell for a message, which Airflow logs: not one that may have people in it, and none that is long."""
    return "what is there" if len(text) > LONGEST_SHOWN or "@" in text or "<" in text else repr(text)


def _students(row: Row) -> list[Launch]:
    return [_person(row, "student", text) for text in row["students"].split(";") if text.strip()]


def _person(row: Row, role: str, text: str) -> Launch:
    found = PERSON.fullmatch(text)
    if found is None:
        column = "teacher" if role == "teacher" else "students"
        raise row.error(f"the {role} must be written as Ada Byron <ada@school.example>", column)
    name, email = found.groups()
    # Name and address together: brothers and sisters may share an address, and namesakes a class.
    return {"id": f"{name} <{email}>", "name": name, "email": email, "role": role}
