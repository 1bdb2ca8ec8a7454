# SPDX-License-Identifier: Apache-2.0
"""Check which values of a server are ids: no other text of a server may reach a URL or a rendered field. Pure."""

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


def user_id_of(user: Mapping[str, object]) -> int | None:
    """
    Return the id of an entry of the user list.

    :param user: with the integer in ``user.id``, or in ``user`` or ``id`` itself.
    :return: None if there is none.
    """
    inner = user.get("user")
    ids = (inner.get("id") if isinstance(inner, Mapping) else inner, user.get("id"))
    return next((user_id for user_id in ids if is_number(user_id)), None)


def session_key(session: Mapping[str, object]) -> str | None:
    """Give the key of a session on a list; None where its uuid is none."""
    uuid = session.get("uuid")
    return uuid.lower() if is_uuid(uuid) else None


def space_key(space: Mapping[str, object]) -> str | None:
    """Give the key of a space on a list; None where its ids are none."""
    ids = [space_id for space_id in (space.get("id"), space.get("slug")) if space_id is not None]
    return next(filter(is_slug, ids), None) if all(map(is_slug, ids)) else None


def user_key(user: Mapping[str, object]) -> tuple[int, str] | None:
    """Give the key of a user on a list; None without an id."""
    user_id = user_id_of(user)
    # Whether a person with two roles is on the list twice is unknown.
    return None if user_id is None else (user_id, str(user.get("role")))


def named(item: Mapping[str, object]) -> str:
    """
    Name an entry of a list in a message by its ids alone.

    :param item: a session or space as the API sends it.
    """
    uuid, number = item.get("uuid"), item.get("id")
    if is_uuid(uuid):
        return uuid
    return f"without a uuid, id {number}" if is_number(number) else "without an id"
