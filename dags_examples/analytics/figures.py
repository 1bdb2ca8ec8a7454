# SPDX-License-Identifier: Apache-2.0
"""
The figures of the DAG `lesson_analytics`: of a day with DuckDB, and of weeks.

A day's figures are sums without any spoken text, so that a run reads the tables of the days that changed only.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

#: How many weeks are shown, and over how many a student has to be silent to be listed.
WEEKS, SILENT_WEEKS = 8, 4

#: How many lessons with a transcript a student was in, at least, to be listed as silent.
FEWEST_LESSONS = 2

TEACHERS = """
    SELECT people.user_id, any_value(people.name) AS name, count(*) AS lessons,
           sum(people.talk_seconds) AS talk_seconds, sum(sessions.talk_seconds) AS of_seconds
    FROM people JOIN sessions USING (session_id)
    WHERE people.role = 'teacher' AND people.user_id IS NOT NULL AND sessions.segments > 0
    GROUP BY people.user_id ORDER BY people.user_id
"""
STUDENTS = """
    SELECT people.user_id, count(*) AS lessons, count(*) FILTER (WHERE people.words > 0) AS spoke
    FROM people JOIN sessions USING (session_id)
    WHERE people.role = 'student' AND people.user_id IS NOT NULL AND sessions.segments > 0
    GROUP BY people.user_id ORDER BY people.user_id
"""
WITHOUT_TRANSCRIPT = """
    SELECT status, CASE status WHEN 'not_eligible' THEN split_part(reason, ':', 1) ELSE '' END AS reason,
           count(*) AS sessions
    FROM sessions WHERE coalesce(segments, 0) = 0
    GROUP BY ALL ORDER BY ALL
"""


def figures_of_day(tables: Mapping[str, Iterable[bytes]]) -> dict[str, list[dict[str, Any]]]:
    """
    Compute a day's figures.

    :param tables: the content of the day's Parquet files, of ``sessions`` and of ``people``.
    """
    import duckdb
    import pyarrow as pa
    import pyarrow.parquet as pq

    with duckdb.connect() as database:
        for table, files in tables.items():
            database.register(table, pa.concat_tables([pq.read_table(io.BytesIO(data)) for data in files]))
        queries = {"teachers": TEACHERS, "students": STUDENTS, "without_transcript": WITHOUT_TRANSCRIPT}
        return {name: _rows(database, query) for name, query in queries.items()}


def _rows(database: Any, query: str) -> list[dict[str, Any]]:
    result = database.execute(query)
    columns = [column[0] for column in result.description]
    return [dict(zip(columns, row)) for row in result.fetchall()]


@dataclass
class Teacher:
    """A teacher's lessons with a transcript in a week; ``of_seconds`` is what all people in them talked."""

    user_id: int
    name: str | None = None
    lessons: int = 0
    talk_seconds: float = 0.0
    of_seconds: float = 0.0

    @property
    def percent(self) -> float | None:
        """The teacher's share of the talk time; None where no one talked."""
        return 100 * self.talk_seconds / self.of_seconds if self.of_seconds else None

    @property
    def label(self) -> str:
        """The name, or the user id where the archive has no name."""
        return self.name or f"User {self.user_id}"


@dataclass
class SilentStudent:
    """A student who did not speak, and the lessons with a transcript in which they were."""

    user_id: int
    lessons: int
    last_day: date


@dataclass
class Week:
    """The figures of a week, from Monday to Sunday in UTC; sessions without a transcript by status and reason."""

    monday: date
    teachers: dict[int, Teacher] = field(default_factory=dict)
    without_transcript: dict[tuple[str, str], int] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Such as ``2026-W47``."""
        year, week, _ = self.monday.isocalendar()
        return f"{year}-W{week:02d}"


@dataclass
class Analytics:
    """What the page and the CSV files show: the latest weeks, oldest first, and who was silent in the last of them."""

    weeks: list[Week]
    silent: list[SilentStudent]


def analytics(days: Mapping[date, Mapping[str, list[dict[str, Any]]]]) -> Analytics:
    """
    Sum the figures of days up.

    :param days: see ``figures_of_day``.
    """
    last = _monday(max(days)) if days else date.min
    weeks: dict[date, Week] = {}
    for day in sorted(day for day in days if day >= last - timedelta(weeks=WEEKS - 1)):
        week = weeks.setdefault(_monday(day), Week(_monday(day)))
        for row in days[day]["teachers"]:
            teacher = week.teachers.setdefault(row["user_id"], Teacher(row["user_id"]))
            teacher.name = teacher.name or row["name"]
            teacher.lessons += row["lessons"]
            teacher.talk_seconds += row["talk_seconds"] or 0
            teacher.of_seconds += row["of_seconds"] or 0
        for row in days[day]["without_transcript"]:
            key = (row["status"], row["reason"])
            week.without_transcript[key] = week.without_transcript.get(key, 0) + row["sessions"]
    recent = {day: days[day]["students"] for day in days if day >= last - timedelta(weeks=SILENT_WEEKS - 1)}
    return Analytics([weeks[monday] for monday in sorted(weeks)], _silent(recent))


def _silent(days: Mapping[date, list[dict[str, Any]]]) -> list[SilentStudent]:
    students: dict[int, SilentStudent] = {}
    spoke = set()
    for day in sorted(days):
        for row in days[day]:
            student = students.setdefault(row["user_id"], SilentStudent(row["user_id"], 0, day))
            student.lessons, student.last_day = student.lessons + row["lessons"], day
            if row["spoke"]:
                spoke.add(row["user_id"])
    silent = [s for s in students.values() if s.user_id not in spoke and s.lessons >= FEWEST_LESSONS]
    return sorted(silent, key=lambda student: (-student.lessons, student.user_id))


def _monday(day: date) -> date:
    return day - timedelta(days=day.weekday())
