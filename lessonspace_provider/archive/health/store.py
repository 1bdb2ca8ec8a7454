# SPDX-License-Identifier: Apache-2.0
"""Reads and writes an archive's health.json and health.html."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from lessonspace_provider.api.log import Log
from lessonspace_provider.api.times import write_time
from lessonspace_provider.archive.erasure.tombstones import ERASURES
from lessonspace_provider.archive.fetching import reason_of
from lessonspace_provider.archive.health.figures import (
    Health,
    Item,
    Night,
    Run,
    Schedule,
    assembled,
    figures_of,
    night_of,
)
from lessonspace_provider.archive.health.page import health_page
from lessonspace_provider.archive.manifest import Manifest
from lessonspace_provider.archive.manifest_store import ManifestStore
from lessonspace_provider.archive.paths import as_archive
from lessonspace_provider.archive.windows import Window, windows_of
from lessonspace_provider.bulk.threads import WORKERS
from lessonspace_provider.exceptions import LessonspaceError, LessonspaceInputError
from lessonspace_provider.output.files import names_in, read_whole, write_whole
from lessonspace_provider.output.updates import update_whole

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath

#: The files' names below the destination.
HEALTH, HEALTH_PAGE = "health.json", "health.html"

_RECEIPT = re.compile(r"(\d{8}T\d{6}[\w.-]*)\.json", re.ASCII)


def read_health(destination: str | ObjectStoragePath) -> Health:
    """
    Read an archive's health as of its last run.

    :param destination: the archive's folder.
    :raises LessonspaceInputError: for a wrong destination.
    :raises LessonspaceDestinationError: if the destination can't be read.
    :raises LessonspaceError: if there is no health.json, or it can't be used.
    """
    folder = as_archive(destination)
    path = folder / HEALTH
    data = read_whole(path)
    if data is None:
        raise LessonspaceError(f"There is no {path}: the next run of the archive writes it.")
    try:
        return Health.from_json(data)
    except ValueError as error:
        reason = str(error)
    raise LessonspaceError(f"{path} can't be read, since {reason}. The next run of the archive writes it again.")


def rebuild_health(destination: str | ObjectStoragePath, *, session_names: bool = False) -> Health:
    """
    Compute an archive's health from all its manifests, without writing.

    :param destination: the archive's folder.
    :param session_names: include the names of open sessions, which may be names of people.
    :raises LessonspaceInputError: for a wrong destination.
    :raises LessonspaceDestinationError: if the destination can't be read.
    """
    folder = as_archive(destination)
    before = replace(_stored(read_whole(folder / HEALTH)), nights=())  # so that all manifests are read
    return _computed(folder, datetime.now(timezone.utc), before, session_names=session_names)


def update_health(
    destination: ObjectStoragePath,
    *,
    run: Run | None = None,
    schedule: Schedule | None = None,
    now: datetime | None = None,
) -> Health:
    """
    Bring the files up to date with the manifests; only nights whose manifests were written since are read.

    :param destination: the archive's folder.
    :param run: one that has just ended.
    :param schedule: see ``Schedule``; None keeps the one that is known.
    :param now: aware; None: the present.
    :raises LessonspaceDestinationError: when the store refuses.
    """
    present = now or datetime.now(timezone.utc)
    health = Health(write_time(present))

    def updated(data: bytes | None) -> bytes:
        nonlocal health
        health = _computed(destination, present, _stored(data), run=run, schedule=schedule)
        return health.to_json()

    update_whole(destination / HEALTH, updated)
    write_whole(destination / HEALTH_PAGE, health_page(health, place=str(destination)).encode())
    return health


def refresh_health(destination: ObjectStoragePath) -> None:
    """
    Bring the files up to date with the manifests, where an archive has them.

    :param destination: the archive's folder.
    :raises LessonspaceDestinationError: when the store refuses.
    """
    if read_whole(destination / HEALTH) is not None:
        update_health(destination)


@dataclass
class RunReport:
    """
    What a run reports of itself.

    :param given_up: how many sessions it gave up.
    """

    given_up: int = 0


@contextmanager
def recording_run(
    destination: ObjectStoragePath, window: Window, schedule: Schedule | None, log: Log
) -> Iterator[RunReport]:
    """
    Bring an archive's health up to date when a run has ended, also when it failed; that never fails the run.

    :param window: the run's own.
    :param schedule: see ``Schedule``.
    :return: to be filled in by the run.
    """
    report = RunReport()

    def record(*, has_failed: bool) -> None:
        now = datetime.now(timezone.utc).replace(microsecond=0)
        start, end = map(write_time, window)
        run = Run(write_time(now), start, end, has_failed, report.given_up)
        try:
            update_health(destination, run=run, schedule=schedule, now=now)
        except Exception as error:  # whatever a store's client raises
            log.warning(
                "%s was not updated. The archive is not affected, and the next run tries again: %s",
                HEALTH,
                reason_of(error),
            )

    try:
        yield report
    except LessonspaceInputError:  # nothing was done
        raise
    except Exception:  # not what ends the process
        record(has_failed=True)
        raise
    record(has_failed=False)


def _stored(data: bytes | None) -> Health:
    """Read a health.json; one that is not there, or can't be used, is empty."""
    try:
        return Health.from_json(data or b"")
    except ValueError:
        return Health(updated_at="")


def _computed(
    destination: ObjectStoragePath,
    now: datetime,
    before: Health,
    *,
    run: Run | None = None,
    schedule: Schedule | None = None,
    session_names: bool = False,
) -> Health:
    manifests = ManifestStore(destination, dry_run=True)
    listed = manifests.listed()
    windows, known = windows_of(listed), {night.night: night for night in before.nights}
    nights: list[Night] = []
    items: list[Item] = []
    changed: dict[str, tuple[list[str], str | None]] = {}
    for night, names in _by_night(windows).items():
        mark = _mark({name: listed[name] for name in names})
        if mark is not None and (same := known.get(night)) and same.mark == mark:
            nights.append(same)
            items += [item for item in before.items if item.night == night]
        else:
            changed[night] = names, mark

    def read(night: str) -> tuple[Night, list[Item]]:
        names, mark = changed[night]
        return figures_of(night, [_readable(manifests, name) for name in names], mark, session_names=session_names)

    with ThreadPoolExecutor(WORKERS, thread_name_prefix="lessonspace-health") as pool:
        for figures, named in pool.map(read, changed):
            nights.append(figures)
            items += named
    receipts = [found[1] for name in names_in(destination / ERASURES) if (found := _RECEIPT.fullmatch(name))]
    return assembled(
        now,
        list(windows.values()),
        nights,
        items,
        erasures=receipts,
        runs=[*before.runs, *([run] if run else ())],
        schedule=schedule or before.schedule,
    )


def _by_night(windows: Mapping[str, Window]) -> dict[str, list[str]]:
    nights: dict[str, list[str]] = {}
    for name, window in windows.items():
        nights.setdefault(night_of(window), []).append(name)
    return nights


def _mark(fingerprints: Mapping[str, str | None]) -> str | None:
    """Make one short mark of the fingerprints of a night's manifests; None where the store has none for one."""
    if None in fingerprints.values():
        return None
    lines = "\n".join(f"{name} {mark}" for name, mark in sorted(fingerprints.items()))
    return hashlib.sha256(lines.encode()).hexdigest()[:16]


def _readable(manifests: ManifestStore, name: str) -> Manifest | None:
    """Read a manifest; None for one that can't be used or was removed meanwhile: its night's figures show that."""
    try:
        return manifests.read(name)
    except LessonspaceError as error:
        if isinstance(error, OSError):  # the store, not the manifest
            raise
        return None
