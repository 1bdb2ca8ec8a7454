# SPDX-License-Identifier: Apache-2.0
"""The body of a launch: every documented field, checked and written as the API takes it. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta, timezone
from functools import partial
from math import isfinite
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from lessonspace_provider.exceptions import LessonspaceInputError
from lessonspace_provider.parameters import (
    LARGEST_NUMBER,
    RENDERED_NONE,
    ROLES,
    as_api_time,
    as_aware_datetime,
    as_launch_id,
    as_margin,
    as_one_of,
    as_rendered_flag,
    is_of_a_template,
    is_text,
    refuse,
    refuse_unknown,
)

if TYPE_CHECKING:
    from lessonspace_provider.api_types import Timeouts

#: A link works for no longer than this, which is also how long one works that names no end (facts, D).
LONGEST_LINK = timedelta(days=7)

_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")

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
    :raises LessonspaceInputError: for an unknown field, a value of the wrong kind, or values that together would lose a
        lesson's transcript, or make a link that does not work.
    """
    refuse_unknown(options, _FIELDS, "launch field")
    extra = {} if extra_options is None else _object("extra_options", extra_options)
    if "id" in extra:
        raise refuse("extra_options", sorted(extra), "without 'id', which launch_id gives")
    body: dict[str, object] = {"id": as_launch_id("launch_id", launch_id)}
    body.update({name: _write(name, value, _FIELDS[name]) for name, value in options.items()})
    _refuse_lost_transcripts(launch_id, body)
    _refuse_dead_links(launch_id, options.get("timeouts"), now())
    return {**body, **extra}


def now() -> datetime:
    """Give the present, aware, by which a link's window is judged."""
    return datetime.now(timezone.utc)


def link_window(
    lesson_start: object, lesson_end: object, *, join_early: timedelta | float, join_late: timedelta | float
) -> Timeouts:
    """
    Say when the link to a lesson works.

    :param lesson_start: aware datetime or ISO 8601 text.
    :param lesson_end: likewise, later.
    :param join_early: how long before the lesson, timedelta or seconds.
    :param join_late: how long after it.
    :return: the launch field ``timeouts``.
    :raises LessonspaceInputError: for anything else, and when one of the two is missing.
    """
    start = as_aware_datetime("lesson_start", lesson_start)
    end = as_aware_datetime("lesson_end", lesson_end)
    if start >= end:
        raise refuse("lesson_end", end.isoformat(), f"later than lesson_start={start.isoformat()}")
    return {
        "not_before": start - as_margin("join_early", join_early),
        "not_after": end + as_margin("join_late", join_late),
    }


def _refuse_lost_transcripts(launch_id: str, body: Mapping[str, object]) -> None:
    """A transcript needs the recording, and a summary needs both (facts, D); the API itself would say nothing."""
    for name in ("transcribe", "summarise"):
        if body.get(name) and body.get("record_av") is False:
            raise LessonspaceInputError(
                f"Space {launch_id!r} was not launched: {name}=True with record_av=False would give nothing, since a "
                f"transcript is made from the recording. Give record_av=True, or leave {name} out. Nothing was sent."
            )
    if body.get("summarise") and not body.get("transcribe"):
        raise LessonspaceInputError(
            f"Space {launch_id!r} was not launched: summarise=True needs transcribe=True, a summary is made from the "
            f"transcript. Nothing was sent."
        )


def _refuse_dead_links(launch_id: str, timeouts: object, present: datetime) -> None:
    """Refuse a window in which the link would not work, or which the API would cut off in silence."""
    times = timeouts if isinstance(timeouts, Mapping) else {}
    given = {name: as_aware_datetime(f"timeouts.{name}", time) for name, time in times.items() if time is not None}
    not_before, not_after = given.get("not_before"), given.get("not_after")
    if not_after is None:
        return
    problem = None
    if not_before is not None and not_before >= not_after:
        problem = f"not_before={not_before.isoformat()} is not before not_after: the link would never work"
    elif not_after <= present:
        problem = "not_after is past: the link would be dead already. Launch only what is still to come"
    elif not_after - (not_before or present) > LONGEST_LINK:
        problem = "a link works for 7 days at most: launch later, or set not_before (with lesson_start and lesson_end)"
    if problem:
        raise LessonspaceInputError(
            f"Space {launch_id!r} was not launched, not_after={not_after.isoformat()}: {problem}. Nothing was sent."
        )


def _write(parameter: str, value: object, writer: Writer) -> object:
    return None if value is None else writer(parameter, value)


def _text(parameter: str, value: object) -> object:
    if not is_text(value):
        raise refuse(parameter, _kind(value), "text")
    return value


def _identity(parameter: str, value: object) -> object:
    """Whoever is launched under the same id is the same user, so that of a template gone wrong must not be taken."""
    if is_text(value) and is_of_a_template(value):
        told = value if value == RENDERED_NONE else _kind(value)
        raise refuse(parameter, told, "your own id of the user, and no template that was not rendered")
    return _text(parameter, value)


def _email(parameter: str, value: object) -> object:
    if not is_text(value) or not (value == "" or _EMAIL.fullmatch(value)):
        raise refuse(parameter, _kind(value), "an e-mail address, somebody at some host")
    return value


def _url(parameter: str, value: object) -> object:
    allowed = "a URL that begins with https:// or http://"
    if value == "":
        return value
    try:
        parts = urlsplit(value) if is_text(value) else None
    except ValueError:
        parts = None
    if parts is None or parts.scheme not in ("http", "https") or not parts.netloc or " " in str(value):
        raise refuse(parameter, _kind(value), allowed)
    return value


def _tags(parameter: str, value: object) -> object:
    if not isinstance(value, Mapping) or not all(is_text(key) and is_text(tag) for key, tag in value.items()):
        raise refuse(parameter, _kind(value), "a mapping of text to text")
    return dict(value)


def _object(parameter: str, value: object) -> dict[str, object]:
    if not isinstance(value, Mapping) or not all(is_text(key) for key in value):
        raise refuse(parameter, _kind(value), "a mapping whose keys are text")
    return {key: _plain(f"{parameter}.{key}", entry) for key, entry in value.items()}


def _plain(parameter: str, value: object) -> object:
    """Let JSON's own kinds through, and write times the API's way."""
    if isinstance(value, float) and not isfinite(value):
        raise refuse(parameter, value, "a finite number: JSON knows no other")
    if isinstance(value, int) and not -LARGEST_NUMBER < value < LARGEST_NUMBER:
        raise refuse(parameter, _kind(value), "a number of 64 bits at most")
    if isinstance(value, str):
        return _text(parameter, value)
    if value is None or isinstance(value, (bool, int, float)):
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
    "id": _identity,
    "email": _email,
    "leader": as_rendered_flag,
    "profile_picture": _url,
    "camera_background_url": _url,
    "single_use": as_rendered_flag,
    "session_limit": as_rendered_flag,
    "custom_jwt_parameters": _object,
    "record": as_rendered_flag,
    "ghost": as_rendered_flag,
    "role": partial(as_one_of, allowed=ROLES),
}

#: The reference's groups, then those the facts add (knock, summary).
_WEBHOOKS: Mapping[str, Writer] = {
    "session": _group({"start": _url, "idle": _url, "end": _url}),
    "user": _group({"join": _url, "idle": _url, "leave": _url}),
    "transcription": _group({"finish": _url}),
    "cobrowser": _group({"start": _url, "stop": _url}),
    "chat": _group({"message": _url}),
    "knock": _group({"request": _url, "admit": _url, "deny": _url}),
    "summary": _group({"finish": _url}),
}

_AUTH_EXTERNAL: Mapping[str, Writer] = {
    "method": partial(as_one_of, allowed=("child", "redirect")),
    "url": _url,
    "token": _text,
    "ephemeral": as_rendered_flag,
}

#: Body fields of ``POST /spaces/launch/`` beside ``id``: the reference's, and ``summarise`` from the guides.
_FIELDS: Mapping[str, Writer] = {
    "name": _text,
    "allow_guests": as_rendered_flag,
    "record_av": as_rendered_flag,
    "record_content": as_rendered_flag,
    "transcribe": as_rendered_flag,
    "summarise": as_rendered_flag,
    "user": _group(_USER),
    "webhooks": _group(_WEBHOOKS),
    "timeouts": _group({"not_before": as_api_time, "not_after": as_api_time}),
    "features": _object,
    "theme": _object,
    "video_layout_mode": partial(as_one_of, allowed=("grid", "sidebar", "floating")),
    "locale": _text,
    "server": _text,
    "session_tags": _tags,
    "space_tags": _tags,
    "invite_url": _url,
    "resource_url": _url,
    "holodeck_parameters": _object,
    "auth_external": _group(_AUTH_EXTERNAL, required=("method", "url", "token")),
}
