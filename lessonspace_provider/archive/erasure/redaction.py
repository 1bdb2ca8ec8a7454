# SPDX-License-Identifier: Apache-2.0
"""What is left of a transcript and its files when people are taken out of them. Pure."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from lessonspace_provider.api import json_list
from lessonspace_provider.api.plain_json import NUMBERS
from lessonspace_provider.archive.erasure.people import LABEL, ErasedPeople
from lessonspace_provider.archive.erasure.tombstones import without_people
from lessonspace_provider.transcripts.formats import (
    CSV_HEADER,
    WHOLE_FORMATS,
    WRITERS,
    csv_row,
    pieces_of,
    segments_in,
)
from lessonspace_provider.transcripts.segments import user_id_of, user_of

if TYPE_CHECKING:
    from lessonspace_provider.api.types import Segment

#: Endings of files whose text can be changed word by word. Any other file that has a person is left, and reported.
TEXTS = ("txt", "vtt", "srt", "md", "html", "log", "tsv")

#: Formats that have the speakers' ids, in the order in which one of them is read.
WITH_IDS = (*WHOLE_FORMATS, "csv")


_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|[\\bfnrt])")


@dataclass
class Found:
    """
    What was found of some people.

    :param lines: segments or rows that they spoke.
    :param names: their names in other places.
    """

    lines: int = 0
    names: int = 0


def mode_of_speaker(segment: Segment, people: ErasedPeople) -> str | None:
    """
    Give the mode for the speaker of a segment; None for other people.

    A speaker with an id is known by it alone: another person may have the same name.
    """
    user_id = user_id_of(segment)
    return people.mode_of_name(user_of(segment).get("name")) if user_id is None else people.mode_of_id(user_id)


def loses_all(segments: Iterable[Segment], people: ErasedPeople) -> bool:
    """Whether a transcript is to be deleted whole, since one of the people whose sessions are deleted speaks in it."""
    return any(mode_of_speaker(segment, people) == "delete" for segment in segments)


def without_erased(segments: Collection[Segment], people: ErasedPeople) -> Collection[Segment]:
    """
    Take people out of a transcript: a label in place of speaker and id, and of their names in everything else.

    :return: the segments, which are computed each time they are read; those of other people as they were.
    """
    return _Erased(segments, people, Found())


class _Erased(Collection["Segment"]):
    def __init__(self, segments: Collection[Segment], people: ErasedPeople, found: Found) -> None:
        self._segments = segments
        self._people = people
        self._found = found

    def __len__(self) -> int:
        return len(self._segments)

    def __contains__(self, wanted: object) -> bool:
        return any(segment == wanted for segment in self)

    def __iter__(self) -> Iterator[Segment]:
        self._found.lines = self._found.names = 0
        for segment in self._segments:
            yield self._changed(segment)

    def _changed(self, segment: Segment) -> Segment:
        people, found = self._people, self._found
        changed: dict[str, object] = {}
        for field, value in segment.items():
            if field in ("start_time", "end_time"):
                changed[field] = value
            elif isinstance(value, str):
                changed[field], names = people.redacted(value, ids=field != "text")
                found.names += names
            else:
                changed[field] = without_people(value, people)
        if mode_of_speaker(segment, people):
            changed["user"] = {"id": None, "name": LABEL}
            found.lines += 1
        elif changed.get("user") != segment.get("user"):
            found.names += 1
        return cast("Segment", changed)


def searchable(data: bytes) -> str:
    r"""Decode a file for a search for words, as it is and without JSON's escapes: ``\n`` is no part of a word."""
    text = data.decode(errors="replace")
    if "\\" not in text:
        return text
    return text + "\n" + _ESCAPE.sub(lambda found: chr(int(found[1], 16)) if found[1] else " ", text)


def is_searchable(data: bytes) -> bool:
    """Whether a file is text in UTF-8, in which names can be searched."""
    try:
        return "\0" not in data.decode()
    except UnicodeDecodeError:
        return False


def redacted_file(
    ending: str, data: bytes, people: ErasedPeople, segments: Collection[Segment] | None = None
) -> tuple[bytes | None, Found]:
    """
    Take people out of a file.

    :param ending: of its name: a transcript's format, or another one.
    :param data: its content.
    :param segments: of its transcript, where another file has them: what was written from them is written again.
    :return: its new content, which is the same without anything of them in it, and None when it can't be changed.
    """
    found = Found()
    if ending in WHOLE_FORMATS and (own := segments_in(data, ending)) is not None:
        return b"".join(pieces_of(_Erased(own, people, found), ending)), found
    if segments is not None and ending in WRITERS and b"".join(pieces_of(segments, ending)) == data:
        return b"".join(pieces_of(_Erased(segments, people, found), ending)), found
    try:
        text = data.decode()
    except ValueError:
        return None, found
    if ending == "csv":
        return _without_rows_of(text, people, found), found
    if ending == "jsonl":
        return _without_in_lines(text, people, found), found
    if ending == "json":
        return _without_in_json(text, people, found), found
    if ending not in TEXTS:
        return None, found
    text, found.names = people.redacted(text)
    return text.encode(), found


def rows_in(text: str) -> Iterator[list[str]]:
    """Read a CSV file, also one with longer texts than Python's csv takes by default."""
    csv.field_size_limit(max(csv.field_size_limit(), len(text)))
    return csv.reader(io.StringIO(text, newline=""))


def _without_rows_of(text: str, people: ErasedPeople, found: Found) -> bytes:
    rows = rows_in(text)
    pieces = []
    for number, row in enumerate(rows):
        is_header = number == 0 and tuple(row) == CSV_HEADER
        new, names = (row, 0) if is_header else _without_cells(row, people, found)
        found.names += names
        pieces.append(csv_row(new))
    rewritten = b"".join(pieces)
    return rewritten if found.lines or found.names else text.encode()


def _without_cells(row: list[str], people: ErasedPeople, found: Found) -> tuple[list[str], int]:
    if len(row) == len(CSV_HEADER) and (people.mode_of_id(row[2]) if row[2] else people.mode_of_name(row[3])):
        found.lines += 1
        text, names = people.redacted(row[4])
        return [*row[:2], "", LABEL, text], names
    cells = [people.redacted(cell, ids=len(row) != len(CSV_HEADER)) for cell in row]
    return [cell for cell, _ in cells], sum(names for _, names in cells)


def _without_in_lines(text: str, people: ErasedPeople, found: Found) -> bytes | None:
    pieces = []
    for line in text.encode().splitlines(keepends=True):  # those of a text also end where JSON's do not
        may_have = people.may_occur_in(searchable(line))
        changed = _without_in_json(line.decode(), people, found) if may_have else line
        if changed is None:
            return None
        pieces.append(changed)
    return b"".join(pieces)


def _without_in_json(text: str, people: ErasedPeople, found: Found) -> bytes | None:
    """Take people out of any JSON, a line of an account included; one without them stays as it is."""
    try:
        read = json.loads(text, **NUMBERS)
    except (ValueError, RecursionError):
        return None
    changed = without_people(read, people)
    if changed == read:
        return text.encode()
    found.names += 1
    if "\n" in text.strip():
        return json_list.encoded(json.dumps(changed, ensure_ascii=False, indent=1))
    return json_list.line_of(changed)
