# SPDX-License-Identifier: Apache-2.0
"""What the nightly archive wrote, as text for a terminal."""

from __future__ import annotations

import hashlib
import io
import os.path
import unicodedata
from datetime import datetime
from pathlib import Path
from typing import cast

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from lessonspace_provider.api.times import read_time
from lessonspace_provider.archive.entry import Entry
from lessonspace_provider.archive.manifest import Manifest
from lessonspace_provider.archive.schema import ManifestFile

TABLE_COLUMNS = 115
GAP = 3  # between two columns, as rich draws them
ZERO_WIDTH_JOINER = "\u200d"
FIRST_STRONG_ISOLATE, POP_ISOLATE = "\u2068", "\u2069"


def read_manifest(archive: Path) -> Manifest:
    """Read the archive's only manifest.

    :raises FileNotFoundError: there is none.
    """
    for path in sorted((archive / "manifests").glob("*Z.json")):
        return Manifest.from_json(path.read_bytes(), path.name)
    raise FileNotFoundError(f"no manifest in {archive / 'manifests'}")


def damaged_files(manifest: Manifest, archive: Path) -> list[str]:
    """The files that are missing or differ from the manifest, each with what is wrong."""
    problems = []
    for file in (file for entry in manifest.entries.values() for file in entry.files):
        path = archive / file["path"]
        if not path.is_file():
            problems.append(f"{file['path']} is missing")
        elif hashlib.sha256(path.read_bytes()).hexdigest() != file["sha256"]:
            problems.append(f"{file['path']} differs from the manifest: another checksum")
    return problems


def session_table(manifest: Manifest) -> str:
    """One line per session, in order of their ends, at most `TABLE_COLUMNS` wide. Times are UTC.

    The last column is the file, less the folders that all files share, or why there is none.
    """
    shared = shared_folder(manifest)
    rows = [_row(entry, shared) for entry in manifest.entries.values()]
    titles = ["session", "time (UTC)", "people", "segments", "status", f"file in {shared or '.'}/"]
    widths = [max(cell_len(cell) for cell in column) for column in zip(titles, *rows, strict=True)]
    # Where it gets narrow, reasons give way first, then names; a path that is cut could not be opened.
    longest_path = max((cell_len(row[-1]) for row in rows if not row[-1].startswith("(")), default=0)
    room = TABLE_COLUMNS - sum(widths[1:-1]) - GAP * (len(widths) - 1)
    widths[-1] = min(widths[-1], max(longest_path, room - widths[0]))
    widths[0] = min(widths[0], room - widths[-1])
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for title, width in zip(titles, widths, strict=True):
        table.add_column(title, width=width, no_wrap=True, overflow="ellipsis")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    return _printed(table)


def _printed(table: Table) -> str:
    output = io.StringIO()
    Console(file=output, width=TABLE_COLUMNS, color_system=None, legacy_windows=False).print(table)
    return "\n".join(line.rstrip() for line in output.getvalue().rstrip("\n").splitlines())


def shared_folder(manifest: Manifest) -> str:
    """The innermost folder that holds all files, relative to the destination; empty if it is the destination."""
    folders = [str(Path(file["path"]).parent) for entry in manifest.entries.values() for file in entry.files]
    return os.path.commonpath(folders) if folders else ""


def summary(manifest: Manifest) -> str:
    """The window and the counts per status, on one line."""
    counts = ", ".join(f"{count} {status.replace('_', ' ')}" for status, count in manifest.counts.items() if count)
    start, end = manifest.window
    return f"Sessions that ended from {start:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} UTC: {counts or 'none'}"


def transcript_beginning(manifest: Manifest, archive: Path, *, lines: int) -> str | None:
    """The title and first lines of the longest readable transcript, or None if none was archived."""
    archived = [(entry, file) for entry in manifest.entries.values() if (file := _file(entry, "txt"))]
    if not archived:
        return None
    longest, file = max(archived, key=lambda pair: pair[0].segments or 0)
    text = (archive / file["path"]).read_text(encoding="utf-8").splitlines()
    shown = [Text(visible(line)) for line in text if line.strip()][:lines]
    for line in shown:
        line.truncate(TABLE_COLUMNS - 2, overflow="ellipsis")
    title = f"The beginning of {file['path']} ({visible(longest.name or 'no name')}):"
    return "\n".join([title, *(f"  {line.plain}" for line in shown)])


def visible(text: str) -> str:
    """The text on one line, isolated, without what could move the cursor or turn the reading direction."""
    spaced = "".join(" " if unicodedata.category(c) in {"Cc", "Zl", "Zp"} else c for c in text)
    kept = (c for c in spaced if unicodedata.category(c) != "Cf" or c == ZERO_WIDTH_JOINER)
    line = " ".join("".join(kept).split())
    turned = any(unicodedata.bidirectional(c) in {"R", "AL", "AN"} for c in line)
    return f"{FIRST_STRONG_ISOLATE}{line}{POP_ISOLATE}" if turned else line


def _row(entry: Entry, shared: str) -> list[str]:
    file = _file(entry, "json") or next(iter(entry.files), None)
    return [
        visible(entry.name or "(no name)"),
        f"{_time(entry.start_time):%H:%M}-{_time(entry.end_time):%H:%M}",
        str(entry.participants),
        "-" if entry.segments is None else str(entry.segments),
        entry.status.replace("_", " "),
        visible(os.path.relpath(file["path"], shared or ".") if file else f"({entry.reason or 'no file'})"),
    ]


def _file(entry: Entry, format_name: str) -> ManifestFile | None:
    return next((file for file in entry.files if file["format"] == format_name), None)


def _time(time: str | None) -> datetime:
    return cast("datetime", read_time(time))
