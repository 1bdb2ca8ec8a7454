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

    :param text: the list, as JSON.
    :raises ValueError: it is no JSON, or no list. Once made, a list can be read to its end.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._length = sum(1 for _ in self)

    def __len__(self) -> int:
        return self._length

    def __contains__(self, wanted: object) -> bool:
        return any(item == wanted for item in self)

    def __iter__(self) -> Iterator[object]:
        parse = json.JSONDecoder().raw_decode
        at = self._after("[", 0)
        if not self._has("]", at):
            item, end = parse(self._text, at)
            yield item
            while self._has(",", at := self._at_next(end)):
                item, end = parse(self._text, self._at_next(at + 1))
                yield item
        if self._after("]", at) != len(self._text):
            raise self._error("Extra data", at)

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
    text = data.decode(json.detect_encoding(data), "surrogatepass")
    is_list = re.match(r"[ \t\n\r]*\[", text)
    return JsonList(text) if is_list else json.loads(text)
