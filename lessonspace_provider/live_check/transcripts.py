# SPDX-License-Identifier: Apache-2.0
"""Assumptions about transcripts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lessonspace_provider.exceptions import LessonspaceError
from lessonspace_provider.live_check.account import MOST_TRIES
from lessonspace_provider.live_check.assumptions import (
    DOCUMENTED,
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
from lessonspace_provider.sessions import end_time, participant_count, start_time
from lessonspace_provider.waiting.transcripts import SHORTEST_TRANSCRIBED, transcript_obstacle

if TYPE_CHECKING:
    from lessonspace_provider.api.types import Session
    from lessonspace_provider.live_check.account import Account


@assume(SEEN, f"{HOOK}.get_transcript")
def transcript_link(account: Account) -> Finding:
    """The response for a transcript that exists has transcriptionUrl."""
    if account.transcript is None:
        return unknown("none of the checked sessions has a transcript")
    return finding(holds=is_filled(account.transcript[1].fields.get("transcriptionUrl")))


@assume(SEEN, "transcripts.formats:pieces_of")
def transcript_file(account: Account) -> Finding:
    """A transcript's file is a JSON list of segments: start_time and end_time in seconds, user, text."""
    if account.transcript is None:
        return unknown("none of the checked sessions has a transcript")
    try:
        segments = account.hook.get_transcript(str(account.transcript[0].get("uuid")))
    except LessonspaceError as error:
        return finding(holds=False, note=f"{type(error).__name__}, status {error.status}")
    return all_of([is_segment(segment) for segment in segments], "segments")


@assume(SEEN, "archive.summaries:SummaryFiles")
def summary_in_lists(account: Account) -> Finding:
    """Session lists have summary, the same text as a session's detail."""
    sessions = [session for session in account.ended if transcript_obstacle(session) is None]
    sessions.sort(key=lambda session: not is_filled(session.get("summary")))
    for session in sessions[:MOST_TRIES]:
        detail = account.ask(f"{account.organisation}/sessions/{session.get('uuid')}/").fields
        if is_filled(detail.get("summary")):
            return finding(holds=session.get("summary") == detail["summary"])
    return unknown("none of the checked sessions has a summary")


def is_segment(segment: object) -> bool:
    """Whether a segment is as the provider reads it."""
    if not isinstance(segment, dict):
        return False
    times = [segment.get("start_time"), segment.get("end_time")]
    user = segment.get("user")
    return (
        all(isinstance(time, (int, float)) and not isinstance(time, bool) for time in times)
        and isinstance(user, dict)
        and is_integer(user.get("id"))
        and isinstance(segment.get("text"), str)
    )


@assume(VENDOR, "waiting.transcripts:transcript_obstacle")
def one_person_no_transcript(account: Account) -> Finding:
    """A session of one person has no transcript, and the request for it is 404."""
    alone = [session for session in account.ended if participant_count(session) == 1]
    return none_has_a_transcript(account, alone, "sessions of one person")


@assume(VENDOR, "waiting.transcripts:SHORTEST_TRANSCRIBED")
def short_no_transcript(account: Account) -> Finding:
    """A session of 300 s or less has no transcript (an older guide: 150 s), and the request for it is 404."""
    longest = SHORTEST_TRANSCRIBED.total_seconds()
    listed = account.sessions_with(("duration_max", f"{longest:.0f}")).sessions
    short = [
        (end - start, session)
        for session in listed
        if participant_count(session) > 1 and (start := start_time(session)) and (end := end_time(session))
    ]
    short.sort(key=lambda pair: pair[0], reverse=True)
    return none_has_a_transcript(
        account, [session for length, session in short if length <= SHORTEST_TRANSCRIBED], "short sessions"
    )


def none_has_a_transcript(account: Account, sessions: list[Session], what: str) -> Finding:
    """Give the verdict on sessions that should have no transcript."""
    tried = sessions[:MOST_TRIES]
    return all_of(
        [account.ask(f"{account.organisation}/sessions/{s.get('uuid')}/transcript/").status == 404 for s in tried], what
    )


@assume(DOCUMENTED, f"{HOOK}.get_recording_url")
def recording_link(account: Account) -> Finding:
    """GET /sessions/{uuid}/playback/ returns recording_url, or 404 without a recording."""
    answers = [account.ask(f"/sessions/{s.get('uuid')}/playback/") for s in account.ended[:MOST_TRIES]]
    good = [is_filled(a.fields.get("recording_url")) if a.status == 200 else a.status == 404 for a in answers]
    if good and all(good) and not any(answer.status == 200 for answer in answers):
        return unknown(f"{len(answers)} sessions have no recording")
    return all_of(good, "sessions")
