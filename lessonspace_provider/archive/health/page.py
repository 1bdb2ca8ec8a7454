# SPDX-License-Identifier: Apache-2.0
"""
The health of an archive as one page of HTML, without scripts, and with nothing from elsewhere. Pure.

All that comes from files is escaped: these may have been changed by anyone who may write the destination.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from html import escape
from typing import NamedTuple

from lessonspace_provider.api.times import read_time
from lessonspace_provider.archive.health.calendar import (
    calendar_of,
    describe_night,
    long_date,
    shows_all,
)
from lessonspace_provider.archive.health.figures import Health, Item, Night, nights_in
from lessonspace_provider.archive.health.problems import fill_command, next_run_due, problems_of
from lessonspace_provider.archive.health.reasons import describe_reason
from lessonspace_provider.archive.health.style import CONTENT_SECURITY_POLICY, NIGHT_STATUSES, STYLE

#: How far back the page counts a session that was given up among what needs attention.
GIVEN_UP_WITHIN = timedelta(days=7)

#: How many runs the page lists.
MOST_RUNS = 10

#: In the order of the bar.
_BAR = ("archived", "not_eligible", "erased", "pending", "given_up", "not_attempted", "failed")

_PATTERNS = (
    '<defs><pattern id="p-pending" width="6" height="6" patternUnits="userSpaceOnUse"><path class="pattern" '
    'd="M3 0v6"/></pattern><pattern id="p-given_up" width="6" height="5" patternUnits="userSpaceOnUse"><path '
    'class="pattern" d="M0 2h6"/></pattern><pattern id="p-failed" width="8" height="8" '
    'patternUnits="userSpaceOnUse"><path class="pattern" d="M0 8L8 0"/></pattern></defs>'
)
_PATTERN_OF = {"pending": "pending", "given_up": "given_up", "failed": "failed", "not_attempted": "failed"}


class Link(NamedTuple):
    """
    An entry of the page's navigation.

    :param address: relative to the page.
    :param is_current: whether the page shows what it leads to.
    """

    label: str
    address: str
    is_current: bool = False


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
    present = now or _time(health.updated_at)
    parts = [
        _head(place, links),
        _verdict(health, present, is_file=now is None),
        _night(health, night, present) if night else "",
        '<div class="columns">',
        _statuses(health),
        _reasons(health),
        "</div>",
        _calendar(health, night_address, night),
        _items(health.items, health.items_left_out, present),
        _gaps(health),
        _runs(health),
        _all_nights(health),
        _foot(health),
    ]
    return page_of(f"Archive of transcripts, {place}", "".join(parts))


def message_page(title: str, text: str, links: Sequence[Link] = (), place: str = "") -> str:
    """Write a page that has a message only."""
    return page_of(
        title, f'{_head(place, links)}<section class="verdict wait"><h2>{escape(title)}</h2>{_p(text)}</section>'
    )


def page_of(title: str, content: str) -> str:
    """Write a whole page around some HTML."""
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{escape(CONTENT_SECURITY_POLICY)}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="robots" content="noindex">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head>"
        f"<body><main>{content}</main></body></html>\n"
    )


def _head(place: str, links: Sequence[Link]) -> str:
    entries = "".join(
        f'<li><a href="{escape(link.address)}"{_current(link)}>{escape(link.label)}</a></li>' for link in links
    )
    nav = f'<nav aria-label="Archives"><ul>{entries}</ul></nav>' if entries else ""
    return (
        f'{nav}<header><h1>Archive of transcripts</h1><p class="quiet place">{escape(place)}</p></header>'
        '<a class="skip" href="#open">Skip to open sessions</a>'
    )


def _current(link: Link) -> str:
    return ' aria-current="page"' if link.is_current else ""


def _verdict(health: Health, now: datetime, *, is_file: bool) -> str:
    problems = problems_of(health, now, given_up_within=GIVEN_UP_WITHIN)
    pending = health.counts.get("pending", 0)
    if problems:
        kind, title = "bad", f"! {_number(len(problems), 'thing needs', 'things need')} attention"
    elif pending:
        kind, title = "wait", f"… All is well, {_number(pending, 'transcript is', 'transcripts are')} still awaited"
    elif health.nights:
        kind, title = "good", "✓ Everything is there"
    else:
        kind, title = "wait", "… Nothing is archived yet"
    entries = "".join(
        f"<li><strong>{escape(problem.text)}.</strong> <span>{_action(problem.action)}.</span></li>"
        for problem in problems
    )
    listed = f"<ul>{entries}</ul>" if entries else ""
    due = next_run_due(health)
    hint = ""
    if is_file and due is not None:
        hint = _p(f"If it is later than {_minute(due)}, this page is out of date, and the archive is not running.")
    return (
        f'<section class="verdict {kind}" aria-labelledby="verdict"><h2 id="verdict">{escape(title)}</h2>{listed}'
        f"<p>As of {_when(health.updated_at)}.</p>{hint}</section>"
    )


def _action(text: str) -> str:
    before, command, after = text.partition("airflow backfill create")
    return escape(before) + (f"<code>{escape(command + after)}</code>" if command else "")


def _statuses(health: Health) -> str:
    counts: dict[str, int] = dict(health.counts.items())
    total = sum(counts.values())
    rows = "".join(
        f'<tr><th scope="row"><span class="key s-{status}" aria-hidden="true">{NIGHT_STATUSES[status][0]}</span>'
        f'{NIGHT_STATUSES[status][1]}</th><td class="number">{counts[status]:,}</td>'
        f'<td class="number quiet">{_percent(counts[status], total)}</td></tr>'
        for status in _BAR
        if counts.get(status)
    )
    return (
        f'<section aria-labelledby="statuses"><h2 id="statuses">{_number(total, "session", "sessions")} in '
        f"{_number(len(health.nights), 'night', 'nights')}</h2>{_bar(counts, total)}<table>"
        '<thead class="unseen"><tr><th scope="col">Status</th><th scope="col">Sessions</th>'
        f'<th scope="col">Share</th></tr></thead><tbody>{rows}</tbody></table></section>'
    )


def _bar(counts: dict[str, int], total: int) -> str:
    if not total:
        return ""
    shapes, at = [], 0.0
    for status in _BAR:
        if number := counts.get(status):
            # Never so narrow that it can't be seen.
            width = max(1000 * number / total, 4.0)
            shapes.append(f'<rect class="s-{status}" x="{at:.1f}" y="0" width="{width:.1f}" height="32"/>')
            if pattern := _PATTERN_OF.get(status):
                shapes.append(f'<rect fill="url(#p-{pattern})" x="{at:.1f}" y="0" width="{width:.1f}" height="32"/>')
            at += width
    label = ", ".join(f"{counts[status]:,} {NIGHT_STATUSES[status][1]}" for status in _BAR if counts.get(status))
    return (
        f'<svg class="bar" role="img" aria-label="{escape(label)}" viewBox="0 0 {at:.1f} 32" '
        f'preserveAspectRatio="none">{_PATTERNS}{"".join(shapes)}</svg>'
    )


def _reasons(health: Health) -> str:
    if not health.missing:
        return ""
    return (
        '<section aria-labelledby="reasons"><h2 id="reasons">Why transcripts are missing</h2>'
        f"{_reason_table(health.missing)}</section>"
    )


def _reason_table(missing: Mapping[str, int]) -> str:
    rows = "".join(
        f'<tr><th scope="row">{escape(describe_reason(code))}</th><td class="number">{number:,}</td></tr>'
        for code, number in missing.items()
    )
    return (
        '<table><thead class="unseen"><tr><th scope="col">Reason</th><th scope="col">Sessions</th></tr></thead>'
        f"<tbody>{rows}</tbody></table>"
    )


def _calendar(health: Health, night_address: Callable[[str], str], current: str | None) -> str:
    months = calendar_of(health, night_address, current)
    if not months:
        return ""
    key = "".join(
        f'<li><span class="key s-{status}" aria-hidden="true">{mark}</span>{word}</li>'
        for status, (mark, word) in NIGHT_STATUSES.items()
        if status not in ("none", "erased", "unreadable")
    )
    more = "" if shows_all(health) else _p("Earlier nights are in the list of all nights below.")
    return (
        '<section aria-labelledby="calendar"><h2 id="calendar">Nights</h2>'
        '<p class="quiet">Each night has the mark of its worst status. Days are in UTC.</p>'
        f'<nav aria-label="Marks"><ul>{key}</ul></nav>{months}{more}</section>'
    )


def _night(health: Health, name: str, now: datetime) -> str:
    night, is_gap = health.night(name), name in health.missing_nights()
    items = [item for item in health.items if item.night == name]
    commands = [
        f"<p>No manifest accounts for {_minute(start)} to {_minute(end)}. {_command(health, start, end)}</p>"
        for start, end in health.gaps
        if is_gap and name in nights_in(_time(start), _time(end))
    ]
    figures = _reason_table(night.missing) if night and night.missing else ""
    return (
        f'<section aria-labelledby="night"><h2 id="night">Night of {long_date(name)}</h2>'
        f"<p>{escape(describe_night(night, is_gap=is_gap))}.</p>{''.join(commands)}{figures}"
        f"{_item_table(items, now) if items else ''}</section>"
    )


def _items(items: Sequence[Item], left_out: int, now: datetime) -> str:
    if not items:
        return '<section aria-labelledby="open"><h2 id="open">Open sessions</h2><p>None.</p></section>'
    more = _p(f"And {left_out:,} more: see the manifests.") if left_out else ""
    return (
        '<section aria-labelledby="open"><h2 id="open">Open sessions, and those given up lately</h2>'
        f"{_item_table(items, now)}{more}</section>"
    )


def _item_table(items: Sequence[Item], now: datetime) -> str:
    has_names = any(item.name for item in items)
    rows = "".join(
        f'<tr><th scope="row"><code class="id">{escape(item.session_id)}</code></th>'
        f"{f'<td>{escape(item.name or str())}</td>' if has_names else ''}<td>{item.night}</td>"
        f"<td>{NIGHT_STATUSES[item.status][1]}</td><td>{escape(describe_reason(item.reason))}</td>"
        f"<td>{_left(item, now)}</td></tr>"
        for item in items
    )
    name = '<th scope="col">Name</th>' if has_names else ""
    return (
        f'<table class="items"><thead><tr><th scope="col">Session</th>{name}<th scope="col">Night</th>'
        '<th scope="col">Status</th><th scope="col">Why</th><th scope="col">What is next</th></tr></thead>'
        f"<tbody>{rows}</tbody></table>"
    )


def _left(item: Item, now: datetime) -> str:
    """Describe how long an open session has left."""
    if item.status == "given_up":
        return "nothing: given up"
    if item.status != "pending":
        return "retried by later runs"
    until = read_time(item.until)
    if until is None or until <= now:
        return "given up by the next run if it is not there"
    return f"{_duration(until - now)} left"


def _duration(left: timedelta) -> str:
    if left >= timedelta(days=2):
        return _number(left.days, "day", "days")
    return _number(max(1, int(left.total_seconds() // 3600)), "hour", "hours")


def _gaps(health: Health) -> str:
    if not health.gaps:
        return ""
    rows = "".join(
        f'<tr><th scope="row">{_minute(start)}</th><td>{_minute(end)}</td><td>{_command(health, start, end)}</td></tr>'
        for start, end in reversed(health.gaps)
    )
    more = _p(f"And {health.gaps_left_out:,} earlier ones.") if health.gaps_left_out else ""
    return (
        '<section aria-labelledby="gaps"><h2 id="gaps">Times that no manifest accounts for</h2><table><thead><tr>'
        '<th scope="col">From</th><th scope="col">To</th><th scope="col">What fills it</th></tr></thead>'
        f"<tbody>{rows}</tbody></table>{more}</section>"
    )


def _command(health: Health, start: str, end: str) -> str:
    return f"<code>{escape(fill_command(health, start, end))}</code>"


def _runs(health: Health) -> str:
    if not health.runs:
        return ""
    rows = "".join(
        f'<tr><th scope="row">{_when(run.ended_at)}</th><td>{_minute(run.window_start)} to '
        f"{_minute(run.window_end)}</td><td>{'! failed' if run.has_failed else '✓ success'}</td></tr>"
        for run in list(reversed(health.runs))[:MOST_RUNS]
    )
    return (
        '<section aria-labelledby="runs"><h2 id="runs">Last runs</h2><table><thead><tr><th scope="col">Ended</th>'
        f'<th scope="col">Window</th><th scope="col">Result</th></tr></thead><tbody>{rows}</tbody></table></section>'
    )


def _all_nights(health: Health) -> str:
    if not health.nights:
        return ""
    missing = health.missing_nights()
    rows = "".join(_night_row(night, is_gap=night.night in missing) for night in reversed(health.nights))
    gaps = "".join(
        _night_row(Night(name), is_gap=True) for name in sorted(missing - {night.night for night in health.nights})
    )
    return (
        '<details><summary>All nights</summary><table><thead><tr><th scope="col">Night</th>'
        f'<th scope="col">Sessions</th></tr></thead><tbody>{gaps}{rows}</tbody></table></details>'
    )


def _night_row(night: Night, *, is_gap: bool) -> str:
    words = describe_night(night if night.counts or not is_gap else None, is_gap=is_gap)
    return f'<tr id="figures-{night.night}"><th scope="row">{night.night}</th><td>{escape(words)}</td></tr>'


def _foot(health: Health) -> str:
    erased = ""
    if health.erasures:
        last = f", the last {escape(health.last_erasure)}" if health.last_erasure else ""
        erased = f"<p>{_number(health.erasures, 'receipt', 'receipts')} of erasures{last}.</p>"
    return f'<footer class="quiet">{erased}</footer>'


def _p(text: str) -> str:
    return f"<p>{escape(text)}</p>"


def _number(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}"


def _percent(number: int, total: int) -> str:
    share = 100 * number / total
    return "under 0.1 %" if share < 0.1 else f"{share:.1f} %"


def _when(text: str) -> str:
    return f'<time datetime="{escape(text)}">{_minute(text)}</time>'


def _minute(value: str | datetime) -> str:
    moment = value if isinstance(value, datetime) else _time(value)
    return f"{moment.day} {long_date(moment.date().isoformat()).split()[1][:3]} {moment:%Y, %H:%M} UTC"


def _time(text: str) -> datetime:
    moment = read_time(text)
    assert moment is not None  # noqa: S101 - checked when the file was read
    return moment
