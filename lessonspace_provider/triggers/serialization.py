# SPDX-License-Identifier: Apache-2.0
"""What a triggerer keeps of a trigger. Pure."""

from __future__ import annotations

from dataclasses import fields
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from lessonspace_provider.api.times import write_time

if TYPE_CHECKING:
    from airflow.triggers.base import BaseTrigger


def serialized(trigger: BaseTrigger) -> tuple[str, dict[str, Any]]:
    """
    Give what a triggerer needs to make a trigger again, as JSON.

    :param trigger: a dataclass, whose fields are its keywords.
    """
    kind = type(trigger)
    keywords = {keyword.name: _as_json(getattr(trigger, keyword.name)) for keyword in fields(trigger)}  # type: ignore[arg-type]
    return f"{kind.__module__}.{kind.__qualname__}", keywords


def _as_json(value: object) -> object:
    if isinstance(value, datetime) and value.utcoffset() is not None:
        return write_time(value)
    return value.total_seconds() if isinstance(value, timedelta) else value
