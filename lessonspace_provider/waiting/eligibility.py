# SPDX-License-Identifier: Apache-2.0
"""What a session's fields mean. Pure: operators, sensors and triggers all ask these functions."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from lessonspace_provider.api.times import read_time
from lessonspace_provider.sessions import end_time, participant_count

if TYPE_CHECKING:
    from lessonspace_provider.api.types import Session

#: A session of this length or less is never transcribed (facts, D; an older guide says 150 s).
SHORTEST_TRANSCRIBED = timedelta(seconds=300)


def transcript_obstacle(session: Session) -> str | None:
    """
    Tell why a session can never have a transcript.

    A transcript needs more than 300 s, more than one user, and a recording (facts, D). It also needs a launch
    with ``transcribe``, which no field of a session tells; so None does not promise that one will come. The reference
    does not make clear whether ``record_av`` stands in the session or in its space; only the session's is read, since
    the space's may have been changed later.

    :param session: an ended session, from a list or in detail. Only what is certain is an obstacle: neither fields that
        are missing or can't be read, nor those that contradict each other, such as an end before the start.
    :return: the reason, fit for a manifest; None when a transcript can be there or can still come.
    """
    end = end_time(session)
    if end is None:
        return "the session still runs"
    length = _known_length(session, end)
    if length is not None and length <= SHORTEST_TRANSCRIBED:
        return f"too short: {length.total_seconds():.0f} s, a transcript needs more than 300 s"
    if _knows_people(session) and participant_count(session) == 1:
        return "one person only: a transcript needs more than one"
    if session.get("record_av") is False and session.get("recording_available") is not True:
        return "not recorded: record_av was off"
    return None


def known_start(session: Session) -> datetime | None:
    """When the session began, aware, in UTC; None when the API does not say, or gives something else than a time."""
    return read_time(session.get("start_time"))


def _known_length(session: Session, end: datetime) -> timedelta | None:
    """Measure a session; None when that can't be known: each session takes some time."""
    start = known_start(session)
    return end - start if start is not None and start < end else None


def _knows_people(session: Mapping[str, object]) -> bool:
    """Whether the people of a session are known, each by an id."""
    profiles, guests = session.get("profiles"), session.get("guests") or []
    if not isinstance(profiles, list) or not isinstance(guests, list):
        return False
    are_objects = all(isinstance(person, dict) for person in [*profiles, *guests])
    return are_objects and all(_is_id(profile.get("user")) for profile in profiles)


def _is_id(value: object) -> bool:
    return isinstance(value, (int, str)) and not isinstance(value, bool) and value != ""
