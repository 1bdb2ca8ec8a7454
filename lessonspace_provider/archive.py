# SPDX-License-Identifier: Apache-2.0
"""The archive's layout and its manifest: every session of a window, and what became of its transcript. Pure."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Literal, TypedDict

from lessonspace_provider.exceptions import LessonspaceServerError
from lessonspace_provider.sessions import end_time, participant_count, start_time
from lessonspace_provider.times import write_time

if TYPE_CHECKING:
    from lessonspace_provider.api_types import Session

Status = Literal["archived", "not_eligible", "pending", "given_up", "failed"]
STATUSES: tuple[Status, ...] = ("archived", "not_eligible", "pending", "given_up", "failed")


class ManifestFile(TypedDict):
    """A written file: ``path`` is relative to the destination, ``size`` in bytes."""

    format: str
    path: str
    size: int
    sha256: str


class ManifestSession(TypedDict):
    """
    What became of one session.

    ``reason`` says why there is no transcript; ``pending_until`` when waiting for it will end; ``segments`` how many
    the transcript has. Times are ISO 8601 in UTC.
    """

    session_id: str
    name: str | None
    start_time: str | None
    end_time: str
    participants: int
    status: Status
    reason: str | None
    pending_until: str | None
    segments: int | None
    files: list[ManifestFile]


class Manifest(TypedDict):
    """The account of one window, ``window_start <= end_time < window_end``."""

    window_start: str
    window_end: str
    counts: dict[Status, int]
    sessions: list[ManifestSession]


def transcript_path(session: Session, format_name: str) -> str:
    """
    Say where a transcript lies.

    :return: path relative to the destination: the UTC day of the session's end, then the session's uuid.
    """
    return f"{_ended(session):%Y/%m/%d}/{session['uuid']}.{format_name}"


def manifest_path(window_start: datetime, window_end: datetime) -> str:
    """
    Say where a window's manifest lies.

    :param window_start: aware.
    :param window_end: aware.
    :return: path relative to the destination, without colons, which some stores and systems refuse.
    """
    bounds = (write_time(bound).replace(":", "").replace("-", "") for bound in (window_start, window_end))
    return f"manifests/{'_'.join(bounds)}.json"


def describe_file(format_name: str, path: str, data: bytes) -> ManifestFile:
    """Describe a file as the manifest keeps it, so that anybody can verify it."""
    return ManifestFile(format=format_name, path=path, size=len(data), sha256=hashlib.sha256(data).hexdigest())


def manifest_session(
    session: Session,
    status: Status,
    *,
    reason: str | None = None,
    pending_until: datetime | None = None,
    segments: int | None = None,
    files: Iterable[ManifestFile] = (),
) -> ManifestSession:
    """Write down what became of a session; see ``ManifestSession``."""
    start = start_time(session)
    return ManifestSession(
        session_id=session["uuid"],
        name=session.get("name"),
        start_time=write_time(start) if start else None,
        end_time=write_time(_ended(session)),
        participants=participant_count(session),
        status=status,
        reason=reason,
        pending_until=write_time(pending_until) if pending_until else None,
        segments=segments,
        files=list(files),
    )


def manifest(window_start: datetime, window_end: datetime, sessions: Iterable[ManifestSession]) -> Manifest:
    """
    Write the account of a window.

    :param sessions: in any order; they are kept in the order of their ends.
    :return: the manifest, every status counted, also those that did not occur.
    """
    ordered = sorted(sessions, key=lambda entry: (entry["end_time"], entry["session_id"]))
    occurred = Counter(entry["status"] for entry in ordered)
    return Manifest(
        window_start=write_time(window_start),
        window_end=write_time(window_end),
        counts={status: occurred[status] for status in STATUSES},
        sessions=ordered,
    )


def _ended(session: Session) -> datetime:
    end = end_time(session)
    if end is None:
        raise LessonspaceServerError(f"Session {session.get('uuid')} still runs, so it belongs to no window.")
    return end
