# SPDX-License-Identifier: Apache-2.0
"""
The health of an archive as one page of HTML, without scripts, and with nothing from elsewhere. Pure.

All that comes from files is escaped: these may have been changed by anyone who may write the destination.
"""

from __future__ import annotations

import calendar
import hashlib
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timedelta
from functools import cache
from importlib.resources import files
from typing import NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined

from lessonspace_provider.api.times import read_time
from lessonspace_provider.archive.health.calendar import NIGHT_STATUSES, describe_night, months_of
from lessonspace_provider.archive.health.figures import Health, Item, moment_of, nights_in
from lessonspace_provider.archive.health.problems import Problem, fill_command, next_run_due, problems_of
from lessonspace_provider.archive.health.reasons import describe_reason
from lessonspace_provider.waiting.transcripts import TranscriptStatus

#: How far back the page counts a session that was given up among what needs attention.
GIVEN_UP_WITHIN = timedelta(days=7)

#: How many runs the page lists.
MOST_RUNS = 10

#: On screens, phones and paper, light and dark.
STYLE = files(__package__).joinpath("templates/page.css").read_text(encoding="utf-8")

#: What a browser may load for the page: its own style, and nothing else.
CONTENT_SECURITY_POLICY = (
    f"default-src 'none'; style-src 'sha256-{b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()}'; "
    "base-uri 'none'; form-action 'none'"
)

#: The statuses in the order of the bar, with the pattern of each, by which it is known without its colour.
_BAR: Mapping[TranscriptStatus, str | None] = {
    "archived": None,
    "not_eligible": None,
    "erased": None,
    "pending": "pending",
    "given_up": "given_up",
    "not_attempted": "failed",
    "failed": "failed",
}

#: Statuses of nights that need no one's attention.
_QUIET = ("archived", "not_eligible", "none", "erased")


class Link(NamedTuple):
    """
    An entry of the page's navigation.

    :param address: relative to the page.
    :param is_current: whether the page shows what it leads to.
    """

    label: str
    address: str
    is_current: bool = False


class _BarPart(NamedTuple):
    status: TranscriptStatus
    number: int
    start: float
    width: float
    pattern: str | None


def health_page(
    health: Health,
    *,
    place: str,
    now: datetime | None = None,
    night: str | None = None,
    links: Sequence[Link] = (),
    night_address: Callable[[str], str] = "#figures-{}".format,
) -> str:
    """
    Write the page.

    :param health: see ``health.Health``.
    :param place: the archive's folder, without credentials.
    :param now: when the page is shown, aware; None: it is a file that may be read at any time.
    :param night: ISO date of a night that is shown in detail.
    :param links: to other pages.
    :param night_address: gives the address of a night's figures from its ISO date.
    :return: HTML.
    """
    present = now or moment_of(health.updated_at)
    problems = problems_of(health, present, given_up_within=GIVEN_UP_WITHIN)
    nights, missing = {night.night: night for night in health.nights}, health.missing_nights()
    names = [*sorted(missing - nights.keys()), *reversed(nights)]
    months = months_of(health)
    return _rendered(
        "health.html",
        title=f"Archive of transcripts, {place}",
        place=place,
        links=links,
        health=health,
        now=present,
        current=night,
        night_address=night_address,
        problems=problems,
        verdict=_verdict(health, problems),
        due=next_run_due(health) if now is None else None,
        bar=_bar(health.counts),
        total=sum(health.counts.values()),
        missing_nights=missing,
        months=months,
        is_cut=bool(nights) and min(nights) < months[-1].first.isoformat(),
        runs=list(reversed(health.runs))[:MOST_RUNS],
        all_nights=[(name, describe_night(nights.get(name), is_gap=name in missing)) for name in names],
    )


def message_page(title: str, text: str, links: Sequence[Link] = (), place: str = "") -> str:
    """Write a page that has a message only."""
    return _rendered("page.html", title=title, text=text, links=links, place=place)


def _rendered(template: str, **values: object) -> str:
    return _templates().get_template(template).render(values)


@cache
def _templates() -> Environment:
    templates = Environment(
        loader=PackageLoader(__package__),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters.update(
        count_of=_count_of,
        long_date=_long_date,
        minute=_minute,
        moment=moment_of,
        month="{:%B %Y}".format,
        number="{:,}".format,
        reason=describe_reason,
        share_of=_share_of,
    )
    templates.globals.update(
        describe_night=describe_night,
        fill_command=fill_command,
        nights_in=nights_in,
        policy=CONTENT_SECURITY_POLICY,
        quiet_statuses=_QUIET,
        statuses=NIGHT_STATUSES,
        style=STYLE,
        time_left=_time_left,
        weekdays=tuple(calendar.day_name),
    )
    return templates


def _verdict(health: Health, problems: Sequence[Problem]) -> tuple[str, str]:
    """Choose the class and the title of the page's first section."""
    if problems:
        return "bad", f"! {_count_of(len(problems), 'thing needs', 'things need')} attention"
    if pending := health.counts.get("pending"):
        return "wait", f"… All is well, {_count_of(pending, 'transcript is', 'transcripts are')} still pending"
    return ("good", "✓ All is well") if health.nights else ("wait", "… Nothing is archived yet")


def _bar(counts: Mapping[TranscriptStatus, int]) -> list[_BarPart]:
    parts, start, total = [], 0.0, sum(counts.values())
    for status, pattern in _BAR.items():
        if number := counts.get(status):
            width = max(1000 * number / total, 4.0)  # never so narrow that it can't be seen
            parts.append(_BarPart(status, number, start, width, pattern))
            start += width
    return parts


def _time_left(item: Item, now: datetime) -> str:
    """Describe how long an open session has left."""
    if item.status == "given_up":
        return "nothing: given up"
    if item.status != "pending":
        return "retried by later runs"
    until = read_time(item.until)
    if until is None or until <= now:
        return "given up by the next run if it is not ready"
    left = until - now
    if left >= timedelta(days=2):
        return f"{_count_of(left.days, 'day')} left"
    return f"{_count_of(max(1, left // timedelta(hours=1)), 'hour')} left"


def _count_of(number: int, one: str, many: str = "") -> str:
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"


def _share_of(number: int, total: int) -> str:
    share = 100 * number / total
    return "under 0.1 %" if share < 0.1 else f"{share:.1f} %"


def _long_date(day: str) -> str:
    """Write an ISO date as in ``22 November 2026``."""
    moment = date.fromisoformat(day)
    return f"{moment.day} {moment:%B %Y}"


def _minute(value: str | datetime) -> str:
    moment = value if isinstance(value, datetime) else moment_of(value)
    return f"{moment.day} {moment:%b %Y, %H:%M} UTC"
