# SPDX-License-Identifier: Apache-2.0
"""Names of webhooks. One that the API does not know was seen to stop all webhooks of a space (facts, C). Pure."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from functools import cache
from types import NoneType
from typing import get_args, get_type_hints

from lessonspace_provider.api.arguments import shown
from lessonspace_provider.api.types import Webhooks
from lessonspace_provider.exceptions import LessonspaceInputError


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
    for name in _names_in(webhooks if isinstance(webhooks, Mapping) else {}):
        if name not in known:
            nearest = difflib.get_close_matches(name.removeprefix("webhooks."), known, n=1)
            group, _, event = nearest[0].partition(".") if nearest else ("", "", "")
            hint = f" Did you mean {{{group!r}: {{{event!r}: url}}}}?" if nearest else ""
            raise LessonspaceInputError(
                f"Unknown webhook {shown(name)}.{hint} Known are: {', '.join(known)}. An unknown one can stop all "
                f"webhooks of the space. One that Lessonspace added since can be sent with extra_options. Nothing was "
                f"sent."
            )


def _names_in(webhooks: Mapping[object, object]) -> Iterator[str]:
    """Name each event that is given, and each unknown group that names none."""
    groups = {name.partition(".")[0] for name in known_webhooks()}
    for group, events in webhooks.items():
        if isinstance(events, Mapping) and events:
            yield from (f"{group}.{event}" for event in events)
        elif group not in groups:
            yield str(group)
