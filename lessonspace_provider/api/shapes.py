# SPDX-License-Identifier: Apache-2.0
"""Whether the fields of a reply have the shapes that the API documents. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from lessonspace_provider.api.arguments import LARGEST_NUMBER
from lessonspace_provider.api.ids import is_slug
from lessonspace_provider.api.times import read_time


def objects_in(value: object) -> list[dict[str, object]]:
    """Give the objects of a list as the API sends it; none of what is no list."""
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def text_or_none(value: object) -> str | None:
    """Give a text; None for anything else."""
    return value if isinstance(value, str) else None


def whole_seconds(value: object) -> int | None:
    """Read whole seconds of 0 or more; None for anything else, and for more than 64 bits hold."""
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not 0 <= value < LARGEST_NUMBER:
        return None
    return int(value) if value == int(value) else None


def odd_session_fields(session: Mapping[str, object]) -> list[str]:
    """
    Name the fields of a session that have a value but none that can be read.

    :param session: from a list or in detail, whatever its fields hold.
    :return: names of the API's fields.
    """
    is_read: dict[str, Callable[[Any], bool]] = {
        "name": lambda value: isinstance(value, str),
        "space": lambda value: isinstance(value, dict) and (value.get("id") is None or is_slug(value["id"])),
        "start_time": lambda value: read_time(value) is not None,
        "end_time": lambda value: read_time(value) is not None,
        "profiles": lambda value: objects_in(value) == value,
        "guests": lambda value: objects_in(value) == value,
        "logs": lambda value: objects_in(value) == value,
        "billable_seconds": lambda value: whole_seconds(value) is not None,
    }
    given = {field: session.get(field) for field in is_read}
    return [field for field, value in given.items() if value is not None and not is_read[field](value)]


def odd_texts(entry: Mapping[str, object]) -> list[str]:
    """Name the fields of a space or a user that should be text, have a value, and are none."""
    texts = {field: entry.get(field) for field in ("name", "role", "created_at")}
    return [field for field, value in texts.items() if value is not None and not isinstance(value, str)]
