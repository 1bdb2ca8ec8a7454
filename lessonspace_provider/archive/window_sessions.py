# SPDX-License-Identifier: Apache-2.0
"""Lists the sessions of a window from the API."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

from lessonspace_provider.api.log import Log
from lessonspace_provider.archive.windows import LOOK_BACK, Window
from lessonspace_provider.waiting.cursor import OVERLAP

if TYPE_CHECKING:
    from lessonspace_provider.api.types import FilterValue, Session
    from lessonspace_provider.hooks.lessonspace import LessonspaceHook

#: How much wider the listed range is than the window: the reference does not describe whether its bounds belong to the
#: range, nor how exact its times are.
WINDOW_MARGIN = timedelta(seconds=1)


class WindowSessions:
    """
    Lists the sessions that ended in a window.

    :param hook: lists them.
    :param space_id: list this space's sessions only; None for all.
    :param filters: further filters of the list.
    :param log: for the space and its organisation.

    ``incomplete`` has the reasons why sessions may be missing, once they were listed.
    """

    def __init__(
        self, hook: LessonspaceHook, space_id: str | None, filters: Mapping[str, FilterValue | None], log: Log
    ) -> None:
        self._hook = hook
        self._space_id = space_id
        self._filters = filters
        self._log = log
        self.incomplete: list[str] = []

    def of(self, window: Window) -> Iterator[Session]:
        """List the sessions of the window and of the time before, some of them twice."""
        began = datetime.now(timezone.utc)
        yield from self._listed(Window(window.start - LOOK_BACK, window.end))
        if began - window.end < OVERLAP:
            # A session that ended lately is listed again: the list is ordered by start, and a long session that has
            # just ended is far down.
            yield from self._listed(Window(max(window.start, began), window.end))

    def _listed(self, window: Window) -> Iterator[Session]:
        bounds: dict[str, FilterValue | None] = {
            **self._filters,
            "end_time_after": window.start - OVERLAP,
            "end_time_before": window.end + WINDOW_MARGIN,
        }
        if self._space_id is None:
            listing = self._hook.list_sessions(**bounds)
        else:
            # Read here, or each of the threads that fetch would read the organisation's id itself.
            self._log.info("Space %s of organisation %s", self._space_id, self._hook.organisation_id)
            listing = self._hook.list_space_sessions(self._space_id, **bounds)
        yield from listing
        yield from listing.left_out  # without a uuid there is no transcript: accounted for as failed
        if listing.incomplete:
            self.incomplete.append(listing.incomplete)
