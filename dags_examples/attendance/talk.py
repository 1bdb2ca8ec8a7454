# SPDX-License-Identifier: Apache-2.0
"""How long people talked, from the tables of the archive."""

from __future__ import annotations

import io
from collections.abc import Mapping
from datetime import date, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath

#: Minutes by session and user id; nothing of sessions without a transcript.
Talk = Mapping[tuple[str, int | None], float]


def talk_of_days(archive: ObjectStoragePath, first: date, last: date) -> Talk:
    """
    Read the talk time of each person in each session; nothing where the archive has no tables.

    :param archive: its folder.
    :param first: day on which sessions ended, in UTC, as ``last``.
    """
    found: dict[tuple[str, int | None], float] = {}
    for number in range((last - first).days + 1):
        folder = archive / "tables" / "people" / f"day={first + timedelta(days=number)}"
        for path in folder.iterdir() if folder.exists() else ():
            if path.name.endswith(".parquet"):
                found |= _talk_in(path.read_bytes())
    return found


def _talk_in(file: bytes) -> Talk:
    import pyarrow.parquet as pq

    people = pq.read_table(io.BytesIO(file), columns=["session_id", "user_id", "talk_seconds"]).to_pydict()
    return {
        (session_id, user_id): seconds / 60
        for session_id, user_id, seconds in zip(*people.values())
        if user_id is not None and seconds is not None
    }
