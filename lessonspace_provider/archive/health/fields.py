# SPDX-License-Identifier: Apache-2.0
"""What the fields of health.json may hold: the file is foreign, and may have been changed. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import timedelta

from lessonspace_provider.api.arguments import shown
from lessonspace_provider.api.times import read_time
from lessonspace_provider.archive.health.reasons import is_reason
from lessonspace_provider.archive.schema import FIELDS, is_count, is_matched, is_text_or_none, is_time
from lessonspace_provider.waiting.transcripts import STATUSES

#: The longest time between the first and the last gap.
MOST_DAYS = timedelta(days=36_525)

_Check = Callable[[object], bool]

#: What Airflow lets a DAG's id be: it is shown in a command that a person copies into a shell.
_DAG_ID = re.compile(r"[\w.-]{1,250}")


def _is_night(value: object) -> bool:
    """Whether a value is an ISO date, of those that times may have: months around it are shown."""
    noon = read_time(f"{value}T12:00:00Z") if isinstance(value, str) else None
    return noon is not None and noon.date().isoformat() == value


def _are_counts(of: _Check) -> _Check:
    return lambda value: isinstance(value, dict) and all(of(key) and is_count(count) for key, count in value.items())


def _is_status(value: object) -> bool:
    return value in STATUSES


def _is_gap(value: object) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(map(is_time, value)) and value[0] < value[1]


def _are_gaps(value: object) -> bool:
    """Whether they are apart, in their order, and within ``MOST_DAYS``: each day of a gap is shown."""
    if not isinstance(value, list) or not all(map(_is_gap, value)):
        return False
    bounds = [read_time(time) for gap in value for time in gap]
    moments = [moment for moment in bounds if moment is not None]
    return not moments or (moments == sorted(moments) and moments[-1] - moments[0] <= MOST_DAYS)


def _is_interval(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value < 10**9


_NIGHT: Mapping[str, _Check] = {
    "night": _is_night,
    "counts": _are_counts(_is_status),
    "missing": _are_counts(is_reason),
    "manifests": is_count,
    "unreadable": is_count,
    "mark": is_text_or_none,
}
_ITEM: Mapping[str, _Check] = {
    "session_id": FIELDS["session_id"],
    "night": _is_night,
    "status": _is_status,
    "reason": is_reason,
    "tries": is_count,
}
_ITEM_MAY_HAVE: Mapping[str, _Check] = {
    "ended_at": is_time,
    "until": is_time,
    "next_check": is_time,
    "given_up_by": is_time,
    "name": lambda value: isinstance(value, str),
}
_RUN: Mapping[str, _Check] = {
    "ended_at": is_time,
    "window_start": is_time,
    "window_end": is_time,
    "has_failed": lambda value: isinstance(value, bool),
    "given_up": is_count,
}
_SCHEDULE: Mapping[str, _Check] = {
    "dag_id": is_matched(_DAG_ID),
    "interval": _is_interval,
}
_HEALTH: Mapping[str, _Check] = {
    "version": lambda value: value == 1,
    "counts": _are_counts(_is_status),
    "updated_at": is_time,
    "nights": lambda value: _is_list_of(value, _NIGHT),
    "items": lambda value: _is_list_of(value, _ITEM, _ITEM_MAY_HAVE),
    "items_left_out": is_count,
    "gaps": _are_gaps,
    "gaps_left_out": is_count,
    "erasures": is_count,
    "last_erasure": is_text_or_none,
    "runs": lambda value: _is_list_of(value, _RUN),
    "schedule": lambda value: value is None or _has(value, _SCHEDULE),
}


def _has(value: object, fields: Mapping[str, _Check], may_have: Mapping[str, _Check] | None = None) -> bool:
    """Whether a value is an object with these fields and no others."""
    optional = may_have or {}
    if not isinstance(value, dict) or not fields.keys() <= value.keys() <= fields.keys() | optional.keys():
        return False
    return all((fields.get(name) or optional[name])(held) for name, held in value.items())


def _is_list_of(value: object, fields: Mapping[str, _Check], may_have: Mapping[str, _Check] | None = None) -> bool:
    return isinstance(value, list) and all(_has(entry, fields, may_have) for entry in value)


def problem_of(read: object) -> str | None:
    """
    Find out what is wrong with a file's content.

    :return: the end of a sentence; None when it can be used.
    """
    if not isinstance(read, dict):
        return "it is not a JSON object"
    if read.keys() != _HEALTH.keys():
        return f"its fields are {shown(sorted(map(str, read)))}"
    wrong = [name for name, is_right in _HEALTH.items() if not is_right(read[name])]
    return f"its {wrong[0]} can't be read" if wrong else None
