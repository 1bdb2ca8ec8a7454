# SPDX-License-Identifier: Apache-2.0
"""The forms in which people's names are written and spoken, and how words are compared. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

#: Characters of a display name that are read: it is foreign, and may be of any length.
LONGEST_NAME = 200

# Thai to Lao, Burmese, Khmer, kana, Han: scripts that do not separate words.
UNSPACED = (
    "\u0e01-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3041-\u30ff\u3400-\u9fff\uf900-\ufaff\uff66-\uff9f"
    "\U00020000-\U0003ffff"
)
# Marks, joiners and marks of direction, which may follow any letter of a word.
MARKS = re.escape(
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
_HANGUL = "\uac00-\ud7a3"
# A name in Latin letters has particles in these scripts attached to it.
_APART = f"[{UNSPACED}]+|[{_HANGUL}]+"
WORD = re.compile(rf"{_APART}|(?:[^\W\d_{UNSPACED}{_HANGUL}][{MARKS}]*)+")
WORD_OR_NUMBER = re.compile(rf"{_APART}|(?:[^\W_{UNSPACED}{_HANGUL}][{MARKS}]*)+")
_UNSPACED_START = re.compile(f"[{UNSPACED}]")
_JOINED = re.compile(r"['-]")
_APOSTROPHES = dict.fromkeys(map(ord, "\u2018\u2019\u201b\u02bc\u02b9\u02bb\u02c8\u00b4`\u2032\u2035\uff07\u05f3"), "'")
_HYPHENS = dict.fromkeys(map(ord, "\u2010\u2011\u2012\u2013\u2212\ufe63\uff0d\u05be"), "-")
ALIKE = {**_APOSTROPHES, **_HYPHENS}

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
HANGUL = re.compile(f"[{_HANGUL}]+")
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


def composed(text: str) -> str:
    """Write a text in Unicode's form NFC, with one kind of apostrophe and hyphen."""
    return unicodedata.normalize("NFC", text).translate(ALIKE)


def as_spoken(name: str) -> str:
    """Give what of a display name may be spoken: of an e-mail address or a handle no domain and no ``@``."""
    return composed(name[:LONGEST_NAME].lstrip("@ ").partition("@")[0])


def forms_of_name(name: str) -> Iterator[str]:
    """Give the words of a display name as they may be spoken or written, folded."""
    name = as_spoken(name)
    words = WORD.findall(name)
    for word in words:
        if is_unspaced(word):
            yield from _unspaced_forms(word, is_whole=len(words) == 1)
        else:
            yield from forms_of(word)
            if HANGUL.fullmatch(word) and len(word) in (3, 4) and len(words) == 1:
                yield word[-2:]
    for group in name.split():
        # "O'Neill" and "Garçon-Dupré" are also written as one word.
        pieces = WORD.findall(group)
        if len(pieces) > 1 and len(pieces[-1]) > 1 and _JOINED.search(group) and not is_unspaced(pieces[0]):
            yield from forms_of("".join(pieces))


def account_names(name: str) -> Iterator[str]:
    """Give a name of two to four words as one word, folded, as people call their accounts."""
    words = WORD.findall(as_spoken(name))
    if 1 < len(words) <= 4 and not any(map(is_unspaced, words)):
        for ordered in (words, words[::-1]):
            yield from forms_of("".join(ordered))


def with_prefix(word: str) -> Iterator[int]:
    """Give where a Hebrew or Arabic name may begin in a word: "and", "to" or "from" are written together with it."""
    prefix = _PREFIXES.match(word) if _HEBREW_OR_ARABIC.match(word) else None
    return (start for start in range(1, prefix.end() + 1 if prefix else 1) if len(word) - start > 2)


def _unspaced_forms(word: str, *, is_whole: bool) -> Iterator[str]:
    """Give a name and, of a Chinese one that is written in one word, the surname with a title and the given name."""
    if len(word) > 1:
        yield word
    if is_whole and _HAN.fullmatch(word) and len(word) > 1:
        length = 2 if word[:2] in _COMPOUND_SURNAMES else 1
        if len(word) - length > 1:
            yield word[length:]
        yield from (word[:length] + title for title in _HAN_TITLES)


def is_unspaced(word: str) -> bool:
    """Whether a word begins in a script that does not separate words."""
    return _UNSPACED_START.match(word) is not None


def forms_of(word: str) -> tuple[str, ...]:
    """Fold a word; one with an umlaut also as it is written without."""
    if word.isascii():
        return (word.lower(),)
    plain, written_out = folded(word), folded(word.translate(_UMLAUTS))
    return (plain,) if plain == written_out else (plain, written_out)


def folded(word: str) -> str:
    """Leave out of a word its case, its accents and what is not seen."""
    if word.isascii():
        return word.lower()
    decomposed = unicodedata.normalize("NFKD", word.casefold()).casefold()
    return unicodedata.normalize("NFC", decomposed.translate(_FOLDED))
