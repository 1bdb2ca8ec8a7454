# SPDX-License-Identifier: Apache-2.0
"""The body of a launch: every documented field, checked and written as the API takes it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

from lessonspace_provider.api.arguments import as_aware_datetime, as_launch_id, as_margin, refuse
from lessonspace_provider.api.filters import refuse_unknown
from lessonspace_provider.api.launch_fields import launch_writers, write_field, write_object
from lessonspace_provider.api.launch_webhooks import refuse_unknown_webhooks
from lessonspace_provider.exceptions import LessonspaceInputError

if TYPE_CHECKING:
    from lessonspace_provider.api.types import Timeouts

#: A link works for no longer than this, which is also how long one works that names no end (facts, D).
LONGEST_LINK = timedelta(days=7)


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
    """A transcript needs the recording, and a summary needs both (facts, D); the API itself would say nothing."""
    for name in ("transcribe", "summarise"):
        if body.get(name) is True and body.get("record_av") is False:
            raise LessonspaceInputError(
                f"Space {launch_id!r} was not launched: {name}=True with record_av=False would give nothing, since a "
                f"transcript is made from the recording. Give record_av=True, or leave {name} out. Nothing was sent."
            )
    if body.get("summarise") is True and not body.get("transcribe"):
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
