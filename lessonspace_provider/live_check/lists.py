# SPDX-License-Identifier: Apache-2.0
"""Assumptions about lists."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timezone
from http import HTTPStatus
from typing import TYPE_CHECKING, cast

from lessonspace_provider.api.ids import user_id_of
from lessonspace_provider.api.paging import PAGE_PAST_THE_END
from lessonspace_provider.exceptions import LessonspaceError
from lessonspace_provider.live_check.assumptions import (
    DOCUMENTED,
    GUESSED,
    HOOK,
    SEEN,
    VENDOR,
    Finding,
    all_of,
    assume,
    finding,
    is_filled,
    is_integer,
    unknown,
)
from lessonspace_provider.sessions import end_time, participant_count, space_of, start_time

if TYPE_CHECKING:
    from lessonspace_provider.live_check.account import Account, Got, Json

#: What a page far past the end of any list is called.
NO_SUCH_PAGE = "1000000"


@assume(VENDOR, f"{HOOK}.hello")
def hello(account: Account) -> Finding:
    """GET /hello/ returns a greeting if the key is valid."""
    answer = account.ask("/hello/")
    return finding(holds=is_filled(answer.fields.get("response")), note=f"status {answer.status}")


@assume(GUESSED, f"{HOOK}.my_organisation_id")
def own_organisation(account: Account) -> Finding:
    """GET /my-organisation/ has the integer id in `id`."""
    answer = account.ask("/my-organisation/")
    return finding(holds=is_integer(answer.fields.get("id")), note=f"status {answer.status}")


@assume(SEEN, "api.transport:Transport.query_of_next_page")
def pages(account: Account) -> Finding:
    """Lists are {count, next, previous, results}, and next stays at the list's own path."""
    fields = account.page.fields
    named = [name for name in ("count", "next", "previous", "results") if name in fields]
    if len(named) < 4:
        return finding(holds=False, note=f"status {account.page.status}, {len(named)} of the 4 fields")
    link = fields["next"]
    if link is None:
        return finding(holds=True, note="there is only one page")
    try:
        account.hook.get_conn().query_of_next_page(str(link), f"{account.organisation}/sessions/")
    except LessonspaceError:
        return finding(holds=False, note="next leads elsewhere")
    return finding(holds=True)


@assume(GUESSED, "api.paging:PAGE_PAST_THE_END")
def page_past_end(account: Account) -> Finding:
    """A page past the end is 404, with "Invalid page" as its detail."""
    answer = account.sessions_with(("page", NO_SUCH_PAGE))
    is_named = PAGE_PAST_THE_END in answer.message
    return finding(
        holds=answer.status == 404 and is_named,
        note=f"status {answer.status}, {'with this detail' if is_named else 'with another detail'}",
    )


@assume(SEEN, "api.filters:encode_filters")
def unknown_filter(account: Account) -> Finding:
    """A filter that does not exist is silently ignored."""
    counts = [account.page.fields.get("count")]
    answer = account.sessions_with(("lessonspace_provider_live_check", "true"))
    if answer.fields.get("count") not in counts:  # a session may have started meanwhile
        counts.append(account.sessions_with().fields.get("count"))
    is_same = answer.fields.get("count") in counts
    return finding(holds=answer.status == HTTPStatus.OK and is_same, note=f"status {answer.status}")


@assume(SEEN, "api.filters:encode_filters")
def several_values(account: Account) -> Finding:
    """A filter with several values matches any of them."""
    spaces = list(dict.fromkeys(str(space_of(s)["id"]) for s in account.page.sessions if space_of(s).get("id")))[:2]
    if len(spaces) < 2:
        return unknown("only one space is on the first page")
    counts = [account.sessions_with(("space", space)).fields.get("count") for space in spaces]
    both = account.sessions_with(*(("space", space) for space in spaces)).fields.get("count")
    if not all(is_integer(count) for count in (*counts, both)):
        return finding(holds=False, note="a list has no count")
    return finding(holds=both == sum(cast("list[int]", counts)), note=f"{both} of {counts[0]} and {counts[1]}")


@assume(SEEN, "api.arguments:as_space_id")
def slug_names_space(account: Account) -> Finding:
    """A space's slug works as ?space= and in /spaces/{slug}/."""
    if account.slug is None:
        return unknown("there are no sessions with a slug")
    filtered = account.sessions_with(("space", account.slug)).sessions
    is_found = bool(filtered) and all(space_of(session).get("slug") == account.slug for session in filtered)
    return finding(
        holds=is_found and account.space_page.status == 200,
        note=f"{len(filtered)} sessions by ?space=, status {account.space_page.status} of the space's list",
    )


@assume(DOCUMENTED, "triggers.shared_poll:SharedConnection", "operators.archive:LessonspaceArchiveTranscriptsOperator")
def end_filter(account: Account) -> Finding:
    """The filter end_time_after gives all sessions that ended since then, and no running ones."""
    since = median_of(end_time(session) for session in account.ended)
    if since is None:
        return unknown("no session has ended")
    answer = account.sessions_with(("end_time_after", since.isoformat()))
    lost = left_out(answer, [s for s in account.ended if cast("datetime", end_time(s)) > since])
    if lost:
        return finding(holds=False, note=f"{lost} that ended since then are left out")
    return all_of(
        [(end_time(session) or datetime.min.replace(tzinfo=timezone.utc)) >= since for session in answer.sessions],
        "found",
    )


@assume(DOCUMENTED, "waiting.awaited:AwaitedLesson.check")
def start_filter(account: Account) -> Finding:
    """The filters start_time_after and start_time_before give all sessions of that time, and no others."""
    middle = median_of(start_time(session) for session in account.page.sessions)
    if middle is None:
        return unknown("there are no sessions")
    before = account.sessions_with(("start_time_before", middle.isoformat()))
    after = account.sessions_with(("start_time_after", middle.isoformat()))
    known = [(start, session) for session in account.page.sessions if (start := start_time(session))]
    lost = left_out(before, [session for start, session in known if start < middle])
    lost += left_out(after, [session for start, session in known if start > middle])
    if lost:
        return finding(holds=False, note=f"{lost} that belong there are left out")
    starts_before = [start_time(session) for session in before.sessions]
    starts_after = [start_time(session) for session in after.sessions]
    return all_of(
        [
            *(start is not None and start <= middle for start in starts_before),
            *(start is not None and start >= middle for start in starts_after),
        ],
        "found",
    )


def left_out(answer: Got, wanted: Iterable[Json]) -> int:
    """Count the sessions that belong on a list and are not there; none where the list continues on another page."""
    if answer.fields.get("next") is not None:
        return 0
    listed = {session.get("uuid") for session in answer.sessions}
    return len({session.get("uuid") for session in wanted} - listed)


def median_of(times: Iterable[datetime | None]) -> datetime | None:
    """Give the one in the middle."""
    known = sorted(time for time in times if time is not None)
    return known[len(known) // 2] if known else None


@assume(GUESSED, "waiting.awaited:AwaitedLesson.check", "operators.archive:LessonspaceArchiveTranscriptsOperator")
def single_user(account: Account) -> Finding:
    """Without include_single_user=true, sessions of one person are left out."""
    if not [s for s in account.page.sessions if participant_count(s) == 1]:
        return unknown("no session of one person is on the first page")
    without = account.ask(f"{account.organisation}/sessions/").sessions
    return all_of(
        [participant_count(session) > 1 for session in without], "sessions listed without it have more people"
    )


@assume(GUESSED, f"{HOOK}.list_spaces")
def space_list(account: Account) -> Finding:
    """Listed spaces have id and slug."""
    listed = account.ask(f"{account.organisation}/spaces/").results
    return all_of([is_filled(space.get("id")) and is_filled(space.get("slug")) for space in listed], "spaces")


@assume(SEEN, "api.ids:user_id_of")
def user_list(account: Account) -> Finding:
    """Listed users have an integer id in user.id, or in user or id itself."""
    listed = account.ask(f"{account.organisation}/users/").results
    nested = sum(isinstance(user.get("user"), dict) for user in listed)
    shape = "users with user.id" if nested == len(listed) else f"users, {nested} of them with user.id"
    return all_of([user_id_of(user) is not None for user in listed], shape if listed else "users")
