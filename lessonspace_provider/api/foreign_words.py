# SPDX-License-Identifier: Apache-2.0
"""
Words of a server or a file, made fit for a log line or a message. Pure.

A server may be hostile, or repeat what it was sent. What is shown of its words is one short line of printable
characters, without the API key, links, addresses and tokens. All of it takes time in proportion to the text's length,
and no more than a bounded time for ``clean_words``.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from html import unescape
from unicodedata import category, normalize
from urllib.parse import unquote, urlsplit

#: Characters of foreign words that a message shows, of a message of our own, and that are read at all.
LONGEST_WORDS, LONGEST_MESSAGE, LONGEST_READ = 500, 2000, 4096

#: Entries of a list that are read.
MOST_ENTRIES = 20

#: What is shown in place of what is taken out.
KEY, LINK, ADDRESS, TOKEN = "<API key>", "<link>", "<address>", "<token>"

#: How often text is decoded that was percent-encoded several times.
_DECODINGS = 3

#: The shortest piece of a key at the end of a text that was cut off: a shorter one reveals nothing.
_SHORTEST_PIECE = 8

#: A value of so many characters behind a ``=`` may be a signature or a password.
_LONG_VALUE = 16

#: A run of so many letters and digits is a signature or a key: hexadecimal ones, and shorter ones in mixed case.
_LONG_CODE, _SHORT_CODE = 40, 27

_LOWER = bytes(range(256)).lower()
_NO_LETTER = bytes(code for code in range(256) if not chr(code).isascii() or not chr(code).isalnum())
_ESCAPED = re.compile(r"\\u([0-9a-fA-F]{4})")
_LONG_REFERENCE = re.compile("&#[0-9]{16,}")  # a number that Python may refuse to read
_IS_FULL_WIDTH = re.compile("[\uff01-\uff5e]")
_FULL_WIDTH = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}  # to ASCII
_UNPRINTABLE = re.compile("\ufffd+")
_CODE = re.compile(f"[A-Za-z0-9+/]{{{_SHORT_CODE},}}")
_WORD = re.compile(r"\S+")
_JOINERS = "\u200c\u200d"  # part of the spelling in several scripts
_PUNCTUATION = "\"'`<>()[]{},.;:!?*"
_DIGITS = frozenset("0123456789/.:-")


def clean_words(value: object, *, api_key: str = "", longest: int = LONGEST_WORDS) -> str:
    """
    Make a value that a server or a file holds fit for a message.

    :param value: text; of numbers and flags, what Python writes; a list of these; of anything else its kind.
    :param api_key: taken out in every spelling, such as without dashes, percent-encoded or in base64.
    :param longest: characters after which the words are cut.
    :return: one line of printable characters, without links, addresses and tokens; may be blank.
    """
    text = _text_of(value)
    is_cut, text = len(text) > LONGEST_READ, text[:LONGEST_READ]
    if api_key and is_cut and _ends_with_key(text, api_key):
        return KEY
    words = _without_key(" ".join(_without_link(word) for word in _printable(text).split()), api_key)
    return _cut(_CODE.sub(_without_code, words), longest)


def clean_message(text: object, *, longest: int = LONGEST_MESSAGE, hide_links: bool = False) -> str:
    """
    Make a message of this provider fit to be shown again, that was read from a file or came from the triggerer.

    :param text: another user may have written it by now; paths and links in it stay, but nothing behind a ``?``.
    :param longest: characters after which it is cut.
    :param hide_links: leave out links and addresses, too, but no paths.
    :return: one line of printable characters.
    """
    words = _printable(_text_of(text)[:LONGEST_READ]).split(" ")
    if hide_links:
        words = [_without_address(word) for word in words]
    return _cut(" ".join(_without_query(word) for word in words), longest)


def clean_text(text: str, *, longest: int) -> str:
    """
    Make a text of several lines fit for a file of its own. Lines, blanks and the letters of every script stay.

    :param text: what a server sent.
    :param longest: characters after which it is cut.
    :return: without links, addresses, tokens, and control and bidi characters; may be blank.
    """
    marked = "".join(_character_of_text(char) for char in text[:longest].replace("\r\n", "\n"))
    words = _WORD.sub(lambda word: _without_query(_without_address(word[0])), normalize("NFC", marked))
    return words.strip() + ("..." if len(text) > longest else "")


def clean_host(url: object, *, api_key: str = "") -> str | None:
    """
    Give the host of a foreign link for a message; its path and query may open something.

    :param url: the link.
    :param api_key: taken out.
    :return: None when the link names no host.
    :raises ValueError: it can't be read as a link.
    """
    host = urlsplit(_text_of(url)[:LONGEST_READ]).hostname
    return clean_words(host, api_key=api_key, longest=100) if host else None


def without_key(value: object, api_key: str) -> object:
    """
    Take the API key out of parsed JSON, in every spelling.

    :param value: what was parsed.
    :return: the same, with ``KEY`` in place of the key in all texts and names of fields.
    :raises RecursionError: it is nested too deeply.
    """
    if isinstance(value, str):
        return _without_key(value, api_key)
    if isinstance(value, Mapping):
        return {_without_key(str(name), api_key): without_key(entry, api_key) for name, entry in value.items()}
    if isinstance(value, list):
        return [without_key(entry, api_key) for entry in value]
    return value


def holds_key(text: str, api_key: str) -> bool:
    """Whether a text holds the API key, in any spelling that ``_spellings`` knows, also with signs in between."""
    if not api_key:
        return False
    squeezed = _squeezed(text)
    return any(spelling in squeezed for spelling in _spellings(api_key))


def first_of(names: Sequence[str], most: int, separator: str = ", ") -> str:
    """
    List the first of many things in a message: ``a, b and 3 more``, or ``a; b; and 3 more``.

    :param names: each fit for a message.
    :param separator: ``"; "`` where they have commas of their own.
    """
    listed, more = separator.join(names[:most]), len(names) - most
    return f"{listed}{separator.replace(',', '')}and {more} more" if more > 0 else listed


def _text_of(value: object) -> str:
    if isinstance(value, str):
        return value
    if value is None or isinstance(value, (int, float)):
        try:
            return str(value)
        except ValueError:  # a number of thousands of digits
            pass
    if isinstance(value, list) and not any(isinstance(entry, (list, Mapping)) for entry in value[:MOST_ENTRIES]):
        return ", ".join(_text_of(entry)[:LONGEST_READ] for entry in value[:MOST_ENTRIES])
    return f"({type(value).__name__})"


def _character_of_text(char: str) -> str:
    if char in "\n\t" or char.isprintable() or char in _JOINERS:
        return char
    if char.isspace():
        return "\n" if char in "\r\u2028\u2029" else " "
    return "\ufffd" if category(char) == "Cs" else ""


def _printable(text: str) -> str:
    """Write blanks for white space, and replace control, bidi and unassigned characters and lone surrogates."""
    marked = "".join(" " if char.isspace() else char if char.isprintable() else "\ufffd" for char in text)
    return _UNPRINTABLE.sub("\ufffd", marked)


def _without_key(text: str, api_key: str) -> str:
    if not holds_key(text, api_key):
        return text
    shown = _plain_key(api_key).sub(KEY, text)
    return KEY if holds_key(shown, api_key) else shown


def _ends_with_key(text: str, api_key: str) -> bool:
    """Whether a text that was cut off ends amid the API key."""
    end = _squeezed(text)
    return any(
        end.endswith(spelling[:length])
        for spelling in _spellings(api_key)
        for length in range(_SHORTEST_PIECE, len(spelling))
    )


def _squeezed(text: str) -> bytes:
    """Keep letters and digits, decoded and in lower case, so that a key is found however it is spelled."""
    return _decoded(text).encode("ascii", "ignore").translate(_LOWER, _NO_LETTER)


def _decoded(text: str) -> str:
    """Undo the encodings of text: full-width letters, JSON's escapes, percent signs, HTML's references."""
    text = text.translate(_FULL_WIDTH) if _IS_FULL_WIDTH.search(text) else text
    for _ in range(_DECODINGS):
        before = text
        text = _ESCAPED.sub(_character, text) if "\\u" in text else text
        text = unquote(text) if "%" in text else text
        text = unescape(_LONG_REFERENCE.sub("", text)) if "&" in text else text
        if text == before:
            break
    return text


def _character(escape: re.Match[str]) -> str:
    return chr(int(escape[1], 16))


@lru_cache(maxsize=16)
def _spellings(api_key: str) -> tuple[bytes, ...]:
    """Give the spellings of a key as ``_squeezed`` leaves them: itself, as hexadecimal digits, and in base64."""
    bare = api_key.replace("-", "")
    forms = [form.encode() for form in (api_key, api_key.upper(), bare, bare.upper())]
    spelled = [bare, *(form.hex() for form in forms), *(core for form in forms for core in _base64_cores(form))]
    return tuple(dict.fromkeys(_squeezed(text) for text in spelled))


def _base64_cores(form: bytes) -> Iterator[str]:
    """Give the base64 of bytes at any place of a text, which has one of three alignments to them."""
    for shift in range(3):
        first, end = -(-8 * shift // 6), 8 * (shift + len(form)) // 6  # characters that depend on nothing else
        yield b64encode(bytes(shift) + form + bytes(2)).decode()[first:end]


@lru_cache(maxsize=16)
def _plain_key(api_key: str) -> re.Pattern[str]:
    return re.compile("-?".join(map(re.escape, api_key.split("-"))), re.IGNORECASE)


def _cut(words: str, longest: int) -> str:
    return words if len(words) <= longest else f"{words[:longest]}..."


def _without_address(word: str) -> str:
    plain = _decoded(word).replace("\\", "")
    is_link = ("//" in plain and not _is_scheme(plain.strip(_PUNCTUATION))) or "www." in plain.lower()
    if not is_link and "@" not in plain.strip("@"):
        return word
    behind = word[len(word.rstrip(_PUNCTUATION)) :]
    before = word[: len(word) - len(word.lstrip(_PUNCTUATION))]
    return f"{before}{LINK if is_link else ADDRESS}{behind}"


def _without_query(word: str) -> str:
    plain = _decoded(word).strip(_PUNCTUATION)
    before, mark, _ = word.partition("?")
    if _is_token(plain):
        return TOKEN
    if mark and "?" in plain:
        return f"{before}?"
    return LINK if "?" in plain or ("&" in plain and _has_query(plain)) else word


def _without_link(word: str) -> str:
    """Replace a word that is a link, an address or a token, and leave out what follows a question mark."""
    plain = _decoded(word).replace("\\", "").strip(_PUNCTUATION)
    for replacement, is_one in _KINDS:
        if is_one(plain):
            return replacement
    if "?" not in plain:
        return word
    before, mark, _ = word.partition("?")
    return f"{before}?" if mark else LINK


def _without_code(found: re.Match[str]) -> str:
    """Replace a signature that is apart from its link; long words and plain ids stay."""
    run = found[0]
    is_mixed = run.upper() != run != run.lower()
    is_code = any(map(str.isdigit, run)) and (is_mixed or len(run) >= _LONG_CODE)
    return TOKEN if is_code else run


def _is_link(plain: str) -> bool:
    """Whether a word is a link, also one without a scheme or a host, or a piece of one's query."""
    if _is_scheme(plain):
        return False
    head, slash, rest = plain.partition("/")
    path = slash and plain != "/" and (head.strip(".~") == "" or "." in head or ":" in head or "/" in rest)
    if path and not (head and "//" not in plain and _DIGITS.issuperset(plain)):  # a date is none
        return True
    return plain.lower().startswith("www.") or _has_query(plain)


def _is_scheme(plain: str) -> bool:
    """Whether a word is the beginning of an address and no more, as in advice."""
    return plain.lower() in ("http://", "https://")


def _has_query(plain: str) -> bool:
    name, sign, value = plain.partition("=")
    return bool(sign) and ("?" in name or "&" in name or "&" in value or len(value) >= _LONG_VALUE)


def _is_token(plain: str) -> bool:
    """Whether a word holds a JWT: these are JSON's first characters in base64."""
    return "eyJ" in plain


_KINDS: tuple[tuple[str, Callable[[str], bool]], ...] = (
    (LINK, _is_link),
    (ADDRESS, lambda plain: "@" in plain),
    (TOKEN, _is_token),
)
