# SPDX-License-Identifier: Apache-2.0
"""All that a running sandbox is, in one place.

Both servers run on one event loop in one thread, and nothing here awaits: so nothing needs a lock.
"""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime, timezone

from lessonspace_provider.sandbox.calls import CallLog
from lessonspace_provider.sandbox.clock import Clock
from lessonspace_provider.sandbox.codec import adapter
from lessonspace_provider.sandbox.entities import Session
from lessonspace_provider.sandbox.faults import Faults
from lessonspace_provider.sandbox.links import LinkSigner
from lessonspace_provider.sandbox.messages import RecordedLaunch
from lessonspace_provider.sandbox.rate import RateWindow
from lessonspace_provider.sandbox.school import make_world
from lessonspace_provider.sandbox.settings import ORGANISATION_ID, SandboxSettings

FIXED = ("host", "port", "store_port", "api_key", "log_file", "allow_remote")
"""Settings a reset cannot change."""

SELECTIONS_KEPT = 200
"""After so many different queries their results are forgotten, not to fill the memory."""


class State:
    """A sandbox's world, clock, limits, faults and records.

    :param settings: what it starts with, and returns to at a plain reset.
    :param root_url: where its API server is, without ``/v2``.
    :param store_port: port of its store.
    """

    def __init__(self, settings: SandboxSettings, root_url: str, store_port: int) -> None:
        self.root_url = root_url
        self.store_port = store_port
        self.api_key = settings.key
        self._initial = settings
        self.reset({})

    def reset(self, changes: dict[str, object]) -> None:
        """Start again from the initial settings, with some of them changed.

        :param changes: setting -> value, as JSON holds it.
        :raises ValueError: for a setting that does not exist, cannot change, or makes no sense.
        """
        for name in changes:
            if name in FIXED or name not in SandboxSettings.__dataclass_fields__:
                raise ValueError(f"{name!r} is no setting that a reset can change")
        settings = adapter(SandboxSettings).validate_python({**asdict(self._initial), **changes})
        now = (settings.now or datetime.now(timezone.utc)).astimezone(timezone.utc)
        self.settings = settings
        self.clock = Clock(now, settings.speed)
        self.world = make_world(settings.seed, ORGANISATION_ID, now, settings.days, settings.sessions_per_day)
        self.signer = LinkSigner(settings.seed, settings.link_lifetime)
        self.rate = RateWindow(settings.rate)
        self.faults = Faults()
        self.calls = CallLog()
        self.launches: list[RecordedLaunch] = []
        self._rendered: dict[tuple[str, str], bytes] = {}
        self._selected: dict[tuple[str, ...], list[Session]] = {}
        self._cached_version = self.world.version
        self._deletions: list[tuple[int, str]] = []

    def delete_session(self, session_id: str, after_page: int | None) -> None:
        """Delete a session now, or once a list's page has been served.

        :raises KeyError: when there is no such session.
        """
        session = self.world.sessions[session_id]
        if after_page is None:
            self.world.delete_session(session)
        else:
            self._deletions.append((after_page, session_id))

    def delete_after_page(self, number: int) -> None:
        """Delete the sessions that were to go once this page of a session list has been served."""
        due = [session_id for page, session_id in self._deletions if page == number]
        self._deletions = [deletion for deletion in self._deletions if deletion[0] != number]
        for session_id in due:
            if session_id in self.world.sessions:
                self.world.delete_session(self.world.sessions[session_id])

    def advance(self) -> datetime:
        """Apply what was due, and return the sandbox's present time."""
        now = self.clock.now()
        self.world.advance(now)
        return now

    @property
    def rendered(self) -> dict[tuple[str, str], bytes]:
        """What was rendered to JSON since the world last changed, by form and uuid."""
        self._drop_stale()
        return self._rendered

    @property
    def selected(self) -> dict[tuple[str, ...], list[Session]]:
        """Which sessions filters let through since the world last changed, by path and query."""
        self._drop_stale()
        return self._selected

    def _drop_stale(self) -> None:
        if self._cached_version != self.world.version:
            self._cached_version = self.world.version
            self._rendered.clear()
            self._selected.clear()
        if len(self._selected) > SELECTIONS_KEPT:
            self._selected.clear()
