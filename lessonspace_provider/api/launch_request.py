# SPDX-License-Identifier: Apache-2.0
"""Everything about a launch that can be checked without a call, for one launch and for many. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import cast

from lessonspace_provider.api.arguments import RENDERED_NONE, as_ip_address, as_launch_id
from lessonspace_provider.api.filters import refuse_unknown
from lessonspace_provider.api.launch import launch_body, link_window
from lessonspace_provider.api.launch_features import unknown_features
from lessonspace_provider.api.types import LaunchOptions, Timeouts
from lessonspace_provider.exceptions import LessonspaceInputError

#: How long before and after a lesson its link works, unless the caller says otherwise.
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
    A launch that was checked: the arguments of ``LessonspaceHook.launch_space``.

    It has no repr of its fields, since they may hold a token and personal data.

    :param launch_id: the caller's id of the space.
    :param options: the fields of the body, None left out.
    :param extra_options: further fields of the body.
    :param client_ip: address for ``X-Forwarded-For``.
    :param body: what is sent.
    :param warnings: sentences about what is allowed, and more likely a mistake.
    """

    launch_id: str
    options: LaunchOptions
    extra_options: Mapping[str, object] | None
    client_ip: str | None
    body: Mapping[str, object]
    warnings: tuple[str, ...]


def launch_request(parameters: Mapping[str, object]) -> LaunchRequest:
    """
    Check a launch as far as that needs no call.

    :param parameters: ``LAUNCH_PARAMETERS`` by their names; None is the same as leaving a parameter out.
    :raises LessonspaceInputError: for an unknown parameter, and for whatever would be refused or would lose something.
    """
    refuse_unknown(parameters, LAUNCH_PARAMETERS, "launch parameter")
    given = {name: value for name, value in parameters.items() if value is not None}
    launch_id = as_launch_id("launch_id", given.get("launch_id"))
    options = {name: given[name] for name in LAUNCH_FIELDS if name in given}
    if "lesson_start" in given or "lesson_end" in given:
        options["timeouts"] = _link_window(launch_id, given)
    if "user" in given:
        options["user"] = _given_of_user(launch_id, given["user"])
    extra_options = cast("Mapping[str, object] | None", given.get("extra_options"))
    body = launch_body(launch_id, options, extra_options)
    return LaunchRequest(
        launch_id=launch_id,
        options=cast("LaunchOptions", options),
        extra_options=extra_options,
        client_ip=as_ip_address("client_ip", given["client_ip"]) if "client_ip" in given else None,
        body=body,
        warnings=tuple(_doubts(body)),
    )


def _link_window(launch_id: str, given: Mapping[str, object]) -> Timeouts:
    if "timeouts" in given:
        raise LessonspaceInputError(
            f"Space {launch_id!r} was not launched: timeouts were given together with lesson_start or lesson_end. Give "
            f"one of them. Nothing was sent."
        )
    return link_window(
        given.get("lesson_start"),
        given.get("lesson_end"),
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
            f"Space {launch_id!r} was not launched: all of user is None ({', '.join(map(str, user))}), so the link "
            f"would name no one. Leave user out for a guest's link. Nothing was sent."
        )
    return given


def _doubts(body: Mapping[str, object]) -> list[str]:
    """Describe what is more likely a mistake, and allowed."""
    user = body.get("user")
    names = {"name": body.get("name"), "user.name": user.get("name") if isinstance(user, Mapping) else None}
    doubts = [
        f"{field} is the text 'None', which a template makes of a missing value"
        for field, name in names.items()
        if name == RENDERED_NONE
    ]
    if unknown := unknown_features(body.get("features")):
        doubts.append(
            f"unknown features {', '.join(unknown)}: Lessonspace drops a name that it does not know, without an error"
        )
    return doubts
