# SPDX-License-Identifier: Apache-2.0
"""
The CSV files and the page of the DAG `lesson_analytics`, made with `page.html.jinja`.

All text is escaped by Jinja; the page has no script and loads nothing.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from analytics.figures import FEWEST_LESSONS, SILENT_WEEKS, Analytics, Teacher, Week
from lessonspace_provider.spreadsheets import without_formulas

TEMPLATE = Path(__file__).with_name("page.html.jinja")

#: Sizes in the plots, in pixels: of a line, of the space for names and figures, and in all.
LINE, NAMES, WIDTH, FIGURES = 28, 200, 640, 110

#: How many teachers and reasons a plot shows; the CSV files have all.
MOST_BARS, MOST_REASONS = 30, 5

COLOURS = ("#1f5f8b", "#e0a526", "#a3271b", "#5b8c5a", "#7a5195", "#9aa5b1")


class Bar(NamedTuple):
    """A piece of a plot: where it begins and how long it is, in pixels, its colour, and what it is."""

    x: float
    width: float
    colour: str
    words: str


class Line(NamedTuple):
    """A line of a plot: its name, its pieces, the figure behind them, and a mark for what it was the week before."""

    name: str
    bars: list[Bar]
    figure: str
    mark: float | None = None


def as_page(found: Analytics) -> bytes:
    """Write the page."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATE.parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    week = found.weeks[-1] if found.weeks else None
    reasons = _reasons(found.weeks)
    other = [_reason(*key) not in reasons for week_ in found.weeks for key in week_.without_transcript]
    page = environment.get_template(TEMPLATE.name).render(
        found=found,
        week=week,
        shares=_shares(found.weeks),
        more_teachers=max(0, len(week.teachers) - MOST_BARS) if week else 0,
        losses=_losses(found.weeks, reasons),
        legend=list(zip([*reasons, "other reasons"][: len(reasons) + any(other)], COLOURS)),
        sizes={"line": LINE, "names": NAMES, "width": WIDTH, "figures": FIGURES},
        silent_weeks=SILENT_WEEKS,
        fewest=FEWEST_LESSONS,
    )
    return page.encode(errors="replace")  # half a character in a name must not stop the page


def _shares(weeks: Sequence[Week]) -> list[Line]:
    """Draw each teacher's share of the talk time in the latest week, the largest first."""
    if not weeks:
        return []
    before = weeks[-2].teachers if len(weeks) > 1 else {}
    known = [(teacher, teacher.percent) for teacher in weeks[-1].teachers.values()]
    shown = sorted(((t, p) for t, p in known if p is not None), key=lambda pair: (-pair[1], pair[0].user_id))
    return [_share(teacher, percent, before.get(teacher.user_id)) for teacher, percent in shown[:MOST_BARS]]


def _share(teacher: Teacher, percent: float, before: Teacher | None) -> Line:
    scale = (WIDTH - NAMES - FIGURES) / 100
    lessons = f"{teacher.lessons} lesson{'s' if teacher.lessons != 1 else ''}"
    mark = None if before is None or before.percent is None else NAMES + before.percent * scale
    bar = Bar(NAMES, percent * scale, COLOURS[0], f"{percent:.0f} % of the talk time in {lessons}")
    return Line(_short(teacher.label), [bar], f"{percent:.0f} %, {lessons}", mark)


def _reasons(weeks: Iterable[Week]) -> list[str]:
    counts: Counter[str] = Counter()
    for week in weeks:
        for key, sessions in week.without_transcript.items():
            counts[_reason(*key)] += sessions
    return [reason for reason, _ in counts.most_common(MOST_REASONS)]


def _losses(weeks: Sequence[Week], reasons: Sequence[str]) -> list[Line]:
    """Draw the sessions without a transcript of each week, by reason."""
    totals = [sum(week.without_transcript.values()) for week in weeks]
    scale = (WIDTH - NAMES - FIGURES) / max(1, *totals, 1)
    lines = []
    for week, total in zip(weeks, totals):
        counts: Counter[str] = Counter()
        for key, sessions in week.without_transcript.items():
            reason = _reason(*key)
            counts[reason if reason in reasons else "other reasons"] += sessions
        bars, x = [], float(NAMES)
        for reason, colour in zip([*reasons, "other reasons"], COLOURS):
            if counts[reason]:
                bars.append(Bar(x, counts[reason] * scale, colour, f"{reason}: {counts[reason]}"))
                x += counts[reason] * scale
        lines.append(Line(week.name, bars, f"{total} session{'s' if total != 1 else ''}"))
    return lines


def _reason(status: str, reason: str) -> str:
    return reason or {"archived": "empty transcript"}.get(status, status.replace("_", " "))


def _short(name: str) -> str:
    return name if len(name) <= 26 else f"{name[:25]}…"


def as_csv_files(found: Analytics) -> dict[str, bytes]:
    """Write the CSV files, by their names."""
    shares = [
        (week.name, t.user_id, t.label, t.lessons, _one(t.talk_seconds), _one(t.of_seconds), _one(t.percent))
        for week in found.weeks
        for t in sorted(week.teachers.values(), key=lambda teacher: teacher.user_id)
    ]
    losses = [
        (week.name, *key, count) for week in found.weeks for key, count in sorted(week.without_transcript.items())
    ]
    silent = [(student.user_id, student.lessons, student.last_day.isoformat()) for student in found.silent]
    share_columns = ("week", "user_id", "name", "lessons", "talk_seconds", "talk_seconds_of_all", "talk_percent")
    return {
        "talk_share.csv": _csv(share_columns, shares),
        "without_transcript.csv": _csv(("week", "status", "reason", "sessions"), losses),
        "silent_students.csv": _csv(("user_id", "lessons", "last_day"), silent),
    }


def _csv(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(columns)
    writer.writerows([without_formulas(cell) if isinstance(cell, str) else cell for cell in row] for row in rows)
    return text.getvalue().encode("utf-8-sig", errors="replace")


def _one(value: float | None) -> float | None:
    return None if value is None else round(value, 1)
