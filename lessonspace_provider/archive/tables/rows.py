# SPDX-License-Identifier: Apache-2.0
"""The rows of an archive's tables, made from the entries of manifests and their transcripts. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, timezone

from lessonspace_provider.api.times import read_time
from lessonspace_provider.archive.entry import Entry
from lessonspace_provider.archive.tables.columns import ROLES, SCHEMA_VERSION
from lessonspace_provider.archive.windows import Window
from lessonspace_provider.transcripts.segments import printable
from lessonspace_provider.transcripts.talk_time import TalkTime, Utterance, known_role

#: A row, as values in the order of the table's columns.
Row = tuple[object, ...]

#: The fields of an entry that rows are made from: the others change with every check of a pending transcript.
_FIELDS = (
    "session_id",
    "space_id",
    "space_name",
    "name",
    "start_time",
    "end_time",
    "participants",
    "billable_seconds",
    "roles",
    "status",
    "reason",
    "tags",
    "summary",
    "segments",
    "redacted",
    "files",
)


def by_day(entries: Iterable[Entry], window: Window) -> dict[date, list[Entry]]:
    """
    Arrange entries by the day whose files have their rows.

    :param window: of their manifest; a session whose end can't be read belongs to the day of its start.
    :return: by the day of each session's end in UTC.
    """
    days: dict[date, list[Entry]] = {}
    for entry in entries:
        end = read_time(entry.end_time) or window.start.astimezone(timezone.utc)
        days.setdefault(end.date(), []).append(entry)
    return days


def digest_of(entries: Sequence[Entry]) -> str:
    """Make a digest of all that the rows of a day are made from."""
    fields = [{name: getattr(entry, name, None) for name in _FIELDS} for entry in entries]
    content = json.dumps([SCHEMA_VERSION, fields], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()


def duration_of(entry: Entry) -> float | None:
    """Give how long a session lasted in seconds; None when one of its times can't be read, or the end is first."""
    start, end = read_time(entry.start_time), read_time(entry.end_time)
    seconds = (end - start).total_seconds() if start and end else -1.0
    return seconds if seconds >= 0 else None


def session_row(entry: Entry, talk: TalkTime | None, summary: str | None) -> Row:
    """
    Make the row of a session.

    :param talk: None when there is no transcript, or it can't be read.
    """
    return (
        entry.session_id,
        _clean(entry.space_id),
        _clean(entry.space_name),
        _clean(entry.name),
        read_time(entry.start_time),
        read_time(entry.end_time),
        duration_of(entry),
        entry.billable_seconds,
        entry.participants,
        entry.status,
        _clean(entry.reason),
        _clean(entry.tags),
        _clean(summary),
        entry.redacted,
        *_measures(talk),
    )


def _measures(talk: TalkTime | None) -> Iterator[object]:
    if talk is None:
        yield from [None] * (6 + 2 * len(ROLES))
        return
    yield talk.segments
    yield talk.seconds
    yield from (talk.seconds_of(role) for role in ROLES)
    yield talk.silence_seconds
    yield talk.longest_turn_seconds
    yield talk.turns
    yield talk.words
    yield from (talk.words_of(role) for role in ROLES)


def segment_row(session_id: str, index: int, said: Utterance) -> Row:
    """Make the row of a segment."""
    return (session_id, index, said.start, said.end, said.user_id, said.role, said.name, said.room, said.text)


def people_rows(entry: Entry, talk: TalkTime | None) -> Iterator[Row]:
    """
    Make the rows of a session's people: those who spoke, then those who are known by their role and did not.

    :param talk: None when there is no transcript, or it can't be read.
    """
    speakers = talk.speakers if talk else ()
    for speaker in speakers:
        name = None if entry.redacted or speaker.user_id is None else speaker.name
        yield (entry.session_id, speaker.user_id, speaker.role, name, speaker.seconds, speaker.words)
    spoke = {speaker.user_id for speaker in speakers}
    for user_id, role in entry.user_roles.items():
        if user_id not in spoke:
            measures = (0.0, 0) if talk else (None, None)
            yield (entry.session_id, user_id, known_role(role), None, *measures)


def _clean(text: str | None) -> str | None:
    return None if text is None else printable(text)
