# SPDX-License-Identifier: Apache-2.0
"""Assumptions about sessions."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from lessonspace_provider.api.shapes import objects_in
from lessonspace_provider.live_check.assumptions import (
    DOCUMENTED,
    GUESSED,
    HOOK,
    SEEN,
    Finding,
    all_of,
    assume,
    finding,
    is_filled,
    is_integer,
    unknown,
)
from lessonspace_provider.sessions import end_time, space_of, start_time
from lessonspace_provider.waiting.awaited import LONGEST_SESSION

if TYPE_CHECKING:
    from datetime import datetime

    from lessonspace_provider.api.types import Session
    from lessonspace_provider.live_check.account import Account


@assume(SEEN, f"{HOOK}.get_session")
def uuid_in_urls(account: Account) -> Finding:
    """A session is found by its uuid."""
    uuids = [session.get("uuid") for session in account.page.sessions[:1]]
    return all_of(
        [
            is_filled(uuid) and account.ask(f"{account.organisation}/sessions/{uuid}/").fields.get("uuid") == uuid
            for uuid in uuids
        ],
        "sessions",
    )


@assume(SEEN, "api.arguments:as_uuid")
def integer_id(account: Account) -> Finding:
    """A session is not found by its integer id."""
    numbers = [session.get("id") for session in account.page.sessions[:1]]
    if not all(map(is_integer, numbers)):
        return unknown("sessions have no integer id")
    return all_of(
        [account.ask(f"{account.organisation}/sessions/{number}/").status == 404 for number in numbers], "sessions"
    )


@assume(DOCUMENTED, "sessions:space_of")
def space_in_session(account: Account) -> Finding:
    """Each listed session names its space's id and slug."""
    spaces = [space_of(session) for session in account.page.sessions]
    return all_of([is_filled(space.get("id")) and is_filled(space.get("slug")) for space in spaces], "sessions")


@assume(SEEN, "sessions:has_ended")
def running_has_no_end(account: Account) -> Finding:
    """The end_time is null while a session runs."""
    return all_of([session.get("end_time") is None for session in account.running], "running sessions")


@assume(SEEN, f"{HOOK}.list_space_sessions")
def logs_in_space_list(account: Account) -> Finding:
    """A space's session list has logs, and profile in them is an id of profiles[].user."""
    if account.slug is None or not account.space_page.sessions:
        return unknown("no space's list was found")
    good = []
    for session in account.space_page.sessions:
        logs = session.get("logs")
        if not isinstance(logs, list):
            return finding(holds=False, note="there are no logs")
        known = {str(user) for user in users_of(session)}
        people = [log.get("profile") for log in logs if isinstance(log, dict) and log.get("profile") is not None]
        good += [str(person) in known for person in people]
    return all_of(good, "lines of logs")


@assume(GUESSED, "waiting.lessons:Lesson.covers_most")
def one_at_a_time(account: Account) -> Finding:
    """A space has one session at a time."""
    sessions = [s for s in account.space_page.sessions if start_time(s) and end_time(s)] if account.slug else []
    held = sorted((cast("datetime", start_time(s)), cast("datetime", end_time(s))) for s in sessions)
    return all_of([later[0] >= earlier[1] for earlier, later in zip(held, held[1:])], "sessions after another one")


@assume(GUESSED, "waiting.awaited:LONGEST_SESSION")
def half_a_day(account: Account) -> Finding:
    """No session lasts over 12 hours."""
    spans = [(start_time(session), end_time(session)) for session in account.ended]
    return all_of([start and end and end - start <= LONGEST_SESSION for start, end in spans], "ended sessions")


@assume(DOCUMENTED, "sessions:participant_count")
def profile_users(account: Account) -> Finding:
    """In a session, profiles[].user is an integer."""
    return all_of([is_integer(user) for session in account.page.sessions for user in users_of(session)], "profiles")


@assume(DOCUMENTED, "sessions:summary")
def billable(account: Account) -> Finding:
    """In a session, billable_seconds is an integer or null."""
    seconds = [session.get("billable_seconds") for session in account.page.sessions]
    return all_of([value is None or is_integer(value) for value in seconds], "sessions")


def users_of(session: Session) -> list[object]:
    """Give ``user`` of each profile."""
    return [profile.get("user") for profile in objects_in(session.get("profiles"))]
