# SPDX-License-Identifier: Apache-2.0
"""
The page of the DAG `attendance_report`, made with `attendance_page.html.jinja`. No DAG itself: keep it beside them.

All text is escaped by Jinja; the page has no script and loads nothing.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from attendance_figures import GUEST, STRANGER, Report, Row, week_name
from attendance_lessons import STUDENT, TEACHER, lesson_label
from jinja2 import Environment, FileSystemLoader, StrictUndefined

TEMPLATE = Path(__file__).with_name("attendance_page.html.jinja")

#: A plot of more bars is drawn in parts, so that none is cut in two by a page's end on paper.
BARS = 40


@dataclass(frozen=True)
class Bar:
    """A bar: ``value`` of ``limit`` in a strong colour, in front of ``behind``; the number is in words."""

    name: str
    value: float
    behind: float
    limit: float
    number: str


@dataclass(frozen=True)
class Plot:
    """Bars under a title; the description is for who can't see them."""

    title: str
    description: str
    bars: list[Bar]

    @property
    def parts(self) -> list[list[Bar]]:
        """The bars, not too many at a time."""
        return [self.bars[first : first + BARS] for first in range(0, len(self.bars), BARS)]


def as_page(report: Report, zone: str) -> bytes:
    """
    Write the page.

    :param report: what was counted.
    :param zone: the name of the school's time zone.
    """
    environment = Environment(
        loader=FileSystemLoader(TEMPLATE.parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"number": number, "lesson": lesson_label, "moment": moment}
    teachers, students = report.people(TEACHER), report.people(STUDENT)
    page = environment.get_template(TEMPLATE.name).render(
        report=report,
        week=week_name(report),
        zone=zone,
        days=days(report),
        teachers=teachers,
        students=students,
        unknown=report.people(STRANGER, GUEST),
        namesakes=namesakes(report.rows.values()),
        teacher_plots=teacher_plots(teachers),
        student_plots=student_plots(students),
        absent=sorted((row for row in students if row.absent), key=lambda row: -len(row.absent)),
        late=sorted(report.late, key=lambda entry: -entry[2]),
    )
    return page.encode()


def teacher_plots(rows: list[Row]) -> list[Plot]:
    """Draw what teachers did, those who need a look first."""
    return [
        plot(
            "Lessons taught, of those planned",
            rows,
            lambda row: (row.attended, row.planned, f"{row.attended} of {row.planned}"),
            order=lambda row: row.attended - row.planned,
        ),
        plot(
            "Minutes late: average, and worst behind it",
            [row for row in rows if row.lateness],
            lambda row: (
                row.average_lateness or 0,
                row.worst_lateness or 0,
                f"{number(row.average_lateness, 1)}, worst {number(row.worst_lateness, 1)}",
            ),
            order=lambda row: -(row.worst_lateness or 0),
        ),
        plot("Minutes present", rows, lambda row: (row.minutes, 0, number(row.minutes))),
        plot("Billable minutes", rows, lambda row: (row.billable, 0, number(row.billable))),
    ]


def student_plots(rows: list[Row]) -> list[Plot]:
    """Draw how students came, those who need a look first."""
    return [
        plot(
            "Lessons attended, of those held",
            [row for row in rows if row.held],
            lambda row: (row.percent or 0, 100, f"{row.attended} of {row.held}, {number(row.percent)} %"),
            order=lambda row: row.percent or 0,
        ),
        plot("Minutes present", rows, lambda row: (row.minutes, 0, number(row.minutes)), order=lambda row: row.minutes),
        plot(
            "Times late, of those who were",
            [row for row in rows if row.late],
            lambda row: (row.late, 0, str(row.late)),
            order=lambda row: -row.late,
        ),
    ]


def plot(
    title: str,
    rows: list[Row],
    measure: Callable[[Row], tuple[float, float, str]],
    order: Callable[[Row], float] = lambda row: -row.minutes,
) -> Plot:
    """
    Draw a bar for each person.

    :param measure: gives the bar's value, what is behind it, and the number in words.
    :param order: the least first.
    """
    measured = [(row.name, *measure(row)) for row in sorted(rows, key=order)]
    limit = max((max(value, behind) for _, value, behind, _ in measured), default=0) or 1
    bars = [Bar(name, value, behind, limit, words) for name, value, behind, words in measured]
    return Plot(title, "; ".join(f"{bar.name}: {bar.number}" for bar in bars), bars)


def namesakes(rows: Collection[Row]) -> set[str]:
    """Say which names several people have."""
    return {name for name, times in Counter(row.name for row in rows).items() if times > 1}


def number(value: float | None, digits: int = 0) -> str:
    """Write a number with its thousands apart; a dash for what is not known."""
    if value is None:
        return "–"
    scale = 10**digits
    # Python rounds halves to even: 60.5 would become 60, and 61.5 become 62.
    return f"{math.floor(value * scale + 0.5) / scale:,.{digits}f}".replace(",", "\u202f")


def moment(time: datetime | None, zone: datetime) -> str:
    """Write a point in time in the zone of another one."""
    if time is None:
        return "–"
    local = time.astimezone(zone.tzinfo)
    return f"{local:%a} {local.day} {local:%b, %H:%M}"


def days(report: Report) -> str:
    """Write from which day to which the week is."""
    end = report.end.date() - timedelta(days=1)
    begin = f"{report.begin.day} {report.begin:%B}" if report.begin.month != end.month else str(report.begin.day)
    year = f" {report.begin.year}" if report.begin.year != end.year else ""
    return f"{begin}{year} to {end.day} {end:%B %Y}"
