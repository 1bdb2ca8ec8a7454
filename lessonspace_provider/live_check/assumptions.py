# SPDX-License-Identifier: Apache-2.0
"""
What this provider takes for true of the live API, in one place.

``python -m lessonspace_provider.live_check`` tests what can be tested from outside with an account's key.
"""

from __future__ import annotations

from dataclasses import dataclass

DOCUMENTED = "vendor's reference"
VENDOR = "vendor's guides"
SEEN = "seen in programs that use the API"
GUESSED = "assumed here"


@dataclass(frozen=True)
class Assumption:
    """
    Something that is taken for true.

    :param name: what the check is called.
    :param claim: one sentence.
    :param source: where it comes from.
    :param relied_on_in: what would go wrong without it: dotted names below ``lessonspace_provider``.
    :param why_untested: why the live check can't tell; None when it can.
    """

    name: str
    claim: str
    source: str
    relied_on_in: tuple[str, ...]
    why_untested: str | None = None


_HOOK = "hooks.lessonspace:LessonspaceHook"

READ_ONLY = (
    Assumption("hello", "GET /hello/ greets the owner of a valid key", VENDOR, (f"{_HOOK}.hello",)),
    Assumption(
        "own-organisation",
        "GET /my-organisation/ has the integer id in `id`",
        GUESSED,
        (f"{_HOOK}.my_organisation_id",),
    ),
    Assumption(
        "pages",
        "lists are {count, next, previous, results}, and next stays at the list's own path",
        SEEN,
        ("api.transport:Transport.query_of_next_page",),
    ),
    Assumption(
        "page-past-end",
        'a page past the end is 404, and called "Invalid page"',
        GUESSED,
        ("api.paging:PAGE_PAST_THE_END",),
    ),
    Assumption(
        "unknown-filter", "a filter that does not exist is ignored in silence", SEEN, ("api.filters:encode_filters",)
    ),
    Assumption("uuid-in-urls", "a session is found by its uuid", SEEN, (f"{_HOOK}.get_session",)),
    Assumption("integer-id", "a session is not found by its integer id", SEEN, ("api.arguments:as_uuid",)),
    Assumption(
        "space-in-session", "each listed session names its space's id and slug", DOCUMENTED, ("sessions:space_of",)
    ),
    Assumption("running-has-no-end", "end_time is null while a session runs", SEEN, ("sessions:has_ended",)),
    Assumption(
        "end-filter",
        "end_time_after gives all sessions that ended since then, and no running ones",
        DOCUMENTED,
        ("triggers.shared_poll:SharedConnection", "operators.transcripts:LessonspaceArchiveTranscriptsOperator"),
    ),
    Assumption(
        "start-filter",
        "start_time_after and start_time_before give all sessions of that time, and no others",
        DOCUMENTED,
        ("waiting.awaited:AwaitedLesson.check",),
    ),
    Assumption(
        "single-user",
        "without include_single_user=true, sessions of one person are left out",
        GUESSED,
        ("waiting.awaited:AwaitedLesson.check", "operators.transcripts:LessonspaceArchiveTranscriptsOperator"),
    ),
    Assumption("several-values", "a filter that is given twice asks for either", SEEN, ("api.filters:encode_filters",)),
    Assumption(
        "slug-names-space",
        "a space's slug works as ?space= and in /spaces/{slug}/",
        SEEN,
        ("api.arguments:as_space_id",),
    ),
    Assumption(
        "logs-in-space-list",
        "a space's session list has logs, whose profile is that of profiles[].user",
        SEEN,
        (f"{_HOOK}.list_space_sessions",),
    ),
    Assumption(
        "one-at-a-time", "a space has one session at a time", GUESSED, ("waiting.lessons:Lesson.takes_up_most",)
    ),
    Assumption("half-a-day", "no session lasts over 12 hours", GUESSED, ("waiting.awaited:LONGEST_SESSION",)),
    Assumption("profile-users", "profiles[].user is an integer", DOCUMENTED, ("sessions:participant_count",)),
    Assumption("billable", "billable_seconds is an integer or null", DOCUMENTED, ("sessions:summary",)),
    Assumption(
        "transcript-link",
        "a transcript that is there answers with transcriptionUrl",
        SEEN,
        (f"{_HOOK}.get_transcript",),
    ),
    Assumption(
        "transcript-file",
        "its file is a JSON list of segments: start_time and end_time in seconds, user, text",
        SEEN,
        ("transcripts.formats:pieces_of",),
    ),
    Assumption(
        "one-person-no-transcript",
        "a session of one person has no transcript, and asking for it is 404",
        VENDOR,
        ("waiting.transcripts:transcript_obstacle",),
    ),
    Assumption(
        "short-no-transcript",
        "a session of 300 s or less has no transcript (an older guide: 150 s), and asking for it is 404",
        VENDOR,
        ("waiting.transcripts:SHORTEST_TRANSCRIBED",),
    ),
    Assumption(
        "recording-link",
        "GET /sessions/{uuid}/playback/ answers with recording_url, or 404 without a recording",
        DOCUMENTED,
        (f"{_HOOK}.get_recording_url",),
    ),
    Assumption("space-list", "listed spaces have id and slug", GUESSED, (f"{_HOOK}.list_spaces",)),
    Assumption(
        "user-list",
        "listed users have an integer id in user.id, or in user or id itself",
        SEEN,
        ("api.ids:user_id_of",),
    ),
)

WRITING = (
    Assumption(
        "launch-created", "the first launch of an id is 201, the next one 200", VENDOR, (f"{_HOOK}.launch_space",)
    ),
    Assumption(
        "same-room",
        "both launches give the same room",
        DOCUMENTED,
        ("operators.spaces:LessonspaceLaunchSpaceOperator",),
    ),
    Assumption(
        "space-page", "a personal link without its query is the space's page", GUESSED, ("operators.spaces:space_page",)
    ),
    Assumption(
        "reserved-session",
        "no one has joined, so the launch's session is 404",
        GUESSED,
        ("waiting.awaited:AwaitedSession.check",),
    ),
)

UNTESTABLE = (
    Assumption(
        "five-a-second",
        "a key may make about five calls a second, and 429 is the answer to more",
        VENDOR,
        ("rate_limit.gate:gate_for",),
        "it would take the key away from everybody else",
    ),
    Assumption(
        "store-without-key",
        "the store behind a signed link refuses a request that carries the key",
        SEEN,
        ("api.transport:Transport.download",),
        "the key is never sent there",
    ),
    Assumption(
        "link-hours",
        "a transcript's link works for about 12 hours, a recording's for about 3",
        SEEN,
        (f"{_HOOK}.get_transcript",),
        "it takes hours",
    ),
    Assumption(
        "listed-in-time",
        "a session that ended is on the list within 10 minutes",
        GUESSED,
        ("waiting.cursor:OVERLAP",),
        "it needs a session that ends meanwhile",
    ),
    Assumption(
        "ended-for-good",
        "a session that has ended does not go on, and its end_time stays; who comes back opens another",
        GUESSED,
        ("sessions:has_ended",),
        "it needs a session that ends meanwhile",
    ),
    Assumption(
        "room-is-slug",
        "launch's room_id is the slug by which sessions name their space",
        SEEN,
        ("waiting.cursor:EndedSessions",),
        "it needs a person who joins",
    ),
    Assumption(
        "recorded-by-session",
        "a session whose own record_av is false has no transcript; its space's may have changed since",
        GUESSED,
        ("waiting.transcripts:transcript_obstacle",),
        "it needs a lesson that is not recorded, and the reference does not tell where record_av stands",
    ),
    Assumption(
        "guests-count",
        "a guest counts as a person when it is decided whether a session can have a transcript",
        GUESSED,
        ("sessions:participant_count",),
        "it needs a lesson of one person and a guest",
    ),
    Assumption(
        "expired-link",
        "the store behind a signed link answers 403 when the link has expired",
        SEEN,
        ("api.responses:read_file",),
        "it takes hours",
    ),
    Assumption(
        "transcript-in-a-week",
        "a transcript that is not there 7 days after the end never comes",
        SEEN,
        ("waiting.awaited:DEFAULT_GIVE_UP_AFTER",),
        "it takes a week",
    ),
    Assumption(
        "transcribe-each-time",
        "a launch without transcribe turns transcription off for the space",
        VENDOR,
        ("operators.spaces:LessonspaceLaunchSpaceOperator",),
        "it needs a held lesson",
    ),
    Assumption(
        "one-socket-a-connection",
        "user_socket_id in the logs is one connection: a person on two devices has two",
        GUESSED,
        ("attendance:attendance",),
        "it needs a lesson with one person on two devices",
    ),
    Assumption(
        "rows-in-order",
        "rows of the logs of the same moment happened in the order of their ids",
        GUESSED,
        ("attendance:attendance",),
        "no answer tells what happened first",
    ),
    Assumption(
        "idle-is-present",
        "an idle person is still connected, and user-left follows when they go",
        GUESSED,
        ("attendance:attendance",),
        "it needs a person who goes idle",
    ),
    Assumption(
        "billed-at-the-end",
        "billable_seconds no longer changes once a session has ended",
        GUESSED,
        ("attendance:billable_minutes",),
        "it needs a session that ends meanwhile",
    ),
    Assumption(
        "name-without-blanks",
        "the API may take the blanks off the ends of a session's name",
        GUESSED,
        ("sessions:fields_that_change",),
        "it would rename a session",
    ),
    Assumption(
        "policy-null",
        "a recording_access_policy of null may mean anything, and setting what is set does no harm",
        GUESSED,
        ("sessions:fields_that_change",),
        "no answer tells what null means",
    ),
    Assumption(
        "removed-user",
        "removing a user who is gone already is 404",
        GUESSED,
        ("operators.users:LessonspaceRemoveUserOperator",),
        "it would take a user away",
    ),
    Assumption(
        "largest-file",
        "no object is larger than 2 MB, no page of a list than 4 MB, and no transcript than 256 MB",
        GUESSED,
        ("api.bodies:LARGEST_OBJECT", "api.bodies:LARGEST_PAGE", "api.bodies:LARGEST_FILE"),
        "no list tells sizes",
    ),
)

#: All of them.
ASSUMPTIONS = (*READ_ONLY, *WRITING, *UNTESTABLE)
