# SPDX-License-Identifier: Apache-2.0
"""
The filters of the API's lists, checked and written as the API takes them. Pure.

The API ignores a misspelt filter in silence and answers with everything, so whatever is not in
these tables is refused before a request is made.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime
from functools import partial
from types import MappingProxyType
from uuid import UUID

from lessonspace_provider.api.arguments import (
    ROLES,
    as_api_time,
    as_launch_id,
    as_one_of,
    as_rendered_flag,
    as_space_id,
    as_user_id,
    as_uuid,
    is_text,
    refuse,
    refuse_hidden,
    shown,
    whole_number,
)
from lessonspace_provider.exceptions import LessonspaceInputError

#: Writes one value as the texts of one or several equal query parameters.
Encoder = Callable[[str, object], list[str]]


def _encode_text(parameter: str, value: object) -> list[str]:
    text = str(value) if isinstance(value, UUID) else value
    if isinstance(text, str) and not is_text(text):
        raise refuse_hidden(parameter, text, "text of whole characters")
    if not is_text(text) or not text.strip():
        raise refuse(parameter, value, "text that is not blank")
    return [text]


def _encode_launch_id(parameter: str, value: object) -> list[str]:
    return [as_launch_id(parameter, str(value) if isinstance(value, UUID) else value)]


def _encode_count(
    parameter: str, value: object, least: int = 0, allowed: str = "a whole number, 0 or more"
) -> list[str]:
    number = whole_number(value)
    if number is None or number < least:
        raise refuse(parameter, value, allowed)
    return [str(number)]


_encode_page = partial(_encode_count, least=1, allowed="a page number, 1 or more")


def _encode_flag(parameter: str, value: object) -> list[str]:
    return ["true" if as_rendered_flag(parameter, value) else "false"]


def _encode_time(parameter: str, value: object) -> list[str]:
    return [as_api_time(parameter, value)]


def _encode_day(parameter: str, value: object) -> list[str]:
    if isinstance(value, date) and not isinstance(value, datetime):
        return [value.isoformat()]
    return _encode_text(parameter, value)


def _encode_tags(parameter: str, value: object) -> list[str]:
    """Tags travel as JSON text; a blank value tests that the key exists (reference)."""
    if (
        not isinstance(value, Mapping)
        or not value
        or not all(is_text(key) and is_text(tag) for key, tag in value.items())
    ):
        raise refuse(parameter, value, "a mapping of text to text, '' as a value to ask only for the key")
    return [json.dumps(dict(value), ensure_ascii=False)]


def _encode_user_id(parameter: str, value: object) -> str:
    return str(as_user_id(parameter, value))


def _encode_many(encode_one: Callable[[str, object], str]) -> Encoder:
    """Allow one value or several: each becomes a parameter of its own, ``space=a&space=b``."""

    def encode(parameter: str, value: object) -> list[str]:
        values = [value]
        if isinstance(value, Iterable) and not isinstance(value, (str, bytes, Mapping)):
            values = list(value)
        if not values:
            raise refuse(parameter, value, "one value or a list that is not empty: an empty one would filter nothing")
        return [encode_one(parameter, entry) for entry in values]

    return encode


#: Query parameters of ``GET /spaces/{space}/sessions/`` (reference).
SPACE_SESSION_FILTERS: Mapping[str, Encoder] = {
    "search": _encode_text,
    "page": _encode_page,
    "include_single_user": _encode_flag,
    "duration_min": _encode_count,
    "duration_max": _encode_count,
    "start_time_after": _encode_time,
    "start_time_before": _encode_time,
    "end_time_after": _encode_time,
    "end_time_before": _encode_time,
    "date_after": _encode_time,
    "date_before": _encode_time,
    "user": _encode_many(_encode_user_id),
    "launch_id": _encode_launch_id,
    "in_progress_only": _encode_flag,
    "tags": _encode_tags,
    "user_external_id": _encode_text,
    "user_name": _encode_text,
}

#: Query parameters of ``GET /organisations/{organisation}/sessions/`` (reference).
SESSION_FILTERS: Mapping[str, Encoder] = {**SPACE_SESSION_FILTERS, "space": _encode_many(as_space_id)}

#: Query parameters of ``GET /organisations/{organisation}/spaces/`` (reference).
SPACE_FILTERS: Mapping[str, Encoder] = {
    "session": _encode_many(as_uuid),
    "date": _encode_day,
    "tag_key": _encode_text,
    "tag_value": _encode_text,
    "user": _encode_many(_encode_user_id),
    "assigned_to": _encode_many(_encode_user_id),
    "search": _encode_text,
    "page": _encode_page,
    "date_after": _encode_time,
    "date_before": _encode_time,
}

#: Query parameters of ``GET /organisations/{organisation}/users/`` (reference).
USER_FILTERS: Mapping[str, Encoder] = {
    "role": _encode_many(partial(as_one_of, allowed=ROLES)),
    "space": _encode_many(as_space_id),
    "session": _encode_many(as_uuid),
    "search": _encode_text,
    "page": _encode_page,
}

#: Query parameters of the transcript and of the recording (reference).
SEARCH_FILTERS: Mapping[str, Encoder] = {"search": _encode_text, "page": _encode_page}


def refuse_unknown(
    given: Iterable[str], known: Iterable[str], kind: str, hints: Mapping[str, str] = MappingProxyType({})
) -> None:
    """
    Refuse names that the API does not document.

    :param kind: what the names are, for the message: "filter", "launch field".
    :param hints: what to write in place of names that are likely mistakes, as a sentence.
    :raises LessonspaceInputError: naming the first unknown one, the nearest known one, and all that are known.
    """
    known = sorted(known)
    for name in given:
        if name not in known:
            nearest = difflib.get_close_matches(name, known, n=1) if isinstance(name, str) else []
            hint = hints.get(name) or (f"Did you mean {nearest[0]!r}?" if nearest else "")
            raise LessonspaceInputError(
                f"Unknown {kind} {shown(name)}.{hint and f' {hint}'} Known names: {', '.join(known)}. Nothing was sent."
            )


def encode_filters(filters: Mapping[str, object], known: Mapping[str, Encoder]) -> list[tuple[str, str]]:
    """
    Write filters as query parameters.

    :param filters: the API's own names; None means "not given", so that templates and defaults may pass it.
    :param known: one of the tables above.
    :return: pairs in the order given, a name several times for several values.
    :raises LessonspaceInputError: for an unknown name, a value of the wrong kind, or half of a tag pair.
    """
    refuse_unknown(filters, known, "filter")
    given = {name: value for name, value in filters.items() if value is not None}
    if ("tag_key" in given) != ("tag_value" in given):
        raise LessonspaceInputError("tag_key and tag_value only work together: give both or neither. Nothing was sent.")
    return [(name, text) for name, value in given.items() for text in known[name](name, value)]
