# SPDX-License-Identifier: Apache-2.0
"""The archives that the page shows, and their health, read at most once a minute."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from airflow.configuration import conf
from anyio import CapacityLimiter, Lock, fail_after, to_thread

from lessonspace_provider.archive.fetching import reason_of
from lessonspace_provider.archive.health.figures import Health
from lessonspace_provider.archive.health.store import read_health
from lessonspace_provider.archive.paths import as_archive
from lessonspace_provider.exceptions import LessonspaceError

#: The option of Airflow's configuration.
SECTION, OPTION = "lessonspace", "archives"

#: Seconds for which a health is kept, and after which a page reports that its store does not answer.
KEPT_FOR, PATIENCE = 60.0, 10.0

#: Threads that may wait for stores: those of Airflow's other pages are never used.
THREADS = 4


class Archive(NamedTuple):
    """
    An archive of the configuration.

    :param place: its folder; blank for an entry that was refused.
    :param problem: why it was refused.
    """

    place: str
    problem: str | None = None


def configured_archives() -> list[Archive]:
    """Read the archives of the configuration, in its order, each once."""
    entries = conf.get(SECTION, OPTION, fallback="").replace("\n", ",").split(",")
    return list(dict.fromkeys(_archive(entry.strip()) for entry in entries if entry.strip()))


def _archive(entry: str) -> Archive:
    try:
        return Archive(str(as_archive(entry)))
    except LessonspaceError as error:
        return Archive("", str(error))
    except Exception as error:  # whatever a store's library raises
        return Archive("", reason_of(error))


class _Kept(NamedTuple):
    until: float
    health: Health | None
    problem: str


class HealthCache:
    """
    Keeps the health of archives for a minute, also that one could not be read.

    :param read: reads it from its store.
    :param clock: gives seconds.
    """

    def __init__(
        self, read: Callable[[str], Health] = read_health, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._read = read
        self._clock = clock
        self._kept: dict[str, _Kept] = {}
        self._locks: dict[str, Lock] = {}
        self._limiter: CapacityLimiter | None = None

    async def get(self, place: str) -> Health:
        """
        Give an archive's health.

        :param place: its folder, one of the configuration's.
        :raises LessonspaceError: when it can't be read; the text is fit for a page.
        """
        try:
            with fail_after(PATIENCE):
                async with self._locks.setdefault(place, Lock()):
                    kept = self._kept.get(place)
                    if kept is None or kept.until <= self._clock():
                        kept = self._kept[place] = await self._fresh(place)
        except TimeoutError:
            raise LessonspaceError(f"The store of {place} has not answered for {PATIENCE:g} s. Try later.") from None
        if kept.health is None:
            raise LessonspaceError(kept.problem)
        return kept.health

    async def _fresh(self, place: str) -> _Kept:
        self._limiter = self._limiter or CapacityLimiter(THREADS)
        health, problem = await to_thread.run_sync(self._tried, place, abandon_on_cancel=True, limiter=self._limiter)
        return _Kept(self._clock() + KEPT_FOR, health, problem)

    def _tried(self, place: str) -> tuple[Health | None, str]:
        try:
            return self._read(place), ""
        except Exception as error:  # whatever a store's client raises
            return None, reason_of(error)


def chosen(archives: Sequence[Archive], place: str | None) -> Archive | None:
    """
    Choose the archive that a page shows.

    :param place: what was asked for; None: the first.
    :return: None when the configuration does not have it.
    """
    usable = [archive for archive in archives if archive.place]
    if place is None:
        return usable[0] if usable else None
    return next((archive for archive in usable if archive.place == place), None)
