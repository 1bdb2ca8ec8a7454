# SPDX-License-Identifier: Apache-2.0
"""
Finds the names of known people in what was said, and takes them out. Pure.

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
from lessonspace_provider.transcripts.redaction import NAME_LABEL

#: Characters of a display name that are read: it is foreign, and may be of any length.
LONGEST_NAME = 200

# Thai to Lao, Burmese, Khmer, kana, Han: scripts that do not separate words.
_UNSPACED = (
    "\u0e01-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3041-\u30ff\u3400-\u9fff\uf900-\ufaff\uff66-\uff9f"
    "\U00020000-\U0003ffff"
)
# Marks, joiners and marks of direction, which may follow any letter of a word.
_MARKS = re.escape(
    "".join(
        chr(code)
        for start, end in (
            (0xAD, 0xAE),
            (0x300, 0xE00),
            (0xF00, 0x1000),
            (0x10A0, 0x1780),
            (0x1800, 0x2100),
            (0xFE00, 0xFF00),
        )
        for code in range(start, end)
        if unicodedata.category(chr(code)) in ("Mn", "Mc", "Me", "Cf")
    )
)
_WORD = re.compile(rf"[{_UNSPACED}]+|(?:[^\W\d_{_UNSPACED}][{_MARKS}]*)+")
_UNSPACED_START = re.compile(f"[{_UNSPACED}]")
_JOINED = re.compile(r"['-]")
# What may be between two words of one person's name, if it is nothing else.
_BETWEEN = re.compile(r"[\s.'\-\u00b7\u30fb\"]{0,4}")
_SENTENCE_END = re.compile("[.!?:;\u2026\u00bf\u00a1\u3002\n]")
_CALLS = re.compile(r"\s*([,.!?:;\u2026\u060c\u3001\uff0c]|'s|$)")

_APOSTROPHES = dict.fromkeys(map(ord, "\u2018\u2019\u201b\u02bc\u02b9\u02bb\u02c8\u00b4`\u2032\u2035\uff07\u05f3"), "'")
_HYPHENS = dict.fromkeys(map(ord, "\u2010\u2011\u2012\u2013\u2212\ufe63\uff0d\u05be"), "-")
_ALIKE = {**_APOSTROPHES, **_HYPHENS}

# Only where a mark is an accent: in other scripts it is a letter of its own.
_ACCENTS = (
    (0x300, 0x370),
    (0x591, 0x5C8),
    (0x610, 0x61B),
    (0x64B, 0x660),
    (0x6D6, 0x6EE),
    (0x1AB0, 0x1E00),
    (0x20D0, 0x2100),
)
_FOLDED: dict[int, str | None] = {
    **{code: None for start, end in _ACCENTS for code in range(start, end)},
    **{ord(char): None for char in "\u00ad\u0640\u0670\u200b\u200c\u200d\u200e\u200f\u2060\ufeff"},
    **dict.fromkeys((*range(0x202A, 0x202F), *range(0x2066, 0x206A), *range(0xFE00, 0xFE10))),
    **dict(zip(map(ord, "łøđħıæœðþŋ"), ("l", "o", "d", "h", "i", "ae", "oe", "d", "th", "n"))),
    **dict(zip(map(ord, "أإآٱى"), "ااااي")),
}
_UMLAUTS = dict(zip(map(ord, "äöüåøÄÖÜÅØ"), ("ae", "oe", "ue", "aa", "oe") * 2))

# Prefixes that are written together with the name: "and", "to", "from", "in", "that".
_PREFIXES = re.compile(r"[\u05d5\u05d4\u05d1\u05db\u05dc\u05de\u05e9]{1,2}|[\u0648\u0641]?[\u0628\u0644\u0643]?")
_HEBREW_OR_ARABIC = re.compile(r"[\u05d0-\u05ea\u0621-\u064a]")
_HANGUL = re.compile(r"[\uac00-\ud7a3]+")
_HAN = re.compile(r"[\u3005\u3400-\u9fff\U00020000-\U0003ffff]+")
_COMPOUND_SURNAMES = (
    "欧阳",
    "歐陽",
    "司马",
    "司馬",
    "诸葛",
    "諸葛",
    "上官",
    "皇甫",
    "令狐",
    "东方",
    "東方",
    "慕容",
    "司徒",
)
_HAN_TITLES = ("老师", "老師", "同学", "同學", "先生", "小姐", "女士", "太太", "さん", "くん", "ちゃん", "様")


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
        self._diminutives = {_folded(key): tuple(forms) for key, forms in (diminutives or {}).items()}
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
            shown = unicodedata.normalize("NFC", name[:LONGEST_NAME].split("@")[0]).translate(_ALIKE)
            person = frozenset({self._people})
            self._people += 1
            forms = set(_words_of(shown))
            for form in {*forms, _folded(shown)}:
                for other in self._diminutives.get(form, ()):
                    forms.update(_words_of(unicodedata.normalize("NFC", other).translate(_ALIKE)))
            for form in forms:
                known = self._parts.get(form)
                people = person | known.people if known else person
                self._parts[form] = _Part(_strength_of(form), people)
        self._unspaced = sorted({len(form) for form in self._parts if _is_unspaced(form)}, reverse=True)

    def redact(self, text: str) -> tuple[str, int]:
        """
        Write ``NAME_LABEL`` in place of each name.

        A possessive's ending stays. A first and a last name beside each other become one label.

        :param text: what was said.
        :return: the text, in Unicode's form NFC where a name was in it and as it is elsewhere; and the number of names.
        """
        composed = unicodedata.normalize("NFC", text)
        view = composed.translate(_ALIKE)
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
        for match in _WORD.finditer(view):
            start, end = match.span()
            if view[start - 1 : end + 1] == NAME_LABEL:
                pass
            elif _is_unspaced(match[0]):
                yield from self._found_inside(match[0], start)
            elif found := self._looked_up(match[0]):
                first, last, part = found
                starts_sentence = before == 0 or _SENTENCE_END.search(view, before, start) is not None
                is_sure = _is_sure(part.strength, match[0][first], starts_sentence, view, end)
                yield _Found(start + first, start + last, part, is_sure)
            before = end

    def _looked_up(self, word: str) -> tuple[int, int, _Part] | None:
        """Find a name in a word: where it starts and ends in it, without what grammar adds."""
        for form in _forms(word):
            if part := self._parts.get(form):
                return 0, len(word), part
        if word[-1] in "sS":
            for form in _forms(word[:-1]):
                if part := self._parts.get(form):
                    return 0, len(word) - 1, part if part.strength == _Strength.ALWAYS else part.weaker()
        if _HANGUL.match(word):
            return self._with_ending(word)
        return self._with_prefix(word) if _HEBREW_OR_ARABIC.match(word) else None

    def _with_ending(self, word: str) -> tuple[int, int, _Part] | None:
        for end in range(min(len(word), 6), 1, -1):
            if part := self._parts.get(word[:end]):
                return 0, end, part
        return None

    def _with_prefix(self, word: str) -> tuple[int, int, _Part] | None:
        prefix = _PREFIXES.match(word)
        for start in range(1, prefix.end() + 1 if prefix else 1):
            part = self._parts.get(_folded(word[start:]))
            if part and len(word) - start > 2:
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


def _words_of(name: str) -> Iterator[str]:
    """Give the words of a name as they may be spoken, folded."""
    words = _WORD.findall(name)
    for word in words:
        if _is_unspaced(word):
            yield from _unspaced_forms(word, is_whole=len(words) == 1)
        else:
            yield from _forms(word)
            if _HANGUL.fullmatch(word) and len(word) in (3, 4) and len(words) == 1:
                yield word[-2:]
    for group in name.split():
        # "O'Neill" and "Garçon-Dupré" are also written as one word.
        pieces = _WORD.findall(group)
        if len(pieces) > 1 and len(pieces[-1]) > 1 and _JOINED.search(group) and not _is_unspaced(pieces[0]):
            yield from _forms("".join(pieces))


def _unspaced_forms(word: str, *, is_whole: bool) -> Iterator[str]:
    """Give a name and, of a Chinese one that is written in one word, the surname with a title and the given name."""
    if len(word) > 1:
        yield word
    if is_whole and _HAN.fullmatch(word) and len(word) > 1:
        length = 2 if word[:2] in _COMPOUND_SURNAMES else 1
        if len(word) - length > 1:
            yield word[length:]
        yield from (word[:length] + title for title in _HAN_TITLES)


def _is_unspaced(word: str) -> bool:
    return _UNSPACED_START.match(word) is not None


def _strength_of(form: str) -> _Strength:
    if form in NEVER_ALONE or (len(form) == 1 and not _is_unspaced(form)):
        return _Strength.BESIDE
    if form in SENTENCE_STARTERS:
        return _Strength.MARKED
    is_short = len(form) == 2 and form.isascii()
    return _Strength.CAPITAL if is_short or form in COMMON_WORDS else _Strength.ALWAYS


def is_common_word(name: str) -> bool:
    """Whether a name is of one letter, or all of its words are words of another meaning too."""
    forms = set(_words_of(unicodedata.normalize("NFC", name).translate(_ALIKE)))
    return all(_strength_of(form) < _Strength.ALWAYS for form in forms)


def _forms(word: str) -> tuple[str, ...]:
    """Fold a word; one with an umlaut also as it is written without."""
    if word.isascii():
        return (word.lower(),)
    plain, written_out = _folded(word), _folded(word.translate(_UMLAUTS))
    return (plain,) if plain == written_out else (plain, written_out)


def _folded(word: str) -> str:
    """Leave out of a word its case, its accents and what is not seen."""
    if word.isascii():
        return word.lower()
    decomposed = unicodedata.normalize("NFKD", word.casefold()).casefold()
    return unicodedata.normalize("NFC", decomposed.translate(_FOLDED))
