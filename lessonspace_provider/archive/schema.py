# SPDX-License-Identifier: Apache-2.0
"""What the fields of a manifest's entries may hold: the file is foreign, and may have been changed. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, TypedDict, TypeGuard

from lessonspace_provider.api.arguments import LARGEST_NUMBER, shown
from lessonspace_provider.api.times import read_time
from lessonspace_provider.archive.erasure.people import MARK
from lessonspace_provider.output.destinations import is_below
from lessonspace_provider.waiting.transcripts import STATUSES

_SESSION_ID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}|no uuid, (id )?[-0-9a-f]{1,20}")
_FORMAT, _SHA256 = re.compile("[a-z0-9]{1,16}"), re.compile("[0-9a-f]{64}")


class ManifestFile(TypedDict):
    """A written file: ``path`` is relative to the destination, ``size`` in bytes."""

    format: str
    path: str
    size: int
    sha256: str


#: What a summary is called in place of a format, and in the name of its file.
SUMMARY = "summary"


class _SummaryFile(ManifestFile):
    source: str
    redacted: bool


class SummaryFile(_SummaryFile, total=False):
    """
    The file of a session's summary.

    :param source: SHA-256 of the summary as it was listed, before names were replaced: it shows whether a list has
        another one.
    :param redacted: whether labels are in place of the names of the people in the session.
    :param redacted_by: what else its text was redacted by, see ``TextRedaction.kinds``; left out for nothing.
    """

    redacted_by: list[str]


def is_text_or_none(value: object) -> bool:
    """Whether a value is text, or null."""
    return value is None or isinstance(value, str)


def is_time(value: object) -> bool:
    """Whether a value is a time as text."""
    return isinstance(value, str) and read_time(value) is not None


def is_count(value: object) -> bool:
    """Whether a value is a number of something, that files and databases can hold."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < LARGEST_NUMBER


def is_matched(pattern: re.Pattern[str]) -> Callable[[object], bool]:
    """Make a check for text that is a pattern's as a whole."""
    return lambda value: isinstance(value, str) and pattern.fullmatch(value) is not None


def _is_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(text, str) for text in value)


def _or_none(is_right: Callable[[object], bool]) -> Callable[[object], bool]:
    return lambda value: value is None or is_right(value)


#: What each field of an entry may hold, in the order in which they are written.
FIELDS: Mapping[str, Callable[[object], bool]] = {
    "session_id": is_matched(_SESSION_ID),
    "id": lambda value: value is None or (isinstance(value, int) and abs(value) < LARGEST_NUMBER),
    "space_id": is_text_or_none,
    "name": is_text_or_none,
    "start_time": is_text_or_none,
    "end_time": is_text_or_none,
    "participants": is_count,
    "roles": lambda value: isinstance(value, dict) and _is_texts(list(value.values())),
    "path": lambda value: value == "" or is_below(value),
    "status": lambda value: value in STATUSES,
    "reason": is_text_or_none,
    "tries": is_count,
    "next_look": _or_none(is_time),
    "pending_until": _or_none(is_time),
    "segments": _or_none(is_count),
    "redacted": lambda value: isinstance(value, bool),
    "files": lambda value: isinstance(value, list),
}

#: What each field may hold that an entry need not have: one that has its default, None, is not written.
OPTIONAL_FIELDS: Mapping[str, Callable[[object], bool]] = {
    "changed_by": is_text_or_none,
    "space_name": is_text_or_none,
    "billable_seconds": _or_none(is_count),
    "tags": is_text_or_none,
    "erased_people": _or_none(lambda value: isinstance(value, list) and all(map(is_matched(MARK), value))),
    "spoken_names": _or_none(is_count),
    "redacted_by": _or_none(_is_texts),
    "summary": lambda value: value is None or isinstance(value, dict),
}


def problem_of(entry: object) -> str | None:
    """
    Find out what is wrong with an entry, as it was read from a manifest.

    :return: what ends the sentence "entry 1 ..."; None when it can be used.
    """
    if not isinstance(entry, dict):
        return "is not an object"
    for field, is_right in FIELDS.items():
        if field not in entry:
            return f"has no {field}"
        if not is_right(entry[field]):
            return f"has {field}={shown(entry[field])}"
    for field, is_right in OPTIONAL_FIELDS.items():
        if field in entry and not is_right(entry[field]):
            return f"has {field}={shown(entry[field])}"
    return _problem_of_paths(entry)


def _problem_of_paths(entry: Mapping[str, Any]) -> str | None:
    # Each path has the whole id of its session: no two share a file, and none is that of a manifest.
    if entry["path"] and entry["session_id"] not in entry["path"]:
        return f"has path={shown(entry['path'])}, which is not that of its session"
    for file in entry["files"]:
        if not _is_file(file, entry["path"]):
            return f"has files with {shown(file)}"
    if not _is_summary_or_none(entry.get("summary"), entry["path"]):
        return f"has summary={shown(entry['summary'])}"
    return None


def _is_file(file: object, path: str) -> bool:
    if not _is_written(file, ManifestFile.__required_keys__):
        return False
    return is_matched(_FORMAT)(file["format"]) and file["path"] == f"{path}.{file['format']}"


def _is_summary_or_none(file: object, path: str) -> bool:
    if file is None:
        return True
    if not path or not _is_written(file, _SummaryFile.__required_keys__):
        return False
    is_named = file["format"] == SUMMARY and file["path"] == f"{path}.{SUMMARY}.txt"
    is_redaction = isinstance(file["redacted"], bool) and _is_texts(file.get("redacted_by", []))
    return is_named and is_redaction and is_matched(_SHA256)(file["source"])


def _is_written(file: object, keys: frozenset[str]) -> TypeGuard[dict[str, object]]:
    """Whether a record has all keys, and the size and digest of a file that was written."""
    if not isinstance(file, dict) or not file.keys() >= keys:
        return False
    return is_matched(_SHA256)(file["sha256"]) and is_count(file["size"])
