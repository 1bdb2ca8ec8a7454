# SPDX-License-Identifier: Apache-2.0
"""Which fields of an answer may leave the task. Pure."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from typing import Literal

from lessonspace_provider.api.arguments import refuse
from lessonspace_provider.api.foreign_words import clean_message

#: Which fields to keep: the API's names, or all of them; None for the operator's own short form.
Fields = list[str] | Literal["all"] | None

#: Fields that open something to anyone who reads them: a recording, a transcript, or a space with a person's JWT in its
#: address (reference: the ``url`` of a space).
KEYS_TO_ROOMS = frozenset(
    {"client_url", "playback_password", "playback_url", "recording_url", "secret", "transcriptionUrl", "url"}
)

# How fields are called that may do so, too: the API has some that the reference does not name.
_MAY_OPEN = re.compile(r"(url|uri|link|secret|password|token|jwt)s?$", re.IGNORECASE)


def as_fields(fields: object) -> Fields:
    """
    Check which fields a person wants.

    :param fields: None, ``"all"``, or a list of the API's field names.
    :raises LessonspaceInputError: for anything else, an empty list included.
    """
    if fields is None or fields == "all":
        return None if fields is None else "all"
    names = list(fields) if isinstance(fields, Iterable) and not isinstance(fields, (str, Mapping)) else []
    if not names or not all(isinstance(name, str) for name in names):
        raise refuse("fields", fields, "a list of the API's field names, 'all', or None for the usual ones")
    return names


def pick(answer: Mapping[str, object], fields: list[str] | Literal["all"]) -> dict[str, object]:
    """
    Keep some fields of an answer, and never what opens a recording or a space.

    :param answer: a session, space or user as the API sends it.
    :param fields: what to keep; a field that the answer does not have is not in the result.
    """
    return {name: value for name, value in without_keys(answer).items() if fields == "all" or name in fields}


def unpicked(names: Iterable[str], fields: Fields) -> list[str]:
    """
    Describe the wanted fields that no answer has, or that are left out.

    :param names: all fields that the API sent.
    :return: sentences for the log; none if the API sent nothing.
    """
    had = set(names)
    wanted = fields if isinstance(fields, list) and had else []
    return [_unpicked(name, had) for name in wanted if name not in had or _MAY_OPEN.search(name)]


def _unpicked(name: str, had: Iterable[str]) -> str:
    if _MAY_OPEN.search(name):
        return f"Field {name!r} is left out, since it may open a recording or a space."
    nearest = difflib.get_close_matches(name, had, n=1)
    hint = f"Did you mean {nearest[0]!r}?" if nearest else f"There are: {', '.join(sorted(had))}."
    return f"Field {name!r} is not in what the API sent. {clean_message(hint)}"


def without_keys(answer: Mapping[str, object]) -> dict[str, object]:
    """
    Leave out what opens a recording or a space, or may by its name, at any depth, so that the rest may go into XCom.

    :param answer: a session, space or user as the API sends it.
    :return: all other fields, people's names and e-mails included.
    """
    return {name: _without_keys(value) for name, value in answer.items() if not _MAY_OPEN.search(name)}


def _without_keys(value: object) -> object:
    if isinstance(value, Mapping):
        return without_keys(value)
    if isinstance(value, list):
        return [_without_keys(entry) for entry in value]
    return value
