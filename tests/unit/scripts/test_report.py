# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

import pytest
from rich.cells import cell_len

from lessonspace_provider.archive.entry import Entry
from lessonspace_provider.archive.manifest import Manifest
from lessonspace_provider.archive.schema import ManifestFile
from lessonspace_provider.archive.windows import Window
from scripts.report import (
    TABLE_COLUMNS,
    damaged_files,
    read_manifest,
    session_table,
    shared_folder,
    summary,
    transcript_beginning,
    visible,
)

ID = "3dc1712d-e396-4976-b036-1ed846618999"


def archived_file(format_name: str, content: bytes = b"hello", day: str = "2026/11/22") -> ManifestFile:
    return {
        "format": format_name,
        "path": f"{day}/{ID}.{format_name}",
        "size": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
    }


def archived(name: str | None = "Maths", *, segments: int = 7, files: list[ManifestFile] | None = None) -> Entry:
    entry = Entry(
        ID,
        name=name,
        start_time="2026-11-22T09:00:00Z",
        end_time="2026-11-22T10:45:00+01:00",
        participants=2,
        path=f"2026/11/22/{ID}",
    )
    given = [archived_file("json"), archived_file("txt")] if files is None else files
    return entry.archived(given, segments=segments, redacted=False)


def not_eligible(reason: str) -> Entry:
    return replace(archived(), segments=None, files=()).not_eligible(reason)


def manifest(*entries: Entry) -> Manifest:
    window = Window(*(datetime(2026, 11, day, 2, tzinfo=timezone.utc) for day in (22, 23)))
    # Some of the tests have the same session several times.
    return Manifest(window, {str(number): entry for number, entry in enumerate(entries)})


def write(archive: Path, file: ManifestFile, content: str) -> None:
    path = archive / file["path"]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")


def test_a_row_shows_session_time_people_segments_status_and_file() -> None:
    row = session_table(manifest(archived())).splitlines()[2]
    assert row.split() == ["Maths", "09:00-09:45", "2", "7", "archived", f"{ID}.json"]


def test_the_table_names_the_folder_that_its_files_share() -> None:
    assert "file in 2026/11/22/" in session_table(manifest(archived())).splitlines()[0]


def test_files_of_two_days_share_the_month() -> None:
    next_day = archived(files=[archived_file("json", day="2026/11/23")])
    both = manifest(archived(), next_day)
    assert shared_folder(both) == "2026/11"
    assert f"23/{ID}.json" in session_table(both)


def test_a_session_without_a_file_shows_why() -> None:
    assert "(one person only)" in session_table(manifest(not_eligible("one person only")))


def test_a_session_without_a_name_reports_it() -> None:
    assert session_table(manifest(archived(None))).splitlines()[2].startswith("(no name)")


@pytest.mark.parametrize("name", ["Physik " * 30, "日本語" * 30, "👩‍🏫" * 60, "שיעור " * 30])
def test_no_line_is_wider_than_the_table_and_no_path_is_cut(name: str) -> None:
    table = session_table(manifest(archived(name), not_eligible("far too long a reason " * 10)))
    assert max(cell_len(line) for line in table.splitlines()) <= TABLE_COLUMNS
    assert f"{ID}.json" in table


def test_a_long_reason_does_not_shorten_names() -> None:
    name = "A1 French, on Tuesdays"
    assert name in session_table(manifest(archived(name), not_eligible("far too long a reason " * 10)))


def test_columns_begin_below_each_other_whatever_the_script() -> None:
    rows = session_table(manifest(archived("Maths"), archived("日本語の授業"), archived("👩‍🏫 art"))).splitlines()[2:]
    assert len({cell_len(row[: row.index("09:00")]) for row in rows}) == 1


def test_the_summary_counts_what_there_is() -> None:
    assert summary(manifest(archived(), archived(), not_eligible("short"))) == (
        "Sessions that ended from 2026-11-22 02:00 to 2026-11-23 02:00 UTC: 2 archived, 1 not eligible"
    )


def test_the_manifest_is_found_in_the_archive(tmp_path: Path) -> None:
    (tmp_path / "manifests").mkdir()
    (tmp_path / "manifests" / "20261122T020000Z_20261123T020000Z.json").write_bytes(manifest(archived()).to_json())
    assert list(read_manifest(tmp_path).entries.values()) == [archived()]


def test_an_archive_without_a_manifest_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no manifest in"):
        read_manifest(tmp_path)


def test_a_whole_archive_has_no_damaged_files(tmp_path: Path) -> None:
    for file in archived().files:
        write(tmp_path, file, "hello")
    assert damaged_files(manifest(archived()), tmp_path) == []


def test_missing_and_changed_files_are_found(tmp_path: Path) -> None:
    write(tmp_path, archived_file("txt"), "hellO")
    assert damaged_files(manifest(archived()), tmp_path) == [
        f"2026/11/22/{ID}.json is missing",
        f"2026/11/22/{ID}.txt differs from the manifest: another checksum",
    ]


def test_the_beginning_of_the_longest_transcript_is_shown(tmp_path: Path) -> None:
    short = archived("Short", segments=1, files=[archived_file("txt", day="2026/11/21")])
    long = archived("Long", segments=3)
    write(tmp_path, short.files[0], "never shown\n")
    write(tmp_path, long.files[1], "Ann: one\n\nBob: two\nAnn: three\n")
    assert transcript_beginning(manifest(short, long), tmp_path, lines=2) == (
        f"The beginning of 2026/11/22/{ID}.txt (Long):\n  Ann: one\n  Bob: two"
    )


def test_without_a_readable_transcript_there_is_no_beginning(tmp_path: Path) -> None:
    assert transcript_beginning(manifest(not_eligible("short")), tmp_path, lines=2) is None


def test_text_cannot_move_the_cursor_or_turn_the_line() -> None:
    assert visible("a\x1b[2Jb\nc\u202ed\te") == "a [2Jb cd e"


def test_right_to_left_text_is_isolated_from_the_next_column() -> None:
    assert visible("שלום") == "\u2068שלום\u2069"
