# SPDX-License-Identifier: Apache-2.0
"""Get a transcript: its link from the API, then the file from the store."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from lessonspace_provider.api.errors import unexpected
from lessonspace_provider.api.json_list import JsonList
from lessonspace_provider.api.paging import read_whole_list
from lessonspace_provider.api.responses import LARGEST_PAGE
from lessonspace_provider.exceptions import (
    LessonspaceLinkExpiredError,
    LessonspaceNotFoundError,
    LessonspaceTranscriptNotReady,
)

if TYPE_CHECKING:
    from lessonspace_provider.api.errors import Call
    from lessonspace_provider.api.log import Log
    from lessonspace_provider.api.paging import Query
    from lessonspace_provider.api.transport import Transport
    from lessonspace_provider.api.types import Segment


#: How many links of a transcript are tried when the store reports that one has expired.
LINKS_PER_TRANSCRIPT = 3


def open_transcript(transport: Transport, path: str, session_id: str, query: Query, log: Log) -> Collection[Segment]:
    """
    Get the transcript of a session, with a new link where one has expired.

    :param path: of the operation.
    :raises LessonspaceTranscriptNotReady: 404.
    """
    for _ in range(LINKS_PER_TRANSCRIPT - 1):
        try:
            return _fetched(transport, path, session_id, query)
        except LessonspaceLinkExpiredError as error:
            log.info("%s", error)
    return _fetched(transport, path, session_id, query)


def _fetched(transport: Transport, path: str, session_id: str, query: Query) -> Collection[Segment]:
    try:
        answer = transport.call("GET", path, query=query, largest=LARGEST_PAGE)
    except LessonspaceNotFoundError as error:
        raise LessonspaceTranscriptNotReady(
            f"Session {session_id} has no transcript (404): it is not ready yet, will never come (too short, one "
            f"person only, not recorded or not launched with transcribe), or there is no such session. Check "
            f"the session's detail, and try again some hours after its end.",
            status=error.status,
            method=error.method,
            path=error.path,
            retry_after=error.retry_after,
        ) from None
    body, call = answer.body, answer.call
    if isinstance(body, dict) and isinstance(body.get("transcriptionUrl"), str):
        # Not masked: the link never leaves this module, and Airflow joins all masks into one pattern, which takes
        # minutes to build for a night of a thousand links.
        what = f"transcript file of session {session_id}"
        return _segments(transport.download(body["transcriptionUrl"], what), replace(call, path=what))
    if isinstance(body, dict) and "results" in body:
        # Never seen, but hinted at by the reference's search and page parameters.
        return _segments(read_whole_list(transport.pages(path), query, first=body), call)
    return _segments(body, call)


def _segments(body: object, call: Call) -> Collection[Segment]:
    if not isinstance(body, (list, JsonList)) or not all(isinstance(segment, dict) for segment in body):
        raise unexpected(call, "a list of segments")
    segments = cast("Collection[Segment]", body)
    if segments and not any("text" in segment or "start_time" in segment for segment in segments):
        raise unexpected(call, "segments with text and start_time")
    return segments
