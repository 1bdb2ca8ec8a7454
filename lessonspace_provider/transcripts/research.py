# SPDX-License-Identifier: Apache-2.0
"""Write transcripts for research: JSON Lines with the session on top, and roles in place of names. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Literal, TypedDict

from lessonspace_provider.api.json_list import line_of
from lessonspace_provider.transcripts.redaction import are_redacted, redacted_speakers
from lessonspace_provider.transcripts.segments import MAIN_ROOM, UNKNOWN_SPEAKER
from lessonspace_provider.transcripts.summaries import label_writer, names_in_transcript
from lessonspace_provider.transcripts.talk_time import utterances

if TYPE_CHECKING:
    from lessonspace_provider.api.types import Role, Segment

#: Raised with every change of a field.
VERSION = 1


class ResearchSession(TypedDict):
    """
    The first line of a file.

    :param type: ``session``.
    :param version: of the form, ``VERSION``.
    :param session_id: the session's uuid.
    :param space_id: of its space, or null; sessions of a class share it.
    :param start_time: ISO 8601 in UTC, or null.
    :param end_time: likewise.
    :param participants: number of people, also those who did not speak.
    :param utterances: number of lines that follow.
    :param spoken_names_replaced: whether names of the speakers were replaced in the texts. False where the archive has
        no names, since it was written with ``redact_speakers``: then names that were spoken are still there.
    """

    type: Literal["session"]
    version: int
    session_id: str
    space_id: str | None
    start_time: str | None
    end_time: str | None
    participants: int
    utterances: int
    spoken_names_replaced: bool


class ResearchUtterance(TypedDict):
    """
    Each of the other lines, in the order of the transcript.

    :param type: ``utterance``.
    :param index: position in the transcript, from 0.
    :param start_time: seconds from the start of the recording, or null where the transcript has none that can be read.
    :param end_time: likewise.
    :param role: ``teacher``, ``student`` or ``admin``; null where it is not known.
    :param speaker: a label such as ``Student 1``, the same for a speaker throughout the session; no name, no user id.
    :param breakout: a number for each breakout room, in order of appearance; 0 is the main room.
    :param text: of the segment, with the speakers' names replaced by their labels.
    """

    type: Literal["utterance"]
    index: int
    start_time: float | None
    end_time: float | None
    role: Role | None
    speaker: str
    breakout: int
    text: str


class SessionFacts(TypedDict):
    """What is kept of the session; see ``ResearchSession``."""

    session_id: str
    space_id: str | None
    start_time: str | None
    end_time: str | None
    participants: int


def research_lines(session: SessionFacts, segments: Collection[Segment], roles: Mapping[int, str]) -> Iterator[bytes]:
    """
    Write a transcript, a line at a time.

    :param segments: as the hook returns them; they are read through several times.
    :param roles: role by Lessonspace user id.
    """
    speakers = redacted_speakers(segments, roles)
    with_labels = label_writer(names_in_transcript(segments, speakers))
    yield line_of(
        ResearchSession(
            type="session",
            version=VERSION,
            **session,
            utterances=len(segments),
            spoken_names_replaced=not are_redacted(segments),
        )
    )
    rooms = {MAIN_ROOM: 0}
    for index, said in enumerate(utterances(segments, roles)):
        yield line_of(
            ResearchUtterance(
                type="utterance",
                index=index,
                start_time=said.start,
                end_time=said.end,
                role=said.role,
                speaker=UNKNOWN_SPEAKER if said.user_id is None else speakers.get(said.user_id, UNKNOWN_SPEAKER),
                breakout=rooms.setdefault(said.room or MAIN_ROOM, len(rooms)),
                text=with_labels(said.text),
            )
        )
