# SPDX-License-Identifier: Apache-2.0
"""Checks each field of a launch and writes it as the API takes it, by its type in ``LaunchOptions``. Pure."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime
from functools import cache, partial
from math import isfinite
from types import NoneType, UnionType
from typing import Annotated, Literal, Union, cast, get_args, get_origin, get_type_hints, is_typeddict
from urllib.parse import urlsplit

from lessonspace_provider.api.arguments import (
    LARGEST_NUMBER,
    as_api_time,
    as_one_of,
    as_rendered_flag,
    is_of_a_template,
    is_text,
    refuse,
    refuse_hidden,
    shown,
)
from lessonspace_provider.api.filters import refuse_unknown
from lessonspace_provider.api.types import EMAIL, URL, USER_ID, LaunchOptions, Webhooks
from lessonspace_provider.exceptions import LessonspaceInputError

#: Characters of an e-mail address (RFC 5321).
LONGEST_EMAIL = 254

_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")

_FEATURES = """
chat emojis endSession exportZip fullscreen hideTabbar hideToolbar importPdf importZip invite participants
profanityFilter tabContextMenu tabDownload timer apps.calculator apps.dice apps.enabled apps.graphingCalculator
apps.sharedVideo av.directLeaderUnmute av.enabled av.layoutModes av.publishing av.screenShare breakouts.enabled
chat.enabled import.zip options.fullscreen options.profanityFilter people.invite reactions.emojis
"""

#: Names of features: the older ones of the vendor's guide, and newer ones of the guide or of clients. There are more.
#: The API drops a name that it does not know, without an error.
KNOWN_FEATURES = frozenset(_FEATURES.split())

#: Checks one value and writes it as JSON material.
Writer = Callable[[str, object], object]


@cache
def launch_writers() -> Mapping[str, Writer]:
    """Give the writer of each field of a launch beside ``id``."""
    return _writers(LaunchOptions)


def write_field(parameter: str, value: object, writer: Writer) -> object:
    """
    Check a field and write it.

    :param parameter: its name, dotted within a group, for the error.
    :param value: None is written as null.
    :raises LessonspaceInputError: for a value of the wrong kind.
    """
    return None if value is None else writer(parameter, value)


def write_object(parameter: str, value: object) -> dict[str, object]:
    """
    Check an object whose fields are not known, and write it.

    :raises LessonspaceInputError: for anything but a mapping of text to what JSON can hold, and times.
    """
    if not isinstance(value, Mapping) or not all(is_text(key) for key in value):
        raise refuse_hidden(parameter, value, "a mapping whose keys are text")
    return {key: _write_plain(f"{parameter}.{key}", entry) for key, entry in value.items()}


def _writers(group: object) -> dict[str, Writer]:
    hints = get_type_hints(group, include_extras=True)
    return {name: _writer(hint) for name, hint in hints.items()}


def _writer(hint: object) -> Writer:
    """Choose how a field of a type is checked and written; null is every field's own matter."""
    kinds = [kind for kind in alternatives(hint) if kind is not NoneType]
    if Literal[""] in kinds:
        return partial(_write_or_empty, _writer(next(kind for kind in kinds if kind != Literal[""])))
    if datetime in kinds:
        return as_api_time
    (kind,) = kinds
    if is_typeddict(kind):
        return _group(_writers(kind), required=kind.__required_keys__)  # type: ignore[attr-defined]  # mypy sees no TypedDict
    if get_origin(kind) is Annotated:
        return _MARKED[get_args(kind)[1]]
    if get_origin(kind) is Literal:
        return partial(as_one_of, allowed=get_args(kind))
    if get_args(kind) == (str, str):
        return _write_tags
    return {bool: as_rendered_flag, str: _write_text}.get(cast("type", kind), write_object)


def alternatives(hint: object) -> tuple[object, ...]:
    """Give the kinds of values that a type hint allows."""
    return get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)


def _group(fields: Mapping[str, Writer], required: frozenset[str]) -> Writer:
    """Make a writer for an object whose fields are known, such as ``user``."""

    def write(parameter: str, value: object) -> object:
        if not isinstance(value, Mapping):
            pairs = ". expand() maps over the fields of a mapping: give expand() a list of mappings"
            allowed = f"a mapping with {', '.join(fields)}{pairs if isinstance(value, tuple) else ''}"
            raise refuse_hidden(parameter, value, allowed)
        refuse_unknown(value, fields, f"field of {parameter}")
        missing = [name for name in fields if name in required and not value.get(name)]
        if missing:
            raise LessonspaceInputError(
                f"{parameter} lacks {', '.join(missing)}, which the API requires there. Nothing was sent."
            )
        return {name: write_field(f"{parameter}.{name}", entry, fields[name]) for name, entry in value.items()}

    return write


def _write_or_empty(writer: Writer, parameter: str, value: object) -> object:
    """Check webhooks, of which "" removes all; other text is one URL, which does not name its event."""
    if isinstance(value, str) and value:
        raise refuse_hidden(parameter, value, "a mapping of events to URLs, such as {'session': {'end': url}}")
    return value if value == "" else writer(parameter, value)


def _write_text(parameter: str, value: object) -> object:
    if not is_text(value):
        raise refuse_hidden(parameter, value, "text")
    return value


def _write_user_id(parameter: str, value: object) -> object:
    """Refuse what a template left: all launches under one id are one and the same user."""
    if is_text(value) and is_of_a_template(value):
        raise refuse(parameter, value, "your own id of the user, and no template that was not rendered")
    return _write_text(parameter, value)


def _write_email(parameter: str, value: object) -> object:
    if not is_text(value) or not (value == "" or (len(value) <= LONGEST_EMAIL and _EMAIL.fullmatch(value))):
        raise refuse_hidden(parameter, value, "an e-mail address: a name, an @ and a host")
    return value


def _write_url(parameter: str, value: object) -> object:
    if value == "":
        return value
    try:
        parts = urlsplit(value) if is_text(value) else None
    except ValueError:
        parts = None
    if parts is None or parts.scheme not in ("http", "https") or not parts.netloc or " " in str(value):
        raise refuse_hidden(parameter, value, "a URL that begins with https:// or http://")
    return value


def _write_tags(parameter: str, value: object) -> object:
    if not isinstance(value, Mapping) or not all(is_text(key) and is_text(tag) for key, tag in value.items()):
        raise refuse_hidden(parameter, value, "a mapping of text to text")
    return dict(value)


def _write_plain(parameter: str, value: object) -> object:
    """Let JSON's own kinds through, and write times the API's way."""
    if isinstance(value, float) and not isfinite(value):
        raise refuse(parameter, value, "a finite number: JSON knows no other")
    if isinstance(value, int) and not -LARGEST_NUMBER < value < LARGEST_NUMBER:
        raise refuse_hidden(parameter, value, "a number of 64 bits at most")
    if isinstance(value, str):
        return _write_text(parameter, value)
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, datetime):
        return as_api_time(parameter, value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return write_object(parameter, value)
    if isinstance(value, (list, tuple)):
        return [_write_plain(parameter, entry) for entry in value]
    raise refuse_hidden(parameter, value, "something JSON knows: text, numbers, flags, lists and mappings")


_MARKED: Mapping[str, Writer] = {URL: _write_url, EMAIL: _write_email, USER_ID: _write_user_id}


@cache
def known_webhooks() -> tuple[str, ...]:
    """Give the names of all webhooks, such as ``session.end``."""
    names: list[str] = []
    for group, hint in get_type_hints(Webhooks).items():
        (events,) = (kind for kind in get_args(hint) if kind is not NoneType)
        names += [f"{group}.{event}" for event in events.__annotations__]
    return tuple(names)


def refuse_unknown_webhooks(webhooks: object) -> None:
    """
    Refuse webhooks that the API does not know.

    :param webhooks: the launch field; anything but a mapping has no names.
    :raises LessonspaceInputError: naming the first unknown one, the nearest known one, and all that are known.
    """
    known = known_webhooks()
    for name in _webhook_names(webhooks if isinstance(webhooks, Mapping) else {}):
        if name not in known:
            nearest = difflib.get_close_matches(name.removeprefix("webhooks."), known, n=1)
            group, _, event = nearest[0].partition(".") if nearest else ("", "", "")
            hint = f" Did you mean {{{group!r}: {{{event!r}: url}}}}?" if nearest else ""
            raise LessonspaceInputError(
                f"Unknown webhook {shown(name)}.{hint} Known names: {', '.join(known)}. An unknown webhook can stop "
                f"all webhooks of the space. Use extra_options for webhooks that Lessonspace added later. Nothing was "
                f"sent."
            )


def _webhook_names(webhooks: Mapping[object, object]) -> Iterator[str]:
    """Name each event that is given, and each unknown group that names none."""
    groups = {name.partition(".")[0] for name in known_webhooks()}
    for group, events in webhooks.items():
        if isinstance(events, Mapping) and events:
            yield from (f"{group}.{event}" for event in events)
        elif group not in groups:
            yield str(group)


def unknown_features(features: object) -> list[str]:
    """
    Describe each feature whose name is not known here.

    :param features: the launch field; anything but a mapping has none.
    :return: the name, with a known one if that is close, such as ``'chatt' (did you mean 'chat'?)``.
    """
    names = features if isinstance(features, Mapping) else {}
    return [_with_nearest(name) for name in names if name not in KNOWN_FEATURES]


def _with_nearest(name: object) -> str:
    nearest = difflib.get_close_matches(str(name), sorted(KNOWN_FEATURES), n=1)
    return f"{str(name)[:100]!r} (did you mean {nearest[0]!r}?)" if nearest else f"{str(name)[:100]!r}"
