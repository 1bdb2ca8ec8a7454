# SPDX-License-Identifier: Apache-2.0
"""JSON lists that are parsed item by item: all of a large one's items at once take many times its text. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator

_WHITE_SPACE = re.compile(r"[ \t\n\r]*")


class JsonList(Collection[object]):
    """
    A JSON list whose items are parsed, one after another, each time it is read through.

    :param data: the list, as JSON in UTF-8.
    :raises ValueError: it is no JSON, or no list. Once made, a list can be read to its end.
    """

    _parse = staticmethod(json.JSONDecoder().raw_decode)

    def __init__(self, data: bytes) -> None:
        # A character for each byte, since one emoji would make all of the text four times as large. JSON's own
        # characters are the same in both encodings, and no byte of another character is one of them.
        self._text = data.decode("latin-1")
        self._length = sum(1 for _ in self)

    def __len__(self) -> int:
        return self._length

    def __contains__(self, wanted: object) -> bool:
        return any(item == wanted for item in self)

    def __iter__(self) -> Iterator[object]:
        at = self._after("[", 0)
        if not self._has("]", at):
            item, end = self._item(at)
            yield item
            while self._has(",", at := self._at_next(end)):
                item, end = self._item(self._at_next(at + 1))
                yield item
        if self._after("]", at) != len(self._text):
            raise self._error("Extra data", at)

    def _item(self, at: int) -> tuple[object, int]:
        """Parse the item at a place, and give the place behind it."""
        item, end = self._parse(self._text, at)
        text = self._text[at:end]
        return (item if text.isascii() else json.loads(text.encode("latin-1"))), end

    def _after(self, char: str, at: int) -> int:
        """Give the place of what follows a character, which must be there."""
        at = self._at_next(at)
        if not self._has(char, at):
            raise self._error(f"Expecting {char}", at)
        return self._at_next(at + 1)

    def _at_next(self, at: int) -> int:
        white_space = _WHITE_SPACE.match(self._text, at)
        return white_space.end() if white_space else at

    def _has(self, char: str, at: int) -> bool:
        return self._text.startswith(char, at)

    def _error(self, message: str, at: int) -> json.JSONDecodeError:
        return json.JSONDecodeError(message, self._text, at)


def loads(data: bytes) -> object:
    """
    Parse JSON as ``json.loads`` does, but leave a list unparsed until it is read through.

    :param data: in UTF-8, -16 or -32.
    :return: a ``JsonList`` for a list, else the parsed value.
    :raises ValueError: it is not JSON.
    """
    encoding = json.detect_encoding(data)
    if encoding != "utf-8":
        data = data.decode(encoding, "surrogatepass").encode("utf-8", "surrogatepass")
    return JsonList(data) if re.match(rb"[ \t\n\r]*\[", data) else json.loads(data)
