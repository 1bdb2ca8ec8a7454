# SPDX-License-Identifier: Apache-2.0
"""A window of very many sessions, archived in one process: what it costs of calls, time and memory."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from http import HTTPStatus
from pathlib import Path

from benchmarks.archive_memory import archive_alone
from benchmarks.archive_runs import MINUTE, PAGE_SIZE, RATE
from benchmarks.measures import Arrival, refused, share_of
from benchmarks.servers import sandbox
from lessonspace_provider.sandbox.messages import NewSession

#: One of so many sessions has one person only, and so no transcript.
ONE_ALONE_OF = 10


@dataclass(frozen=True)
class Night:
    """
    What it took to archive a window.

    :param sessions: that ended in it.
    :param eligible: those of them that can have a transcript.
    :param counts: what the manifest says of them.
    :param accounted: how many of them the manifest names.
    :param calls: to the API, as the sandbox saw them.
    :param downloads: calls to the store.
    :param idle: resident memory of the process before, in bytes.
    :param peak: the most of it meanwhile.
    """

    sessions: int
    eligible: int
    counts: Mapping[str, int]
    accounted: int
    calls: list[Arrival]
    downloads: int
    idle: int
    peak: int

    @property
    def pages(self) -> int:
        """Of the list that is read."""
        return math.ceil(self.sessions / PAGE_SIZE)

    @property
    def share(self) -> float:
        """Of the rate that was used."""
        return share_of(RATE, self.calls)

    @property
    def refused(self) -> int:
        """Answers of 429."""
        return refused(self.calls)

    @property
    def above_idle(self) -> int:
        """What the work took of memory, in bytes."""
        return self.peak - self.idle


def measure_many(folder: Path, sessions: int) -> Night:
    """
    Archive a window with very many sessions.

    :param folder: for all files.
    :param sessions: how many; some have one person only.
    """
    alone = sessions // ONE_ALONE_OF
    end = datetime.now(timezone.utc) - timedelta(hours=3)
    archive = folder / "archive"
    with sandbox(folder, RATE, "--days", "0", "--sessions-per-day", "0") as server:
        added = server.control.add_sessions(
            [a_session(end, second, alone=second < alone) for second in range(sessions)]
        )
        idle, peak = archive_alone(server, folder, archive, (end - timedelta(hours=2), end + MINUTE), "json,txt")
        calls = server.control.calls()
    (path,) = (archive / "manifests").iterdir()
    account = json.loads(path.read_bytes())
    return Night(
        sessions=sessions,
        eligible=sessions - alone,
        counts=account["counts"],
        accounted=len({entry["session_id"] for entry in account["sessions"]} & set(added)),
        calls=[
            Arrival("archive", call.arrived, accepted=call.status != HTTPStatus.TOO_MANY_REQUESTS)
            for call in calls
            if call.target == "api"
        ],
        downloads=sum(call.target == "store" for call in calls),
        idle=idle,
        peak=peak,
    )


def a_session(end: datetime, seconds: int, *, alone: bool) -> NewSession:
    """Make a session of 40 minutes that ended so many seconds before ``end``, with a transcript unless alone."""
    ended = end - timedelta(seconds=seconds)
    began = ended - 40 * MINUTE
    if alone:
        return NewSession(began, ended, users=["Ada Teacher"])
    return NewSession(began, ended, transcript="ready")
