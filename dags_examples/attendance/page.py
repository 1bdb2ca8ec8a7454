# SPDX-License-Identifier: Apache-2.0
"""
The report as a page, made with `page.html.jinja`.

All text is escaped by Jinja; the page has no script and loads nothing.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from attendance.figures import GUEST, STRANGER, OtherSession, Report, Row, week_name
from attendance.lessons import STUDENT, TEACHER, folded, lesson_label

TEMPLATE = Path(__file__).with_name("page.html.jinja")


class Part(NamedTuple):
    """A piece of a bar: its colour, by the name of a class in the template, and its width in percent of the plot's."""

    colour: str
    width: float


class Bar(NamedTuple):
    """A line of a plot: whose it is, the pieces from left to right, and the same in words."""

    name: str
    email: str
    parts: list[Part]
    words: str


class Plot(NamedTuple):
    """Bars under a title; the legend explains the colours, where there are several."""

    title: str
    legend: list[tuple[str, str]]
    bars: list[Bar]


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
    environment.filters |= {"number": number, "lesson": lesson_label, "times": times}
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
        plots=[plot for plot in (lessons_by_day(report), by_attendance(students), by_lateness(teachers)) if plot.bars],
        absent=sorted((row for row in students if row.absent), key=lambda row: -len(row.absent)),
        late=sorted(report.late, key=lambda entry: -entry[2]),
    )
    return page.encode(errors="replace")  # half a character in a name must not stop the report


def lessons_by_day(report: Report) -> Plot:
    """Draw how many lessons of each day were taught."""
    planned = Counter(lesson.start.date() for lesson in report.lessons)
    missed = Counter(lesson.start.date() for lesson, _ in report.missed)
    unclear = Counter(lesson.start.date() for lesson, _ in report.unclear)
    scale = 100 / max(planned.values(), default=1)
    bars = []
    for day in sorted(planned):
        taught = planned[day] - missed[day] - unclear[day]
        counts = {"good": taught, "unsure": unclear[day], "bad": missed[day]}
        parts = [Part(colour, count * scale) for colour, count in counts.items()]
        bars.append(Bar(f"{day:%A}", "", parts, f"{taught} of {planned[day]}"))
    return Plot(
        "Lessons taught, day by day", [("good", "taught"), ("unsure", "not clear"), ("bad", "no teacher")], bars
    )


def by_attendance(rows: list[Row]) -> Plot:
    """Draw how many students came to all of their lessons, to most, to some, to none."""
    groups = {"all": 0, "at least three in four": 0, "at least half": 0, "less than half": 0, "none": 0}
    for row in rows:
        if row.percent is not None:
            limits = ((100, "all"), (75, "at least three in four"), (50, "at least half"), (1e-9, "less than half"))
            groups[next((name for limit, name in limits if row.percent >= limit), "none")] += 1
    scale = 100 / max(1, *groups.values())
    bars = [
        Bar(name, "", [Part("good", count * scale)], f"{count} student{'s' if count != 1 else ''}")
        for name, count in groups.items()
    ]
    return Plot("Students by how many of their lessons they came to", [], bars if any(groups.values()) else [])


def by_lateness(rows: list[Row]) -> Plot:
    """Draw how late those came who were late, on average and at worst; the worst first."""
    late = sorted((row for row in rows if row.late), key=lambda row: -(row.worst_lateness or 0))
    scale = 100 / (late[0].worst_lateness or 1) if late else 0
    bars = []
    for row in late:
        average, worst = row.average_lateness or 0, row.worst_lateness or 0
        parts = [Part("good", average * scale), Part("pale", (worst - average) * scale)]
        bars.append(Bar(row.name, row.email, parts, f"{number(average, 1)}, at worst {number(worst, 1)}"))
    return Plot("Teachers who came late, by minutes", [("good", "on average"), ("pale", "at worst")], bars)


def namesakes(rows: Collection[Row]) -> set[str]:
    """List the names that several people have: addresses distinguish these people."""
    people = {(folded(row.name), folded(row.email)) for row in rows}
    times = Counter(name for name, _ in people)
    return {row.name for row in rows if times[folded(row.name)] > 1}


def number(value: float | None, digits: int = 0) -> str:
    """Write a number with its thousands apart; a dash for what is not known."""
    if value is None:
        return "–"
    scale = 10**digits
    # Python rounds halves to even: 60.5 would become 60, and 61.5 become 62.
    return f"{math.floor(value * scale + 0.5) / scale:,.{digits}f}".replace(",", "\u202f")


def times(session: OtherSession, zone: datetime) -> str:
    """Write from when to when a session was, in the zone of a point in time."""
    if session.start is None or session.end is None:
        return "–"
    start, end = session.start.astimezone(zone.tzinfo), session.end.astimezone(zone.tzinfo)
    return f"{start:%a} {start.day} {start:%b, %H:%M} to {end:%H:%M}"


def days(report: Report) -> str:
    """Write from which day to which the week is."""
    end = report.end.date() - timedelta(days=1)
    begin = f"{report.begin.day} {report.begin:%B}" if report.begin.month != end.month else str(report.begin.day)
    year = f" {report.begin.year}" if report.begin.year != end.year else ""
    return f"{begin}{year} to {end.day} {end:%B %Y}"
