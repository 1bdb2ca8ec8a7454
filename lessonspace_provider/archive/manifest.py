# SPDX-License-Identifier: Apache-2.0
"""The manifest of a window: read as a foreign file, which it may have become, and brought up to date. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import cast

from lessonspace_provider.api.arguments import shown
from lessonspace_provider.api.plain_json import NUMBERS
from lessonspace_provider.api.times import read_time, write_time
from lessonspace_provider.archive.entry import STATUSES, Manifest, ManifestFile, ManifestSession, count
from lessonspace_provider.archive.paths import LARGEST_NUMBER
from lessonspace_provider.archive.windows import Window, window_of
from lessonspace_provider.output.destinations import is_below

_SESSION_ID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}|no uuid, (id )?[-0-9a-f]{1,20}")
_FORMAT, _SHA256 = re.compile("[a-z0-9]{1,16}"), re.compile("[0-9a-f]{64}")


def _is_text_or_none(value: object) -> bool:
    return value is None or isinstance(value, str)


def _is_time_or_none(value: object) -> bool:
    return value is None or (isinstance(value, str) and read_time(value) is not None)


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= LARGEST_NUMBER


def _is_roles(value: object) -> bool:
    return isinstance(value, dict) and all(isinstance(role, str) for role in value.values())


def _is_matched(pattern: re.Pattern[str]) -> Callable[[object], bool]:
    return lambda value: isinstance(value, str) and pattern.fullmatch(value) is not None


#: What each field of an entry may hold.
_FIELDS: Mapping[str, Callable[[object], bool]] = {
    "session_id": _is_matched(_SESSION_ID),
    "id": lambda value: value is None or (isinstance(value, int) and abs(value) <= LARGEST_NUMBER),
    "space_id": _is_text_or_none,
    "name": _is_text_or_none,
    "start_time": _is_text_or_none,
    "end_time": _is_text_or_none,
    "participants": _is_count,
    "roles": _is_roles,
    "path": lambda value: value == "" or is_below(value),
    "status": lambda value: value in STATUSES,
    "reason": _is_text_or_none,
    "tries": _is_count,
    "next_look": _is_time_or_none,
    "pending_until": _is_time_or_none,
    "segments": lambda value: value is None or _is_count(value),
    "redacted": lambda value: isinstance(value, bool),
    "files": lambda value: isinstance(value, list),
}


def read_manifest(data: bytes, name: str) -> Manifest:
    """
    Read a manifest.

    :param data: the file's content. It may be damaged, and whoever may write the destination may have written it.
    :param name: the file's name.
    :return: the manifest, with whatever else was added to it.
    :raises ValueError: it is none that this version can continue with; the text says why.
    """
    try:
        read = json.loads(data, **NUMBERS)
    except (ValueError, RecursionError):
        raise ValueError("it is not JSON") from None
    if not isinstance(read, dict):
        raise ValueError("it is not a JSON object")
    if lacking := Manifest.__required_keys__ - read.keys():
        raise ValueError(f"it has no {' and no '.join(sorted(lacking))}")
    bounds = [read_time(read[bound]) for bound in ("window_start", "window_end")]
    if None in bounds or tuple(bounds) != window_of(name):
        raise ValueError("its window is not the one that it is named by")
    sessions = read["sessions"]
    if not isinstance(sessions, list):
        raise ValueError("its sessions are not a list")
    for number, entry in enumerate(sessions, 1):
        if problem := _problem_of(entry):
            raise ValueError(f"entry {number} {problem}")
    if len({entry["session_id"] for entry in sessions}) < len(sessions):
        raise ValueError("it has a session twice")
    return cast("Manifest", read)


def _problem_of(entry: object) -> str | None:
    if not isinstance(entry, dict):
        return "is not an object"
    for field, is_right in _FIELDS.items():
        if field not in entry:
            return f"has no {field}"
        if not is_right(entry[field]):
            return f"has {field}={shown(entry[field])}"
    if not _is_text_or_none(entry.get("changed_by")):
        return f"has changed_by={shown(entry['changed_by'])}"
    # Each path has the whole id of its session: no two share a file, and none is that of a manifest.
    if entry["path"] and entry["session_id"] not in entry["path"]:
        return f"has path={shown(entry['path'])}, which is not that of its session"
    for file in entry["files"]:
        if not _is_file(file, entry["path"]):
            return f"has files with {shown(file)}"
    return None


def _is_file(file: object, path: str) -> bool:
    if not isinstance(file, dict) or not file.keys() >= ManifestFile.__required_keys__:
        return False
    has_format = isinstance(file["format"], str) and _FORMAT.fullmatch(file["format"]) is not None
    has_digest = isinstance(file["sha256"], str) and _SHA256.fullmatch(file["sha256"]) is not None
    return has_format and has_digest and _is_count(file["size"]) and file["path"] == f"{path}.{file['format']}"


def new_manifest(window: Window) -> Manifest:
    """Begin the account of a window."""
    return Manifest(
        window_start=write_time(window.start), window_end=write_time(window.end), counts=count(()), sessions=[]
    )


def updated(account: Manifest, sessions: Iterable[ManifestSession]) -> Manifest:
    """
    Bring a manifest up to date.

    :param account: the manifest so far.
    :param sessions: what became of some of its sessions, or of further ones; all others stay as they are.
    :return: the manifest, with its sessions in the order of their ends, and every status counted.
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
    :param seen: what the manifest had when the run last read it.
    :param there: what it has by now.
    """
    return [
        entry
        for session_id, entry in entries.items()
        if there.get(session_id) in (None, seen.get(session_id))
        or (entry["status"] == "archived" and entry != seen.get(session_id))
    ]


def changed_by(account: Manifest, by: str) -> list[ManifestSession]:
    """Choose the sessions whose status was last changed by the run of a later window; see ``archive.signed``."""
    return [entry for entry in account["sessions"] if entry.get("changed_by") == by]


def by_session(account: Manifest | None) -> Mapping[str, ManifestSession]:
    """Give the entries of a manifest by their session's id; none for no manifest."""
    return {entry["session_id"]: entry for entry in account["sessions"]} if account else {}
