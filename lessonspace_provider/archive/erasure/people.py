# SPDX-License-Identifier: Apache-2.0
"""
Find people by keyed hashes of their ids and names, and remove them from texts. Pure.

A mark is ``<mode>:<kind>:<hash>``. Kinds: ``id`` of a user id, ``whole`` of a whole name, ``name`` of a word,
``capital`` of one that is a name with a capital only, ``name2`` to ``name8`` of so many words, ``first`` of the first
of them, and ``chars2`` to ``chars16`` of so many characters of a script without spaces.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import unicodedata
from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple, get_args

from lessonspace_provider.transcripts.common_words import COMMON_WORDS, NEVER_ALONE, SENTENCE_STARTERS
from lessonspace_provider.transcripts.name_forms import (
    ALIKE,
    WORD_OR_NUMBER,
    account_names,
    as_spoken,
    folded,
    forms_of,
    forms_of_name,
    with_prefix,
)
from lessonspace_provider.transcripts.redaction import ERASED_LABEL

#: What becomes of the sessions in which a person took part: their files are deleted, or rewritten without the person.
Mode = Literal["redact", "delete"]
MODES: tuple[Mode, ...] = get_args(Mode)

#: What is written in place of a person, in a transcript and in a path.
LABEL, LABEL_IN_PATH = ERASED_LABEL, "erased"

#: Words of the longest name, and characters of the longest one in a script without spaces.
MOST_WORDS, MOST_CHARACTERS = 8, 16

MARK = re.compile(r"(redact|delete):(id|whole|name|capital|first|name[2-8]|chars(?:[2-9]|1[0-6])):[0-9a-f]{32}")

#: The shortest name that is also found with an s at its end and no apostrophe, and the shortest id in a plain text.
_SHORTEST_GENITIVE, SHORTEST_ID = 3, 4

#: Words that are remembered as no names: all words of an archive are far fewer, numbers are not.
_MOST_REMEMBERED = 500_000

#: Chinese, Japanese, Korean, Thai, Lao, Burmese and Khmer: words of a text are not apart, or have particles attached.
_WITHOUT_SPACES = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af"
    "\uf900-\ufaff\U00020000-\U0003ffff]"
)
_BETWEEN = re.compile("[ \t\xa0.'_-]{1,3}")  # two words of one name
_ASCII_WORD = re.compile("[A-Za-z0-9]+")
_DIGITS = "0123456789"
_UUID = re.compile(r"(?<![0-9a-f])[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?![0-9a-f])", re.IGNORECASE)
_SENTENCE_END = re.compile(r"(?:^|[.!?:;\u2026\n>\]])[\s\"\u201c'(]*\Z")
_CALLS = re.compile(r"\s*(?:[,.!?:;\u2026]|'s\b|\Z)")


class Word(NamedTuple):
    """A word of a text: where it begins and ends, and how it is compared."""

    start: int
    end: int
    folded: str


def _found_words(text: str) -> Iterator[re.Match[str]]:
    """Find the words of a text; the pattern for ASCII takes a third of the time."""
    return _ASCII_WORD.finditer(text) if text.isascii() else WORD_OR_NUMBER.finditer(text.translate(ALIKE))


def words_in(text: str) -> list[Word]:
    """Split a text into its words; an underscore, a hyphen and an apostrophe separate them."""
    return [Word(found.start(), found.end(), folded(found[0])) for found in _found_words(text)]


def is_ambiguous(word: str) -> bool:
    """Whether a folded word alone is no name to be searched: it has one character, only digits, or is a common word."""
    return len(word) < 2 or word.isdecimal() or word in COMMON_WORDS or word in NEVER_ALONE


def mark_of(key: bytes, kind: str, text: str) -> str:
    """Hash an id or a folded name with the archive's key; without the key it can't be guessed."""
    return f"{kind}:{hmac.digest(key, f'{kind} {text}'.encode('utf-8', 'replace'), hashlib.sha256).hex()[:32]}"


def marks_of_id(key: bytes, user_id: int) -> Iterator[str]:
    """Make the marks of a user id."""
    yield mark_of(key, "id", str(user_id))


def marks_of_name(key: bytes, name: str, *, with_ambiguous: bool = False) -> Iterator[str]:
    """
    Make the marks of a name: of all of it, and of each of its words; of those that are ambiguous with a capital only.

    :param with_ambiguous: search ambiguous words in any case, too.
    """
    words = [word.folded for word in words_in(name)]
    yield mark_of(key, "whole", _whole(words))
    spoken = (word.folded for word in words_in(as_spoken(name)))
    forms = [*forms_of_name(name), *account_names(name), *(word for word in spoken if not word.isdecimal())]
    for word in dict.fromkeys(forms):
        if with_ambiguous or not is_ambiguous(word):
            yield mark_of(key, "name", word)
            if _WITHOUT_SPACES.search(word) and 2 <= len(word) <= MOST_CHARACTERS:
                yield mark_of(key, f"chars{len(word)}", word)
        elif len(word) > 1 and word not in NEVER_ALONE:
            yield mark_of(key, "capital", word)
    if 1 < len(words) <= MOST_WORDS:
        yield mark_of(key, "first", words[0])
        yield mark_of(key, f"name{len(words)}", " ".join(words))


def _whole(words: Iterable[str]) -> str:
    """Write a whole name as it is compared: ``Okafor, Ben`` is ``Ben Okafor``."""
    return " ".join(sorted(words))


class ErasedPeople:
    """
    Some people whose ids and names are known by their marks only.

    :param key: the archive's.
    :param marks: see this module; others are left aside.
    """

    def __init__(self, key: bytes, marks: Iterable[str] = ()) -> None:
        self._key = key
        self.marks = tuple(sorted({mark for mark in marks if MARK.fullmatch(mark)}))
        self._modes: dict[str, str] = {}
        for mark in reversed(self.marks):  # of two modes, delete counts
            mode, _, own = mark.partition(":")
            self._modes[own] = mode
        kinds = {own.partition(":")[0] for own in self._modes}
        self._lengths = sorted((int(kind[4:]) for kind in kinds if kind[:4] == "name" and kind != "name"), reverse=True)
        self._characters = sorted((int(kind[5:]) for kind in kinds if kind.startswith("chars")), reverse=True)
        self._checked: set[str] = set()
        self._found: set[str] = set()

    def __bool__(self) -> bool:
        return bool(self.marks)

    def mode_of_id(self, user_id: object) -> str | None:
        """Give the mode for a user id, an integer or its digits; None for other people's."""
        is_id = isinstance(user_id, (int, str)) and not isinstance(user_id, bool)
        return self._modes.get(mark_of(self._key, "id", str(user_id))) if is_id else None

    def mode_of_name(self, name: object) -> str | None:
        """Give the mode for a name that is whole one of these people's; None for other people's."""
        if not isinstance(name, str):
            return None
        words = [word.folded for word in words_in(name)]
        return self._modes.get(mark_of(self._key, "whole", _whole(words))) if words else None

    def may_occur_in(self, text: str) -> bool:
        """Whether a text has an id or a word of these people's, fast; the first word of a name counts as well."""
        words = {found[0] for found in _found_words(text)}
        new = words - self._checked
        self._found.update(word for word in new if self._may_be_found(word))
        if len(self._checked) > _MOST_REMEMBERED:
            self._checked = set(self._found)
        self._checked |= new
        return not self._found.isdisjoint(words)

    def redacted(self, text: str, *, label: str = LABEL, ids: bool = False) -> tuple[str, int]:
        """
        Write a label in place of each name in a text.

        Names are found as whole words in any case, with or without accents, before an apostrophe or an s.

        :param text: any.
        :param label: what is written.
        :param ids: whether ids of four digits and more are replaced, too, and not only after the word ``User``.
        :return: the text, and how many labels were written.
        """
        if not self._modes or not self.may_occur_in(text):
            return text, 0
        pieces, done = [], 0
        spans = self._spans(text.translate(ALIKE), words_in(text), ids)
        if spans:
            uuids = [found.span() for found in _UUID.finditer(text)]
            spans = [span for span in spans if not any(start <= span[0] < end for start, end in uuids)]
        for start, end in spans:
            pieces += [text[done:start], label]
            done = end
        return "".join([*pieces, text[done:]]), len(pieces) // 2

    def _spans(self, text: str, words: list[Word], ids: bool) -> list[tuple[int, int]]:
        found, at = [], 0
        while at < len(words):
            word = words[at]
            length = 0
            if text[word.start : word.end] in self._found:
                written = text[word.start : word.end]
                length = self._phrase(text, words, at) or int(self._is_name(written) or self._is_called(text, word))
                if length:
                    found.append((word.start, words[at + length - 1].end))
                elif self._is_id(word.folded):
                    found += self._id(words, at, ids)
                else:
                    found += self._inside(text, word)
            at += length or 1
        return found

    def _phrase(self, text: str, words: list[Word], at: int) -> int:
        """Give how many words from a place on are one name, 0 for none."""
        if not self._has("first", words[at].folded):
            return 0
        for length in self._lengths:
            some = words[at : at + length]
            if len(some) < length or not self._has(f"name{length}", " ".join(word.folded for word in some)):
                continue
            if all(_BETWEEN.fullmatch(text, one.end, other.start) for one, other in zip(some, some[1:], strict=False)):
                return length
        return 0

    def _id(self, words: list[Word], at: int, ids: bool) -> list[tuple[int, int]]:
        """Find an id in a text: behind the word with which files name a speaker without a name, or anywhere."""
        if at and words[at - 1].folded == "user":
            return [(words[at - 1].start, words[at].end)]
        return [words[at][:2]] if ids and len(words[at].folded) >= SHORTEST_ID else []

    def _inside(self, text: str, word: Word) -> list[tuple[int, int]]:
        """Find names inside of a word of a script without spaces."""
        written = text[word.start : word.end]
        if not self._characters or not _WITHOUT_SPACES.search(written):
            return []
        found, at = [], 0
        while at < len(written):
            sizes = (size for size in self._characters if at + size <= len(written))
            size = next((size for size in sizes if self._has(f"chars{size}", folded(written[at : at + size]))), 0)
            if size:
                found.append((word.start + at, word.start + at + size))
            at += size or 1
        return found

    def _may_be_found(self, word: str) -> bool:
        own = folded(word)
        is_one = self._is_name(word) or self._is_id(own) or self._has("first", own)
        is_one = is_one or (word[0].isupper() and self._is_capital(own))
        return is_one or bool(self._inside(word, Word(0, len(word), own)))

    def _is_name(self, word: str) -> bool:
        """Whether a word is a name, alone or with what grammar adds to it, or that of an account such as ``ben7``."""
        word = unicodedata.normalize("NFC", word)
        forms = forms_of(word)
        if any(self._has("name", form) for form in forms):
            return True
        rest = word.strip(_DIGITS)
        if rest != word:
            return bool(rest) and self._is_name(rest)
        is_genitive = word[-1] in "sS" and len(word) > _SHORTEST_GENITIVE and not is_ambiguous(forms[0])
        if is_genitive and any(self._has("name", form[:-1]) for form in forms):
            return True
        return any(self._has("name", folded(word[start:])) for start in with_prefix(word))

    def _is_called(self, text: str, word: Word) -> bool:
        """Whether a word with a capital is a name, and not one that begins a sentence as other words do."""
        if not text[word.start].isupper() or not self._is_capital(word.folded):
            return False
        starts = word.folded in SENTENCE_STARTERS and _SENTENCE_END.search(text, max(0, word.start - 8), word.start)
        return not starts or _CALLS.match(text, word.end) is not None

    def _is_capital(self, folded_word: str) -> bool:
        without_s = folded_word[:-1] if folded_word.endswith("s") and len(folded_word) > _SHORTEST_GENITIVE else ""
        return self._has("capital", folded_word) or self._has("capital", without_s)

    def _is_id(self, word: str) -> bool:
        return word.isdecimal() and self.mode_of_id(word) is not None

    def _has(self, kind: str, text: str) -> bool:
        return mark_of(self._key, kind, text) in self._modes
