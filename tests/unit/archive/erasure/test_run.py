# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import hashlib
import json
import os
import re

import pytest
from airflow.sdk import ObjectStoragePath

from lessonspace_provider.archive.erasure import session_files as erasure_files
from lessonspace_provider.archive.erasure.run import Eraser, ErasureOrder
from lessonspace_provider.archive.text_redaction import TextRedaction
from lessonspace_provider.exceptions import LessonspaceError, LessonspaceInputError
from lessonspace_provider.transcripts.spoken_names import Roster
from tests.unit.archive.erased import (
    ADA,
    ANN,
    BEN,
    FORMATS,
    SESSIONS,
    TRACES,
    archived,
    erase,
    is_complete,
    receipt_in,
    said,
    traces_in,
)
from tests.unit.archive.kit import NOW, Log, a_session, good, tree


@pytest.mark.parametrize("mode", ["redact", "delete"])
def test_nothing_of_an_erased_person_is_left_and_a_rerun_brings_nothing_back(archiver, source, tmp_path, mode):
    archived(archiver, source)
    before = tree(tmp_path)
    assert traces_in(before)
    receipt = erase(tmp_path, mode=mode)
    after = tree(tmp_path)
    assert traces_in(after) == []
    assert receipt.status == "done"
    assert {path: data for path, data in after.items() if good(3) in path} == {
        path: data for path, data in before.items() if good(3) in path
    }
    source.asked.clear()
    statuses = archived(archiver, source)
    assert statuses == {
        good(1): "erased" if mode == "delete" else "archived",
        good(2): "archived",
        good(3): "archived",
    }
    assert source.asked == []
    again = tree(tmp_path)
    index = "manifest_index.json"
    assert {key: data for key, data in again.items() if key != index} == {
        key: data for key, data in after.items() if key != index
    }


def test_lines_of_other_people_stay_as_they_are_in_each_format(archiver, source, tmp_path):
    archived(archiver, source)
    before = {path: data for path, data in tree(tmp_path).items() if good(1) in path}
    erase(tmp_path)
    for path, data in before.items():
        if path.endswith(".summary.txt"):
            continue
        after = (tmp_path / path).read_bytes()
        assert [line for line in after.splitlines() if b"erased" not in line and b"null" not in line] == [
            line for line in data.splitlines() if not TRACES.search(line)
        ], path
    (text,) = [(tmp_path / path).read_text() for path in before if path.endswith(f"{good(1)}.txt")]
    assert text.splitlines() == [
        "[00:00:00] Ann: Hello [erased], open [erased]'s <book> & read",
        "[00:00:01] [erased]: It's me, [erased]",
        "[00:00:02] Ann: Well, beneath the table",
    ]


def test_the_manifest_accounts_for_every_session_with_the_new_digests(archiver, source, tmp_path):
    archived(archiver, source)
    erase(tmp_path)
    (manifest,) = (tmp_path / "manifests").iterdir()
    entries = {entry["session_id"]: entry for entry in json.loads(manifest.read_text())["sessions"]}
    assert set(entries) == {good(1), good(2), good(3)}
    assert (entries[good(1)]["name"], entries[good(1)]["roles"]) == ("Ann and [erased]", {"1": "teacher"})
    for entry in entries.values():
        for file in [*entry["files"], entry["summary"]]:
            assert hashlib.sha256((tmp_path / file["path"]).read_bytes()).hexdigest() == file["sha256"]
    assert "erased_people" not in entries[good(3)]


def test_a_person_is_found_by_the_names_under_which_their_id_speaks(archiver, source, tmp_path):
    archived(archiver, source)
    receipt = erase(tmp_path, names=())
    assert traces_in(tree(tmp_path)) == []
    assert [given["sessions"] for given in receipt.searched] == [1]


def test_a_person_without_a_known_id_is_found_by_name_and_so_is_the_id(archiver, source, tmp_path):
    archived(archiver, source)
    receipt = erase(tmp_path, user_ids=())
    assert traces_in(tree(tmp_path)) == []
    assert "1 user ids speak under names that were given: they were erased, too" in receipt.notes


@pytest.mark.parametrize("formats", [["txt"], ["vtt", "srt"], ["csv"], ["jsonl", "txt"]])
@pytest.mark.parametrize("redact_speakers", [True, False])
def test_any_formats_are_searched(archiver, source, tmp_path, formats, redact_speakers):
    archived(archiver, source, formats=formats, redact_speakers=redact_speakers)
    erase(tmp_path)
    assert traces_in(tree(tmp_path)) == []


def test_files_of_formats_that_are_no_longer_written_are_found_by_their_paths(archiver, source, tmp_path):
    archived(archiver, source)
    archived(archiver, source, formats=["json"])  # the manifest has one file per session now
    erase(tmp_path, mode="delete")
    assert traces_in(tree(tmp_path)) == []
    assert not [path for path in tree(tmp_path) if good(1) in path]


def test_a_file_of_a_session_that_no_manifest_has_is_found(archiver, source, tmp_path):
    archived(archiver, source)
    stray = tmp_path / "old" / f"{good(7)}.json"
    stray.parent.mkdir()
    stray.write_text(json.dumps([said(0.0, BEN, "Ben Okafor", "Hi")]))
    erase(tmp_path)
    assert traces_in(tree(tmp_path)) == []


def test_names_in_paths_are_removed_by_moving_the_files(archiver, source, tmp_path):
    archived(archiver, source, path_template="{name}/{session_id}")
    assert (tmp_path / "Ann and Ben Okafor").is_dir()
    receipt = erase(tmp_path)
    assert traces_in(tree(tmp_path)) == []
    assert [path.name for path in (tmp_path / "Ann and erased").iterdir() if path.name.endswith(".txt")]
    assert not TRACES.search(receipt.to_json())
    source.asked.clear()
    archived(archiver, source, path_template="{name}/{session_id}")
    assert (source.asked, traces_in(tree(tmp_path))) == ([], [])


def test_a_second_run_finds_nothing_and_reports_it(archiver, source, tmp_path):
    archived(archiver, source)
    erase(tmp_path)
    before = tree(tmp_path)
    receipt = erase(tmp_path)
    assert (receipt.status, receipt.changes, receipt.left) == ("nothing_found", {}, [])
    assert {path: data for path, data in tree(tmp_path).items() if not path.startswith("erasures/")} == {
        path: data for path, data in before.items() if not path.startswith("erasures/")
    }
    assert receipt_in(tmp_path, receipt)["status"] == "nothing_found"


def test_an_unknown_id_is_named_by_its_place(archiver, source, tmp_path):
    archived(archiver, source)
    receipt = erase(tmp_path, user_ids=(BEN, 99_999), names=())
    assert [(given["given"], given["sessions"]) for given in receipt.searched] == [
        ("user_ids[0]", 1),
        ("user_ids[1]", 0),
    ]
    assert erase(tmp_path, user_ids=(99_999,), names=()).status == "nothing_found"


@pytest.mark.parametrize("mode", ["redact", "delete"])
def test_a_dry_run_writes_nothing_and_counts_what_an_erasure_changes(archiver, source, tmp_path, mode):
    archived(archiver, source)
    before = tree(tmp_path)
    planned = erase(tmp_path, mode=mode, dry_run=True)
    assert tree(tmp_path) == before
    done = erase(tmp_path, mode=mode)
    assert planned.figures == done.figures
    assert planned.figures["sessions_erased" if mode == "delete" else "sessions_redacted"] >= 1


def test_the_receipt_has_digests_and_counts_and_neither_ids_nor_names(archiver, source, tmp_path):
    archived(archiver, source)
    before = tree(tmp_path)
    receipt = receipt_in(tmp_path, erase(tmp_path, reference="request 17"))
    assert (receipt["status"], receipt["parameters"]["reference"]) == ("done", "request 17")
    changed = {change["path"]: change for change in receipt["changed"]}
    for path, change in changed.items():
        assert change["sha256_before"] == hashlib.sha256(before[path]).hexdigest()
        assert change["sha256_after"] == hashlib.sha256((tmp_path / path).read_bytes()).hexdigest()
    (json_file,) = [change for path, change in changed.items() if path.endswith(f"{good(1)}.json")]
    assert (json_file["lines"], json_file["names"]) == (1, 3)
    assert receipt["searched"]["sessions"] == 3
    assert not TRACES.search(json.dumps(receipt).encode())


def test_pending_sessions_are_redacted_when_their_transcript_comes(archiver, source, tmp_path):
    from tests.unit.archive.kit import NOT_READY

    source.outcomes[good(4)] = NOT_READY
    late = a_session(4, name="Maths", profiles=[ANN, ADA])
    archived(archiver, source, [*SESSIONS, late])
    erase(tmp_path)
    source.outcomes[good(4)] = [said(0.0, BEN, "Ben Okafor", "Hi"), said(1.0, 1, "Ann", "Hi Ben")]
    run = archiver(NOW.replace(day=24), formats=FORMATS, summaries=True)
    run.update_earlier(NOW)
    files = tree(tmp_path)
    assert len([path for path in files if good(4) in path]) == len(FORMATS)
    assert traces_in(files) == []


def test_accounts_of_bulk_jobs_and_the_health_page_lose_the_name_and_keep_their_keys(archiver, source, tmp_path):
    archived(archiver, source)
    account = tmp_path / "links" / "account.jsonl"
    account.parent.mkdir()
    header = {"lessonspace_account": 1, "job": "launches", "salt": "0" * 32, "merged": 0}
    line = {"key": "a" * 32, "item": "maths-ben", "place": "item 1", "status": "done", "time": "2026", "reason": None}
    lines = [header, {**line, "tries": 1, "name": "Ben Okafor"}, {**line, "tries": 1, "item": "x", "name": "Ada"}]
    account.write_bytes(b"".join(json.dumps(each).encode() + b"\n" for each in lines))
    untouched = account.read_bytes().splitlines()[2]
    (tmp_path / "health.html").write_text("<p>Okafor</p>")
    erase(tmp_path)
    first, second, third = account.read_bytes().splitlines()
    assert json.loads(first) == header
    assert (json.loads(second)["item"], json.loads(second)["name"]) == ("maths-[erased]", "[erased]")
    assert json.loads(second)["key"] == "a" * 32
    assert third == untouched
    assert traces_in(tree(tmp_path)) == []


def test_a_foreign_file_with_the_person_is_left_and_reported(archiver, source, tmp_path):
    archived(archiver, source)
    (tmp_path / "notes.txt").write_text("Ben Okafor called")
    (tmp_path / "other.txt").write_text("Nothing")
    receipt = erase(tmp_path)
    assert [(left["path"], left["failed"]) for left in receipt.left] == [("notes.txt", False)]
    assert (tmp_path / "notes.txt").read_text() == "Ben Okafor called"
    assert receipt.status == "done"


def test_a_file_that_cannot_be_written_is_in_the_receipt_and_all_others_are_done(
    archiver, source, tmp_path, monkeypatch
):
    archived(archiver, source)
    write = erasure_files.write_whole

    def refused(path, data):
        if path.path.endswith(f"{good(1)}.srt"):
            raise OSError(28, os.strerror(28))
        write(path, data)

    monkeypatch.setattr(erasure_files, "write_whole", refused)
    receipt = erase(tmp_path)
    assert receipt.status == "incomplete"
    assert [(left["path"][-4:], left["failed"]) for left in receipt.left] == [(".srt", True)]
    assert {path[-4:] for path in traces_in(tree(tmp_path))} == {".srt"}
    assert not is_complete(tmp_path)
    monkeypatch.undo()
    again = erase(tmp_path)
    assert (again.status, len(again.continues)) == ("done", 1)
    assert (traces_in(tree(tmp_path)), is_complete(tmp_path)) == ([], True)


@pytest.mark.parametrize(
    "damage", [lambda text: text.replace('"counts"', '"version": 2,\n "counts"'), lambda text: text[:-9]]
)
def test_a_manifest_that_cannot_be_read_changes_nothing(archiver, source, tmp_path, damage):
    archived(archiver, source)
    (manifest,) = (tmp_path / "manifests").iterdir()
    manifest.write_text(damage(manifest.read_text()))
    before = tree(tmp_path)
    with pytest.raises(LessonspaceError, match=r"1 manifests can't be read.* nothing was changed"):
        erase(tmp_path)
    assert {path: data for path, data in tree(tmp_path).items() if "erasures" not in path} == before


def test_a_folder_without_files_is_no_archive(tmp_path):
    with pytest.raises(LessonspaceInputError, match="no archive"):
        erase(tmp_path / "nowhere")
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("mode", ["redact", "delete"])
def test_interrupted_at_each_write_and_run_again_it_finishes(archiver, source, tmp_path, monkeypatch, mode):
    from lessonspace_provider import _local_files as local_files

    replace = local_files.Path.replace
    archived(archiver, source)
    files = tree(tmp_path)

    class Killed(BaseException):
        pass

    for after in range(40):
        for path in list(tree(tmp_path)):
            (tmp_path / path).unlink()
        for path, data in files.items():
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_bytes(data)
        writes = 0

        def killed(self, target, after=after):
            nonlocal writes
            writes += 1
            if writes > after:
                raise Killed
            return replace(self, target)

        with monkeypatch.context() as patched:
            patched.setattr(local_files.Path, "replace", killed)
            try:
                erase(tmp_path, names=(), mode=mode)
            except Killed:
                pass
            else:
                break
        receipt = erase(tmp_path, names=(), mode=mode)
        assert receipt.status in ("done", "nothing_found"), after
        assert traces_in(tree(tmp_path)) == [], after
        assert is_complete(tmp_path)
    else:
        pytest.fail("it was interrupted each time")
    assert after > 5


def test_a_log_gets_no_names(archiver, source, tmp_path):
    archived(archiver, source)
    log = Log()
    order = ErasureOrder(user_ids=[], names=["Ben Okafor"], mode="redact")
    Eraser(ObjectStoragePath(f"file://{tmp_path}"), order, log=log).run()
    assert not re.search("ben|okafor|48151", " ".join([*log.lines, *log.warnings]), re.IGNORECASE)
    assert "Okafor" not in repr(order)


def test_a_run_with_redaction_keeps_the_label_of_erased_people_in_summaries(archiver, source, tmp_path):
    archived(archiver, source)
    erase(tmp_path)
    source.asked.clear()
    for summary in ("Ben read aloud.", None):
        listed = [{**SESSIONS[0], "summary": summary}, *SESSIONS[1:]]
        archived(archiver, source, listed, redact_speakers=True, texts=TextRedaction(Roster(["Cleo"])))
        assert next(tmp_path.rglob(f"{good(1)}.summary.txt")).read_text() == "[erased] read aloud.\n"
    assert source.asked == []
