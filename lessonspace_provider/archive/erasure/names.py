# SPDX-License-Identifier: Apache-2.0
"""Which ids and names belong together, as transcripts show, and what of a name can't be searched. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from lessonspace_provider.archive.entry import Entry
from lessonspace_provider.archive.erasure.people import (
    LABEL,
    ErasedPeople,
    Mode,
    is_ambiguous,
    marks_of_id,
    marks_of_name,
    words_in,
)
from lessonspace_provider.archive.erasure.receipt import Searched
from lessonspace_provider.archive.erasure.redaction import rows_in
from lessonspace_provider.archive.erasure.tombstones import redacted_entry
from lessonspace_provider.transcripts.formats import CSV_HEADER, segments_in
from lessonspace_provider.transcripts.redaction import are_redacted
from lessonspace_provider.transcripts.segments import user_id_of, user_of

#: Names of one person that are searched; one who has more was called something else each lesson.
MOST_NAMES = 100


def speakers_in(data: bytes, ending: str) -> Iterator[tuple[int | None, str]]:
    """Read the id and the name of the speaker of each segment; no segment whose file can't be read."""
    if ending == "csv":
        for row in rows_in(data.decode(errors="replace")):
            if len(row) == len(CSV_HEADER) and (row[2].isdecimal() or not row[2]):
                yield (int(row[2][:20]) if row[2] else None), row[3]
        return
    for segment in segments_in(data, ending) or ():
        name = user_of(segment).get("name")
        yield user_id_of(segment), name if isinstance(name, str) else ""


def names_and_ids_in(speakers: Iterable[tuple[int | None, str]], people: ErasedPeople) -> tuple[set[str], set[int]]:
    """
    Find the names under which people's ids speak, and other ids that speak under their whole names.

    :return: names and ids; no labels.
    """
    names, ids = set(), set()
    for user_id, name in set(speakers):
        if user_id is not None and people.mode_of_id(user_id) is not None:
            names.add(name)
        elif user_id is not None and people.mode_of_name(name) is not None:
            ids.add(user_id)
    return {name for name in names if words_in(name) and not _is_label(name)}, ids


def _is_label(name: str) -> bool:
    return name == LABEL or name.startswith("User ") or are_redacted([{"user": {"name": name}}])


def is_common(name: str) -> bool:
    """Whether a name is a single word that is too common to be searched in the texts of others."""
    words = words_in(name)
    return len(words) == 1 and is_ambiguous(words[0].folded)


@dataclass
class Given:
    """
    One of the ids or names that were given.

    :param place: in the parameter, such as ``user_ids[0]``.
    :param user_id: None for a name.
    :param people: who has it.
    :param sessions: in which it was found.
    """

    place: str
    user_id: int | None
    people: ErasedPeople
    sessions: set[str] = field(default_factory=set)

    def is_in(self, entry: Entry | None, texts: Iterable[str]) -> bool:
        """Whether it is in a session's entry or files."""
        known = entry and replace(entry, status="archived")
        if known is not None and redacted_entry(known, self.people) != known:
            return True
        if self.user_id is None:
            return any(self.people.redacted(text)[1] for text in texts)
        id_in_a_file = re.compile(rf'"id": {self.user_id}\b|,{self.user_id},|User {self.user_id}\b')
        return any(id_in_a_file.search(text) for text in texts)

    @property
    def searched(self) -> Searched:
        """Write it for a receipt."""
        own = next(mark for mark in self.people.marks if mark.split(":")[1] in ("id", "whole"))
        return Searched(given=self.place, hash=own.rpartition(":")[2], sessions=len(self.sessions))


def given_people(
    key: bytes, user_ids: Iterable[int], names: Iterable[str], mode: Mode, *, with_ambiguous: bool
) -> list[Given]:
    """Make what finds each of the ids and names that were given."""
    ids = [(f"user_ids[{number}]", user_id, marks_of_id(key, user_id)) for number, user_id in enumerate(user_ids)]
    named = [
        (f"names[{number}]", None, marks_of_name(key, name, with_ambiguous=with_ambiguous))
        for number, name in enumerate(names)
    ]
    return [
        Given(place, user_id, ErasedPeople(key, [f"{mode}:{mark}" for mark in marks]))
        for place, user_id, marks in (*ids, *named)
    ]
