# SPDX-License-Identifier: Apache-2.0
"""Writes a transcript's segments in the formats people read and programs take. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from lessonspace_provider.parameters import refuse

if TYPE_CHECKING:
    from lessonspace_provider.api_types import Segment


def to_json(segments: Sequence[Segment]) -> str:
    """Write the segments as the API gave them, unknown fields included."""
    return json.dumps(segments, ensure_ascii=False, indent=1) + "\n"


def to_txt(segments: Sequence[Segment]) -> str:
    """Write a line per segment, ``[hh:mm:ss] speaker: text``, times from the start of the recording."""
    return "".join(f"[{_clock(segment)}] {_speaker(segment)}: {_one_line(segment)}\n" for segment in segments)


def _clock(segment: Segment) -> str:
    seconds = int(segment.get("start_time") or 0)
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"


def _speaker(segment: Segment) -> str:
    user = segment.get("user") or {}
    return user.get("name") or (f"User {user['id']}" if "id" in user else "Unknown")


def _one_line(segment: Segment) -> str:
    return " ".join((segment.get("text") or "").split())


#: How each format is written, by its name, which is also its file extension.
WRITERS: Mapping[str, Callable[[Sequence[Segment]], str]] = {"json": to_json, "txt": to_txt}


def check_formats(formats: object) -> list[str]:
    """
    Check the names of formats.

    :param formats: a list of names, such as ``["json", "txt"]``.
    :return: them, each once, in the order given.
    :raises LessonspaceInputError: for an unknown name, an empty list, or a text in place of a list.
    """
    allowed = f"a list of {', '.join(WRITERS)}"
    if isinstance(formats, str) or not isinstance(formats, Iterable):
        raise refuse("formats", formats, allowed)
    names = list(dict.fromkeys(formats))
    if not names or any(name not in WRITERS for name in names):
        raise refuse("formats", names, allowed)
    return names


def write(segments: Sequence[Segment], format_name: str) -> bytes:
    """
    Write a transcript.

    :param segments: as ``LessonspaceHook.get_transcript`` returns them.
    :param format_name: a key of ``WRITERS``.
    :return: UTF-8 text.
    """
    return WRITERS[format_name](segments).encode()
