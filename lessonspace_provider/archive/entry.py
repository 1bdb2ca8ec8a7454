# SPDX-License-Identifier: Apache-2.0
"""The entry of each session in a manifest of the archive: what became of its transcript. Pure."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal, TypedDict, cast, get_args

from lessonspace_provider.api.foreign_words import clean_message, clean_words
from lessonspace_provider.api.plain_json import MOST_DIGITS
from lessonspace_provider.api.times import read_time, write_time
from lessonspace_provider.archive.clock import Present
from lessonspace_provider.archive.paths import number_of, session_id_of, transcript_path
from lessonspace_provider.sessions import objects_in, participant_count, space_of
from lessonspace_provider.waiting.transcripts import (
    LONGEST_PAUSE,
    TranscriptStatus,
    next_check_at,
    should_give_up,
    transcript_obstacle,
)

if TYPE_CHECKING:
    from lessonspace_provider.api.types import Profile, Session

STATUSES: tuple[TranscriptStatus, ...] = get_args(TranscriptStatus)

#: How long a failed session is left to the retries of its own window's run before the runs of later windows retry it;
#: and how long these wait between two retries when ``give_up_after`` has passed.
RETRY_FAILED_AFTER, RETRY_OLD_AFTER = timedelta(hours=12), timedelta(days=7)

#: Characters of a foreign text that are kept in a manifest.
LONGEST_TEXT = 500


class ManifestFile(TypedDict):
    """A written file: ``path`` is relative to the destination, ``size`` in bytes."""

    format: str
    path: str
    size: int
    sha256: str


class _Entry(TypedDict):
    """What every entry of a manifest has."""

    session_id: str
    id: int | None
    space_id: str | None
    name: str | None
    start_time: str | None
    end_time: str | None
    participants: int
    roles: dict[str, str]
    path: str
    status: TranscriptStatus
    reason: str | None
    tries: int
    next_look: str | None
    pending_until: str | None
    segments: int | None
    redacted: bool
    files: list[ManifestFile]


class ManifestSession(_Entry, total=False):
    """
    What became of one session. Times are ISO 8601 in UTC.

    ``path`` is where the transcript's files are below the destination, without their extensions; empty when the
    session can't be filed. ``reason`` says why there is no transcript, or not all that was wanted; ``segments`` how
    many it has. ``tries`` says how often it was asked for, ``next_look`` from when on the runs of later windows check
    it again, and ``pending_until`` until when it is not given up. ``roles`` are those of the people in the session by
    their Lessonspace user id; ``redacted`` says whether the files have them in place of names. ``changed_by`` is the
    start of the window whose run has changed its status last, where that is a later one than its own.
    """

    changed_by: str


class Manifest(TypedDict):
    """The account of one window, ``window_start <= end_time < window_end``."""

    window_start: str
    window_end: str
    counts: dict[TranscriptStatus, int]
    sessions: list[ManifestSession]


def is_described(data: bytes, file: ManifestFile) -> bool:
    """Whether these are the bytes that the manifest describes."""
    return len(data) == file["size"] and hashlib.sha256(data).hexdigest() == file["sha256"]


def new_entry(session: Session, path: str = "") -> ManifestSession:
    """
    Begin the entry of a session that nothing is known of yet: pending, and never asked for.

    :param session: an ended session, as the API sends it, whatever its fields hold.
    :param path: see ``transcript_path``; empty while none can be made.
    """
    roles = {str(profile.get("user")): profile.get("role") for profile in objects_in(session.get("profiles"))}
    return {
        **_empty_entry(session_id_of(session)),
        "id": number_of(session),
        "space_id": _text(space_of(session).get("id")),
        "name": _text(session.get("name")),
        "start_time": _time_text(session.get("start_time")),
        "end_time": _time_text(session.get("end_time")),
        "participants": participant_count(session),
        "roles": {user: role for user, role in roles.items() if isinstance(role, str) and role},
        "path": path,
    }


def _empty_entry(session_id: str) -> ManifestSession:
    return ManifestSession(
        session_id=session_id,
        id=None,
        space_id=None,
        name=None,
        start_time=None,
        end_time=None,
        participants=0,
        roles={},
        path="",
        status="pending",
        reason=None,
        tries=0,
        next_look=None,
        pending_until=None,
        segments=None,
        redacted=False,
        files=[],
    )


def profiles_of(entry: ManifestSession) -> list[Profile]:
    """Give back what an entry keeps of the people in its session: user ids and roles."""
    users = {user: role for user, role in entry["roles"].items() if user.isdecimal() and len(user) <= MOST_DIGITS}
    return [{"user": int(user), "role": role} for user, role in users.items()]


def entry_of(session: Session, before: ManifestSession | None, template: str) -> ManifestSession:
    """
    Begin a session's entry, or continue the one that an earlier run has left.

    What was archived stays so, where it is and whatever has become of the session since: its name, the people in it,
    its recording, or the template.

    :param session: an ended session.
    :param before: the session's entry so far.
    :param template: see ``transcript_path``; for what has no path yet.
    :raises LessonspaceServerError: when the session can't be read.
    """
    if before is not None and before["files"]:
        return reopened(before)
    entry = new_entry(session, (before and before["path"]) or transcript_path(session, template))
    if obstacle := transcript_obstacle(session):
        return settled(entry, "not_eligible", reason=obstacle)
    if before is None:
        return entry
    return before if before["status"] == "pending" else {**entry, "tries": before["tries"]}


def reopened(entry: ManifestSession) -> ManifestSession:
    """Choose what is to be done about an entry of a window that is run again: what is not settled well, once more."""
    if entry["files"]:
        return entry if entry["status"] == "archived" else {**entry, "status": "archived", "reason": None}
    if entry["status"] in ("failed", "given_up", "not_attempted") and entry["path"]:
        return {**entry, "status": "pending", "reason": None, "next_look": None, "pending_until": None}
    return entry


def unreadable(session: Session, before: ManifestSession | None, reason: str) -> ManifestSession:
    """
    Write down that a session can't be filed: it failed, and only its window's run tries again.

    :param session: whatever the list has in a session's place.
    :param before: the session's entry so far.
    """
    if before is not None:
        return settled(before, "failed", reason=reason)
    try:
        entry = new_entry(session)
    except Exception:  # a shape that nobody thought of
        entry = _empty_entry(session_id_of(session))
    return settled(entry, "failed", reason=reason)


def not_attempted(entry: ManifestSession, *, next_look: datetime | None) -> ManifestSession:
    """
    Write down, before a session's transcript is asked for, what is true of it if the run ends here.

    :param entry: left as it is, unless it is pending.
    :param next_look: from when on the runs of other windows try it, aware; None: from now on.
    """
    if entry["status"] != "pending":
        return entry
    look = None if next_look is None else write_time(next_look)
    return {**entry, "status": "not_attempted", "reason": "the run ended before it tried", "next_look": look}


def failed(entry: ManifestSession, reason: str, *, now: datetime, give_up_after: timedelta) -> ManifestSession:
    """
    Write down that a session failed: the runs of later windows retry it, and an error never gives it up.

    :param entry: what was known of the session before.
    :param now: aware.
    :param give_up_after: how long after the session's end a transcript is waited for.
    """
    ended_at = read_time(entry["end_time"]) or now
    is_over = should_give_up(ended_at, now, give_up_after)
    return {
        **settled(entry, "failed", reason=reason),
        "tries": entry["tries"] + 1,
        "next_look": write_time(now + (RETRY_OLD_AFTER if is_over else RETRY_FAILED_AFTER)),
        "pending_until": write_time(ended_at + give_up_after),
    }


def settled(
    entry: ManifestSession, status: Literal["archived", "not_eligible", "given_up", "failed"], *, reason: str | None
) -> ManifestSession:
    """Write down what became of a session for good; what is known of its files stays."""
    return {**entry, "status": status, "reason": reason, "next_look": None, "pending_until": None}


def archived(
    entry: ManifestSession, files: Iterable[ManifestFile], *, segments: int, redacted: bool
) -> ManifestSession:
    """Write down that a transcript was written; see ``ManifestSession``."""
    reason = None if segments else "the transcript is empty: nothing was said, or it was never made"
    done = settled(entry, "archived", reason=reason)
    return {**done, "segments": segments, "redacted": redacted, "files": list(files)}


def kept(entry: ManifestSession, files: Sequence[ManifestFile], wanted: Iterable[str]) -> ManifestSession:
    """
    Write down that not all wanted files of an archived transcript could be written: the API does not have it any more.

    :param files: those that are there and whole.
    :param wanted: the formats.
    """
    missing = sorted(set(wanted) - {file["format"] for file in files})
    lacks = f"no file in {', '.join(missing)}" if missing else "names and roles of its files stay as they are"
    reason = f"the API does not have the transcript any more: {lacks}"
    return {**settled(entry, "archived", reason=reason), "files": list(files)}


def missing(
    entry: ManifestSession, *, present: Present, give_up_after: timedelta, reason: str = "no transcript yet"
) -> ManifestSession:
    """
    Write down that a transcript was asked for and is not there.

    :param entry: what was known of the session before; the files that it names are gone.
    :param give_up_after: how long after the session's end a transcript is waited for.
    :param reason: of one that is pending.
    :return: pending, or given up when that time has passed.
    """
    over = f"no transcript {give_up_after} after the session's end"
    if entry["files"]:
        paths = ", ".join(file["path"] for file in entry["files"])
        over = reason = f"archived once, but {paths} are gone or damaged, and the API has no transcript any more"
    tried: ManifestSession = {**entry, "tries": entry["tries"] + 1, "segments": None, "files": []}
    if may_give_up(tried, present=present, give_up_after=give_up_after):
        return settled(tried, "given_up", reason=over)
    ended_at = read_time(entry["end_time"]) or present.now
    check = next_check_at(entry["session_id"], ended_at, present.now, give_up_after, checks=tried["tries"])
    return {
        **tried,
        "status": "pending",
        "reason": reason,
        "next_look": write_time(check),
        "pending_until": write_time(ended_at + give_up_after),
    }


def may_give_up(entry: ManifestSession, *, present: Present, give_up_after: timedelta) -> bool:
    """
    Whether a transcript that is not there is waited for no longer.

    :param entry: with the check that was just made among its ``tries``.
    """
    ended_at = read_time(entry["end_time"]) or present.now
    return should_give_up(
        ended_at, present.now, give_up_after, is_confirmed=present.is_confirmed, checks=entry["tries"]
    )


def is_open(entry: ManifestSession) -> bool:
    """Whether the runs of later windows have something to do about a session, now or later."""
    return bool(entry["path"]) and entry["status"] in ("pending", "not_attempted", "failed")


def is_due(entry: ManifestSession, now: datetime) -> bool:
    """Whether a session may be checked again, which is open."""
    if not is_open(entry):
        return False
    next_look = read_time(entry["next_look"])
    # One further ahead was written by a clock that was wrong.
    longest = LONGEST_PAUSE if entry["status"] == "pending" else RETRY_OLD_AFTER
    return next_look is None or not now < next_look <= now + longest


def _time_text(value: object) -> str | None:
    """Write a time in UTC; one that can't be read stays as it is, for whoever has to find out why."""
    moment = read_time(value)
    return write_time(moment) if moment else _text(value)


def _text(value: object) -> str | None:
    return None if value is None else str(value)[:LONGEST_TEXT]


def is_new_status(entry: ManifestSession, known: Mapping[str, ManifestSession]) -> bool:
    """Whether a session's status is another than the one that the manifest had, or the first."""
    before = known.get(entry["session_id"])
    return before is None or before["status"] != entry["status"]


def signed(entry: ManifestSession, known: Mapping[str, ManifestSession], by: str | None) -> ManifestSession:
    """
    Write down which later window's run has changed a session's status, so that a retry of that run reports it, too.

    :param entry: what became of it.
    :param known: what the manifest had of its sessions before.
    :param by: the start of that later window, ISO 8601 in UTC; None when it was the run of the session's own.
    """
    if not is_new_status(entry, known):
        by = known[entry["session_id"]].get("changed_by")
    unsigned = cast("ManifestSession", {field: value for field, value in entry.items() if field != "changed_by"})
    return unsigned if by is None else {**unsigned, "changed_by": by}


def count(sessions: Iterable[ManifestSession]) -> dict[TranscriptStatus, int]:
    """Count the sessions of each status."""
    occurred = Counter(entry["status"] for entry in sessions)
    # What erased it adds its number: manifests of archives without an erasure keep their six counts.
    return {status: occurred[status] for status in STATUSES if status != "erased" or occurred[status]}


def progress(done: Collection[ManifestSession], total: int, seconds: float) -> str:
    """
    Write a line of the log on how far an archive is.

    :param done: what is settled so far.
    :param total: how many will be.
    :param seconds: since the first of them was begun.
    """
    counts, rate = count(done), len(done) / seconds
    left = f"about {(total - len(done)) / rate:.0f} s left" if rate else "time left not known yet"
    return (
        f"{len(done)} of {total} sessions done: {counts['pending']} pending, {counts['failed']} failed; "
        f"{rate:.1f} a second, {left}"
    )


def outcome(entry: ManifestSession) -> str:
    """Write a line of the log on what became of a session."""
    is_full = entry["status"] == "archived" and not entry["reason"]
    detail = f"{entry['segments']} segments" if is_full else clean_message(entry["reason"])
    return f"{clean_words(entry['session_id'])} {clean_words(entry['end_time'], longest=80)}: {detail}"
