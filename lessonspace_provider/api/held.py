# SPDX-License-Identifier: Apache-2.0
"""Holds a whole list in memory, up to a bound: that of a page says nothing of all pages together. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from lessonspace_provider.exceptions import LessonspaceReplyTooLargeError

Item = TypeVar("Item")

#: Values of parsed JSON that are held: some 300 MB. A session of ten people has about 80, so these are over 35,000.
MOST_VALUES = 3_000_000

#: Characters of a text that count as a value.
_TEXT_OF_A_VALUE = 64


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
                f"The {what} are more than fit into memory: reading stopped after {len(kept)}. Take a shorter window "
                f"or a narrower filter; if these are few, check that the host of the connection is the API's base URL."
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
