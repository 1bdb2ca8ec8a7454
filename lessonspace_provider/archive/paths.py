# SPDX-License-Identifier: Apache-2.0
"""Where the transcripts of an archive are, below its destination. Pure."""

from __future__ import annotations

import hashlib
import re
import string
from typing import TYPE_CHECKING

from lessonspace_provider.api.arguments import is_text, refuse
from lessonspace_provider.api.ids import is_number, is_uuid, session_key
from lessonspace_provider.archive.erasure.people import LABEL_IN_PATH
from lessonspace_provider.exceptions import LessonspaceServerError
from lessonspace_provider.output.destinations import as_place, is_below
from lessonspace_provider.sessions import end_time, known_start, space_of

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath

    from lessonspace_provider.api.types import Session

#: Where a transcript is stored below the destination by default.
DEFAULT_PATH_TEMPLATE = "{end:%Y/%m/%d}/{session_id}"

#: What a path template may name. ``session_id`` has to be there, or two sessions could share a file.
PATH_FIELDS = ("session_id", "name", "space_id", "space_name", "start", "end")

#: How much of a session's name goes into a path, in bytes of UTF-8: a file's name may have 255 on most systems, and a
#: part of a path 230, so that there is room for what its files are called while they are written.
LONGEST_NAME, LONGEST_PART = 80, 230

_EXAMPLE: Session = {
    "uuid": "5b5f1a2c-3d4e-4f5a-8b9c-0d1e2f3a4b5c",
    "name": "n" * LONGEST_NAME,
    "space": {"id": "7d7f1a2c-3d4e-4f5a-8b9c-0d1e2f3a4b5c", "name": "n" * LONGEST_NAME},
    "end_time": "2026-01-01T00:00:00Z",
}
# {name:9999999999} takes all memory, and {end:{name}} lets the name of a session set the style.
_COSTLY_STYLE = re.compile(r"\{|\d{4}")
_UNSAFE = re.compile(r"[^\w\-. ]+")


def as_archive(destination: object) -> ObjectStoragePath:
    """
    Check the folder of an archive.

    :raises LessonspaceInputError: for anything else than an absolute folder or a URL.
    """
    return as_place(destination, "an archive's folder, such as 's3://aws_default@bucket/folder'")


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
    Make the path of a transcript.

    :param session: an ended session.
    :param template: as ``check_path_template`` lets it pass.
    :return: path relative to the destination, without the formats' extensions. No name can lead out of it: what is
        unsafe in a name becomes ``_``.
    :raises LessonspaceServerError: when the session has no uuid, or no end that can be read.
    """
    session_id, space, end = session_id_of(session), space_of(session), end_time(session)
    if not is_uuid(session.get("uuid")):
        raise LessonspaceServerError(f"A session has {session_id}. Without a uuid, its transcript can't be requested.")
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


def path_without_names(path: str, session_id: str, ending: str = "") -> str:
    """
    Replace each part of a path that may have a name, of an erased session: numbers and the session's id stay.

    :param ending: of a file's path, which stays.
    """

    def kept(part: str) -> str:
        if not any(map(str.isalpha, part.replace(session_id, ""))):
            return part
        return session_id if session_id in part else LABEL_IN_PATH

    return "/".join(map(kept, path.removesuffix(ending).split("/"))) + ending


def session_id_of(session: Session) -> str:
    """Name a session in a manifest: by its uuid, else by its integer id, else by a digest of all that it has."""
    if isinstance(session, dict):
        if uuid := session_key(session):
            return uuid
        if (number := number_of(session)) is not None:
            return f"no uuid, id {number}"
    return f"no uuid, {_digest(session)}"


def _digest(value: object) -> str:
    try:
        written = repr(value)
    except Exception:  # a number of thousands of digits, a list that is nested too deeply
        written = type(value).__name__
    return hashlib.sha256(written.encode(errors="replace")).hexdigest()[:12]


def number_of(session: Session) -> int | None:
    """Give the integer id of a session; None when it has none that files and databases can hold."""
    value: object = session.get("id")
    return value if is_number(value) else None


def _safe(value: object) -> str:
    """Make a part of a path of a text."""
    text = "" if value is None else str(value)[:LONGEST_NAME]
    text = _UNSAFE.sub("_", text).encode()[:LONGEST_NAME].decode(errors="ignore")
    return text.strip(" .") or "_"
