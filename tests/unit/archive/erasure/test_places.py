# SPDX-License-Identifier: Apache-2.0
"""Erasures where a person is in places that are easily forgotten, and beside files that are not the archive's."""

from __future__ import annotations

import json
import os
from datetime import timedelta

import pytest
from airflow.sdk import ObjectStoragePath

from lessonspace_provider import _local_files as local_files
from lessonspace_provider.archive.erasure import session_files as erasure_files
from lessonspace_provider.archive.erasure.expiry import Expirer
from lessonspace_provider.exceptions import LessonspaceError, LessonspaceInputError
from lessonspace_provider.output import files as output_files
from tests.unit.archive.erased import (
    ADA,
    ANN,
    BEN,
    BEN_PROFILE,
    FORMATS,
    SESSIONS,
    TRACES,
    archived,
    erase,
    said,
    traces_in,
)
from tests.unit.archive.kit import END, a_session, good, tree

BY_NAME = "{name}/{session_id}"


def left_of(receipt):
    return {left["path"]: left["failed"] for left in receipt.left}


def folders_in(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_dir())


@pytest.mark.parametrize("mode", ["redact", "delete"])
def test_no_empty_folder_keeps_a_name(archiver, source, tmp_path, mode):
    archived(archiver, source, path_template="{name}/{end:%Y}/{session_id}")
    (tmp_path / "inbox").mkdir()
    (tmp_path / "of Ben Okafor").mkdir()
    erase(tmp_path, mode=mode)
    assert [name for name in folders_in(tmp_path) if TRACES.search(name.encode())] == []
    assert "inbox" in folders_in(tmp_path)


def test_an_expiry_leaves_no_empty_folder_with_a_name(archiver, source, tmp_path):
    archived(archiver, source, path_template=BY_NAME)
    Expirer(ObjectStoragePath(f"file://{tmp_path}"), timedelta(0)).run()
    assert [name for name in folders_in(tmp_path) if TRACES.search(name.encode())] == []


def test_an_expiry_makes_no_new_key_while_manifests_have_erased_people(archiver, source, tmp_path):
    archived(archiver, source)
    erase(tmp_path)
    for path in (tmp_path / "erasures").iterdir():
        path.unlink()
    before = tree(tmp_path)
    with pytest.raises(LessonspaceError, match="restore"):
        Expirer(ObjectStoragePath(f"file://{tmp_path}"), timedelta(days=9999)).run()
    files = {path: data for path, data in tree(tmp_path).items() if not path.endswith(".lock")}
    assert files == before


def test_earlier_receipts_lose_a_name_in_their_paths(archiver, source, tmp_path):
    archived(archiver, source, path_template=BY_NAME)
    erase(tmp_path, user_ids=(1,), names=("Ann",), reference="for the mother of Ben Okafor")
    receipt = erase(tmp_path)
    assert traces_in(tree(tmp_path)) == []
    assert [path.partition("/")[0] for path in receipt.changes].count("erasures") == 1
    assert erase(tmp_path).status == "nothing_found"


@pytest.mark.parametrize("path", ["erasures/letter.txt", "tables/notes.txt", "x/letter.lock", "x/old.lease"])
def test_a_foreign_file_in_any_folder_is_reported(archiver, source, tmp_path, path):
    archived(archiver, source)
    (tmp_path / path).parent.mkdir(exist_ok=True)
    (tmp_path / path).write_text("Ben Okafor called")
    assert left_of(erase(tmp_path)) == {path: False}


def test_the_path_of_an_account_is_not_in_the_receipt(archiver, source, tmp_path):
    archived(archiver, source)
    account = tmp_path / "links of Ben Okafor" / "account.jsonl"
    account.parent.mkdir()
    account.write_text('{"name": "Ben Okafor"}\n')
    receipt = erase(tmp_path)
    assert account.read_text() == '{"name": "[erased]"}\n'
    assert not TRACES.search(receipt.to_json())
    assert left_of(receipt) == {"links of erased/account.jsonl": False}


def test_a_reason_in_the_receipt_has_no_name(archiver, source, tmp_path, monkeypatch):
    archived(archiver, source, path_template=BY_NAME)

    def refused(path, data):
        raise OSError(13, os.strerror(13), path.path)

    monkeypatch.setattr(erasure_files, "write_whole", refused)
    receipt = erase(tmp_path)
    assert receipt.failed
    assert not TRACES.search(receipt.to_json())


@pytest.mark.parametrize("redact_speakers", [True, False])
@pytest.mark.parametrize("formats", [["txt"], ["vtt", "srt"]])
def test_a_transcript_in_which_an_id_cannot_be_found_is_reported(archiver, source, tmp_path, formats, redact_speakers):
    archived(archiver, source, formats=formats, redact_speakers=redact_speakers)
    receipt = erase(tmp_path, names=())
    paths = [f"2026/11/23/{good(1)}.{ending}" for ending in formats]
    assert {path: reason for path, reason in left_of(receipt).items() if path in paths} == dict.fromkeys(paths, False)
    assert all("names" in left["reason"] for left in receipt.left)


def test_a_long_file_beside_a_transcript_stops_no_erasure(archiver, source, tmp_path, monkeypatch):
    monkeypatch.setattr(local_files.read_file, "__defaults__", (100_000,))
    monkeypatch.setattr(output_files, "LONGEST_READ", 100_000)
    archived(archiver, source)
    video = next(tmp_path.rglob(f"{good(1)}.json")).with_suffix(".mp4")
    video.write_bytes(b"\0" * 200_000)
    (tmp_path / "recording.mp4").write_bytes(b"\0" * 200_000)
    receipt = erase(tmp_path)
    assert traces_in(tree(tmp_path)) == []
    assert left_of(receipt) == {str(video.relative_to(tmp_path)): False, "recording.mp4": False}
    assert receipt.status == "done"


@pytest.mark.parametrize("content", [b"PK\x03\x04\0\0zip", "Ben Okafor".encode("utf-16"), "Zo\xeb".encode("latin-1")])
def test_a_file_that_is_no_text_is_reported_as_not_searched(archiver, source, tmp_path, content):
    archived(archiver, source)
    (tmp_path / "notes.docx").write_bytes(content)
    receipt = erase(tmp_path)
    assert left_of(receipt) == {"notes.docx": False}
    assert "not searched" in receipt.left[0]["reason"]


def test_other_sessions_of_a_space_are_not_deleted_with_one_of_them(archiver, source, tmp_path):
    space = "11111111-1111-4111-8111-111111111111"
    archived(archiver, source)
    (tmp_path / space).mkdir()
    for number, speaker in ((7, BEN), (8, 2), (9, 2)):
        (tmp_path / space / f"{good(number)}.json").write_text(json.dumps([said(0.0, speaker, "x", "Hi")]))
    (tmp_path / space / "homework.txt").write_text("Page 7, Ada")
    erase(tmp_path, mode="delete")
    assert sorted(path.name for path in (tmp_path / space).iterdir()) == [
        f"{good(8)}.json", f"{good(9)}.json", "homework.txt",
    ]  # fmt: skip


@pytest.mark.parametrize("mode", ["redact", "delete"])
def test_files_behind_links_out_of_the_archive_stay(archiver, source, tmp_path_factory, mode):
    destination, outside = tmp_path_factory.mktemp("archive"), tmp_path_factory.mktemp("outside")
    archived(lambda **layout: archiver(destination=ObjectStoragePath(f"file://{destination}"), **layout), source)
    for name in (f"{good(7)}.json", f"{good(8)}.json"):
        (outside / name).write_text(json.dumps([said(0.0, BEN, "Ben Okafor", "Hi")]))
    before = tree(outside)
    (destination / "linked").symlink_to(outside)
    (destination / "loop").symlink_to(destination)
    (destination / f"{good(8)}.json").symlink_to(outside / f"{good(8)}.json")
    receipt = erase(destination, mode=mode)
    assert tree(outside) == before
    assert {path.partition("/")[0] for path in left_of(receipt)} >= {"linked", f"{good(8)}.json"}


def test_further_fields_of_a_manifest_are_searched(archiver, source, tmp_path):
    archived(archiver, source)
    (manifest,) = (tmp_path / "manifests").iterdir()
    content = json.loads(manifest.read_text())
    content["comment"] = "checked with Ben Okafor"
    content["sessions"] = content["sessions"][2:]
    manifest.write_text(json.dumps(content))
    erase(tmp_path)
    assert traces_in(tree(tmp_path)) == []


def test_a_person_known_by_name_is_erased_under_all_names_of_the_id(archiver, source, tmp_path):
    source.outcomes[good(4)] = [said(0.0, 1, "Ann", "Hello Zebedee"), said(1.0, BEN, "Zebedee", "Hi")]
    archived(archiver, source, [*SESSIONS, a_session(4, name="Maths", profiles=[ANN, BEN_PROFILE])])
    erase(tmp_path, user_ids=())
    assert [path for path, data in tree(tmp_path).items() if b"Zebedee" in data] == []


def test_a_session_that_becomes_eligible_later_is_redacted(archiver, source, tmp_path):
    late = a_session(4, name="Maths", profiles=[ANN, ADA])
    assert archived(archiver, source, [*SESSIONS, {**late, "record_av": False}])[good(4)] == "not_eligible"
    erase(tmp_path)
    source.outcomes[good(4)] = [said(0.0, BEN, "Ben Okafor", "Hi"), said(1.0, 1, "Ann", "Hi Ben")]
    assert archived(archiver, source, [*SESSIONS, late])[good(4)] == "archived"
    assert traces_in(tree(tmp_path)) == []


def test_a_session_in_two_manifests_is_brought_up_to_date_in_both(archiver, source, tmp_path):
    archived(archiver, source)
    (manifest,) = (tmp_path / "manifests").iterdir()
    content = json.loads(manifest.read_text())
    other = archiver(formats=FORMATS).archive_window([], END, END + timedelta(hours=1)).path
    twin = json.loads(other.read_text())
    other.write_text(json.dumps({**twin, "sessions": content["sessions"]}))
    erase(tmp_path)
    entries = [json.loads(path.read_text())["sessions"] for path in sorted((tmp_path / "manifests").iterdir())]
    assert entries[0] == entries[1]


def test_a_reference_with_a_name_that_only_transcripts_have_is_refused(archiver, source, tmp_path):
    archived(archiver, source)
    before = tree(tmp_path)
    with pytest.raises(LessonspaceInputError, match="reference"):
        erase(tmp_path, names=(), reference="letter of Okafor")
    assert {path: data for path, data in tree(tmp_path).items() if not path.startswith("erasures/")} == before
    assert traces_in({path: data for path, data in tree(tmp_path).items() if path.startswith("erasures/")}) == []


@pytest.mark.parametrize("mode", ["redact", "delete"])
def test_a_dry_run_counts_the_tables_and_the_receipt_all_that_changed(archiver, source, tmp_path, mode):
    archived(archiver, source, tables=True)
    before = tree(tmp_path)
    planned = erase(tmp_path, mode=mode, dry_run=True)
    done = erase(tmp_path, mode=mode)
    assert planned.figures == done.figures
    after = tree(tmp_path)
    changed = {path for path in {*before, *after} if before.get(path) != after.get(path)}
    own = {path for path in after if path.startswith("erasures/")} | {"manifest_index.json"}
    assert changed - own == set(done.changes)


def test_an_id_that_is_no_integer_is_erased(archiver, source, tmp_path):
    source.outcomes[good(4)] = [
        said(0.0, float(BEN), "Ben Okafor", "Hi"),
        {**said(1.0, 1, "Ann", "Hi"), "spoken_to": str(BEN), "by": [float(BEN)]},
    ]
    archived(archiver, source, [a_session(4, name="Maths", profiles=[ANN, ADA])])
    erase(tmp_path)
    assert traces_in(tree(tmp_path)) == []


def test_a_table_file_whose_window_has_no_manifest_is_reported(archiver, source, tmp_path):
    archived(archiver, source, tables=True)
    segments = next(tmp_path.glob("tables/segments/*/*.parquet"))
    orphan = segments.with_name("20200101T000000Z_20200102T000000Z.parquet")
    orphan.write_bytes(segments.read_bytes())
    assert left_of(erase(tmp_path)) == {str(orphan.relative_to(tmp_path)): False}
    assert left_of(erase(tmp_path, user_ids=(99_999,), names=())) == {}
