# SPDX-License-Identifier: Apache-2.0
"""
Reads a school's timetable for the DAGs `class_launch` and `attendance_report`. No DAG itself: keep it beside them.

The timetable is a CSV file with a row per lesson:

| column | meaning |
|---|---|
| `lesson` | the school's own id of the lesson, at most 53 characters; with the date, it names the room |
| `subject` | what people read |
| `days` | weekdays, dates or `daily`, such as `Monday Thursday` or `2026-12-14 2026-12-16` |
| `start`, `end` | the school's local time, such as `9:00`; a lesson ends on the day on which it began |
| `teacher` | `Ada Byron <ada@school.example>` |
| `students` | likewise, with `;` between them |
| `cancelled` | the days on which it is cancelled, written as in `days`; blank for none |
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import date, datetime, time, timedelta, timezone
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

COLUMNS = ("lesson", "subject", "days", "start", "end", "teacher", "students", "cancelled")
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
TIME = re.compile(r"[0-9]?[0-9]:[0-9][0-9]")
PERSON = re.compile(r"\s*([^<>,;]*[^<>,;\s])\s*<([^<>@,;\s]+@[^<>@,;\s]+\.[^<>@,;\s]+)>\s*")

#: A launch's id has 64 characters at most, of which the date and its hyphen take 11.
LONGEST_ID = 53

#: The arguments of one launch.
Launch = dict[str, Any]


def read_launches(path: Path, begin: datetime, now: datetime, zone: ZoneInfo) -> dict[str, list[Any]]:
    """
    Say whom to launch for the lessons that begin within a day and are not over yet.

    :param path: the timetable.
    :param begin: aware; lessons from this moment until the same time of the next day in the school's zone.
    :param now: aware; later than ``begin`` when Airflow runs late, or when a DAG has just been unpaused.
    :param zone: the school's time zone.
    :return: the launches of ``teachers`` and of ``students``, and which rows were ``refused`` and why.
    :raises ValueError: when a column is missing, or a quotation mark makes it unsure where a row ends.
    """
    launches: dict[str, list[Any]] = {"teachers": [], "students": [], "refused": []}
    taken: set[str] = set()
    for line, row in _rows(path):
        try:
            lessons = [lesson for lesson in _lessons(row, begin.astimezone(zone)) if is_ahead(lesson, now)]
            teacher, students = _person(row["teacher"], "teacher"), _students(row["students"])
            for lesson in lessons:
                if lesson["launch_id"] in taken:
                    raise ValueError(f"a row above is called {row['lesson']!r} on that day, too")
                taken.add(lesson["launch_id"])
                launches["teachers"].append({**lesson, "user": teacher})
                launches["students"] += [{**lesson, "user": student} for student in students]
        except ValueError as error:
            launches["refused"].append(f"line {line}: {error}")
    return launches


def is_ahead(launch: Launch, now: datetime) -> bool:
    """Whether a lesson is not over yet, so that a link to it is of use."""
    return datetime.fromisoformat(launch["lesson_end"]) > now


def _rows(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        # Strict, or a stray quotation mark would join this lesson's beginning with another one's people.
        reader = csv.DictReader(file, strict=True)
        if missing := set(COLUMNS) - set(reader.fieldnames or ()):
            raise ValueError(f"{path} lacks the columns {', '.join(sorted(missing))}.")
        try:
            for row in reader:
                cells = {column: " ".join((row[column] or "").split()) for column in COLUMNS}
                yield reader.line_num, {**cells, "too much": str(row.get(None, ""))}
        except csv.Error as error:
            raise ValueError(
                f"{path}: the row after line {reader.line_num} has a stray quotation mark ({error})."
            ) from None


def _lessons(row: dict[str, str], begin: datetime) -> Iterator[Launch]:
    if any("{" in cell for cell in row.values()):
        # Airflow would render it, with all that its connections and variables hold.
        raise ValueError("there is a brace, and a timetable can't have templates")
    if row["too much"]:
        raise ValueError("there are more cells than columns: a cell with a comma needs quotation marks")
    start, end = _time(row["start"]), _time(row["end"])
    if not row["lesson"] or not row["days"] or start >= end:
        raise ValueError("a lesson needs an id, a day, and an end after its start")
    if len(row["lesson"]) > LONGEST_ID:
        raise ValueError(f"the lesson's id is longer than {LONGEST_ID} characters")
    for day in (begin.date(), begin.date() + timedelta(days=1)):
        if not _includes(row["days"], day) or _includes(row["cancelled"], day):
            continue
        lesson_start = datetime.combine(day, start, begin.tzinfo)
        # Sums of local times: a day on which the clocks change has its night's lessons, too.
        if begin <= lesson_start < begin + timedelta(days=1):
            if _is_left_out(lesson_start):
                raise ValueError(f"there is no {row['start']} on {day}: the clocks go forward")
            yield {
                "launch_id": f"{row['lesson']}-{day}",  # without the day, it is the same room in all weeks
                "name": row["subject"],
                "lesson_start": lesson_start.isoformat(),
                "lesson_end": datetime.combine(day, end, begin.tzinfo).isoformat(),
            }


def _time(text: str) -> time:
    # Not all that is ISO 8601: Python reads 9.30 as nine o'clock and a fraction of a second.
    if TIME.fullmatch(text):
        with suppress(ValueError):
            return time.fromisoformat(text.zfill(5))
    raise ValueError(f"{text!r} is no time: write the school's local ones, such as 9:00")


def _is_left_out(moment: datetime) -> bool:
    """Whether the clocks never show this local time, since they go forward over it."""
    back = moment.astimezone(timezone.utc).astimezone(moment.tzinfo)
    return back.replace(tzinfo=None) != moment.replace(tzinfo=None)


def _includes(days: str, day: date) -> bool:
    words = days.split()
    # Every word is read: a misspelt weekday must not pass for a day without the lesson.
    dates = [_date(word) for word in words if word not in ("daily", *WEEKDAYS)]
    return "daily" in words or WEEKDAYS[day.weekday()] in words or day in dates


def _date(word: str) -> date:
    try:
        return date.fromisoformat(word)
    except ValueError:
        raise ValueError(f"{word!r} is no weekday, date or 'daily'") from None


def _students(cell: str) -> list[Launch]:
    return [_person(text, "student") for text in cell.split(";") if text.strip()]


def _person(text: str, role: str) -> Launch:
    found = PERSON.fullmatch(text)
    if found is None:
        raise ValueError(f"the {role} must be written as Ada Byron <ada@school.example>")
    name, email = found.groups()
    # Name and address together: brothers and sisters may share an address, and namesakes a class.
    return {"id": f"{name} <{email}>", "name": name, "email": email, "role": role}
