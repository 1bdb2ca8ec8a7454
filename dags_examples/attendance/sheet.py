# SPDX-License-Identifier: Apache-2.0
"""The report as CSV. Pure."""

from __future__ import annotations

import csv
import io
from datetime import timedelta

from attendance.figures import GUEST, STRANGER, Report, week_name
from attendance.lessons import STUDENT, TEACHER
from lessonspace_provider.spreadsheets import without_formulas

COLUMNS = [
    "week",
    "kind",
    "name",
    "email",
    "lessons_planned",
    "lessons_held",
    "lessons_attended",
    "attendance_percent",
    "times_late",
    "average_lateness_minutes",
    "worst_lateness_minutes",
    "minutes",
    "billable_minutes",
    "sessions_unsure",
    "talk_minutes",
]


def as_csv(report: Report) -> bytes:
    """
    Write a row per person, and per session without a lesson, as in RFC 4180.

    With a byte order mark, without which Excel takes UTF-8 for something else. Of teachers, there are no lessons held
    and no percentage: whether a lesson was held depends on them.
    """
    file = io.StringIO(newline="")
    writer = csv.writer(file)
    writer.writerow(COLUMNS)
    week = week_name(report)
    for row in report.people(TEACHER) + report.people(STUDENT) + report.people(STRANGER, GUEST):
        counts = [row.planned, row.held if row.kind == STUDENT else None, row.attended] if row.planned else [None] * 3
        figures = [row.percent, row.late if row.planned else None, row.average_lateness, row.worst_lateness]
        sums = [row.minutes, row.billable, row.unsure, row.talk]
        cells = (week, row.kind, row.name, row.email, *counts, *figures, *sums)
        writer.writerow(_cell(value) for value in cells)
    for other in report.others:
        minutes = (other.end - other.start) / timedelta(minutes=1) if other.start and other.end else None
        cells = (week, "session without a lesson", other.room, *[None] * 8, minutes, other.billable, None, None)
        writer.writerow(_cell(value) for value in cells)
    return file.getvalue().encode("utf-8-sig", "replace")  # half a character in a name must not stop the report


def _cell(value: str | float | None) -> str:
    if value is None or isinstance(value, int):
        return "" if value is None else str(value)
    return f"{value:.1f}" if isinstance(value, float) else without_formulas(value)
