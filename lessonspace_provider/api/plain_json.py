# SPDX-License-Identifier: Apache-2.0
"""Parse a server's JSON into values that files, XCom and every consumer can hold, in bounded memory. Pure."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable
from typing import Any, TypeVar

from lessonspace_provider.exceptions import LessonspaceReplyTooLargeError

Item = TypeVar("Item")

#: Levels of objects and lists that are kept. The API's own answers have about five.
DEEPEST = 32

#: Numbers of so many digits fit 64 bits, as the columns of files and databases do.
MOST_DIGITS = 18

#: Values of parsed JSON that are held: some 300 MB. A session of ten people has about 80, so these are over 35,000.
MOST_VALUES = 3_000_000

#: Characters of a text that count as a value.
_TEXT_OF_A_VALUE = 64

# What no UTF-8 file and no PostgreSQL column can hold: halves of characters, and NUL.
_NO_TEXT = re.compile("[\0\ud800-\udfff]")

_MARK, _STRING_MARK = re.compile(r'["\[\]{}]'), re.compile(r'["\\]')


def _short_number(digits: str) -> int | None:
    return int(digits) if len(digits.lstrip("-")) <= MOST_DIGITS else None


def _finite_number(digits: str) -> float | None:
    number = float(digits)
    return number if math.isfinite(number) else None


def _no_number(_name: str) -> None:
    """Read NaN and Infinity, which JSON does not have (RFC 8259), as null."""


#: How numbers are read: those become null that are not finite or have more than ``MOST_DIGITS`` digits.
NUMBERS: dict[str, Any] = {"parse_int": _short_number, "parse_float": _finite_number, "parse_constant": _no_number}


def parse(data: bytes) -> object:
    """
    Parse JSON.

    :param data: in UTF-8, -16 or -32.
    :return: its value. Null replaces some numbers, see ``NUMBERS``, and what is nested more than ``DEEPEST``
        levels deep; U+FFFD replaces NUL and lone surrogates.
    :raises ValueError: it is not JSON.
    :raises RecursionError: it is nested too deeply and does not come to its end.
    """
    text = data.decode(json.detect_encoding(data), "surrogatepass")
    try:
        value = json.loads(text, **NUMBERS)
    except RecursionError:
        value = json.loads(_shallow(text), **NUMBERS)
    return _holdable(value, DEEPEST)


def _shallow(text: str) -> str:
    """Write null for what is nested too deeply; takes time in proportion to the text."""
    kept: list[str] = []
    done = at = levels = start = 0
    while mark := _MARK.search(text, at):
        at = mark.end()
        if mark[0] == '"':
            at = _behind_string(text, at)
        elif mark[0] in "[{":
            levels += 1
            start = mark.start() if levels == DEEPEST + 1 else start
        else:
            levels -= 1
            if levels == DEEPEST:
                kept += [text[done:start], "null"]
                done = at
    return "".join(kept) + text[done:]


def _behind_string(text: str, at: int) -> int:
    while mark := _STRING_MARK.search(text, at):
        if mark[0] == '"':
            return mark.end()
        at = mark.end() + 1
    return len(text)


def _holdable(value: object, levels: int) -> object:
    # In place: a copy beside the original would double the memory that a hostile reply takes.
    if isinstance(value, str):
        return _NO_TEXT.sub("\ufffd", value)
    if not isinstance(value, (dict, list)):
        return value
    if not levels:
        return None
    for place, entry in value.items() if isinstance(value, dict) else enumerate(value):
        value[place] = _holdable(entry, levels - 1)
    if isinstance(value, dict) and any(map(_NO_TEXT.search, value)):
        return {_NO_TEXT.sub("\ufffd", name): entry for name, entry in value.items()}
    return value


def held(items: Iterable[Item], what: str) -> list[Item]:
    """
    Make a list of items that are read meanwhile, such as the entries of a ``Listing``.

    :param items: parsed JSON.
    :param what: they are, for the message.
    :raises LessonspaceReplyTooLargeError: they have more than ``MOST_VALUES`` values.
    """
    kept: list[Item] = []
    values = 0
    for item in items:
        values += values_in(item)
        if values > MOST_VALUES:
            raise LessonspaceReplyTooLargeError(
                f"There are too many {what} for the memory: reading stopped after {len(kept)}. Use a shorter window "
                f"or a narrower filter. If there should be few, check that the connection's host is the API's base URL."
            )
        kept.append(item)
    return kept


def values_in(item: object) -> int:
    """Count the values in parsed JSON, long texts several times; counting stops soon after ``MOST_VALUES``."""
    values, inside = 0, [item]
    while inside and values <= MOST_VALUES:
        value = inside.pop()
        values += 1
        if isinstance(value, str):
            values += len(value) // _TEXT_OF_A_VALUE
        elif isinstance(value, dict):
            values += len(value)
            inside += value.values()
        elif isinstance(value, list):
            inside += value
    return values
