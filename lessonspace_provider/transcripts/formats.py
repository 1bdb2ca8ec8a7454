# SPDX-License-Identifier: Apache-2.0
"""
Writes a transcript's segments in the formats people read and programs take. Pure.

``json``, ``jsonl`` and ``csv`` are for programs: a record per segment, in the API's order, with the API's values.
``txt``, ``vtt`` and ``srt`` are for people and players: ordered by start time, each segment's text on one line,
times that make no sense corrected. No segment is left out of any of them, one without text neither.

Each format is written piece by piece, since a transcript can have tens of megabytes: as Python's objects they are many
times as many.
"""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from operator import itemgetter
from typing import TYPE_CHECKING, TypeVar, cast

from lessonspace_provider.api import json_list
from lessonspace_provider.api.arguments import ROLES, refuse
from lessonspace_provider.exceptions import LessonspaceReplyTooLargeError
from lessonspace_provider.spreadsheets import without_formulas

if TYPE_CHECKING:
    from lessonspace_provider.api.types import Profile, Segment, Speaker

Made = TypeVar("Made")

#: Bytes of a transcript's file whose segments may be held in memory all at once, where they take up to 50 times that.
LARGEST_IN_MEMORY = 8 * 1024 * 1024

#: Stands for a speaker of whom the segment tells neither a name nor an id, or who must not be named.
UNKNOWN_SPEAKER = "Unknown"

#: Stands for a role that is not known, in labels such as ``Speaker 1``.
UNKNOWN_ROLE = "Speaker"

#: In seconds, a million hours: a time beyond it is an error, and more than players and parsers can read.
LATEST_TIME = 3_600_000_000

#: How long a cue lasts, in milliseconds, when the segment does not say: long enough to be seen.
UNKNOWN_LENGTH = 1000

#: The columns of the CSV format.
CSV_HEADER = ("start_time", "end_time", "speaker_id", "speaker", "text")

#: The one breakout id that is documented (facts, D): any other might be free text, and hold a name.
MAIN_ROOM = "main"

# Control characters other than tabs and line breaks go; lone surrogates, which UTF-8 can't hold, become U+FFFD.
_PRINTABLE: Mapping[int, str | None] = {
    **{code: " " if chr(code).isspace() else None for code in (*range(32), *range(127, 160))},
    **{ord(char): char for char in "\t\n\r"},
    **dict.fromkeys(range(0xD800, 0xE000), "\ufffd"),
}
_TYPES = {"start_time": (int, float), "end_time": (int, float), "user": (object,), "text": (str,)}
_KINDS = "|".join((*(role.capitalize() for role in ROLES), UNKNOWN_ROLE))
_LABEL = re.compile(rf"({_KINDS})( \d+)?|{UNKNOWN_SPEAKER}")
_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


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


def to_json(segments: Iterable[Segment]) -> Iterator[bytes]:
    """
    Write the segments as the API gave them, unknown fields included; the same segments make the same bytes.

    NaN and infinity become null, because JSON has no such numbers (RFC 8259).
    """
    separator = first = b"[\n "
    for segment in segments:
        # Line breaks inside of texts are escaped: these are the layout's, and go in by one.
        text = json.dumps(_finite(segment), ensure_ascii=False, indent=1).replace("\n", "\n ")
        yield separator + json_list.encoded(text)
        separator = b",\n "
    yield b"[]\n" if separator is first else b"\n]\n"


def to_jsonl(segments: Iterable[Segment]) -> Iterator[bytes]:
    """Write JSON Lines: the same objects as ``to_json``, each on a line of its own."""
    for segment in segments:
        yield json_list.line_of(_finite(segment))


def to_csv(segments: Iterable[Segment]) -> Iterator[bytes]:
    """
    Write CSV after RFC 4180, in UTF-8 without a byte order mark: ``CSV_HEADER``, then a row per segment.

    Times are in seconds as the API gave them; what is missing is an empty cell, and so is NaN. Control characters
    other than tabs and line breaks are left out.

    What a spreadsheet could take for a formula gets an apostrophe before it, see ``spreadsheets.without_formulas``.
    For the exact text use ``json``.
    """
    yield _csv_row(CSV_HEADER)
    for segment in segments:
        values = (segment.get("start_time"), segment.get("end_time"), _user(segment).get("id"))
        yield _csv_row([_cell(value) for value in (*values, _speaker(segment), _text(segment))])


def to_txt(segments: Collection[Segment]) -> Iterator[bytes]:
    """Write a line per segment, ``[hh:mm:ss] speaker: text``, times from the start of the recording."""

    def line(start: int, _: int, segment: Segment) -> bytes:
        return f"[{_clock(start)}] {_spoken(segment)}\n".encode()

    yield from _in_time_order(segments, line)


def to_vtt(segments: Collection[Segment]) -> Iterator[bytes]:
    """
    Write WebVTT (W3C): a cue per segment, the speaker in its voice tag, overlapping speakers in overlapping cues.

    Text and names are escaped, so ``html.unescape`` gives them back.
    """

    def cue(start: int, end: int, segment: Segment) -> bytes:
        said = f"<v {_escaped(_speaker(segment))}>{_escaped(_one_line(_text(segment)))}"
        return f"{_timings(start, end, '.')}\n{said}\n\n".encode()

    yield b"WEBVTT\n\n"
    yield from _in_time_order(segments, cue)


def to_srt(segments: Collection[Segment]) -> Iterator[bytes]:
    """
    Write SubRip: a numbered cue per segment, ``speaker: text``.

    The format has no escaping. ``-->``, which players read as a timing, becomes ``->``; whether a player shows
    ``<b>`` or takes it for a tag is up to the player.
    """

    def cue(start: int, end: int, segment: Segment) -> bytes:
        said = re.sub("-{2,}>", "->", _spoken(segment))
        return f"{_timings(start, end, ',')}\n{said}\n\n".encode()

    for number, text in enumerate(_in_time_order(segments, cue), 1):
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


def pieces_of(
    segments: Collection[Segment], format_name: str, *, speakers: Mapping[int, str] | None = None
) -> Iterator[bytes]:
    """
    Write a transcript, whatever its segments lack, piece by piece.

    With ``speakers`` no format holds a speaker's name: the label stands in its place, or ``UNKNOWN_SPEAKER`` for
    those without a label or an integer id. Of a segment only what the API documents is kept: times that are numbers,
    text that is text, and the breakout id ``main``, since anything else could hold names. User ids stay: they are
    pseudonyms, which Lessonspace and the school can resolve. Names that were spoken, in the text, stay as well.
    Writing from the redacted JSON gives the same files again.

    :param segments: as the hook returns them, times in seconds.
    :param format_name: a key of ``WRITERS``.
    :param speakers: user id -> label, such as ``redacted_speakers`` makes; None: the names as they are.
    :return: UTF-8 text.
    """
    return WRITERS[format_name](segments if speakers is None else _Redacted(segments, speakers))


class _Redacted(Collection["Segment"]):
    """Segments with labels in place of names, made anew each time they are read through."""

    def __init__(self, segments: Collection[Segment], speakers: Mapping[int, str]) -> None:
        self._segments = segments
        self._speakers = speakers

    def __len__(self) -> int:
        return len(self._segments)

    def __contains__(self, wanted: object) -> bool:
        return any(segment == wanted for segment in self)

    def __iter__(self) -> Iterator[Segment]:
        return (_redacted(segment, self._speakers) for segment in self._segments)


def redacted_speakers(segments: Collection[Segment], profiles: Sequence[Profile]) -> dict[int, str]:
    """
    Make labels to write in place of speakers' names.

    They are roles, numbered in order of first utterance, ``Student 1``, ``Student 2``; ``Speaker 1`` where no role
    is known. Only a teacher who is the only one is ``Teacher`` without a number. The same transcript and roles
    make the same labels.

    :param segments: as the hook returns them.
    :param profiles: the session's; ``user`` and ``role`` are read.
    :return: user id -> label, for every integer user id in the segments.
    """
    roles = {profile.get("user"): profile.get("role") for profile in profiles}
    ids = _in_time_order(segments, lambda _start, _end, segment: _user_id(segment))
    kinds = {user_id: _kind(roles.get(user_id)) for user_id in ids if user_id is not None}
    of_each, so_far = Counter(kinds.values()), Counter[str]()
    labels = {}
    for user_id, kind in kinds.items():
        so_far[kind] += 1
        labels[user_id] = kind if kind == "Teacher" and of_each[kind] == 1 else f"{kind} {so_far[kind]}"
    return labels


def are_redacted(segments: Collection[Segment]) -> bool:
    """Whether there are labels in place of all speakers' names, as ``pieces_of`` leaves them."""
    names = (_user(segment).get("name") for segment in segments)
    return len(segments) > 0 and all(isinstance(name, str) and _LABEL.fullmatch(name) for name in names)


def _kind(role: object) -> str:
    # A role no one documented might be free text, and hold a name.
    return role.capitalize() if isinstance(role, str) and role.lower() in ROLES else UNKNOWN_ROLE


def _redacted(segment: Segment, speakers: Mapping[int, str]) -> Segment:
    user_id = _user_id(segment)
    label = UNKNOWN_SPEAKER if user_id is None else speakers.get(user_id, UNKNOWN_SPEAKER)
    kept = {field: value for field, value in segment.items() if _is_documented(field, value)}
    return cast("Segment", {**kept, "user": {"id": user_id, "name": label}})


def _is_documented(field: str, value: object) -> bool:
    """Whether the API documents such a value of this field; null, which tells nothing, is let pass."""
    if field == "breakout_id":
        return value in (MAIN_ROOM, None)
    return field in _TYPES and (value is None or isinstance(value, _TYPES[field]))


def _user(segment: Segment) -> Speaker:
    user = segment.get("user")
    return user if isinstance(user, dict) else {}


def _user_id(segment: Segment) -> int | None:
    user_id = _user(segment).get("id")
    return user_id if isinstance(user_id, int) and not isinstance(user_id, bool) else None


def _speaker(segment: Segment) -> str:
    user = _user(segment)
    name, user_id = user.get("name"), user.get("id")
    shown = _one_line(name) if isinstance(name, str) else ""
    return shown or (UNKNOWN_SPEAKER if user_id is None else _one_line(f"User {user_id}"))


def _text(segment: Segment) -> str:
    text = segment.get("text")
    return text if isinstance(text, str) else ""


def _spoken(segment: Segment) -> str:
    return f"{_speaker(segment)}: {_one_line(_text(segment))}".rstrip()


def _one_line(text: str) -> str:
    return " ".join(text.translate(_PRINTABLE).split())


def _escaped(line: str) -> str:
    return line.translate(_ESCAPES)


def _in_time_order(segments: Collection[Segment], make: Callable[[int, int, Segment], Made]) -> Iterator[Made]:
    """
    Make something of each segment, ordered by the segments' starts.

    :param make: takes start and end in milliseconds, and the segment.
    """
    timed = ((start, make(start, end, segment)) for start, end, segment in _timed(segments))
    # To sort takes many times the memory, and the API sends most transcripts in order.
    in_order = all(before <= after for before, after in pairwise(start for start, _, _ in _timed(segments)))
    return (made for _, made in (timed if in_order else sorted(timed, key=itemgetter(0))))


def _timed(segments: Iterable[Segment]) -> Iterator[tuple[int, int, Segment]]:
    """
    Yield start and end of each segment in milliseconds, and the segment.

    A start that is missing or absurd becomes the start of the segment before, so that the text keeps its place;
    an end that is, or lies before the start, ``UNKNOWN_LENGTH`` later. A cue lasts a millisecond at least: WebVTT
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


def _timings(start: int, end: int, point: str) -> str:
    return f"{_clock(start)}{point}{start % 1000:03d} --> {_clock(end)}{point}{end % 1000:03d}"


def _clock(milliseconds: int) -> str:
    seconds = milliseconds // 1000
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"


def _cell(value: object) -> object:
    if not isinstance(value, str):
        return _finite(value) if isinstance(value, (int, float)) else None
    return without_formulas(value.translate(_PRINTABLE))


def _finite(value: object) -> object:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return value


def _csv_row(cells: Iterable[object]) -> bytes:
    row = io.StringIO(newline="")
    csv.writer(row, lineterminator="\r\n").writerow(cells)
    return row.getvalue().encode()
