# SPDX-License-Identifier: Apache-2.0
"""The calendar of an archive's nights, each with its worst status. Pure."""

from __future__ import annotations

import calendar
from collections.abc import Sequence
from datetime import date, timedelta
from typing import NamedTuple

from lessonspace_provider.archive.health.figures import Health, Night

#: A mark and a word for each status of a night, the worst first: no status is shown by its colour alone.
NIGHT_STATUSES = {
    "unreadable": ("!", "manifest can't be read"),
    "failed": ("!", "failed"),
    "gap": ("∅", "gap"),
    "not_attempted": ("?", "not attempted"),
    "given_up": ("×", "given up"),
    "pending": ("…", "pending"),
    "archived": ("✓", "archived"),
    "not_eligible": ("–", "not eligible"),
    "erased": ("e", "erased"),
    "none": ("·", "no sessions"),
}

#: How many months are shown.
MOST_MONTHS = 13


class Day(NamedTuple):
    """
    A day of the calendar.

    :param status: a key of ``NIGHT_STATUSES``; blank before the first and after the last night.
    :param words: the night's figures.
    """

    date: date
    status: str = ""
    words: str = ""


class Month(NamedTuple):
    """
    A month of the calendar.

    :param first: its first day.
    :param weeks: from Monday to Sunday; None for a day of another month.
    """

    first: date
    weeks: Sequence[Sequence[Day | None]]


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


def months_of(health: Health) -> list[Month]:
    """Arrange the nights of the latest months, the last month first; none while there are no nights."""
    nights = {night.night: night for night in health.nights}
    missing = health.missing_nights()
    days = sorted({*nights, *missing})
    if not days:
        return []
    first, last = date.fromisoformat(days[0]), date.fromisoformat(days[-1])

    def day_of(day: date) -> Day:
        if not first <= day <= last:
            return Day(day)
        night, is_gap = nights.get(day.isoformat()), day.isoformat() in missing
        return Day(day, worst_status(night, is_gap=is_gap), describe_night(night, is_gap=is_gap))

    months: list[Month] = []
    month = last.replace(day=1)
    while month >= first.replace(day=1) and len(months) < MOST_MONTHS:
        weeks = calendar.Calendar().monthdatescalendar(month.year, month.month)
        months.append(
            Month(month, [[day_of(day) if day.month == month.month else None for day in week] for week in weeks])
        )
        month = (month - timedelta(days=1)).replace(day=1)
    return months
