# SPDX-License-Identifier: Apache-2.0
"""Read a transcript's segments, whatever they lack: speaker, text and times. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from itertools import pairwise
from operator import itemgetter
from typing import TYPE_CHECKING, TypeVar

from lessonspace_provider.api import json_list
from lessonspace_provider.exceptions import LessonspaceReplyTooLargeError

if TYPE_CHECKING:
    from lessonspace_provider.api.types import Segment, Speaker

Made = TypeVar("Made")

#: Bytes of a transcript's file whose segments may be held in memory all at once, where they take up to 50 times that.
LARGEST_IN_MEMORY = 8 * 1024 * 1024

#: The label of a speaker of whom the segment has neither a name nor an id, or who must not be named.
UNKNOWN_SPEAKER = "Unknown"

#: The one breakout id that is documented, and the room of a segment that has none.
MAIN_ROOM = "main"

#: In seconds, a million hours: a time beyond it is an error, and more than players and parsers can read.
LATEST_TIME = 3_600_000_000

#: How long a cue lasts, in milliseconds, when the segment has no end: long enough to be seen.
UNKNOWN_LENGTH = 1000

# Control characters other than tabs and line breaks go; lone surrogates, which UTF-8 can't hold, become U+FFFD.
_PRINTABLE: Mapping[int, str | None] = {
    **{code: " " if chr(code).isspace() else None for code in (*range(32), *range(127, 160))},
    **{ord(char): char for char in "\t\n\r"},
    **dict.fromkeys(range(0xD800, 0xE000), "\ufffd"),
}


def in_memory(session_id: str, segments: Collection[Segment]) -> list[Segment]:
    """
    Make a list of a transcript's segments.

    :param session_id: whose transcript it is, for the message.
    :param segments: as they were opened.
    :raises LessonspaceReplyTooLargeError: its file has more than ``LARGEST_IN_MEMORY`` bytes.
    """
    if isinstance(segments, json_list.JsonList) and segments.size > LARGEST_IN_MEMORY:
        raise LessonspaceReplyTooLargeError(
            f"The transcript of session {session_id} has {segments.size >> 20} MB, and at most "
            f"{LARGEST_IN_MEMORY >> 20} MB are read into memory: give a destination, or use open_transcript()."
        )
    return list(segments)


def user_of(segment: Segment) -> Speaker:
    """Read who speaks; empty where the segment has no speaker."""
    user = segment.get("user")
    return user if isinstance(user, dict) else {}


def user_id_of(segment: Segment) -> int | None:
    """Read the speaker's Lessonspace user id; None where there is no integer."""
    user_id = user_of(segment).get("id")
    return user_id if isinstance(user_id, int) and not isinstance(user_id, bool) else None


def speaker_of(segment: Segment) -> str:
    """Read what the speaker is called, on one line: the name, else ``User <id>``, else ``UNKNOWN_SPEAKER``."""
    user = user_of(segment)
    name, user_id = user.get("name"), user.get("id")
    shown = one_line(name) if isinstance(name, str) else ""
    return shown or (UNKNOWN_SPEAKER if user_id is None else one_line(f"User {user_id}"))


def text_of(segment: Segment) -> str:
    """Read the spoken text; empty where the segment has none."""
    text = segment.get("text")
    return text if isinstance(text, str) else ""


def printable(text: str) -> str:
    """Leave out control characters other than tabs and line breaks; a lone surrogate becomes U+FFFD."""
    return text if text.isprintable() else text.translate(_PRINTABLE)


def one_line(text: str) -> str:
    """Write a text on one line, without control characters."""
    return " ".join(printable(text).split())


def in_time_order(segments: Collection[Segment], make: Callable[[int, int, Segment], Made]) -> Iterator[Made]:
    """
    Make something of each segment, ordered by the segments' starts.

    :param make: takes start and end in milliseconds, and the segment.
    """
    timed = ((start, make(start, end, segment)) for start, end, segment in with_times(segments))
    # To sort takes many times the memory, and the API sends most transcripts in order.
    in_order = all(before <= after for before, after in pairwise(start for start, _, _ in with_times(segments)))
    return (made for _, made in (timed if in_order else sorted(timed, key=itemgetter(0))))


def with_times(segments: Iterable[Segment]) -> Iterator[tuple[int, int, Segment]]:
    """
    Yield start and end of each segment in milliseconds, and the segment.

    A start that is missing or absurd becomes the start of the segment before, so that the text keeps its place;
    an end that is, or is before the start, ``UNKNOWN_LENGTH`` later. A cue lasts a millisecond at least: WebVTT
    wants its end after its start.
    """
    start = 0
    for segment in segments:
        given = _milliseconds(segment.get("start_time"))
        start = start if given is None else given
        end = _milliseconds(segment.get("end_time"))
        yield start, start + UNKNOWN_LENGTH if end is None or end < start else max(end, start + 1), segment


def _milliseconds(seconds: object) -> int | None:
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)):
        return None
    return round(max(seconds, 0) * 1000) if -LATEST_TIME <= seconds <= LATEST_TIME else None


def finite(value: object) -> object:
    """Replace NaN and infinity by None, at any depth: JSON has no such numbers (RFC 8259)."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(item) for item in value]
    return value
