# SPDX-License-Identifier: Apache-2.0
"""Decides in which manifest each listed session is accounted for, so that each is in exactly one. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from lessonspace_provider.archive.manifest import Manifest
from lessonspace_provider.archive.paths import session_id_of
from lessonspace_provider.archive.windows import LOOK_BACK, Window
from lessonspace_provider.sessions import end_time, known_start

if TYPE_CHECKING:
    from lessonspace_provider.api.types import Session

#: How far beyond the time that is asked for a list may reach: whether its bounds are included is not documented.
TOLERANCE = timedelta(hours=1)

#: How long before and after a window its sessions may have been filed, before their ends were corrected: no longer ago
#: than the first, however long a session claims to have lasted.
LONGEST_SEARCH, SEARCH_AHEAD = timedelta(days=31), timedelta(days=7)


@dataclass
class Filed:
    """
    Where listed sessions are accounted for.

    :param own: those of the run's own window.
    :param elsewhere: those that another manifest has or is to have, and that are to be fetched there, by its name.
    :param outside: how many ended shortly before the window, at a time that no manifest accounts for.
    :param running: how many have no end yet.
    :param contradictory: ids of those that the list should not have by their ends, and that no manifest has.
    """

    own: list[Session] = field(default_factory=list)
    elsewhere: dict[str, list[Session]] = field(default_factory=dict)
    outside: int = 0
    running: int = 0
    contradictory: list[str] = field(default_factory=list)


def search_window(sessions: Iterable[Session], window: Window) -> Window:
    """Choose the time whose manifests may have sessions of a window already: ends are corrected."""
    starts = (known_start(session) for session in sessions if isinstance(session, dict))
    earliest = min((start for start in starts if start is not None), default=window.start)
    start = max(min(window.start - LOOK_BACK, earliest), window.start - LONGEST_SEARCH)
    return Window(start, window.end + SEARCH_AHEAD)


def file_sessions(
    sessions: Iterable[Session], window: Window, known: Collection[str], others: Mapping[str, Manifest]
) -> Filed:
    """
    Decide where sessions are accounted for.

    A session that a manifest has stays there, though its end was corrected since. A new one belongs to the window of
    its end, and one whose end can't be read to the run's own window.

    :param sessions: as the list has them; each counts once.
    :param window: the run's own.
    :param known: ids of the sessions in its manifest.
    :param others: other manifests by their names.
    """
    filed = Filed()
    homes = {session_id: name for name, other in others.items() for session_id in other.entries}
    for session_id, session in {session_id_of(session): session for session in sessions}.items():
        end, is_readable = _end(session)
        if session_id in known:
            if end is not None or not is_readable:
                filed.own.append(session)
        elif (home := homes.get(session_id)) is not None:
            if end is not None and (window.covers(end) or not others[home].entries[session_id].path):
                filed.elsewhere.setdefault(home, []).append(session)
        elif end is None and is_readable:
            filed.running += 1
        elif end is None or window.covers(end):
            filed.own.append(session)
        elif window.start - LOOK_BACK <= end < window.start:
            _file_earlier(session, end, others, filed)
        elif not window.start - LOOK_BACK - TOLERANCE <= end < window.end + TOLERANCE:
            filed.contradictory.append(session_id)
    return filed


def _file_earlier(session: Session, end: datetime, others: Mapping[str, Manifest], filed: Filed) -> None:
    home = next((name for name, other in others.items() if other.window.covers(end)), None)
    if home is None:
        filed.outside += 1
    else:
        filed.elsewhere.setdefault(home, []).append(session)


def _end(session: Session) -> tuple[datetime | None, bool]:
    """Read when a session ended, None while it runs; and whether that can be read."""
    try:
        return end_time(session), True
    except Exception:  # any other type of value
        return None, False
