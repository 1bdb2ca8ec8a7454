# SPDX-License-Identifier: Apache-2.0
"""
Finds the names of known people in spoken text, and replaces them. Pure.

A text is read word by word, and each word is looked up: the time grows with the text, not with the number of names.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum
from itertools import pairwise
from typing import NamedTuple

from lessonspace_provider.transcripts.common_words import COMMON_WORDS, NEVER_ALONE, SENTENCE_STARTERS
from lessonspace_provider.transcripts.name_forms import (
    ALIKE,
    HANGUL,
    LONGEST_NAME,
    WORD,
    account_names,
    composed,
    folded,
    forms_of,
    forms_of_name,
    is_unspaced,
    with_prefix,
)
from lessonspace_provider.transcripts.redaction import NAME_LABEL

# What may be between two words of one person's name, if it is nothing else.
_BETWEEN = re.compile(r"[\s.'\-\u00b7\u30fb\"]{0,4}")
_SENTENCE_END = re.compile("[.!?:;\u2026\u00bf\u00a1\u3002\n]")
_CALLS = re.compile(r"\s*([,.!?:;\u2026\u060c\u3001\uff0c]|'s|$)")


class _Strength(IntEnum):
    """When a word of a name is taken for the name: each also when it is beside another word of the same name."""

    BESIDE = 0
    MARKED = 1  # with a capital, and not as a sentence's first word unless a mark follows
    CAPITAL = 2
    ALWAYS = 3


@dataclass(frozen=True)
class _Part:
    """A word of names: how surely it is one, and of which people."""

    strength: _Strength
    people: frozenset[int]

    def weaker(self) -> _Part:
        """Make one that is less surely a name: "marks" and "Marks" are words more often than "mark" is."""
        return _Part(_Strength(max(self.strength - 1, 0)), self.people)


class _Found(NamedTuple):
    """A word of a text that may be a name, and where it is."""

    start: int
    end: int
    part: _Part
    is_sure: bool


class Roster:
    """
    The names of people who may be spoken of.

    :param names: full names as people are displayed, such as ``Smith, Oliver``; first and last names are known apart.
    :param diminutives: further forms by first or full name, such as ``{"Elizabeth": ["Liz", "Beth"]}``.
    """

    def __init__(self, names: Iterable[str] = (), diminutives: Mapping[str, Iterable[str]] | None = None) -> None:
        self._diminutives = {folded(key): tuple(forms) for key, forms in (diminutives or {}).items()}
        self._parts: dict[str, _Part] = {}
        self._people = 0
        self._add(names)

    def __repr__(self) -> str:
        return f"<the names of {self._people} people>"

    def with_names(self, names: Iterable[str]) -> Roster:
        """Make a roster that has further names beside these."""
        both = Roster()
        both._diminutives, both._people, both._parts = self._diminutives, self._people, dict(self._parts)
        both._add(names)
        return both

    def _add(self, names: Iterable[str]) -> None:
        for name in dict.fromkeys(names):
            person = frozenset({self._people})
            self._people += 1
            forms = {*forms_of_name(name), *account_names(name)}
            for form in {*forms, folded(composed(name[:LONGEST_NAME]))}:
                for other in self._diminutives.get(form, ()):
                    forms.update(forms_of_name(other))
            for form in forms:
                known = self._parts.get(form)
                people = person | known.people if known else person
                self._parts[form] = _Part(_strength_of(form), people)
        self._unspaced = sorted({len(form) for form in self._parts if is_unspaced(form)}, reverse=True)

    def redact(self, text: str) -> tuple[str, int]:
        """
        Write ``NAME_LABEL`` in place of each name.

        A possessive's ending stays. A first and a last name beside each other become one label.

        :param text: of a segment, or of a summary.
        :return: the text, in Unicode's form NFC where a name was in it and as it is elsewhere; and the number of names.
        """
        composed = unicodedata.normalize("NFC", text)
        view = composed.translate(ALIKE)
        spans = list(_merged(_chosen(list(self._found(view)), view), view))
        if not spans:
            return text, 0
        pieces, at = [], 0
        for start, end in spans:
            pieces += [composed[at:start], NAME_LABEL]
            at = end
        return "".join([*pieces, composed[at:]]), len(spans)

    def _found(self, view: str) -> Iterator[_Found]:
        """Find the words that may be names, in the order of the text."""
        before = 0
        for match in WORD.finditer(view):
            start, end = match.span()
            if view[start - 1 : end + 1] == NAME_LABEL:
                pass
            elif is_unspaced(match[0]):
                yield from self._found_inside(match[0], start)
            elif found := self._looked_up(match[0]):
                first, last, part = found
                starts_sentence = before == 0 or _SENTENCE_END.search(view, before, start) is not None
                is_sure = _is_sure(part.strength, match[0][first], starts_sentence, view, end)
                yield _Found(start + first, start + last, part, is_sure)
            before = end

    def _looked_up(self, word: str) -> tuple[int, int, _Part] | None:
        """Find a name in a word: where it starts and ends in it, without what grammar adds."""
        for form in forms_of(word):
            if part := self._parts.get(form):
                return 0, len(word), part
        if word[-1] in "sS":
            for form in forms_of(word[:-1]):
                if part := self._parts.get(form):
                    return 0, len(word) - 1, part if part.strength == _Strength.ALWAYS else part.weaker()
        if HANGUL.match(word):
            return self._with_ending(word)
        return self._with_prefix(word)

    def _with_ending(self, word: str) -> tuple[int, int, _Part] | None:
        for end in range(min(len(word), 6), 1, -1):
            if part := self._parts.get(word[:end]):
                return 0, end, part
        return None

    def _with_prefix(self, word: str) -> tuple[int, int, _Part] | None:
        for start in with_prefix(word):
            if part := self._parts.get(folded(word[start:])):
                return start, len(word), part if part.strength == _Strength.ALWAYS else part.weaker()
        return None

    def _found_inside(self, word: str, start: int) -> Iterator[_Found]:
        """Find names in writing that does not separate words."""
        at = 0
        while at < len(word):
            for length in self._unspaced:
                end = at + length
                if end <= len(word) and (part := self._parts.get(word[at:end])):
                    yield _Found(start + at, start + end, part, part.strength > _Strength.BESIDE)
                    at = end
                    break
            else:
                at += 1


def _chosen(found: list[_Found], view: str) -> list[_Found]:
    """Choose what is surely a name, and what is beside another word of the same person's name."""
    beside = [_are_one_name(first, second, view) for first, second in pairwise(found)]
    sure = [word.is_sure for word in found]
    for place, are_one in enumerate(beside):
        parts = found[place].part, found[place + 1].part
        if are_one and parts[0] is not parts[1] and min(part.strength for part in parts) > _Strength.BESIDE:
            sure[place] = sure[place + 1] = True
    for place, are_one in enumerate(beside):
        sure[place + 1] |= are_one and sure[place]
    for place in range(len(beside) - 1, -1, -1):
        sure[place] |= beside[place] and sure[place + 1]
    return [word for word, is_sure in zip(found, sure) if is_sure]


def _is_sure(strength: _Strength, letter: str, starts_sentence: bool, view: str, end: int) -> bool:
    if strength in (_Strength.ALWAYS, _Strength.BESIDE):
        return strength == _Strength.ALWAYS
    has_capital = not letter.islower()
    if strength == _Strength.CAPITAL or not starts_sentence:
        return has_capital
    return has_capital and _CALLS.match(view, end) is not None


def _are_one_name(first: _Found, second: _Found, view: str) -> bool:
    is_same = bool(first.part.people & second.part.people)
    return is_same and _BETWEEN.fullmatch(view, first.end, second.start) is not None


def _merged(words: Iterable[_Found], view: str) -> Iterator[tuple[int, int]]:
    """Join the words of one person's name that are beside each other."""
    last: _Found | None = None
    start = 0
    for word in words:
        if last is None or not _are_one_name(last, word, view):
            if last is not None:
                yield start, last.end
            start = word.start
        last = word
    if last is not None:
        yield start, last.end


def _strength_of(form: str) -> _Strength:
    if form in NEVER_ALONE or (len(form) == 1 and not is_unspaced(form)):
        return _Strength.BESIDE
    if form in SENTENCE_STARTERS:
        return _Strength.MARKED
    is_short = len(form) == 2 and form.isascii()
    return _Strength.CAPITAL if is_short or form in COMMON_WORDS else _Strength.ALWAYS
