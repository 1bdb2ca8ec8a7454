# SPDX-License-Identifier: Apache-2.0
"""A launch as far as it can be checked without a call, and the settings that its answer reports. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import cast

from lessonspace_provider.api.arguments import (
    RENDERED_NONE,
    as_aware_datetime,
    as_ip_address,
    as_launch_id,
    as_margin,
    refuse,
)
from lessonspace_provider.api.filters import refuse_unknown
from lessonspace_provider.api.launch_fields import (
    launch_writers,
    refuse_unknown_webhooks,
    unknown_features,
    write_field,
    write_object,
)
from lessonspace_provider.api.types import LaunchOptions, LaunchUser, Timeouts
from lessonspace_provider.exceptions import LessonspaceInputError

#: A link works for no longer than this, which is also how long one works that names no end.
LONGEST_LINK = timedelta(days=7)

#: How long before and after a lesson its link works, unless the caller gives others.
DEFAULT_MARGIN = timedelta(minutes=15)

#: The fields of a launch's body beside ``id``.
LAUNCH_FIELDS = tuple(LaunchOptions.__annotations__)

#: The parameters of a launch: its fields, and what is worked out or sent in another way.
LAUNCH_PARAMETERS = (
    "launch_id",
    "lesson_start",
    "lesson_end",
    "join_early",
    "join_late",
    "client_ip",
    "extra_options",
    *LAUNCH_FIELDS,
)


@dataclass(frozen=True, repr=False)
class LaunchRequest:
    """
    A launch that was checked: the arguments of ``LessonspaceHook.send_launch``, and more.

    It has no repr of its fields, since they may hold a token and personal data.

    :param launch_id: the caller's id of the space.
    :param body: what is sent.
    :param client_ip: address for ``X-Forwarded-For``.
    :param warnings: sentences about what is allowed, and more likely a mistake.
    """

    launch_id: str
    body: Mapping[str, object]
    client_ip: str | None
    warnings: tuple[str, ...]


#: What to write in place of names that are fields of ``user``, or that other systems use.
_HINTS = {
    **{
        name: f"It is a field of user: 'user': {{{name!r}: ...}}."
        for name in LaunchUser.__annotations__
        if name not in LAUNCH_PARAMETERS
    },
    "id": "Did you mean 'launch_id'?",
    "start": "Did you mean 'lesson_start'?",
    "end": "Did you mean 'lesson_end'?",
}


def launch_request(parameters: Mapping[str, object]) -> LaunchRequest:
    """
    Check a launch as far as that needs no call.

    :param parameters: ``LAUNCH_PARAMETERS`` by their names; None is the same as leaving a parameter out.
    :raises LessonspaceInputError: for an unknown parameter, and for whatever would be refused or would lose something.
    """
    refuse_unknown(parameters, LAUNCH_PARAMETERS, "launch parameter", _HINTS)
    given = {name: value for name, value in parameters.items() if value is not None}
    launch_id = as_launch_id("launch_id", given.get("launch_id"))
    options = {name: given[name] for name in LAUNCH_FIELDS if name in given}
    if "lesson_start" in given or "lesson_end" in given:
        options["timeouts"] = _link_window(launch_id, given)
    if "user" in given:
        options["user"] = _given_of_user(launch_id, given["user"])
    body = launch_body(launch_id, options, cast("Mapping[str, object] | None", given.get("extra_options")))
    return LaunchRequest(
        launch_id=launch_id,
        body=body,
        client_ip=as_ip_address("client_ip", given["client_ip"]) if "client_ip" in given else None,
        warnings=tuple(_doubts(body)),
    )


def _link_window(launch_id: str, given: Mapping[str, object]) -> Timeouts:
    if "timeouts" in given:
        raise LessonspaceInputError(
            f"Space {launch_id!r} was not launched: timeouts were given together with lesson_start or lesson_end. Give "
            f"one of them. Nothing was sent."
        )
    if missing := [name for name in ("lesson_start", "lesson_end") if name not in given]:
        raise LessonspaceInputError(
            f"Space {launch_id!r} was not launched: {missing[0]} was not given. Give lesson_start and lesson_end "
            f"together, or neither. Nothing was sent."
        )
    return link_window(
        given["lesson_start"],
        given["lesson_end"],
        join_early=given.get("join_early", DEFAULT_MARGIN),
        join_late=given.get("join_late", DEFAULT_MARGIN),
    )


def _given_of_user(launch_id: str, user: object) -> object:
    """Leave out what is None, as of the launch itself: null could take a name or an address away."""
    if not isinstance(user, Mapping):
        return user
    given = {name: value for name, value in user.items() if value is not None}
    if user and not given:
        raise LessonspaceInputError(
            f"Space {launch_id!r} was not launched: all fields of user are None ({', '.join(map(str, user))}). "
            f"Leave out user to get a guest's link. Nothing was sent."
        )
    return given


def _doubts(body: Mapping[str, object]) -> list[str]:
    """Describe what is more likely a mistake, and allowed."""
    user = body.get("user")
    names = {"name": body.get("name"), "user.name": user.get("name") if isinstance(user, Mapping) else None}
    doubts = [
        f"{field} is the text 'None', which a template renders for a missing value"
        for field, name in names.items()
        if name == RENDERED_NONE
    ]
    if unknown := unknown_features(body.get("features")):
        doubts.append(f"unknown features {', '.join(unknown)}: Lessonspace drops unknown features without an error")
    return doubts


def launch_body(
    launch_id: str, options: Mapping[str, object], extra_options: Mapping[str, object] | None = None
) -> dict[str, object]:
    """
    Write the body of ``POST /spaces/launch/``.

    :param launch_id: the caller's id of the space, 1 to 64 characters.
    :param options: documented fields under the API's own names. A field that is not there is not sent; None
        is sent as null, which for ``name`` and ``webhooks`` means something else than leaving it out.
    :param extra_options: fields that the vendor added since, or new values of documented ones: sent as they are, over
        ``options``.
    :return: the body, ready for JSON: aware datetimes have become ISO 8601 text in UTC.
    :raises LessonspaceInputError: for an unknown field, a value of the wrong kind, or values that together would lose a
        lesson's transcript, or make a link that does not work.
    """
    fields = launch_writers()
    refuse_unknown(options, fields, "launch field")
    refuse_unknown_webhooks(options.get("webhooks"))
    extra = {} if extra_options is None else write_object("extra_options", extra_options)
    if "id" in extra:
        raise refuse("extra_options", sorted(extra), "without 'id', which launch_id gives")
    body: dict[str, object] = {"id": as_launch_id("launch_id", launch_id)}
    body.update({name: write_field(name, value, fields[name]) for name, value in options.items()})
    body.update(extra)
    _refuse_lost_transcripts(launch_id, body)
    _refuse_dead_links(launch_id, body.get("timeouts"), now())
    return body


def now() -> datetime:
    """Give the present, aware, by which a link's window is judged."""
    return datetime.now(timezone.utc)


def link_window(lesson_start: object, lesson_end: object, *, join_early: object, join_late: object) -> Timeouts:
    """
    Work out when the link to a lesson works.

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
    """A transcript needs the recording, and a summary needs both; the API itself would not report it."""
    for name in ("transcribe", "summarise"):
        if body.get(name) is True and body.get("record_av") is False:
            raise LessonspaceInputError(
                f"Space {launch_id!r} was not launched: {name}=True with record_av=False has no effect, because a "
                f"transcript is made from the recording. Set record_av=True, or leave out {name}. Nothing was sent."
            )
    if body.get("summarise") is True and not body.get("transcribe"):
        raise LessonspaceInputError(
            f"Space {launch_id!r} was not launched: summarise=True needs transcribe=True: a summary is made from the "
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
        problem = "not_after (lesson_end plus join_late) is past. Launch only lessons that have not ended"
    elif not_after - (not_before or present) > LONGEST_LINK:
        problem = "a link works for 7 days at most: launch later, or set not_before (with lesson_start and lesson_end)"
    if problem:
        raise LessonspaceInputError(
            f"Space {launch_id!r} was not launched, not_after={not_after.isoformat()}: {problem}. Nothing was sent."
        )


#: What follows when a setting is not the one that was asked for, by its name and the value that holds.
_CONSEQUENCES = {
    ("transcribe", False): "its sessions will have no transcript. Transcription is an add-on of the plan, and needs "
    "record_av",
    ("summarise", False): "its sessions will have no summary. Summaries are an add-on of the plan, and need "
    "transcribe and record_av",
    ("record_av", False): "its sessions will have no recording, transcript or summary. The plan, or the organisation's "
    "settings, may not allow recordings",
    ("record_content", False): "the board is not recorded",
    ("allow_guests", False): "people without a link of their own can't join",
    ("record_av", True): "audio and video of its sessions are recorded",
    ("record_content", True): "the board is recorded",
    ("transcribe", True): "its sessions are transcribed",
    ("summarise", True): "its sessions are summarised",
    ("allow_guests", True): "people without a link of their own can join",
}


def refused_settings(asked: Mapping[str, object], room_settings: object) -> list[str]:
    """
    Describe each setting that was asked for and does not hold.

    :param asked: the body of the launch.
    :param room_settings: of its answer: the settings that hold. What is missing there, or no boolean, is not compared.
    :return: sentences without a full stop, none when all is as it was asked for.
    """
    held = room_settings if isinstance(room_settings, Mapping) else {}
    refused = [name for name in asked if isinstance(asked[name], bool) and held.get(name) is (not asked[name])]
    sentences = [
        f"{name}={asked[name]} was sent, but the space has {name}={held[name]}: "
        f"{_CONSEQUENCES.get((name, held[name]), 'the launch did not change it')}"
        for name in refused
    ]
    if _is_left_without_recording(asked, held):
        sentences.append(
            "transcribe=True was sent, but the space has record_av=False: its sessions will have no transcript. "
            "Send record_av=True, or switch recording on for the organisation"
        )
    return sentences


def _is_left_without_recording(asked: Mapping[str, object], held: Mapping[str, object]) -> bool:
    """Whether a transcript was asked for, and only the recording that it needs is off."""
    return (
        asked.get("transcribe") is True
        and held.get("transcribe") is not False
        and asked.get("record_av") is not True
        and held.get("record_av") is False
    )
