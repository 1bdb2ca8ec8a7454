# SPDX-License-Identifier: Apache-2.0
"""The summary that Lessonspace makes of a session: made fit to be kept, and names in it replaced. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING
from unicodedata import normalize

from lessonspace_provider.api.foreign_words import clean_text
from lessonspace_provider.api.shapes import objects_in
from lessonspace_provider.transcripts.name_forms import LONGEST_NAME
from lessonspace_provider.transcripts.redaction import LABEL, kind_of
from lessonspace_provider.transcripts.segments import UNKNOWN_SPEAKER, user_id_of, user_of
from lessonspace_provider.transcripts.spoken_names import Roster

if TYPE_CHECKING:
    from lessonspace_provider.api.types import Segment, Session

#: Characters of a summary that are kept.
LONGEST_SUMMARY = 20_000

#: Names of one session that are searched for.
MOST_NAMES = 500

#: Letters of the shortest part of a name that counts as a name by itself.
_SHORTEST_PART = 2

_TITLES = {"mr", "mrs", "ms", "miss", "mx", "dr", "prof", "sir", "madam", "de", "la", "von", "van", "der", "den", "of"}


def summary_of(session: Session) -> str | None:
    """
    Read the summary of a session.

    :param session: from a list or in detail, whatever its fields hold.
    :return: text of several lines, see ``clean_text``; None without one.
    """
    summary = session.get("summary") if isinstance(session, dict) else None
    return (clean_text(summary, longest=LONGEST_SUMMARY) or None) if isinstance(summary, str) else None


def names_in_session(session: Session) -> dict[str, str]:
    """
    Read the names of the people in a session.

    :return: name -> role with a capital, or ``Speaker``, as in the labels of a redacted transcript without a number.
    """
    profiles = objects_in(session.get("profiles"))
    return {name: kind_of(profile.get("role")) for profile in profiles if (name := _name(profile.get("name")))}


def names_in_transcript(segments: Collection[Segment], speakers: Mapping[int, str]) -> dict[str, str]:
    """
    Read the names of a transcript's speakers.

    :param segments: as the hook returns them.
    :param speakers: user id -> label, see ``redacted_speakers``.
    :return: name -> label; without labels that an earlier redaction has written.
    """
    names: dict[str, str] = {}
    for segment in segments:
        name, user_id = _name(user_of(segment).get("name")), user_id_of(segment)
        if name and len(names) < MOST_NAMES and not LABEL.fullmatch(name):
            names.setdefault(name, UNKNOWN_SPEAKER if user_id is None else speakers.get(user_id, UNKNOWN_SPEAKER))
    return names


def redacted_text(text: str, names: Mapping[str, str]) -> str:
    """
    Write labels in place of names, and of their parts such as a first name, where they are whole words.

    Full names of several words are found in any case. A single word has to begin with a capital where its script has
    capitals, or ``will`` would go with Will. A name in another spelling that ``spoken_names`` finds becomes ``[name]``.
    Nicknames, misspelt names and people who did not speak are not found.

    :param text: of a summary, or of a segment.
    :param names: name -> label.
    :return: the text; redacting it again changes nothing.
    """
    return label_writer(names)(text)


def label_writer(names: Mapping[str, str]) -> Callable[[str], str]:
    """Make what does the same as ``redacted_text`` to many texts."""
    labels = _labels(names)
    if not labels:
        return lambda text: text
    longest_first = sorted(labels, key=len, reverse=True)
    spelled = "|".join(r"\s+".join(map(re.escape, words.split())) for words in longest_first)
    pattern = re.compile(rf"(?<!\w)(?:{spelled})(?!\w)", re.IGNORECASE)

    def replaced(found: re.Match[str]) -> str:
        words = " ".join(found[0].split())
        is_name = " " in words or not words[0].islower()
        return labels.get(words.casefold(), UNKNOWN_SPEAKER) if is_name else found[0]

    roster = Roster(filter(None, map(_without_words_of_labels, names)))
    return lambda text: roster.redact(pattern.sub(replaced, text))[0]


def _labels(names: Mapping[str, str]) -> dict[str, str]:
    """Give the label of each name and of each of its parts, in lower case."""
    labels: dict[str, str] = {}
    for name, label in names.items():
        words = " ".join(name.split()).casefold()
        if " " in words or _is_name(words):
            labels.setdefault(words, label)
    for name, label in names.items():
        for part in (word.strip(".,()\"'") for word in name.split()):
            if _is_name(part):
                labels.setdefault(part.casefold(), label)
    return labels


def _without_words_of_labels(name: str) -> str:
    """Leave out words of a name that labels have, too: a label must stay as it is."""
    return " ".join(word for word in name.split() if not LABEL.fullmatch(word.capitalize()))


def _is_name(word: str) -> bool:
    is_long = sum(map(str.isalpha, word)) >= _SHORTEST_PART
    return is_long and word.casefold() not in _TITLES and not LABEL.fullmatch(word.capitalize())


def _name(value: object) -> str:
    return normalize("NFC", value[:LONGEST_NAME]).strip() if isinstance(value, str) else ""
