# SPDX-License-Identifier: Apache-2.0
"""Assumptions that no check from outside can test; each returns the reason."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lessonspace_provider.live_check.assumptions import GUESSED, HOOK, SEEN, VENDOR, Finding, assume, unknown

if TYPE_CHECKING:
    from lessonspace_provider.live_check.account import Account


@assume(VENDOR, "rate_limit.gate:gate_for")
def five_a_second(_: Account) -> Finding:
    """A key may make about five calls a second, and gets 429 responses to more."""
    return unknown("it would use up the rate limit of all other users of the key")


@assume(SEEN, "api.transport:Transport.download")
def store_without_key(_: Account) -> Finding:
    """The store behind a signed link refuses a request that carries the key."""
    return unknown("the key is never sent there")


@assume(SEEN, f"{HOOK}.get_transcript")
def link_hours(_: Account) -> Finding:
    """A transcript's link works for about 12 hours, a recording's for about 3."""
    return unknown("it takes hours")


@assume(GUESSED, "waiting.cursor:OVERLAP")
def listed_in_time(_: Account) -> Finding:
    """A session that ended is on the list within 10 minutes."""
    return unknown("it needs a session that ends during the check")


@assume(GUESSED, "sessions:has_ended")
def ended_for_good(_: Account) -> Finding:
    """An ended session does not continue, and its end_time stays; the next person to join starts another session."""
    return unknown("it needs a session that ends during the check")


@assume(SEEN, "waiting.cursor:EndedSessions")
def room_is_slug(_: Account) -> Finding:
    """Launch's room_id is the slug of the space in sessions."""
    return unknown("it needs a person who joins")


@assume(GUESSED, "waiting.transcripts:transcript_obstacle")
def recorded_by_session(_: Account) -> Finding:
    """A session whose own record_av is false has no transcript; the record_av of its space may have changed since."""
    return unknown("it needs a lesson that is not recorded, and the reference does not describe where record_av is")


@assume(GUESSED, "sessions:participant_count")
def guests_count(_: Account) -> Finding:
    """A guest counts as a person for whether a session can have a transcript."""
    return unknown("it needs a lesson of one person and a guest")


@assume(SEEN, "api.responses:read_file")
def expired_link(_: Account) -> Finding:
    """The store behind a signed link returns 403 after the link has expired."""
    return unknown("it takes hours")


@assume(SEEN, "waiting.awaited:DEFAULT_GIVE_UP_AFTER")
def transcript_in_a_week(_: Account) -> Finding:
    """A transcript that is not ready 7 days after the end never comes."""
    return unknown("it takes a week")


@assume(VENDOR, "operators.spaces:LessonspaceLaunchSpaceOperator")
def transcribe_each_time(_: Account) -> Finding:
    """A launch without transcribe turns transcription off for the space."""
    return unknown("it needs a held lesson")


@assume(GUESSED, "attendance:attendance")
def one_socket_a_connection(_: Account) -> Finding:
    """In the logs, user_socket_id is one connection: a person on two devices has two."""
    return unknown("it needs a lesson with one person on two devices")


@assume(GUESSED, "attendance:attendance")
def rows_in_order(_: Account) -> Finding:
    """Rows of the logs with the same time happened in the order of their ids."""
    return unknown("no response shows which came first")


@assume(GUESSED, "attendance:attendance")
def idle_is_present(_: Account) -> Finding:
    """An idle person is still connected, and has a row user-left after leaving."""
    return unknown("it needs a person who goes idle")


@assume(GUESSED, "attendance:billable_minutes")
def billed_at_the_end(_: Account) -> Finding:
    """Once a session has ended, its billable_seconds no longer change."""
    return unknown("it needs a session that ends during the check")


@assume(GUESSED, "sessions:fields_that_change")
def name_without_blanks(_: Account) -> Finding:
    """The API may remove blanks at the start and the end of a session's name."""
    return unknown("it would rename a session")


@assume(GUESSED, "sessions:fields_that_change")
def policy_null(_: Account) -> Finding:
    """What a recording_access_policy of null means is not known; setting the present value again does no harm."""
    return unknown("no response shows what null means")


@assume(GUESSED, "operators.users:LessonspaceRemoveUserOperator")
def removed_user(_: Account) -> Finding:
    """Removing a user who does not exist any more returns 404."""
    return unknown("it would take a user away")


@assume(GUESSED, "api.responses:LARGEST_OBJECT", "api.responses:LARGEST_PAGE", "api.responses:LARGEST_FILE")
def largest_file(_: Account) -> Finding:
    """No object is larger than 2 MB, no page of a list than 4 MB, and no transcript than 256 MB."""
    return unknown("no list has sizes")
