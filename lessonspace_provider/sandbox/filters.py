# SPDX-License-Identifier: Apache-2.0
"""The query parameters of the lists: filters and paging.

Unknown parameters are ignored, as the real API seems to do; blank values too (assumed, as Django's filters
do). A value of the wrong type gets 400 (assumed).
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import TypeVar
from urllib.parse import parse_qsl, urlencode

from lessonspace_provider.sandbox.clock import parse_time
from lessonspace_provider.sandbox.entities import Session, Space, User
from lessonspace_provider.sandbox.responses import invalid, not_found
from lessonspace_provider.sandbox.settings import SandboxSettings

Item = TypeVar("Item")
SessionTest = Callable[[Session], bool]
SpaceTest = Callable[[Space], bool]


class Query:
    """A query string, read by type.

    :param query_string: as it came over the wire.
    """

    def __init__(self, query_string: bytes) -> None:
        self.pairs = parse_qsl(query_string.decode("latin-1"), keep_blank_values=True)

    def many(self, name: str) -> list[str]:
        """Return all values of a repeated parameter that are not blank."""
        return [value for key, value in self.pairs if key == name and value.strip()]

    def text(self, name: str) -> str | None:
        """Return the parameter's last value; None when it is missing or blank."""
        values = self.many(name)
        return values[-1] if values else None

    def boolean(self, name: str) -> bool | None:
        """Return ``true`` or ``false``; None for anything else, as Django's filters do (assumed)."""
        return {"true": True, "1": True, "false": False, "0": False}.get((self.text(name) or "").lower())

    def integer(self, name: str) -> int | None:
        """Return a whole number."""
        value = self.text(name)
        try:
            return None if value is None else int(value)
        except ValueError:
            raise invalid(name, "Enter a number.") from None

    def time(self, name: str) -> datetime | None:
        """Return an ISO 8601 time; without an offset it is taken as UTC (assumed)."""
        value = self.text(name)
        try:
            return None if value is None else parse_time(value)
        except ValueError:
            raise invalid(name, "Enter a valid date/time.") from None


class Bounds:
    """Whether a time is after or before a bound; one that is missing (null) never does.

    :param inclusive: whether the bound itself counts.
    """

    def __init__(self, inclusive: bool) -> None:
        self._inclusive = inclusive

    def after(self, moment: datetime | None, bound: datetime) -> bool:
        """Return whether the moment is after the bound."""
        return moment is not None and (moment > bound or (self._inclusive and moment == bound))

    def before(self, moment: datetime | None, bound: datetime) -> bool:
        """Return whether the moment is before the bound."""
        return moment is not None and (moment < bound or (self._inclusive and moment == bound))


def select_sessions(newest_first: Iterable[Session], query: Query, settings: SandboxSettings) -> list[Session]:
    """Return the sessions all filters of the query let through.

    :raises ApiError: 400 for a value of the wrong type.
    """
    tests = [
        *_who_tests(query, settings.include_single_user_default),
        *_what_tests(query),
        *_duration_tests(query),
        *_time_tests(query, Bounds(settings.boundary_inclusive)),
    ]
    return _keep(newest_first, tests)


def _who_tests(query: Query, single_user_default: bool) -> Iterable[SessionTest]:
    include_single_user = query.boolean("include_single_user")
    if not (single_user_default if include_single_user is None else include_single_user):
        yield lambda s: s.people > 1
    if users := set(query.many("user")):
        yield lambda s: any(str(user.id) in users for user in s.users)
    if external_id := query.text("user_external_id"):
        yield lambda s: any(_same(user.external_id, external_id) for user in s.users)
    if user_name := query.text("user_name"):
        yield lambda s: any(_contains(user.name, user_name) for user in s.users)


def _what_tests(query: Query) -> Iterable[SessionTest]:
    if spaces := set(query.many("space")):
        yield lambda s: s.space.id in spaces or s.space.slug in spaces
    if (launch_id := query.text("launch_id")) is not None:
        yield lambda s: s.space.launch_id == launch_id
    if query.boolean("in_progress_only"):
        yield lambda s: s.end is None
    if search := query.text("search"):
        yield _search_test(search)
    if tags := query.text("tags"):
        yield from _tag_tests(tags)


def _search_test(search: str) -> SessionTest:
    wanted = _as_uuid(search)
    if wanted is not None:
        return lambda s: wanted in (s.uuid, s.space.slug, s.space.id)
    return lambda s: _contains(s.name, search) or _contains(s.space.name, search)


def _tag_tests(text: str) -> Iterable[SessionTest]:
    try:
        wanted = json.loads(text)
    except ValueError:
        wanted = None
    if not isinstance(wanted, dict):
        raise invalid("tags", "Enter a JSON object.")
    for key, value in wanted.items():
        yield lambda s, key=key, value=value: _has_tag(s.tags, key, value)  # type: ignore[misc]  # mypy can't type its defaults


def _duration_tests(query: Query) -> Iterable[SessionTest]:
    """Sessions that still run have no duration and match neither (assumed)."""
    if (shortest := query.integer("duration_min")) is not None:
        yield lambda s: s.duration is not None and s.duration >= timedelta(seconds=shortest)
    if (longest := query.integer("duration_max")) is not None:
        yield lambda s: s.duration is not None and s.duration <= timedelta(seconds=longest)


def _time_tests(query: Query, bounds: Bounds) -> Iterable[SessionTest]:
    """``date_*`` compare the creation (= start); both together are start after and end before."""
    date_after, date_before = query.time("date_after"), query.time("date_before")
    end_before = [query.time("end_time_before"), date_before if date_after else None]
    start_before = [query.time("start_time_before"), None if date_after else date_before]
    for bound in (query.time("start_time_after"), date_after):
        if bound is not None:
            yield lambda s, bound=bound: bounds.after(s.start, bound)  # type: ignore[misc]  # mypy can't type its defaults
    for bound in start_before:
        if bound is not None:
            yield lambda s, bound=bound: bounds.before(s.start, bound)  # type: ignore[misc]  # mypy can't type its defaults
    if (bound := query.time("end_time_after")) is not None:
        yield lambda s, bound=bound: bounds.after(s.end, bound)  # type: ignore[misc]  # mypy can't type its defaults
    for bound in end_before:
        if bound is not None:
            yield lambda s, bound=bound: bounds.before(s.end, bound)  # type: ignore[misc]  # mypy can't type its defaults


def select_spaces(newest_first: Iterable[Space], query: Query, settings: SandboxSettings) -> list[Space]:
    """Return the spaces all filters of the query let through.

    :raises ApiError: 400 for a value of the wrong type.
    """
    tests = [*_space_tests(query), *_space_time_tests(query, Bounds(settings.boundary_inclusive))]
    return _keep(newest_first, tests)


def _space_tests(query: Query) -> Iterable[SpaceTest]:
    if sessions := set(query.many("session")):
        yield lambda space: any(session.uuid in sessions for session in space.sessions)
    if users := set(query.many("user")):
        yield lambda space: any(str(user.id) in users for session in space.sessions for user in session.users)
    if assigned := set(query.many("assigned_to")):
        yield lambda space: any(str(user_id) in assigned for user_id in space.assigned_to)
    key, value = query.text("tag_key"), query.text("tag_value")
    if key and value:
        yield lambda space: _has_tag(space.tags, key, value)
    if search := query.text("search"):
        wanted = _as_uuid(search)
        yield lambda space: wanted in (space.id, space.slug) if wanted else _contains(space.name, search)


def _space_time_tests(query: Query, bounds: Bounds) -> Iterable[SpaceTest]:
    """A space matches when one session is within all bounds (assumed)."""
    after, before = query.time("date_after"), query.time("date_before")
    if after is not None or before is not None:
        yield lambda space: any(
            (after is None or bounds.after(session.end, after))
            and (before is None or bounds.before(session.start, before))
            for session in space.sessions
        )
    if (date := query.time("date")) is not None:
        yield lambda space: any(session.start.date() == date.date() for session in space.sessions)


def select_users(users: Iterable[User], sessions: Sequence[Session], query: Query) -> list[User]:
    """Return the users all filters of the query let through.

    :param users: those who are in the organisation.
    :param sessions: all sessions, for the filters on attendance.
    """
    found = list(users)
    if roles := set(query.many("role")):
        found = [user for user in found if user.role in roles]
    if spaces := set(query.many("space")):
        attended = {u for s in sessions if s.space.id in spaces or s.space.slug in spaces for u in s.users}
        found = [user for user in found if user in attended]
    if wanted := set(query.many("session")):
        attended = {user for session in sessions if session.uuid in wanted for user in session.users}
        found = [user for user in found if user in attended]
    if search := query.text("search"):
        found = [user for user in found if _contains(user.name, search) or _contains(user.email, search)]
    return found


def page_of(items: list[Item], query: Query, size: int, url: str) -> tuple[list[Item], str | None, str | None]:
    """Cut out the page the query asks for.

    :param items: all results.
    :param size: results per page.
    :param url: absolute URL of the list, without query.
    :return: the page's items, the absolute URL of the next page and of the previous one (None at the ends).
    :raises ApiError: 404 past the end, or when ``page`` is no number.
    """
    pages = max(1, -(-len(items) // size))
    text = query.text("page") or "1"
    number = int(text) if text.isascii() and text.isdigit() else 0
    if not 1 <= number <= pages:
        raise not_found("Invalid page.")
    following = _page_url(url, query, number + 1) if number < pages else None
    previous = _page_url(url, query, number - 1) if number > 1 else None
    return items[(number - 1) * size : number * size], following, previous


def _keep(items: Iterable[Item], tests: Iterable[Callable[[Item], bool]]) -> list[Item]:
    for test in tests:
        items = filter(test, items)
    return list(items)


def _page_url(url: str, query: Query, number: int) -> str:
    pairs = [(name, value) for name, value in query.pairs if name != "page"]
    if number > 1:
        pairs.append(("page", str(number)))
    return f"{url}?{urlencode(pairs)}" if pairs else url


def _has_tag(tags: dict[str, object], key: str, value: object) -> bool:
    """Compare key and value without regard to case; a blank value asks for the key alone."""
    return any(_same(name, key) and (value in ("", None) or _same(str(tag), str(value))) for name, tag in tags.items())


def _same(text: str | None, wanted: str) -> bool:
    return text is not None and text.casefold() == wanted.casefold()


def _contains(text: str | None, wanted: str) -> bool:
    return text is not None and wanted.casefold() in text.casefold()


def _as_uuid(text: str) -> str | None:
    try:
        return str(uuid.UUID(text))
    except ValueError:
        return None
