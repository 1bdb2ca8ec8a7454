# SPDX-License-Identifier: Apache-2.0
"""Redact a transcript's segments: labels in place of speakers' names, and changed texts. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import TYPE_CHECKING, cast

from lessonspace_provider.api import json_list
from lessonspace_provider.api.arguments import ROLES
from lessonspace_provider.transcripts.segments import (
    MAIN_ROOM,
    UNKNOWN_SPEAKER,
    finite,
    in_time_order,
    text_of,
    user_id_of,
    user_of,
)

if TYPE_CHECKING:
    from lessonspace_provider.api.types import Segment

#: Replaces a role that is not known, in labels such as ``Speaker 1``.
UNKNOWN_ROLE = "Speaker"

#: Replaces a spoken name in the text.
NAME_LABEL = "[name]"

#: Replaces a person who was erased.
ERASED_LABEL = "[erased]"

_TYPES = {"start_time": (int, float), "end_time": (int, float), "user": (object,), "text": (str,)}
_KINDS = "|".join((*(role.capitalize() for role in ROLES), UNKNOWN_ROLE))

#: What ``redacted_speakers`` makes, ``UNKNOWN_SPEAKER`` and ``ERASED_LABEL``: no name of anyone.
LABEL = re.compile(rf"({_KINDS})( \d+)?|{UNKNOWN_SPEAKER}|{re.escape(ERASED_LABEL)}")


def redacted_speakers(segments: Collection[Segment], roles: Mapping[int, str | None]) -> dict[int, str]:
    """
    Make labels to write in place of speakers' names.

    They are roles, numbered in order of first utterance, ``Student 1``, ``Student 2``; ``Speaker 1`` where no role
    is known. Only a teacher who is the only one is ``Teacher`` without a number. The same transcript and roles
    make the same labels.

    :param segments: as the hook returns them.
    :param roles: role by Lessonspace user id.
    :return: user id -> label, for every integer user id in the segments.
    """
    ids = in_time_order(segments, lambda _start, _end, segment: user_id_of(segment))
    kinds = {user_id: kind_of(roles.get(user_id)) for user_id in ids if user_id is not None}
    of_each, so_far = Counter(kinds.values()), Counter[str]()
    labels = {}
    for user_id, kind in kinds.items():
        so_far[kind] += 1
        labels[user_id] = kind if kind == "Teacher" and of_each[kind] == 1 else f"{kind} {so_far[kind]}"
    return labels


def with_labels(segments: Collection[Segment], speakers: Mapping[int, str]) -> Collection[Segment]:
    """
    Replace speakers' names by labels.

    Speakers without a label or an integer id become ``UNKNOWN_SPEAKER``. Of a segment only what the API documents is
    kept: times that are numbers, text that is text, and the breakout id ``main``, since anything else could hold names.
    User ids stay: they are pseudonyms, which Lessonspace and the school can resolve. Names that were spoken, in the
    text, stay as well. Redacting again gives the same segments.

    :param segments: as the hook returns them.
    :param speakers: user id -> label, such as ``redacted_speakers`` makes.
    :return: the segments, which are computed each time they are read.
    """
    return _Redacted(segments, speakers)


class _Redacted(Collection["Segment"]):
    """Segments with labels in place of names, computed each time they are read."""

    def __init__(self, segments: Collection[Segment], speakers: Mapping[int, str]) -> None:
        self._segments = segments
        self._speakers = speakers

    def __len__(self) -> int:
        return len(self._segments)

    def __contains__(self, wanted: object) -> bool:
        return any(segment == wanted for segment in self)

    def __iter__(self) -> Iterator[Segment]:
        return (_redacted(segment, self._speakers) for segment in self._segments)


def with_texts(segments: Collection[Segment], change: Callable[[str], str]) -> Collection[Segment]:
    """
    Change the text of each segment. Of a segment only what the API documents is kept, as in ``with_labels``.

    :param segments: as the hook returns them.
    :param change: takes a text and returns what is kept of it; called once for each segment.
    :return: the segments, in hardly more memory than their file has bytes.
    """
    lines = (json_list.line_of(finite(_with_text(segment, change))) for segment in segments)
    return cast("Collection[Segment]", json_list.JsonList(b"[" + b",".join(lines) + b"]"))


def speaker_names(segments: Collection[Segment]) -> list[str]:
    """Read the names of a transcript's speakers, without labels that an earlier redaction has written."""
    names = {name: None for segment in segments if isinstance(name := user_of(segment).get("name"), str)}
    return [name for name in names if not LABEL.fullmatch(name)]


def are_redacted(segments: Collection[Segment]) -> bool:
    """Whether there are labels in place of all speakers' names, as ``with_labels`` leaves them."""
    names = [user_of(segment).get("name") for segment in segments]
    others = [name for name in names if name != ERASED_LABEL]
    return len(others) > 0 and all(isinstance(name, str) and LABEL.fullmatch(name) for name in others)


def kind_of(role: object) -> str:
    """Make the word of a label from a role: the role with a capital, or ``UNKNOWN_ROLE``."""
    # A role no one documented might be free text, and hold a name.
    return role.capitalize() if isinstance(role, str) and role.lower() in ROLES else UNKNOWN_ROLE


def _redacted(segment: Segment, speakers: Mapping[int, str]) -> Segment:
    user_id = user_id_of(segment)
    label = UNKNOWN_SPEAKER if user_id is None else speakers.get(user_id, UNKNOWN_SPEAKER)
    kept = {field: value for field, value in segment.items() if _is_documented(field, value)}
    return cast("Segment", {**kept, "user": {"id": user_id, "name": label}})


def _with_text(segment: Segment, change: Callable[[str], str]) -> Mapping[str, object]:
    kept = {field: value for field, value in segment.items() if _is_documented(field, value)}
    return {**kept, "text": change(text_of(segment))} if isinstance(segment.get("text"), str) else kept


def _is_documented(field: str, value: object) -> bool:
    """Whether the API documents such a value of this field; null, which has no information, is allowed."""
    if field == "breakout_id":  # any other might be free text, and hold a name
        return value in (MAIN_ROOM, None)
    return field in _TYPES and (value is None or isinstance(value, _TYPES[field]))
