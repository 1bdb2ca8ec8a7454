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
from typing import TYPE_CHECKING
from uuid import UUID

from lessonspace_provider.api.arguments import (
    ROLES,
    _whole_number,
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
)
from lessonspace_provider.exceptions import LessonspaceInputError

if TYPE_CHECKING:
    pass

#: Writes one value as the texts of one or several equal query parameters.
Encoder = Callable[[str, object], list[str]]


def _text(parameter: str, value: object) -> list[str]:
    text = str(value) if isinstance(value, UUID) else value
    if isinstance(text, str) and not is_text(text):
        raise refuse_hidden(parameter, text, "text of whole characters")
    if not is_text(text) or not text.strip():
        raise refuse(parameter, value, "text that is not blank")
    return [text]


def _launch_id(parameter: str, value: object) -> list[str]:
    return [as_launch_id(parameter, str(value) if isinstance(value, UUID) else value)]


def _count(parameter: str, value: object) -> list[str]:
    number = _whole_number(value)
    if number is None or number < 0:
        raise refuse(parameter, value, "a whole number, 0 or more")
    return [str(number)]


def _page(parameter: str, value: object) -> list[str]:
    number = _whole_number(value)
    if number is None or number < 1:
        raise refuse(parameter, value, "a page number, 1 or more")
    return [str(number)]


def _flag(parameter: str, value: object) -> list[str]:
    return ["true" if as_rendered_flag(parameter, value) else "false"]


def _time(parameter: str, value: object) -> list[str]:
    return [as_api_time(parameter, value)]


def _day(parameter: str, value: object) -> list[str]:
    if isinstance(value, date) and not isinstance(value, datetime):
        return [value.isoformat()]
    return _text(parameter, value)


def _tags(parameter: str, value: object) -> list[str]:
    """Tags travel as JSON text; a blank value tests that the key exists (reference)."""
    if (
        not isinstance(value, Mapping)
        or not value
        or not all(is_text(key) and is_text(tag) for key, tag in value.items())
    ):
        raise refuse(parameter, value, "a mapping of text to text, '' as a value to ask only for the key")
    return [json.dumps(dict(value), ensure_ascii=False)]


def _user_text(parameter: str, value: object) -> str:
    return str(as_user_id(parameter, value))


def _many(encode_one: Callable[[str, object], str]) -> Encoder:
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
    "search": _text,
    "page": _page,
    "include_single_user": _flag,
    "duration_min": _count,
    "duration_max": _count,
    "start_time_after": _time,
    "start_time_before": _time,
    "end_time_after": _time,
    "end_time_before": _time,
    "date_after": _time,
    "date_before": _time,
    "user": _many(_user_text),
    "launch_id": _launch_id,
    "in_progress_only": _flag,
    "tags": _tags,
    "user_external_id": _text,
    "user_name": _text,
}

#: Query parameters of ``GET /organisations/{organisation}/sessions/`` (reference).
SESSION_FILTERS: Mapping[str, Encoder] = {**SPACE_SESSION_FILTERS, "space": _many(as_space_id)}

#: Query parameters of ``GET /organisations/{organisation}/spaces/`` (reference).
SPACE_FILTERS: Mapping[str, Encoder] = {
    "session": _many(as_uuid),
    "date": _day,
    "tag_key": _text,
    "tag_value": _text,
    "user": _many(_user_text),
    "assigned_to": _many(_user_text),
    "search": _text,
    "page": _page,
    "date_after": _time,
    "date_before": _time,
}

#: Query parameters of ``GET /organisations/{organisation}/users/`` (reference).
USER_FILTERS: Mapping[str, Encoder] = {
    "role": _many(partial(as_one_of, allowed=ROLES)),
    "space": _many(as_space_id),
    "session": _many(as_uuid),
    "search": _text,
    "page": _page,
}

#: Query parameters of the transcript and of the recording (reference).
SEARCH_FILTERS: Mapping[str, Encoder] = {"search": _text, "page": _page}


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
                f"Unknown {kind} {shown(name)}.{hint and f' {hint}'} Known are: {', '.join(known)}. Nothing was sent."
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
