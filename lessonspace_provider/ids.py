# SPDX-License-Identifier: Apache-2.0
"""Which of a server's values are ids: nothing else of its words may reach a URL or a rendered field. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TypeGuard

#: Characters of a slug or an id of a space at most; those that were seen have 36.
LONGEST_SLUG = 100

_UUID = re.compile("[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_SLUG = re.compile(f"[0-9A-Za-z_-]{{1,{LONGEST_SLUG}}}")


def is_uuid(value: object) -> TypeGuard[str]:
    """Whether a value is a UUID as text, with its dashes and nothing else."""
    return isinstance(value, str) and _UUID.fullmatch(value) is not None


def is_slug(value: object) -> TypeGuard[str]:
    """Whether a value can name a space in a URL: its UUID, or its slug (launch's ``room_id``)."""
    return isinstance(value, str) and _SLUG.fullmatch(value) is not None


def is_number(value: object) -> TypeGuard[int]:
    """Whether a value is the integer id of a user, or of a session."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < 2**63


def named(item: Mapping[str, object]) -> str:
    """
    Name an entry of a list in a message by its ids alone.

    :param item: a session or space as the API sends it.
    """
    for field in ("uuid", "id"):
        value = item.get(field)
        if is_uuid(value) or is_number(value):
            return str(value) if is_uuid(value) else f"without a uuid, {field} {value}"
    return "without an id"
