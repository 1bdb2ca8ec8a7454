# SPDX-License-Identifier: Apache-2.0
"""The body of a launch: every documented field, checked and written as the API takes it. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime
from math import isfinite

from lessonspace_provider.exceptions import LessonspaceInputError
from lessonspace_provider.parameters import ROLES, as_api_time, as_launch_id, refuse, refuse_unknown

#: Checks one value and writes it as JSON material.
Writer = Callable[[str, object], object]


def launch_body(
    launch_id: str, options: Mapping[str, object], extra_options: Mapping[str, object] | None = None
) -> dict[str, object]:
    """
    Write the body of ``POST /spaces/launch/``.

    :param launch_id: the caller's id of the space, 1 to 64 characters.
    :param options: documented fields under the API's own names. A field that is not there is not sent; None
        is sent as null, which for ``name`` and ``webhooks`` means something else than leaving it out.
    :param extra_options: fields that the vendor added since, sent as they are, over ``options``.
    :return: the body, ready for JSON: aware datetimes have become ISO 8601 text in UTC.
    :raises LessonspaceInputError: for an unknown field or a value of the wrong kind.
    """
    refuse_unknown(options, _FIELDS, "launch field")
    extra = {} if extra_options is None else _object("extra_options", extra_options)
    if "id" in extra:
        raise refuse("extra_options", sorted(extra), "without 'id', which launch_id gives")
    body: dict[str, object] = {"id": as_launch_id("launch_id", launch_id)}
    body.update({name: _write(name, value, _FIELDS[name]) for name, value in options.items()})
    return {**body, **extra}


def _write(parameter: str, value: object, writer: Writer) -> object:
    return None if value is None else writer(parameter, value)


def _text(parameter: str, value: object) -> object:
    if not isinstance(value, str):
        raise refuse(parameter, _kind(value), "text")
    return value


def _flag(parameter: str, value: object) -> object:
    if not isinstance(value, bool):
        raise refuse(parameter, value, "True or False")
    return value


def _role(parameter: str, value: object) -> object:
    if value not in ROLES:
        raise refuse(parameter, value, f"one of {', '.join(ROLES)}")
    return value


def _layout(parameter: str, value: object) -> object:
    if value not in ("grid", "sidebar", "floating"):
        raise refuse(parameter, value, "one of grid, sidebar, floating")
    return value


def _method(parameter: str, value: object) -> object:
    if value not in ("child", "redirect"):
        raise refuse(parameter, value, "one of child, redirect")
    return value


def _tags(parameter: str, value: object) -> object:
    if not isinstance(value, Mapping) or not all(
        isinstance(key, str) and isinstance(tag, str) for key, tag in value.items()
    ):
        raise refuse(parameter, value, "a mapping of text to text")
    return dict(value)


def _object(parameter: str, value: object) -> dict[str, object]:
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise refuse(parameter, _kind(value), "a mapping whose keys are text")
    return {key: _plain(f"{parameter}.{key}", entry) for key, entry in value.items()}


def _plain(parameter: str, value: object) -> object:
    """Let JSON's own kinds through, and write times the API's way."""
    if isinstance(value, float) and not isfinite(value):
        raise refuse(parameter, value, "a finite number: JSON knows no other")
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    if isinstance(value, datetime):
        return as_api_time(parameter, value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return _object(parameter, value)
    if isinstance(value, (list, tuple)):
        return [_plain(parameter, entry) for entry in value]
    raise refuse(parameter, _kind(value), "something JSON knows: text, numbers, flags, lists and mappings")


def _group(fields: Mapping[str, Writer], required: tuple[str, ...] = ()) -> Writer:
    """Make a writer for an object whose fields are known, such as ``user``."""

    def write(parameter: str, value: object) -> object:
        if not isinstance(value, Mapping):
            raise refuse(parameter, _kind(value), f"a mapping with {', '.join(fields)}")
        refuse_unknown(value, fields, f"field of {parameter}")
        missing = [name for name in required if not value.get(name)]
        if missing:
            raise LessonspaceInputError(
                f"{parameter} lacks {', '.join(missing)}, which the API requires there. Nothing was sent."
            )
        return {name: _write(f"{parameter}.{name}", entry, fields[name]) for name, entry in value.items()}

    return write


def _kind(value: object) -> type:
    """Say what somebody passed without repeating it: these fields may hold tokens and people's data."""
    return type(value)


_USER: Mapping[str, Writer] = {
    "name": _text,
    "id": _text,
    "email": _text,
    "leader": _flag,
    "profile_picture": _text,
    "camera_background_url": _text,
    "single_use": _flag,
    "session_limit": _flag,
    "custom_jwt_parameters": _object,
    "record": _flag,
    "ghost": _flag,
    "role": _role,
}

#: The reference's groups, then those the facts add (knock, summary).
_WEBHOOKS: Mapping[str, Writer] = {
    "session": _group({"start": _text, "idle": _text, "end": _text}),
    "user": _group({"join": _text, "idle": _text, "leave": _text}),
    "transcription": _group({"finish": _text}),
    "cobrowser": _group({"start": _text, "stop": _text}),
    "chat": _group({"message": _text}),
    "knock": _group({"request": _text, "admit": _text, "deny": _text}),
    "summary": _group({"finish": _text}),
}

_AUTH_EXTERNAL: Mapping[str, Writer] = {"method": _method, "url": _text, "token": _text, "ephemeral": _flag}

#: Body fields of ``POST /spaces/launch/`` beside ``id``: the reference's, and ``summarise`` from the guides.
_FIELDS: Mapping[str, Writer] = {
    "name": _text,
    "allow_guests": _flag,
    "record_av": _flag,
    "record_content": _flag,
    "transcribe": _flag,
    "summarise": _flag,
    "user": _group(_USER),
    "webhooks": _group(_WEBHOOKS),
    "timeouts": _group({"not_before": as_api_time, "not_after": as_api_time}),
    "features": _object,
    "theme": _object,
    "video_layout_mode": _layout,
    "locale": _text,
    "server": _text,
    "session_tags": _tags,
    "space_tags": _tags,
    "invite_url": _text,
    "resource_url": _text,
    "holodeck_parameters": _object,
    "auth_external": _group(_AUTH_EXTERNAL, required=("method", "url", "token")),
}
