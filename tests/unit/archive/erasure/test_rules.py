# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
from datetime import timedelta

import pytest
from airflow.sdk import ObjectStoragePath

from lessonspace_provider.archive.erasure.people import marks_of_id, marks_of_name
from lessonspace_provider.archive.erasure.store import ErasureStore
from lessonspace_provider.archive.erasure.tombstones import Request
from lessonspace_provider.exceptions import LessonspaceError, LessonspaceServerError
from tests.unit.archive.erased import TRACES, traces_in
from tests.unit.archive.kit import END, NOT_READY, NOW, START, a_session, good, statuses, tree

SAID = [
    {"start_time": 1.0, "end_time": 2.0, "user": {"id": 1, "name": "Ann"}, "text": "Hi Ben, how is Ada?"},
    {"start_time": 2.0, "end_time": 3.0, "user": {"id": 48151, "name": "Ben Okafor"}, "text": "Fine, says Ben"},
]
LISTED = {
    "name": "Ben Okafor and Ann",
    "profiles": [{"user": 1, "name": "Ann", "role": "teacher"}, {"user": 48151, "name": "Ben", "role": "student"}],
}
FORMATS = ["json", "jsonl", "txt", "vtt", "srt", "csv"]


@pytest.fixture
def erase(tmp_path):
    """Record an erasure, as one that takes place beside a run does before anything else."""

    def record(mode="redact", *, for_future=True, sessions=(), time=NOW):
        store = ErasureStore(ObjectStoragePath(f"file://{tmp_path}"))
        tombstones = store.tombstones() or store.created()
        found = [*marks_of_id(tombstones.key, 48151), *marks_of_name(tombstones.key, "Ben Okafor")]
        marks = tuple(f"{mode}:{mark}" for mark in found)
        request = Request(time, marks, for_future=for_future, is_done=True, sessions=dict(sessions))
        store.update(lambda there: there.with_request(request), tombstones.key)
        return marks

    return record


def archive_of(tmp_path):
    """The bytes of an archive, without the folder of its erasures."""
    return {path: data for path, data in tree(tmp_path).items() if not path.startswith("erasures/")}


def test_a_person_who_was_erased_for_the_future_is_in_no_byte_of_a_new_window(archiver, source, erase, tmp_path):
    erase()
    source.outcomes[good(1)] = SAID
    window = archiver(formats=FORMATS).archive_window([a_session(1, **LISTED)], START, END)
    assert statuses(window) == {good(1): "archived"}
    files = archive_of(tmp_path)
    assert len(files) == 7
    for path, data in files.items():
        assert not TRACES.search(data), path
    (text,) = [data for path, data in files.items() if path.endswith(".txt")]
    assert text.decode().splitlines() == [
        "[00:00:01] Ann: Hi [erased], how is Ada?",
        "[00:00:02] [erased]: Fine, says [erased]",
    ]


def test_a_session_of_a_person_who_is_deleted_for_the_future_is_never_asked_for(archiver, source, erase):
    erase("delete")
    window = archiver().archive_window([a_session(1, **LISTED), a_session(2)], START, END)
    assert statuses(window) == {good(1): "erased", good(2): "archived"}
    assert source.asked == [good(2)]


def test_a_late_transcript_in_which_a_deleted_person_speaks_is_not_written(archiver, source, erase, tmp_path):
    erase("delete")
    source.outcomes[good(1)] = SAID
    window = archiver().archive_window([a_session(1)], START, END)  # the list does not know of the person
    assert statuses(window) == {good(1): "erased"}
    assert not [path for path in archive_of(tmp_path) if good(1) in path]


@pytest.mark.parametrize("shown_by", ["transcript", "list"])
def test_a_summary_goes_when_a_deleted_person_is_found_to_have_taken_part(archiver, source, erase, tmp_path, shown_by):
    source.outcomes[good(1)] = NOT_READY if shown_by == "transcript" else LessonspaceServerError("503")
    listed = a_session(1, summary="A good lesson.")
    archiver(summaries=True).archive_window([listed], START, END)
    erase("delete")
    if shown_by == "transcript":
        source.outcomes[good(1)] = SAID
    else:
        listed |= LISTED
    assert any(path.endswith(".summary.txt") for path in archive_of(tmp_path))
    archiver(NOW + timedelta(days=1), dry_run=True, summaries=True).archive_window([listed], START, END)
    assert any(path.endswith(".summary.txt") for path in archive_of(tmp_path))
    window = archiver(NOW + timedelta(days=1), summaries=True).archive_window([listed], START, END)
    assert statuses(window) == {good(1): "erased"}
    assert not [path for path in archive_of(tmp_path) if good(1) in path]


def test_a_late_transcript_is_redacted_by_the_marks_of_its_entry(archiver, source, erase, tmp_path):
    source.outcomes[good(1)] = NOT_READY
    first = archiver()
    first.archive_window([a_session(1, **LISTED)], START, END)
    marks = erase(for_future=False, sessions={good(1): False})
    first.update_earlier(END)  # a run beside the erasure
    (entry,) = json.loads(next((tmp_path / "manifests").iterdir()).read_text())["sessions"]
    assert (entry["roles"], set(entry["erased_people"])) == ({"1": "teacher"}, set(marks))
    source.outcomes[good(1)] = SAID
    archiver(NOW + timedelta(days=1)).archive_window([a_session(1, **LISTED)], START, END)
    assert traces_in(archive_of(tmp_path)) == []
    assert any(path.endswith(".txt") for path in archive_of(tmp_path))


@pytest.mark.parametrize("mode", ["redact", "delete"])
def test_an_erasure_beside_a_run_reaches_what_the_run_wrote_after_it(archiver, source, erase, tmp_path, mode):
    source.outcomes[good(1)] = SAID
    run = archiver(formats=FORMATS)
    run.archive_window([a_session(1, **LISTED), a_session(2)], START, END)
    assert traces_in(archive_of(tmp_path))
    others = {path: data for path, data in archive_of(tmp_path).items() if good(2) in path}
    erase(mode)
    run.update_earlier(START)
    left = archive_of(tmp_path)
    assert traces_in(left) == []
    assert {path: data for path, data in left.items() if good(2) in path} == others
    source.asked.clear()
    window = archiver(formats=FORMATS).archive_window([a_session(1, **LISTED), a_session(2)], START, END)
    assert statuses(window)[good(1)] == ("erased" if mode == "delete" else "archived")
    assert source.asked == []
    assert archive_of(tmp_path).keys() == left.keys()


def test_files_that_a_killed_run_left_of_an_erased_session_are_removed_by_its_retry(archiver, source, erase, tmp_path):
    source.outcomes[good(1)] = SAID
    archiver().archive_window([a_session(1, **LISTED)], START, END)
    files = archive_of(tmp_path)
    erase("delete", for_future=False, sessions={good(1): True})
    run = archiver()
    run.archive_window([], START, END)
    run.update_earlier(START)
    assert len(files) == 3
    assert [path for path in archive_of(tmp_path) if good(1) in path] == []


@pytest.mark.parametrize("lost", ["key", "tombstones.json", "both"])
def test_a_run_that_cannot_honour_the_tombstones_writes_no_transcript(archiver, source, erase, tmp_path, lost):
    source.outcomes[good(1)] = NOT_READY
    erase()
    archiver().archive_window([a_session(1, **LISTED)], START, END)
    source.asked.clear()
    for name in ("key", "tombstones.json") if lost == "both" else (lost,):
        (tmp_path / "erasures" / name).unlink()
    source.outcomes[good(1)] = SAID
    later = archiver(NOW + timedelta(days=1))
    if lost == "both":
        window = later.archive_window([a_session(1, **LISTED)], START, END)
        assert statuses(window) == {good(1): "failed"}
    else:
        with pytest.raises(LessonspaceError, match=r"key is missing|file is missing"):
            later.archive_window([a_session(1, **LISTED)], START, END)
        assert source.asked == []
    assert traces_in(archive_of(tmp_path)) == []


def test_what_a_killed_first_erasure_left_stops_no_run(archiver, erase, tmp_path):
    store = ErasureStore(ObjectStoragePath(f"file://{tmp_path}"))
    store.created()
    assert (tmp_path / "erasures" / "key").stat().st_mode & 0o777 == 0o600
    (tmp_path / "erasures" / "key").unlink()
    window = archiver().archive_window([a_session(1)], START, END)
    assert statuses(window) == {good(1): "archived"}
