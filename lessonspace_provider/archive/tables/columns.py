# SPDX-License-Identifier: Apache-2.0
"""The schemas of an archive's tables, the one place where their columns are defined. Pure: it needs no pyarrow."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from lessonspace_provider.api.types import Role

#: Raised with every change of a column; a file has it in its metadata.
SCHEMA_VERSION = 1

#: ``timestamp`` has microseconds and is in UTC; ``double`` and ``bigint`` have 64 bits.
ColumnType = Literal["string", "bigint", "double", "timestamp", "boolean"]


class Column(NamedTuple):
    """
    A column.

    :param meaning: for the documentation, with the unit.
    :param null: when it is null, for the documentation; empty: never.
    """

    name: str
    type: ColumnType
    meaning: str
    null: str = ""


_NO_TRANSCRIPT = "there is no transcript"
_NO_DURATION = "one of them is null, or the end is before the start"
_NO_TIME = "it is not a number, or is more than a day"

#: What a column's name has for each role, and who is meant; None: a role that is not known.
ROLES: Mapping[Role | None, tuple[str, str]] = {
    "teacher": ("teacher", "teachers"),
    "student": ("student", "students"),
    "admin": ("admin", "admins"),
    None: ("unknown", "people whose role is not known"),
}

_SESSIONS = (
    Column("session_id", "string", "the session's uuid, or `no uuid, ...` for a session without a uuid"),
    Column("space_id", "string", "id of its space", "the API gave none"),
    Column("space_name", "string", "name of its space", "the API gave none"),
    Column("name", "string", "its name", "it has none"),
    Column("start_time", "timestamp", "its start", "it can't be read"),
    Column("end_time", "timestamp", "its end", "it can't be read"),
    Column("duration_seconds", "double", "from start to end, in seconds", _NO_DURATION),
    Column("billable_seconds", "bigint", "what Lessonspace bills, in seconds", "the API gave no whole number"),
    Column("participants", "bigint", "number of people, guests included"),
    Column("status", "string", "see [Statuses](statuses.md)"),
    Column("reason", "string", "why the transcript is missing, empty, or not in all formats", "nothing is missing"),
    Column("tags", "string", "its tags, as JSON", "it has none, or their JSON has more than 500 characters"),
    Column("summary", "string", "Lessonspace's summary of the session", "there is none, or summaries are not archived"),
    Column("redacted", "boolean", "whether labels are in place of speakers' names"),
    Column("segments", "bigint", "number of segments of its transcript", _NO_TRANSCRIPT),
    Column("talk_seconds", "double", "talk time of all people, in seconds", _NO_TRANSCRIPT),
    *(Column(f"talk_seconds_{role}", "double", f"talk time of {who}", _NO_TRANSCRIPT) for role, who in ROLES.values()),
    Column("silence_seconds", "double", "time without talk, in seconds", f"{_NO_TRANSCRIPT}, or no duration"),
    Column("longest_turn_seconds", "double", "talk time of its longest turn, in seconds", _NO_TRANSCRIPT),
    Column("turns", "bigint", "number of turns", _NO_TRANSCRIPT),
    Column("words", "bigint", "number of words of all people", _NO_TRANSCRIPT),
    *(Column(f"words_{role}", "bigint", f"number of words of {who}", _NO_TRANSCRIPT) for role, who in ROLES.values()),
)

_SEGMENTS = (
    Column("session_id", "string", "the session's uuid"),
    Column("index", "bigint", "position in the transcript, from 0"),
    Column(
        "start_time", "double", "seconds from the start of the recording to the segment; 0 if it was negative", _NO_TIME
    ),
    Column("end_time", "double", "seconds from the start of the recording to the segment's end", _NO_TIME),
    Column("user_id", "bigint", "Lessonspace user id of the speaker", "the segment has none"),
    Column("role", "string", "`teacher`, `student` or `admin`", "it is not known"),
    Column("speaker", "string", "name of the speaker, or the label in its place", "the segment has none"),
    Column("breakout_id", "string", "breakout room", "the segment has none"),
    Column("text", "string", "the spoken words; empty if the segment has no text"),
)

_PEOPLE = (
    Column("session_id", "string", "the session's uuid"),
    Column("user_id", "bigint", "Lessonspace user id", "the row is for all segments without one"),
    Column("role", "string", "`teacher`, `student` or `admin`", "it is not known"),
    Column(
        "name",
        "string",
        "the name in the person's first segment that has one",
        "names are redacted, or the person did not speak",
    ),
    Column("talk_seconds", "double", "talk time in seconds; 0 for people who did not speak", _NO_TRANSCRIPT),
    Column("words", "bigint", "number of words; 0 for people who did not speak", _NO_TRANSCRIPT),
)

#: The columns of each table, by its name, in their order. A file's path has one more, ``day``.
TABLES: Mapping[str, tuple[Column, ...]] = {"sessions": _SESSIONS, "segments": _SEGMENTS, "people": _PEOPLE}
