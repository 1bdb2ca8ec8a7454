# SPDX-License-Identifier: Apache-2.0
"""
Write a transcript's segments in each format, and read them again. Pure.

``json``, ``jsonl`` and ``csv`` are for programs: one record per segment, in the API's order, with the API's values.
``txt``, ``vtt`` and ``srt`` are for people and players: ordered by start time, with each segment's text on one line and
impossible times corrected. Every format has all segments, also those without text.

Each format is written piece by piece, because a transcript can have tens of megabytes, and many times that as Python
objects.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, cast

from lessonspace_provider.api import json_list
from lessonspace_provider.api.arguments import refuse
from lessonspace_provider.api.plain_json import NUMBERS
from lessonspace_provider.spreadsheets import without_formulas
from lessonspace_provider.transcripts.segments import (
    finite,
    in_time_order,
    one_line,
    printable,
    speaker_of,
    text_of,
    user_of,
)

if TYPE_CHECKING:
    from lessonspace_provider.api.types import Segment

#: The columns of the CSV format.
CSV_HEADER = ("start_time", "end_time", "speaker_id", "speaker", "text")

_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


def to_json(segments: Iterable[Segment]) -> Iterator[bytes]:
    """
    Write the segments as the API returned them, with unknown fields. The same segments give the same bytes.

    NaN and infinity become null, because JSON has no such numbers (RFC 8259).
    """
    separator = first = b"[\n "
    for segment in segments:
        # Line breaks inside of texts are escaped: these are the layout's, and go in by one.
        text = json.dumps(finite(segment), ensure_ascii=False, indent=1).replace("\n", "\n ")
        yield separator + json_list.encoded(text)
        separator = b",\n "
    yield b"[]\n" if separator is first else b"\n]\n"


def to_jsonl(segments: Iterable[Segment]) -> Iterator[bytes]:
    """Write JSON Lines: the same objects as ``to_json``, each on a line of its own."""
    for segment in segments:
        yield json_list.line_of(finite(segment))


def to_csv(segments: Iterable[Segment]) -> Iterator[bytes]:
    """
    Write CSV after RFC 4180, in UTF-8 without a byte order mark: ``CSV_HEADER``, then a row per segment.

    Times are in seconds, as the API returned them. A missing value or NaN is an empty cell. Control characters other
    than tabs and line breaks are left out.

    A text that a spreadsheet could read as a formula gets an apostrophe before it, see
    ``spreadsheets.without_formulas``. For the exact text use ``json``.
    """
    yield csv_row(CSV_HEADER)
    for segment in segments:
        values = (segment.get("start_time"), segment.get("end_time"), user_of(segment).get("id"))
        yield csv_row([_cell(value) for value in (*values, speaker_of(segment), text_of(segment))])


def to_txt(segments: Collection[Segment]) -> Iterator[bytes]:
    """Write a line per segment, ``[hh:mm:ss] speaker: text``, times from the start of the recording."""

    def line(start: int, _: int, segment: Segment) -> bytes:
        return f"[{_clock(start)}] {_spoken(segment)}\n".encode()

    yield from in_time_order(segments, line)


def to_vtt(segments: Collection[Segment]) -> Iterator[bytes]:
    """
    Write WebVTT (W3C): a cue per segment, the speaker in its voice tag, overlapping speakers in overlapping cues.

    Text and names are escaped, so ``html.unescape`` gives them back.
    """

    def cue(start: int, end: int, segment: Segment) -> bytes:
        cue = f"<v {_escaped(speaker_of(segment))}>{_escaped(one_line(text_of(segment)))}"
        return f"{_timings(start, end, '.')}\n{cue}\n\n".encode()

    yield b"WEBVTT\n\n"
    yield from in_time_order(segments, cue)


def to_srt(segments: Collection[Segment]) -> Iterator[bytes]:
    """
    Write SubRip: a numbered cue per segment, ``speaker: text``.

    The format has no escaping. ``-->``, which players read as a timing, becomes ``->``; whether a player shows
    ``<b>`` or takes it for a tag is up to the player.
    """

    def cue(start: int, end: int, segment: Segment) -> bytes:
        cue = re.sub("-{2,}>", "->", _spoken(segment))
        return f"{_timings(start, end, ',')}\n{cue}\n\n".encode()

    for number, text in enumerate(in_time_order(segments, cue), 1):
        yield b"%d\n%b" % (number, text)


#: How each format is written, piece by piece, by its name, which is also its file extension.
WRITERS: Mapping[str, Callable[[Collection[Segment]], Iterator[bytes]]] = {
    "json": to_json,
    "jsonl": to_jsonl,
    "txt": to_txt,
    "vtt": to_vtt,
    "srt": to_srt,
    "csv": to_csv,
}


#: Formats that have all of a transcript: the first that a session has is read.
WHOLE_FORMATS = ("json", "jsonl")


def segments_in(data: bytes, format_name: str, *, at_once: bool = False) -> Collection[Segment] | None:
    """
    Read the segments of a file.

    :param data: its content, whatever that is.
    :param format_name: one of ``WHOLE_FORMATS``.
    :param at_once: parse all segments now: in a fraction of the time, and in up to 50 times the memory.
    :return: None when it holds no segments.
    """
    text = data if format_name == "json" else b"[" + b",".join(data.splitlines()) + b"]"
    try:
        read = json.loads(text, **NUMBERS) if at_once else json_list.loads(text)
    except (ValueError, RecursionError):
        return None
    is_list = isinstance(read, (list, json_list.JsonList)) and all(isinstance(segment, dict) for segment in read)
    return cast("Collection[Segment]", read) if is_list else None


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
    names = list(formats)
    if not names or any(not isinstance(name, str) or name not in WRITERS for name in names):
        raise refuse("formats", names, allowed)
    return list(dict.fromkeys(names))


def pieces_of(segments: Collection[Segment], format_name: str) -> Iterator[bytes]:
    """
    Write a transcript, whatever its segments lack, piece by piece.

    :param segments: as the hook returns them, times in seconds.
    :param format_name: a key of ``WRITERS``.
    :return: UTF-8 text.
    """
    return WRITERS[format_name](segments)


def _spoken(segment: Segment) -> str:
    return f"{speaker_of(segment)}: {one_line(text_of(segment))}".rstrip()


def _escaped(line: str) -> str:
    return line.translate(_ESCAPES)


def _timings(start: int, end: int, point: str) -> str:
    return f"{_clock(start)}{point}{start % 1000:03d} --> {_clock(end)}{point}{end % 1000:03d}"


def _clock(milliseconds: int) -> str:
    seconds = milliseconds // 1000
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"


def _cell(value: object) -> object:
    if not isinstance(value, str):
        return finite(value) if isinstance(value, (int, float)) else None
    return without_formulas(printable(value))


def csv_row(cells: Iterable[object]) -> bytes:
    """Write a row of CSV after RFC 4180, with its line end."""
    row = io.StringIO(newline="")
    csv.writer(row, lineterminator="\r\n").writerow(cells)
    return row.getvalue().encode()
