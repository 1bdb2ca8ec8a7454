# SPDX-License-Identifier: Apache-2.0
"""The calendar of an archive's nights, each with its worst status. Pure."""

from __future__ import annotations

import calendar
from collections.abc import Callable
from datetime import date, timedelta
from html import escape

from lessonspace_provider.archive.health.figures import Health, Night
from lessonspace_provider.archive.health.style import NIGHT_STATUSES

#: How many months are shown.
MOST_MONTHS = 13

_MONTHS = tuple(calendar.month_name)
_DAYS = tuple(calendar.day_name)


def worst_status(night: Night | None, *, is_gap: bool) -> str:
    """
    Choose what a night is shown as.

    :param night: None for a day without a manifest.
    :param is_gap: whether a gap covers it.
    :return: a key of ``NIGHT_STATUSES``.
    """
    found: set[str] = set(night.counts) if night else set()
    if night and night.unreadable:
        found.add("unreadable")
    if is_gap:
        found.add("gap")
    return next((status for status in NIGHT_STATUSES if status in found), "none")


def describe_night(night: Night | None, *, is_gap: bool) -> str:
    """Write a night's figures, the worst first, such as ``2 pending, 198 archived``."""
    parts = ["no manifest accounts for a part of it" if night else "no manifest accounts for it"] if is_gap else []
    if night:
        parts += ["a manifest can't be read"] if night.unreadable else []
        counts: dict[str, int] = dict(night.counts.items())
        parts += [f"{counts[status]:,} {word}" for status, (_, word) in NIGHT_STATUSES.items() if counts.get(status)]
    return ", ".join(parts) or ("no sessions" if night else "no manifest of its own")


def long_date(day: str) -> str:
    """Write an ISO date as in ``22 November 2026``."""
    moment = date.fromisoformat(day)
    return f"{moment.day} {_MONTHS[moment.month]} {moment.year}"


def calendar_of(health: Health, link: Callable[[str], str], current: str | None = None) -> str:
    """
    Show the nights of the latest months, the last month first.

    :param link: gives the address of a night's figures.
    :param current: the night that the rest of the page shows.
    :return: HTML; blank while there are no nights.
    """
    nights = {night.night: night for night in health.nights}
    missing = health.missing_nights()
    days = sorted({*nights, *missing})
    if not days:
        return ""
    first, last = date.fromisoformat(days[0]), date.fromisoformat(days[-1])

    def cell(day: date) -> str:
        name = day.isoformat()
        if not first <= day <= last:
            return f"<td>{_blank(day)}</td>"
        night, is_gap = nights.get(name), name in missing
        status, words = worst_status(night, is_gap=is_gap), describe_night(night, is_gap=is_gap)
        mark = NIGHT_STATUSES[status][0]
        inside = f'{day.day}<b aria-hidden="true">{mark}</b><span class="unseen">: {escape(words)}</span>'
        # Only nights that need attention have a link: a keyboard stops at few.
        is_plain = status in ("archived", "not_eligible", "none", "erased")
        inside = f"<span>{inside}</span>" if is_plain else f'<a href="{escape(link(name))}">{inside}</a>'
        here = ' aria-current="date"' if name == current else ""
        title = escape(f"{long_date(name)}: {words}")
        return f'<td class="day s-{status}" id="night-{name}" title="{title}"{here}>{inside}</td>'

    months = [_month(year, month, cell) for year, month in _latest_months(first, last)]
    return f'<div class="months">{"".join(months)}</div>'


def shows_all(health: Health) -> bool:
    """Whether the calendar has all nights."""
    days = [night.night for night in health.nights]
    if not days:
        return True
    first, last = date.fromisoformat(days[0]), date.fromisoformat(days[-1])
    return (first.year, first.month) == _latest_months(first, last)[-1]


def _latest_months(first: date, last: date) -> list[tuple[int, int]]:
    months: list[tuple[int, int]] = []
    day = last.replace(day=1)
    while day >= first.replace(day=1) and len(months) < MOST_MONTHS:
        months.append((day.year, day.month))
        day = (day - timedelta(days=1)).replace(day=1)
    return months


def _month(year: int, month: int, cell: Callable[[date], str]) -> str:
    heads = "".join(f'<th scope="col"><abbr title="{day}">{day[:2]}</abbr></th>' for day in _DAYS)
    weeks = calendar.Calendar().monthdatescalendar(year, month)
    rows = (
        "<tr>" + "".join(cell(day) if day.month == month else "<td></td>" for day in week) + "</tr>" for week in weeks
    )
    return (
        f'<table class="month"><caption>{_MONTHS[month]} {year}</caption><thead><tr>{heads}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table>"
    )


def _blank(day: date) -> str:
    return f'<span class="quiet">{day.day}</span>'
