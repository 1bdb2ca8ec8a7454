# SPDX-License-Identifier: Apache-2.0
"""The archive's layout and its manifests: every session of a window, and what became of its transcript. Pure."""

from __future__ import annotations

import hashlib
import re
import string
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal, TypedDict, TypeGuard, cast

from lessonspace_provider.destinations import is_below
from lessonspace_provider.exceptions import LessonspaceServerError
from lessonspace_provider.foreign_words import clean_message, clean_words
from lessonspace_provider.parameters import is_text, refuse
from lessonspace_provider.sessions import (
    end_time,
    ended_within,
    known_start,
    objects_in,
    participant_count,
    space_of,
    transcript_obstacle,
    wait_before_look,
)
from lessonspace_provider.times import read_time, write_time

if TYPE_CHECKING:
    from lessonspace_provider.api_types import Profile, Session

Status = Literal["archived", "not_eligible", "pending", "given_up", "failed"]
STATUSES: tuple[Status, ...] = ("archived", "not_eligible", "pending", "given_up", "failed")

#: Where a transcript lies below the destination unless the DAG says otherwise.
DEFAULT_PATH_TEMPLATE = "{end:%Y/%m/%d}/{session_id}"

#: What a path template may name. ``session_id`` has to be there, or two sessions could share a file.
PATH_FIELDS = ("session_id", "name", "space_id", "space_name", "start", "end")

#: How much of a session's name goes into a path, in bytes of UTF-8: a file's name may have 255 on most systems, and a
#: part of a path 230, so that there is room for what its files are called while they are written.
LONGEST_NAME, LONGEST_PART = 80, 230

#: How long a failed session is left to the retries of its own window's run before those of later windows take it up.
TAKEN_UP_AFTER = timedelta(hours=12)

_EXAMPLE: Session = {
    "uuid": "5b5f1a2c-3d4e-4f5a-8b9c-0d1e2f3a4b5c",
    "name": "n" * LONGEST_NAME,
    "space": {"id": "7d7f1a2c-3d4e-4f5a-8b9c-0d1e2f3a4b5c", "name": "n" * LONGEST_NAME},
    "end_time": "2026-01-01T00:00:00Z",
}
# {name:9999999999} takes all memory, and {end:{name}} lets whoever names a session write the style.
_COSTLY_STYLE = re.compile(r"\{|\d{4}")
_UNSAFE = re.compile(r"[^\w\-. ]+")


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
    status: Status
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

    ``path`` is where the transcript's files lie below the destination, without their extensions. ``reason`` says why
    there is none, or not all that was wanted; ``segments`` how many it has. Of a pending one, ``tries`` says how often
    it was looked for, ``next_look`` when it will be at the earliest, ``pending_until`` when that ends; of a failed one,
    when the runs of later windows take it up, unless it has failed for good. ``roles`` are those of the people in the
    session by their Lessonspace user id; ``redacted`` says whether the files have them in place of names.
    ``changed_by`` is the start of the window whose run has changed its status last, where that is a later one than its
    own.
    """

    changed_by: str


class Manifest(TypedDict):
    """The account of one window, ``window_start <= end_time < window_end``."""

    window_start: str
    window_end: str
    counts: dict[Status, int]
    sessions: list[ManifestSession]


def check_path_template(template: object) -> str:
    """
    Check a path template.

    :param template: such as ``{end:%Y/%m/%d}/{session_id}``; ``start`` and ``end`` are datetimes in UTC.
    :return: the template.
    :raises LessonspaceInputError: when it names something else than ``PATH_FIELDS``, lacks ``session_id`` or a
        part of it, converts a field as with ``!r``, or when no path can be made with it.
    """
    if not is_text(template) or "\0" in template or not _makes_paths(template):
        raise refuse(
            "path_template",
            template,
            f"a path with the whole {{session_id}} and any of {', '.join(PATH_FIELDS)} in braces, no other braces, no "
            f"conversion such as !r, no number of four digits inside of braces, no backslash, control character or "
            f"percent-encoding, and no part longer than {LONGEST_PART} bytes",
        )
    return template


def _makes_paths(template: str) -> bool:
    try:
        named = [field for field in string.Formatter().parse(template) if field[1] is not None]
        if not all(_is_known(*field[1:]) for field in named):
            return False
        path = transcript_path(_EXAMPLE, template)
    except (ValueError, LookupError):
        return False
    # Only a part of it, as with {session_id:.8}, could be that of another session, too.
    is_whole = any(field[1] == "session_id" for field in named) and _EXAMPLE["uuid"] in path
    return is_whole and is_below(path) and all(len(part.encode()) <= LONGEST_PART for part in path.split("/"))


def _is_known(name: str | None, style: str | None, conversion: str | None) -> bool:
    return name in PATH_FIELDS and conversion is None and not _COSTLY_STYLE.search(style or "")


def transcript_path(session: Session, template: str = DEFAULT_PATH_TEMPLATE) -> str:
    """
    Say where a transcript lies.

    :param session: an ended session.
    :param template: as ``check_path_template`` lets it pass.
    :return: path relative to the destination, without the formats' extensions. No name can lead out of it: what is
        unsafe in a name becomes ``_``.
    :raises LessonspaceServerError: when the session has no uuid, or no end that can be read.
    """
    session_id, space, end = session_id_of(session), space_of(session), end_time(session)
    if session_id != session.get("uuid"):
        raise LessonspaceServerError(f"A session has {session_id}: without one there is no transcript to ask for.")
    if end is None:
        raise LessonspaceServerError(f"Session {session_id} has no end_time, by which its transcript would be filed.")
    fields = {
        "session_id": _safe(session_id),
        "name": _safe(session.get("name")),
        "space_id": _safe(space.get("id")),
        "space_name": _safe(space.get("name")),
        "start": known_start(session) or end,
        "end": end,
    }
    parts = template.format(**fields).split("/")
    return "/".join(part for part in parts if part not in ("", ".", ".."))


def session_id_of(session: Session) -> str:
    """Name a session in a manifest: by its uuid, or by what else there is. Those without any id share one entry."""
    uuid = session.get("uuid")
    return uuid if isinstance(uuid, str) and uuid else f"no uuid, id {clean_words(session.get('id'), longest=40)}"


def _safe(value: object) -> str:
    text = _UNSAFE.sub("_", _text(value) or "").encode()[:LONGEST_NAME].decode(errors="ignore")
    return text.strip(" .") or "_"


def is_described(data: bytes, file: ManifestFile) -> bool:
    """Whether these are the bytes that the manifest describes."""
    return len(data) == file["size"] and hashlib.sha256(data).hexdigest() == file["sha256"]


def new_entry(session: Session, path: str = "") -> ManifestSession:
    """
    Begin the entry of a session that nothing is known of yet: pending, and never looked for.

    :param session: an ended session, as the API sends it, whatever its fields hold.
    :param path: see ``transcript_path``; empty while none can be made.
    """
    number = session.get("id")
    roles = {str(profile.get("user")): profile.get("role") for profile in objects_in(session.get("profiles"))}
    return ManifestSession(
        session_id=session_id_of(session),
        id=number if isinstance(number, int) else None,
        space_id=_text(space_of(session).get("id")),
        name=_text(session.get("name")),
        start_time=_time_text(session.get("start_time")),
        end_time=_time_text(session.get("end_time")),
        participants=participant_count(session),
        roles={user: role for user, role in roles.items() if isinstance(role, str) and role},
        path=path,
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
    return [{"user": int(user), "role": role} for user, role in entry["roles"].items() if user.isdecimal()]


def entry_of(session: Session, before: ManifestSession | None, template: str) -> ManifestSession:
    """
    Begin a session's entry, or go on with the one that an earlier run has left.

    What was archived stays so, where it lies and whatever has become of the session since: its name, the people in it,
    its recording, or the template.

    :param session: an ended session.
    :param before: the session's entry so far.
    :param template: see ``transcript_path``; for what has no path yet.
    :raises LessonspaceServerError: when the session can't be read.
    """
    if before is not None and before["files"]:
        return before if before["status"] == "archived" else {**before, "status": "archived", "reason": None}
    entry = new_entry(session, (before and before["path"]) or transcript_path(session, template))
    if obstacle := transcript_obstacle(session):
        return settled(entry, "not_eligible", reason=obstacle)
    if before is None:
        return entry
    return before if before["status"] == "pending" else {**entry, "tries": before["tries"]}


def begun(entry: ManifestSession, *, now: datetime, give_up_after: timedelta) -> ManifestSession:
    """Write down, before a session's transcript is asked for, what is true of it if the run ends here."""
    if entry["status"] != "pending":
        return entry
    reason = "the run has not come to it yet, or ended before it did"
    return failed(entry, reason, now=now, give_up_after=give_up_after)


def failed(entry: ManifestSession, reason: str, *, now: datetime, give_up_after: timedelta) -> ManifestSession:
    """
    Write down that a session failed, which the runs of later windows take up, until it would be given up.

    :param entry: what was known of the session before.
    :param now: aware.
    :param give_up_after: how long after the session's end a transcript is waited for.
    """
    until = (read_time(entry["end_time"]) or now) + give_up_after
    next_look = now + TAKEN_UP_AFTER
    if next_look >= until:
        return settled(entry, "failed", reason=reason)
    for_good = settled(entry, "failed", reason=reason)
    return {**for_good, "next_look": write_time(next_look), "pending_until": write_time(until)}


def settled(
    entry: ManifestSession, status: Literal["archived", "not_eligible", "failed"], *, reason: str | None = None
) -> ManifestSession:
    """Write down what became of a session for good; what is known of its files stays."""
    return {**entry, "status": status, "reason": reason, "next_look": None, "pending_until": None}


def archived(
    entry: ManifestSession, files: Iterable[ManifestFile], *, segments: int, redacted: bool
) -> ManifestSession:
    """Write down that a transcript was written; see ``ManifestSession``."""
    return {**settled(entry, "archived"), "segments": segments, "redacted": redacted, "files": list(files)}


def still_archived(entry: ManifestSession, files: Iterable[ManifestFile]) -> ManifestSession:
    """
    Write down that other files were wanted of an archived transcript, and the API does not have it any more.

    :param files: those that are there and whole.
    """
    reason = "the API does not have the transcript any more: these files are all there is"
    return {**settled(entry, "archived", reason=reason), "files": list(files)}


def _time_text(value: object) -> str | None:
    """Write a time in UTC; one that can't be read stays as it is, for whoever has to find out why."""
    moment = read_time(value)
    return write_time(moment) if moment else _text(value)


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def still_pending(failed: ManifestSession, *, now: datetime, give_up_after: timedelta) -> ManifestSession:
    """
    Write down that looking for a pending transcript failed: it is looked for again, and not given up for an error.

    :param failed: the entry with its error as the reason.
    :param now: aware.
    :param give_up_after: how long after the session's end a transcript is waited for.
    """
    return {
        **failed,
        "status": "pending",
        "reason": f"the last look failed: {failed['reason']}",
        "tries": failed["tries"] + 1,
        "next_look": None,
        "pending_until": write_time((read_time(failed["end_time"]) or now) + give_up_after),
    }


def not_there(entry: ManifestSession, *, now: datetime, give_up_after: timedelta) -> ManifestSession:
    """
    Write down that a transcript was asked for and is not there.

    :param entry: what was known of the session before.
    :param now: aware.
    :param give_up_after: how long after the session's end a transcript is waited for.
    :return: pending, or given up when that time has passed.
    """
    tries = entry["tries"] + 1
    until = (read_time(entry["end_time"]) or now) + give_up_after
    gone: ManifestSession = {**entry, "tries": tries, "segments": None, "files": []}
    if now >= until:
        reason = f"no transcript {give_up_after} after the session's end"
        return {**gone, "status": "given_up", "reason": reason, "next_look": None, "pending_until": None}
    wait = wait_before_look(tries)
    return {
        **gone,
        "status": "pending",
        "reason": "no transcript yet",
        "next_look": write_time(min(now + wait, until)),
        "pending_until": write_time(until),
    }


def is_due(entry: ManifestSession, now: datetime) -> bool:
    """Whether a session may be looked at again that is pending, or failed and not for good."""
    next_look = read_time(entry["next_look"])
    return entry["status"] == "pending" if next_look is None else next_look <= now


def manifest(window_start: datetime, window_end: datetime, sessions: Iterable[ManifestSession]) -> Manifest:
    """
    Write the account of a window.

    :param sessions: in any order; they are kept in the order of their ends.
    :return: the manifest, every status counted, also those that did not occur.
    """
    empty = Manifest(
        window_start=write_time(window_start), window_end=write_time(window_end), counts=count(()), sessions=[]
    )
    return updated(empty, sessions)


def updated(account: Manifest, sessions: Iterable[ManifestSession]) -> Manifest:
    """
    Bring a manifest up to date.

    :param account: the manifest so far.
    :param sessions: what became of some of its sessions, or of further ones; all others stay as they are.
    """
    entries = {**by_session(account), **{entry["session_id"]: entry for entry in sessions}}
    ordered = sorted(entries.values(), key=lambda entry: (entry["end_time"] or "", entry["session_id"]))
    return {**account, "counts": count(ordered), "sessions": ordered}


def changes(
    entries: Mapping[str, ManifestSession], seen: Mapping[str, ManifestSession], there: Mapping[str, ManifestSession]
) -> list[ManifestSession]:
    """
    Choose the entries that a run is to write into a manifest: all but those that another run has changed meanwhile.

    What this run itself has archived is written over those, too: its files are the ones that are there now.

    :param entries: what the run knows.
    :param seen: what the manifest had when the run last looked.
    :param there: what it has by now.
    """
    return [
        entry
        for session_id, entry in entries.items()
        if there.get(session_id) in (None, seen.get(session_id))
        or (entry["status"] == "archived" and entry != seen.get(session_id))
    ]


def is_new_status(entry: ManifestSession, known: Mapping[str, ManifestSession]) -> bool:
    """Whether a session's status is another than the one that the manifest had, or the first."""
    before = known.get(entry["session_id"])
    return before is None or before["status"] != entry["status"]


def signed(entry: ManifestSession, known: Mapping[str, ManifestSession], by: str | None) -> ManifestSession:
    """
    Write down which later window's run has changed a session's status, so that a retry of that run can tell it, too.

    :param entry: what became of it.
    :param known: what the manifest had of its sessions before.
    :param by: the start of that later window, ISO 8601 in UTC; None when it was the run of the session's own.
    """
    if not is_new_status(entry, known):
        return entry
    unsigned = cast("ManifestSession", {field: value for field, value in entry.items() if field != "changed_by"})
    return unsigned if by is None else {**unsigned, "changed_by": by}


def changed_by(account: Manifest, by: str) -> list[ManifestSession]:
    """Choose the sessions whose status was last changed by the run of a later window; see ``signed``."""
    return [entry for entry in account["sessions"] if entry.get("changed_by") == by]


def count(sessions: Iterable[ManifestSession]) -> dict[Status, int]:
    """Count the sessions of each status."""
    occurred = Counter(entry["status"] for entry in sessions)
    return {status: occurred[status] for status in STATUSES}


def progress(done: Collection[ManifestSession], total: int, seconds: float) -> str:
    """
    Say in a line of the log how far an archive is.

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
    """Say in a line of the log what became of a session."""
    is_archived, segments = entry["status"] == "archived", clean_words(entry["segments"])
    detail = f"{segments} segments" if is_archived else clean_message(entry["reason"])
    return f"{clean_words(entry['session_id'])} {clean_words(entry['end_time'], longest=80)}: {detail}"


def is_manifest(read: object) -> TypeGuard[Manifest]:
    """Whether what was read from a file has all that a manifest has, and may be gone on with."""
    if not isinstance(read, dict) or not read.keys() >= Manifest.__required_keys__:
        return False
    sessions = read["sessions"]
    return isinstance(sessions, list) and all(
        isinstance(entry, dict) and entry.keys() >= ManifestSession.__required_keys__ for entry in sessions
    )


def covers(account: Manifest, session: Session) -> bool:
    """Whether an ended session belongs to a manifest's window."""
    start, end = read_time(account["window_start"]), read_time(account["window_end"])
    return start is not None and end is not None and ended_within(session, start, end)


def by_session(account: Manifest | None) -> Mapping[str, ManifestSession]:
    """Give the entries of a manifest by their session's uuid; none for no manifest."""
    return {entry["session_id"]: entry for entry in account["sessions"]} if account else {}
