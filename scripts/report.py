# SPDX-License-Identifier: Apache-2.0
"""What the nightly archive wrote, as text for a terminal."""

from __future__ import annotations

import hashlib
import json
import os.path
from datetime import datetime, timezone
from pathlib import Path
from typing import Literal, TypedDict, cast

from scripts.text_width import fit, visible, width

TABLE_COLUMNS = 110
GAP = "  "


class ArchivedFile(TypedDict):
    """A file of the archive; `path` is relative to the destination."""

    format: str
    path: str
    size: int
    sha256: str


class ManifestSession(TypedDict):
    """A session of the window, and what became of its transcript."""

    session_id: str
    name: str | None
    start_time: str
    end_time: str
    participants: int
    status: Literal["archived", "not_eligible", "pending", "given_up", "failed"]
    reason: str | None
    segments: int | None
    files: list[ArchivedFile]


class Manifest(TypedDict):
    """The archive's account of one window; the bounds are ISO times."""

    window_start: str
    window_end: str
    counts: dict[str, int]
    sessions: list[ManifestSession]


def read_manifest(archive: Path) -> Manifest:
    """Read the archive's only manifest.

    :raises FileNotFoundError: there is none.
    """
    for path in sorted((archive / "manifests").glob("*.json")):
        return cast("Manifest", json.loads(path.read_text(encoding="utf-8")))
    raise FileNotFoundError(f"no manifest in {archive / 'manifests'}")


def damaged_files(manifest: Manifest, archive: Path) -> list[str]:
    """The files that are not there, or not as the manifest says, each with what is wrong."""
    problems = []
    for file in (file for session in manifest["sessions"] for file in session["files"]):
        path = archive / file["path"]
        if not path.is_file():
            problems.append(f"{file['path']} is missing")
        elif hashlib.sha256(path.read_bytes()).hexdigest() != file["sha256"]:
            problems.append(f"{file['path']} is not what the manifest says: its checksum differs")
    return problems


def session_table(manifest: Manifest) -> str:
    """One line per session, in order of their ends, at most `TABLE_COLUMNS` wide. Times are UTC.

    The last column is the file, less the folders that all files share, or why there is none.
    """
    sessions = sorted(manifest["sessions"], key=lambda session: session["end_time"])
    shared = shared_folder(manifest)
    header = ["session", "time (UTC)", "people", "segments", "status", f"file in {shared or '.'}/"]
    rows = [header, *(_row(session, shared) for session in sessions)]
    columns = [max(width(visible(row[index])) for row in rows) for index in range(len(header))]
    room = TABLE_COLUMNS - sum(columns[1:-1]) - len(GAP) * (len(columns) - 1)
    # Where it gets narrow, reasons give way first, then names; a path that is cut could not be opened.
    longest_path = max((width(row[-1]) for row in rows[1:] if not row[-1].startswith("(")), default=0)
    columns[-1] = min(columns[-1], max(longest_path, room - columns[0]))
    columns[0] = min(columns[0], room - columns[-1])
    rows.insert(1, ["─" * column for column in columns])
    lines = (GAP.join(fit(cell, column) for cell, column in zip(row, columns, strict=True)) for row in rows)
    return "\n".join(line.rstrip() for line in lines)


def shared_folder(manifest: Manifest) -> str:
    """The innermost folder that holds all files, relative to the destination; empty if it is the destination."""
    folders = [str(Path(file["path"]).parent) for session in manifest["sessions"] for file in session["files"]]
    return os.path.commonpath(folders) if folders else ""


def summary(manifest: Manifest) -> str:
    """The window and the counts per status, on one line."""
    counts = ", ".join(f"{count} {status.replace('_', ' ')}" for status, count in manifest["counts"].items() if count)
    start, end = (_utc(manifest[bound]) for bound in ("window_start", "window_end"))
    return f"Sessions that ended from {start:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} UTC: {counts or 'none'}"


def transcript_beginning(manifest: Manifest, archive: Path, *, lines: int) -> str | None:
    """The title and first lines of the longest readable transcript, or None if none was archived."""
    archived = [session for session in manifest["sessions"] if _file(session, "txt")]
    if not archived:
        return None
    longest = max(archived, key=lambda session: session["segments"] or 0)
    file = cast("ArchivedFile", _file(longest, "txt"))
    text = (archive / file["path"]).read_text(encoding="utf-8").splitlines()
    shown = [fit(line, TABLE_COLUMNS - 2).rstrip() for line in text if line.strip()][:lines]
    title = f"The beginning of {file['path']} ({visible(longest['name'] or 'no name')}):"
    return "\n".join([title, *(f"  {line}" for line in shown)])


def _row(session: ManifestSession, shared: str) -> list[str]:
    file = _file(session, "json") or next(iter(session["files"]), None)
    return [
        session["name"] or "(no name)",
        f"{_utc(session['start_time']):%H:%M}-{_utc(session['end_time']):%H:%M}",
        str(session["participants"]),
        "-" if session["segments"] is None else str(session["segments"]),
        session["status"].replace("_", " "),
        os.path.relpath(file["path"], shared or ".") if file else f"({session['reason'] or 'no file'})",
    ]


def _file(session: ManifestSession, format_name: str) -> ArchivedFile | None:
    return next((file for file in session["files"] if file["format"] == format_name), None)


def _utc(time: str) -> datetime:
    # The "Z" of ISO times means nothing to datetime before Python 3.11.
    return datetime.fromisoformat(time.replace("Z", "+00:00")).astimezone(timezone.utc)
