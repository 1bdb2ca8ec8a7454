# SPDX-License-Identifier: Apache-2.0
"""JSON lists that are read and written item by item: all of a large one's at once take many times its text. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator

from lessonspace_provider.api.plain_json import NUMBERS

# Line ends to str.splitlines, with which many programs read JSON Lines, though not to JSON.
_LINE_ENDS = {ord(char): f"\\u{ord(char):04x}" for char in "\x85\u2028\u2029"}
_WHITE_SPACE = re.compile(rb"[ \t\n\r]*")

#: Bytes that are looked at first to parse an item: more than most segments of a transcript have.
_FIRST_PIECE = 1024

#: Bytes of an item, and of anything else that is parsed at once: parsed, it may take 50 times that.
LARGEST_ITEM = 2 * 1024 * 1024

#: Items of a list: every item costs time each time the list is read through.
MOST_ITEMS = 500_000

#: Bytes of a text in another encoding than UTF-8, since it has to be recoded as a whole.
_LARGEST_RECODED = 16 * 1024 * 1024


class JsonList(Collection[object]):
    """
    A JSON list whose items are parsed, one after another, each time it is read through.

    It takes no more memory than its text and its largest item.

    :param data: the list, as JSON in UTF-8.
    :raises ValueError: it is no JSON, or no list, or has more than ``MOST_ITEMS`` items or one of more than
        ``LARGEST_ITEM`` bytes. Once made, a list can be read to its end.
    """

    _parse = staticmethod(json.JSONDecoder(**NUMBERS).raw_decode)

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._length = 0
        for _ in self:
            self._length += 1
            if self._length > MOST_ITEMS:
                raise ValueError(f"More than {MOST_ITEMS} items")

    @property
    def size(self) -> int:
        """Bytes of its text."""
        return len(self._data)

    def __len__(self) -> int:
        return self._length

    def __contains__(self, wanted: object) -> bool:
        return any(item == wanted for item in self)

    def __iter__(self) -> Iterator[object]:
        at = self._behind(b"[", self._next(0))
        if not self._has(b"]", at):
            item, end = self._item(at)
            yield item
            while self._has(b",", at := self._next(end)):
                item, end = self._item(self._next(at + 1))
                yield item
        if self._behind(b"]", at) != len(self._data):
            raise ValueError(f"Something follows the list, before byte {len(self._data)}")

    def _item(self, at: int) -> tuple[object, int]:
        """Parse the item at a place, and give the place behind it."""
        text, (item, length) = self._parsed(at)
        text = text[:length]
        return (item if text.isascii() else json.loads(text.encode("latin-1"), **NUMBERS)), at + length

    def _parsed(self, at: int) -> tuple[str, tuple[object, int]]:
        """Parse from a place on, reading more and more until there is a whole item and what follows it."""
        size = _FIRST_PIECE
        while True:
            # A character for each byte: a piece may end inside of another encoding's character, but JSON's own
            # characters are the same in both, and no byte of another one is one of them.
            text = self._data[at : at + size].decode("latin-1")
            is_rest = at + size >= len(self._data)
            try:
                item, length = self._parse(text)
            except ValueError:
                if is_rest:
                    raise
            else:
                # What ends with the piece may continue behind it, as a number.
                if is_rest or length < len(text):
                    return text, (item, length)
            size *= 2
            if size > LARGEST_ITEM:
                raise ValueError(f"More than {LARGEST_ITEM} bytes in the item at byte {at}")

    def _behind(self, char: bytes, at: int) -> int:
        """Give the place of what follows a character, which must be there."""
        if not self._has(char, at):
            raise ValueError(f"Expecting {char!r} at byte {at}")
        return self._next(at + 1)

    def _next(self, at: int) -> int:
        white_space = _WHITE_SPACE.match(self._data, at)
        return white_space.end() if white_space else at

    def _has(self, char: bytes, at: int) -> bool:
        return self._data.startswith(char, at)


def loads(data: bytes) -> object:
    """
    Parse JSON as ``json.loads`` does, but leave a list unparsed until it is read through; numbers by ``NUMBERS``.

    :param data: in UTF-8, -16 or -32.
    :return: a ``JsonList`` for a list, else the parsed value.
    :raises ValueError: it is not JSON, or more than can be parsed in bounded memory; see ``JsonList``.
    """
    encoding = json.detect_encoding(data)
    if encoding != "utf-8":
        if len(data) > _LARGEST_RECODED:
            raise ValueError(f"More than {_LARGEST_RECODED} bytes in {encoding}")
        data = data.decode(encoding, "surrogatepass").encode("utf-8", "surrogatepass")
    if re.match(rb"[ \t\n\r]*\[", data):
        return JsonList(data)
    if len(data) > LARGEST_ITEM:
        raise ValueError(f"More than {LARGEST_ITEM} bytes, and no list")
    return json.loads(data, **NUMBERS)


def line_of(item: object) -> bytes:
    """Write an item as a line of JSON Lines, with its line end."""
    return encoded(json.dumps(item, ensure_ascii=False).translate(_LINE_ENDS) + "\n")


def encoded(text: str) -> bytes:
    """Encode JSON in UTF-8, which can't hold a lone surrogate: it is written as JSON's own escape."""
    return text.encode("utf-8", "backslashreplace")
