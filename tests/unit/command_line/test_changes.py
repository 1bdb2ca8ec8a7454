# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import io
import json
import shutil
from types import SimpleNamespace

import pytest

from lessonspace_provider.__main__ import main
from tests.tables import all_rows
from tests.unit.archive.erased import BEN, archived
from tests.unit.archive.kit import tree


@pytest.fixture
def archive(archiver, source, tmp_path):
    """An archive with tables, in which Ben takes part."""
    folder = tmp_path / "archive"
    folder.mkdir()
    archived(archiver, source, tables=True, destination=_place(folder))
    return folder


def _place(folder):
    from airflow.sdk import ObjectStoragePath

    return ObjectStoragePath(f"file://{folder}")


def run(capsys, *arguments):
    status = main([str(argument) for argument in arguments])
    return status, *capsys.readouterr()


def test_tables_are_built_as_a_run_wrote_them(archive, capsys):
    written = tree(archive)
    shutil.rmtree(archive / "tables")
    status, printed, error = run(capsys, "build-tables", archive, "-o", "json")
    assert all_rows(tree(archive)) == all_rows(written)
    result = json.loads(printed)
    assert (status, result["manifests"], result["sessions"], result["complaints"]) == (0, 1, 3, [])
    assert len(result["days"]) >= 1
    assert "1 of 1 manifests done" in error
    status, printed, _ = run(capsys, "build-tables", archive)
    assert (status, printed) == (0, "3 sessions of 1 manifests, 0 days have changed\n")


def test_tables_that_lack_a_transcript_have_status_1_and_name_it(archive, capsys):
    shutil.rmtree(archive / "tables")
    lost = next(path for path in archive.rglob("*.json") if path.parent.name.isdecimal())
    lost.unlink()
    status, _, error = run(capsys, "build-tables", archive)
    assert status == 1
    assert lost.stem in error
    assert "all others are built" in error


def test_a_time_without_manifests_is_an_error(archive, capsys):
    status, printed, error = run(capsys, "build-tables", archive, "--window-start", "2030-01-01T00:00:00Z")
    assert (status, printed) == (2, "")
    assert "no manifest" in error


def test_a_search_for_a_person_changes_nothing_and_counts_what_an_erasure_would(archive, capsys):
    before = tree(archive)
    status, printed, _ = run(capsys, "erase", archive, "--dry-run", "--user-id", BEN, "-o", "json")
    result = json.loads(printed)
    assert (status, result["status"], result["receipt"]) == (1, "done", None)
    assert result["counts"]["sessions_redacted"] >= 1
    assert "Ben" not in printed
    assert tree(archive) == before


def test_a_person_who_is_nowhere_has_status_0(archive, capsys):
    status, printed, _ = run(capsys, "erase", archive, "--dry-run", "--user-id", "99999")
    assert status == 0
    assert "Found nowhere: user_ids[0]" in printed


@pytest.mark.parametrize("given", ["file", "standard input"])
def test_names_are_read_from_a_file_and_shown_nowhere(archive, capsys, tmp_path, monkeypatch, given):
    names = "\ufeffBen Okafor\r\n\n"
    path = tmp_path / "names.txt"
    path.write_text(names, encoding="utf-8")
    if given == "standard input":
        monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(path.read_bytes())))
        path = "-"
    status, printed, error = run(capsys, "erase", archive, "--dry-run", "--names-file", path)
    assert status == 1
    assert "sessions_redacted" in printed
    assert "Okafor" not in printed + error


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"\xff\xfe", "no UTF-8 text"), (b"x" * 200_000, "more than"), (b"", "names"), (None, "can't be read")],
)
def test_a_file_of_names_that_can_not_be_used_is_refused(archive, capsys, tmp_path, content, reason):
    path = tmp_path / "names.txt"
    if content is not None:
        path.write_bytes(content)
    status, printed, error = run(capsys, "erase", archive, "--dry-run", "--names-file", path)
    assert (status, printed) == (2, "")
    assert reason in error


def test_without_dry_run_nothing_is_searched_or_erased(archive, capsys):
    before = tree(archive)
    with pytest.raises(SystemExit) as ended:
        main(["erase", str(archive), "--user-id", str(BEN)])
    assert ended.value.code == 2
    assert "--dry-run" in capsys.readouterr().err
    assert tree(archive) == before
