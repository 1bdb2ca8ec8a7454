# SPDX-License-Identifier: Apache-2.0
"""
What each operation takes, checked and written the way the API wants it. Pure: nothing is sent from here.

The API ignores a misspelt filter in silence and answers with everything, so whatever is not in
these tables is refused before a request is made.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence, Sized
from datetime import datetime, timedelta
from ipaddress import ip_address
from typing import TYPE_CHECKING, TypeGuard
from uuid import UUID

from lessonspace_provider.api.foreign_words import LONGEST_READ, clean_message
from lessonspace_provider.api.ids import is_uuid
from lessonspace_provider.api.times import EARLIEST, LATEST, read_time, write_time
from lessonspace_provider.exceptions import LessonspaceInputError

if TYPE_CHECKING:
    from lessonspace_provider.api.types import SessionUpdate

#: The values that a recording access policy may hold (reference; the newest guides no longer have ``public``).
RECORDING_ACCESS = ("participant", "admin", "teacher", "student", "public")

ROLES = ("teacher", "student", "admin")

#: The longest id that launch takes.
MAX_LAUNCH_ID = 64

_KEY_PATTERN = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)

#: A list, mapping or boolean as the text that a template renders; a template itself begins with two braces.
_LITERAL_PATTERN = re.compile(r"\s*(\[.*\]|\{\s*['\"].*\}|True|False|true|false)\s*", re.DOTALL)

#: Numbers from here on are a mistake, and so are durations over a hundred years: Python can't reckon with all of them.
LARGEST_NUMBER, LONGEST_DURATION = 2**63, timedelta(days=36_525)

#: What a template makes of a value that is missing.
RENDERED_NONE = "None"

#: Parameters that are given names, addresses and ids of people; ``user.`` is the launch's.
PERSONAL = frozenset(
    {"assigned_to", "filters", "name", "search", "tags", "user", "user_external_id", "user_id", "user_name"}
)

#: Characters of a refused value that its message repeats.
LONGEST_SHOWN = 200


def refuse(parameter: str, value: object, allowed: str) -> LessonspaceInputError:
    """
    Make the error for a parameter that can't be sent.

    :param parameter: the name the DAG author wrote.
    :param value: what they gave; the message repeats it, unless it may be personal, so never pass a secret.
    :param allowed: what would be right, as the end of "... must be".
    :return: the error, to be raised by the caller.
    """
    if _may_be_personal(parameter, value):
        return refuse_hidden(parameter, value, allowed)
    return LessonspaceInputError(
        f"{parameter}={shown(value)} was refused: it must be {allowed}{_about_templates(value)}. Nothing was sent."
    )


def refuse_hidden(parameter: str, value: object, allowed: str) -> LessonspaceInputError:
    """
    Make the error for a value that may be a secret or personal, so it is not in the message.

    :param parameter: the name the DAG author wrote.
    :param value: what they gave.
    :param allowed: what would be right, as the end of "... must be".
    :return: the error, to be raised by the caller.
    """
    given = f"text of {len(value)} characters" if isinstance(value, str) else f"of type {type(value).__name__}"
    return LessonspaceInputError(
        f"{parameter} was refused: it must be {allowed}{_about_templates(value)}. The given value is {given}; it is "
        f"not repeated here. Nothing was sent."
    )


def _may_be_personal(parameter: str, value: object) -> bool:
    """Whether a value may be a person's name or address, also where it was given for another parameter by mistake."""
    if value is None or isinstance(value, (bool, int, float)):
        return False
    if isinstance(value, str) and value.strip() in ("", RENDERED_NONE):
        return False
    if isinstance(value, Sized) and len(value) == 0:
        return False
    is_of_user = parameter.startswith("user.") and parameter != "user.role"
    return parameter in PERSONAL or is_of_user or (isinstance(value, str) and "@" in value)


def _about_templates(value: object) -> str:
    """Explain a value that a template or another task's output left, rendered or not."""
    if any(kind.__name__ == "XComArg" for kind in type(value).__mro__):
        return ". This is a task's output that was not resolved: Airflow does so for template fields only"
    if not isinstance(value, str):
        return ""
    if _LITERAL_PATTERN.fullmatch(value):
        return ". This is text: write it without quotation marks, or set render_template_as_native_obj=True on the DAG"
    if not value.strip():
        return ". It is blank: if a template rendered it, check where its value comes from"
    if not is_of_a_template(value):
        return ""
    if value == RENDERED_NONE:
        return ". A template rendered to None here: check where its value comes from"
    return ". This is a template that was not rendered: Airflow does so for the parameters of operators and sensors"


def shown(value: object) -> str:
    """
    Write a value for a message: as Python does, unless that is long, or can't be done.

    It may have come from a server, through XCom and a template: what follows a ``?`` is left out.
    """
    try:
        text = repr(value[:LONGEST_READ] if isinstance(value, str) else value)
    except Exception:  # a number of thousands of digits, a list that is nested too deeply
        return f"<{type(value).__name__}>"
    return clean_message(text, longest=LONGEST_SHOWN)


def is_text(value: object) -> TypeGuard[str]:
    """Whether a value is text that UTF-8 can hold: a lone surrogate is half a character."""
    return isinstance(value, str) and not any("\ud800" <= character <= "\udfff" for character in value)


def as_connection_id(parameter: str, value: object) -> str:
    """Read the id of an Airflow connection."""
    if not is_text(value) or not value.strip() or "\0" in value:
        raise refuse(parameter, value, "the id of an Airflow connection")
    if _KEY_PATTERN.search(value):  # Airflow's own error would repeat it
        raise refuse_hidden(parameter, value, "the id of an Airflow connection, and no API key, which is its password")
    return value


def as_flag(parameter: str, value: object) -> bool:
    """Read a switch. Nothing but a boolean: the text 'False' is true to Python, and so would push a link into XCom."""
    if not isinstance(value, bool):
        raise refuse(parameter, value, "True or False")
    return value


def as_rendered_flag(parameter: str, value: object) -> bool:
    """Read a switch of which a template may have made text: ``True`` and ``False``, as Python writes them."""
    rendered = {"True": True, "False": False}
    return as_flag(parameter, rendered.get(value, value) if isinstance(value, str) else value)


def as_one_of(parameter: str, value: object, allowed: Sequence[str]) -> str:
    """Read a word of which there are a few."""
    if not isinstance(value, str) or value not in allowed:
        raise refuse(parameter, value, f"one of {', '.join(allowed)}")
    return value


def as_positive(parameter: str, value: object) -> int:
    """Read a whole number of 1 or more."""
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value < LARGEST_NUMBER:
        raise refuse(parameter, value, "a whole number of 1 or more")
    return value


def as_aware_datetime(parameter: str, value: object) -> datetime:
    """
    Read a point in time.

    :param parameter: name for the error.
    :param value: an aware datetime, or ISO 8601 text with an offset or ``Z`` (what a template renders to).
    :return: the same point in time in UTC.
    :raises LessonspaceInputError: for anything else, a time without a time zone included.
    """
    moment = read_time(value)
    if moment is None:
        raise refuse(
            parameter,
            value,
            f"an aware datetime or ISO 8601 text with an offset, such as '2026-11-23T08:00:00+00:00', from "
            f"{EARLIEST.year} on and before {LATEST.year}"
            + (". This one has no time zone: add tzinfo=timezone.utc" if getattr(value, "tzinfo", "") is None else ""),
        )
    return moment


def as_window(window_start: object, window_end: object) -> tuple[datetime, datetime]:
    """
    Check a window.

    :param window_start: as for ``as_aware_datetime``.
    :param window_end: likewise, later.
    :return: both in UTC.
    :raises LessonspaceInputError: for anything else, and for an empty window.
    """
    start, end = as_aware_datetime("window_start", window_start), as_aware_datetime("window_end", window_end)
    if start >= end:
        cause = " A DAG with schedule='@daily' has no data interval in Airflow 3: use a CronDataIntervalTimetable."
        raise LessonspaceInputError(
            f"The window from window_start={start.isoformat()} to {end.isoformat()} is empty: window_end must be "
            f"after it.{cause if start == end else ' Nothing was sent.'}"
        )
    return start, end


def as_duration(parameter: str, value: object) -> timedelta:
    """
    Check a duration.

    :param parameter: name for the error.
    :param value: a timedelta, or seconds.
    :return: the duration, which is above 0.
    :raises LessonspaceInputError: for anything else, and for more than a hundred years.
    """
    duration = _as_timedelta(value)
    if not duration:
        raise refuse(parameter, value, "a timedelta or seconds, above 0 and at most a hundred years")
    return duration


def as_retention(parameter: str, value: object) -> timedelta:
    """
    Check a duration after which data is lost: a number below a day was probably meant as days.

    :param parameter: name for the error.
    :param value: a timedelta, or seconds of a day or more.
    :return: the duration, which is above 0.
    :raises LessonspaceInputError: for anything else, and for more than a hundred years.
    """
    duration = as_duration(parameter, value)
    if not isinstance(value, timedelta) and duration < timedelta(days=1):
        raise refuse(parameter, value, "a timedelta, such as timedelta(days=30): a number is in seconds, from 86400 on")
    return duration


def as_margin(parameter: str, value: object) -> timedelta:
    """
    Check a duration that may be 0.

    :param parameter: name for the error.
    :param value: a timedelta, or seconds.
    :return: the duration.
    :raises LessonspaceInputError: for anything else, and for more than a hundred years.
    """
    duration = _as_timedelta(value)
    if duration is None:
        raise refuse(parameter, value, "a timedelta or seconds, 0 or more and at most a hundred years")
    return duration


def _as_timedelta(value: object) -> timedelta | None:
    """Read a timedelta or seconds; None for anything else, below 0, and above a hundred years."""
    seconds = value if isinstance(value, (int, float)) and not isinstance(value, bool) else -1
    try:
        duration = value if isinstance(value, timedelta) else timedelta(seconds=seconds)
    except (ValueError, OverflowError):
        return None
    return duration if timedelta(0) <= duration <= LONGEST_DURATION else None


def as_api_time(parameter: str, value: object) -> str:
    """Check a point in time and write it as the API takes it."""
    return write_time(as_aware_datetime(parameter, value))


def as_uuid(parameter: str, value: object) -> str:
    """
    Read a UUID.

    :return: its canonical lower-case text.
    :raises LessonspaceInputError: for an integer id (the API answers 404 to those) or text that is no UUID.
    """
    if _has_items(value):  # which may be names of people
        raise LessonspaceInputError(
            f"{parameter} was refused: it must be the UUID of one session, and is a mapping or list, which is not "
            f"repeated here. Take ['session_id'] of a task's result, or map tasks over a list. Nothing was sent."
        )
    if isinstance(value, int) or (isinstance(value, str) and value.isdigit() and len(value) < 32):
        raise refuse(parameter, value, "a uuid: the API does not know the integer id in URLs")
    try:
        return str(UUID(str(value) if isinstance(value, (str, UUID)) else ""))
    except ValueError:
        allowed = "a UUID such as '5b5f1a2c-3d4e-4f5a-8b9c-0d1e2f3a4b5c', the session_id of a launch, list or sensor"
        raise refuse(parameter, value, allowed) from None


def _has_items(value: object) -> bool:
    """Whether a value is a mapping or list, or the text that a template makes of one."""
    if isinstance(value, str):
        return value.lstrip().startswith(("[", "{'", '{"'))
    return isinstance(value, (Mapping, list, tuple))


def as_space_id(parameter: str, value: object) -> str:
    """
    Read what names a space in a URL: its UUID, or the slug, which launch calls ``room_id``.

    :return: a slug as it is, a UUID in lower case, as sessions name their space.
    :raises LessonspaceInputError: for an integer, blank text, text with characters no slug has, or ``None`` as text.
    """
    if isinstance(value, UUID):
        return str(value)
    if not isinstance(value, str) or value in ("", RENDERED_NONE) or not all(c.isalnum() or c in "-_" for c in value):
        raise refuse(parameter, value, "the space's UUID, or its slug (launch's room_id)")
    return value.lower() if is_uuid(value) else value


def as_launch_id(parameter: str, value: object) -> str:
    """
    Read the caller's id of a space: text of 1 to 64 characters.

    ``None`` as text, and a template that was not rendered, would be one room for all.
    """
    if not is_text(value) or not value.strip() or len(value) > MAX_LAUNCH_ID or is_of_a_template(value):
        raise refuse(parameter, value, f"text of 1 to {MAX_LAUNCH_ID} characters")
    return value


def is_of_a_template(text: str) -> bool:
    """Whether a text names no one and nothing: a template has rendered to None, or was not rendered."""
    return text == RENDERED_NONE or "{{" in text


def as_user_id(parameter: str, value: object) -> int:
    """Read a Lessonspace user id: a positive integer (``profiles[].user``), or its digits as a template renders."""
    number = whole_number(value)
    if number is None or number < 1:
        raise refuse(parameter, value, "a positive integer, the user_id of a launch or profiles[].user")
    return number


def whole_number(value: object) -> int | None:
    """Read a whole number that 64 bits hold, or its digits as a template or the API writes them; None for another."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= len(str(LARGEST_NUMBER)):
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        return None
    return value if -LARGEST_NUMBER < value < LARGEST_NUMBER else None


def as_policy(parameter: str, value: object) -> list[str]:
    """
    Read a recording access policy.

    :param value: a list of RECORDING_ACCESS values; ``[]`` means the organisation's policy (reference).
    :raises LessonspaceInputError: for an unknown value, or a text or mapping in place of a list.
    """
    allowed = f"a list of {', '.join(RECORDING_ACCESS)}, or [] for the organisation's policy"
    if isinstance(value, (str, Mapping)) or not isinstance(value, Iterable):
        raise refuse(parameter, value, allowed)
    policy = list(value)
    if any(entry not in RECORDING_ACCESS for entry in policy):
        raise refuse(parameter, policy, allowed)
    return policy


def as_session_update(session_id: str, name: object, recording_access_policy: object) -> SessionUpdate:
    """
    Check what is to become of a session.

    :param session_id: its uuid, for the message.
    :param name: text; None leaves it.
    :param recording_access_policy: as for ``as_policy``; None leaves it.
    :return: what was given.
    :raises LessonspaceInputError: for anything else, and when neither is given.
    """
    if name is None and recording_access_policy is None:
        raise LessonspaceInputError(
            f"Session {session_id} was not updated: give name, recording_access_policy, or both. Nothing was sent."
        )
    update: SessionUpdate = {}
    if name is not None:
        if not is_text(name) or not name.strip() or name == RENDERED_NONE:  # the old name would be lost
            raise refuse("name", name, "text that is not blank")
        update["name"] = name
    if recording_access_policy is not None:
        update["recording_access_policy"] = as_policy("recording_access_policy", recording_access_policy)
    return update


def as_ip_address(parameter: str, value: object) -> str:
    """Read the IP address of anyone who will join: it goes into a header, so nothing else may."""
    try:
        address = ip_address(str(value))
    except ValueError:
        address = None
    # An IPv6 zone, as in fe80::1%eth0, may hold any character, a line break included.
    if address is None or "%" in str(address):
        raise refuse(parameter, value, "an IP address, such as '203.0.113.7'")
    return str(address)
