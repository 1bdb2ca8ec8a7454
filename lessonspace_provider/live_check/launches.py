# SPDX-License-Identifier: Apache-2.0
"""Assumptions about launches: their checks launch one space, twice."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from lessonspace_provider.live_check.assumptions import (
    DOCUMENTED,
    GUESSED,
    HOOK,
    VENDOR,
    Finding,
    assume,
    finding,
    is_filled,
)
from lessonspace_provider.operators import spaces

if TYPE_CHECKING:
    from lessonspace_provider.api.types import Launch
    from lessonspace_provider.live_check.account import Account


@assume(VENDOR, f"{HOOK}.launch_space", writes=True)
def launch_created(account: Account) -> Finding:
    """The first launch with an id returns 201, the next launches return 200."""
    first, second = account.launches
    return finding(
        holds=(first.status, second.status) == (201, 200), note=f"status {first.status}, then {second.status}"
    )


@assume(DOCUMENTED, "operators.spaces:LessonspaceLaunchSpaceOperator", writes=True)
def same_room(account: Account) -> Finding:
    """Two launches with the same id lead to the same room."""
    first, second = (launch.fields.get("room_id") for launch in account.launches)
    return finding(holds=is_filled(first) and first == second)


@assume(GUESSED, "operators.spaces:space_page", writes=True)
def space_page(account: Account) -> Finding:
    """A personal link without its query is the space's page."""
    return finding(holds=spaces.space_page(cast("Launch", account.launches[0].fields)) is not None)


@assume(GUESSED, "waiting.awaited:AwaitedSession.check", writes=True)
def reserved_session(account: Account) -> Finding:
    """The session of a launch is 404 until a person joins."""
    reserved = account.ask(f"{account.organisation}/sessions/{account.launches[0].fields.get('session_id')}/")
    return finding(holds=reserved.status == 404, note=f"status {reserved.status}")
