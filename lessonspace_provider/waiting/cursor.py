# SPDX-License-Identifier: Apache-2.0
"""Sessions that ended lately, and up to which of them a watcher has reported. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, cast

from lessonspace_provider.api.times import read_time, write_time
from lessonspace_provider.waiting.parsed_session import ParsedSession, parse_sessions

if TYPE_CHECKING:
    from pydantic import JsonValue

    from lessonspace_provider.api.types import Session

#: How much further back than the newest known end the list is read, for sessions that it shows late: an idle session
#: ends after 5 minutes, and it is unknown which moment its end names.
OVERLAP = timedelta(minutes=10)


class EndedSessions:
    """
    Sessions that ended lately, to be found by those who wait for one of them.

    :param sessions: all have an end.
    :param unreadable: why other sessions of the list can't be read, by uuid.
    """

    def __init__(self, sessions: Iterable[ParsedSession], unreadable: Mapping[str, str] | None = None) -> None:
        self.by_id = {session.session_id: session for session in sessions}
        self.by_space: dict[str, list[ParsedSession]] = {}
        for session in self.by_id.values():
            for name in session.spaces:
                self.by_space.setdefault(name, []).append(session)
        self.unreadable = unreadable or {}

    @classmethod
    def parse(cls, sessions: Iterable[Session]) -> EndedSessions:
        """Read a list of the API; a session that runs, or can't be read, does not stop the others."""
        parsed, unreadable = parse_sessions(sessions)
        return cls((session for session in parsed if session.end is not None), unreadable)

    @property
    def newest_end(self) -> datetime | None:
        """The latest end, aware; None without sessions."""
        return max((_end_of(session) for session in self.by_id.values()), default=None)


@dataclass(frozen=True)
class Cursor:
    """
    Up to where the ended sessions of a connection were reported.

    :param reported_from: aware; what ended before it was reported, or is not to be.
    :param reported: those that ended since then and were reported: their ends, aware, by uuid.
    """

    reported_from: datetime
    reported: Mapping[str, datetime] = field(default_factory=dict)

    def fresh(self, ended: EndedSessions) -> list[ParsedSession]:
        """Choose what was not reported yet, in the order of the ends."""
        new = [
            session
            for session in ended.by_id.values()
            if _end_of(session) >= self.reported_from and session.session_id not in self.reported
        ]
        return sorted(new, key=_end_of)

    def after(self, fresh: Iterable[ParsedSession], began: datetime) -> Cursor:
        """
        Move on over sessions that were reported now; those that the list shows late are still waited for.

        :param fresh: sessions.
        :param began: when reading the list began, aware: what ended while it was read may be before that place.
        """
        reported = {**self.reported, **{session.session_id: _end_of(session) for session in fresh}}
        reported_from = max([self.reported_from, *(min(end, began) - OVERLAP for end in reported.values())])
        return Cursor(reported_from, {name: end for name, end in reported.items() if end >= reported_from})

    def to_dict(self) -> dict[str, JsonValue]:
        """Give the cursor as JSON."""
        reported = {session_id: write_time(end) for session_id, end in self.reported.items()}
        return {"reported_from": write_time(self.reported_from), "reported": cast("JsonValue", reported)}

    @classmethod
    def from_dict(cls, stored: object) -> Cursor | None:
        """Read what ``to_dict`` gave; None for anything else."""
        if not isinstance(stored, dict) or (reported_from := read_time(stored.get("reported_from"))) is None:
            return None
        reported = stored.get("reported")
        ends = {str(name): read_time(end) for name, end in reported.items()} if isinstance(reported, dict) else {}
        return cls(reported_from, {session_id: end for session_id, end in ends.items() if end is not None})


def _end_of(session: ParsedSession) -> datetime:
    """Give the end of a session in ``EndedSessions``, which all have one."""
    return cast("datetime", session.end)
