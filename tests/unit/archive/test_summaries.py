# SPDX-License-Identifier: Apache-2.0
"""Summaries in an archive: from the lists alone, kept whatever becomes of the transcript, redacted, and updated."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from airflow.sdk import ObjectStoragePath

from lessonspace_provider.archive import summaries
from lessonspace_provider.archive.summaries import summary_in
from lessonspace_provider.exceptions import LessonspaceDestinationError
from tests.unit.archive.kit import END, NOT_READY, NOW, START, a_session, archive_late, entries_of, good, tree

TEXT = "Ben read a page.\nAnn praised him."
SPOKEN = [
    {"start_time": 1.0, "end_time": 2.0, "user": {"id": 1, "name": "Ann"}, "text": "Hi"},
    {"start_time": 2.0, "end_time": 3.0, "user": {"id": 2, "name": "Ben"}, "text": "Hi"},
    {"start_time": 3.0, "end_time": 4.0, "user": {"id": 9, "name": "Cleo"}, "text": "Hi"},
]


@pytest.fixture
def archive(archiver):
    """Make an archiver that archives summaries, too."""

    def make(now=NOW, **layout):
        return archiver(now, **{"summaries": True, **layout})

    return make


def summaries_in(folder):
    return {path: data.decode() for path, data in tree(folder).items() if path.endswith(".summary.txt")}


def only_summary(folder):
    (text,) = summaries_in(folder).values()
    return text


def with_summary(number=1, summary=TEXT, **fields):
    return a_session(number, summary=summary, **fields)


def test_a_summary_is_archived_beside_its_transcript_and_recorded(archive, source, tmp_path):
    (entry,) = entries_of(archive().archive_window([with_summary()], START, END))
    assert summaries_in(tmp_path) == {f"{entry.path}.summary.txt": TEXT + "\n"}
    assert entry.summary["path"] == f"{entry.path}.summary.txt"
    assert entry.summary["format"] == "summary"
    assert entry.summary["size"] == len(TEXT) + 1
    assert entry.summary["redacted"] is False
    assert summary_in(ObjectStoragePath(f"file://{tmp_path}"), entry) == TEXT
    assert source.asked == [good(1)]
    assert {file["format"] for file in entry.files} == {"json", "txt"}


def test_without_the_option_no_summary_is_archived(archiver, tmp_path):
    (entry,) = entries_of(archiver().archive_window([with_summary()], START, END))
    assert entry.summary is None
    assert "summary" not in json.dumps(entry.to_json())
    assert summaries_in(tmp_path) == {}


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"record_av": False}, "not_eligible"),
        ({}, "pending"),
        ({"end_time": (NOW - timedelta(days=9)).isoformat()}, ""),
    ],
)
def test_a_summary_is_kept_without_a_transcript(archive, source, tmp_path, fields, status):
    source.outcomes[good(1)] = NOT_READY
    window = (START, END) if status else (NOW - timedelta(days=10), NOW - timedelta(days=8))
    (entry,) = entries_of(archive().archive_window([with_summary(**fields)], *window))
    assert entry.status == (status or "given_up")
    assert only_summary(tmp_path) == TEXT + "\n"
    assert entry.summary["path"] in summaries_in(tmp_path)


def test_a_run_without_a_new_summary_changes_nothing(archive, source, tmp_path):
    archive().archive_window([with_summary()], START, END)
    before = tree(tmp_path)
    archive().archive_window([with_summary()], START, END)
    archive().archive_window([with_summary(summary=None)], START, END)
    archive().archive_window([], START, END)
    assert tree(tmp_path) == before
    assert source.asked == [good(1)]


@pytest.mark.parametrize(
    ("fields", "outcome"),
    [({}, None), ({}, NOT_READY), ({"record_av": False}, None)],
    ids=["archived", "pending", "not"],
)
def test_a_newer_summary_in_the_next_list_replaces_it_without_a_call(archive, source, tmp_path, fields, outcome):
    if outcome:
        source.outcomes[good(1)] = outcome
    (before,) = entries_of(archive().archive_window([with_summary(**fields)], START, END))
    source.asked.clear()
    changed, problems = archive_late(archive(), [with_summary(summary="Newer.", **fields)])
    assert problems == []
    (entry,) = entries_of(changed[0])
    assert only_summary(tmp_path) == "Newer.\n"
    assert (entry.status, entry.files, entry.tries) == (before.status, before.files, before.tries)
    assert summary_in(ObjectStoragePath(f"file://{tmp_path}"), entry) == "Newer."
    assert source.asked == []
    assert archive_late(archive(), [with_summary(summary="Newer.", **fields)]) == ([], [])


def test_a_transcript_that_was_given_up_is_not_asked_for_again_for_its_summary(archive, source, tmp_path):
    ended = NOW - timedelta(days=8)
    source.outcomes[good(1)] = NOT_READY
    old = {"start_time": (ended - timedelta(hours=1)).isoformat(), "end_time": ended.isoformat()}
    window = (ended - timedelta(hours=1), ended + timedelta(hours=1))
    archive().archive_window([with_summary(**old)], *window)
    source.asked.clear()
    later = archive()
    own = later.archive_window([with_summary(summary="Newer.", **old)], window[1], window[1] + timedelta(hours=1))
    ((changed,), _) = later.update_earlier(window[1], own.elsewhere)
    assert [entry.status for entry in entries_of(changed)] == ["given_up"]
    assert only_summary(tmp_path) == "Newer.\n"
    assert source.asked == []


def test_redaction_reaches_a_summary_also_when_summaries_are_no_longer_archived(archive, tmp_path):
    archive().archive_window([with_summary(summary="Ann helped Ben.")], START, END)
    archive(summaries=False).archive_window([with_summary(summary="Newer.")], START, END)
    assert only_summary(tmp_path) == "Ann helped Ben.\n"
    later = archive(summaries=False, redact_speakers=True)
    (entry,) = entries_of(later.archive_window([with_summary(summary="Newer.")], START, END))
    assert only_summary(tmp_path) == "Teacher helped Student.\n"
    assert entry.summary["redacted"] is True


def test_a_damaged_summary_is_written_again(archive, tmp_path):
    (entry,) = entries_of(archive().archive_window([with_summary()], START, END))
    (tmp_path / entry.summary["path"]).write_text("other")
    assert summary_in(ObjectStoragePath(f"file://{tmp_path}"), entry) is None
    archive().archive_window([with_summary()], START, END)
    assert only_summary(tmp_path) == TEXT + "\n"


def test_names_of_the_people_in_the_session_are_replaced(archive, source, tmp_path):
    source.outcomes[good(1)] = NOT_READY
    (entry,) = entries_of(archive(redact_speakers=True).archive_window([with_summary()], START, END))
    assert only_summary(tmp_path) == "Student read a page.\nTeacher praised him.\n"
    assert entry.summary["redacted"] is True


def test_names_in_the_transcript_get_its_labels(archive, source, tmp_path):
    source.outcomes[good(1)] = SPOKEN
    listed = [with_summary(summary=f"{TEXT} Cleo left.")]
    archive(redact_speakers=True).archive_window(listed, START, END)
    assert only_summary(tmp_path) == "Student 1 read a page.\nTeacher praised him. Speaker 1 left.\n"
    before = tree(tmp_path)
    archive_late(archive(redact_speakers=True), [*listed, a_session(2)])
    archive(redact_speakers=True).archive_window(listed, START, END)
    assert only_summary(tmp_path) == "Student 1 read a page.\nTeacher praised him. Speaker 1 left.\n"
    assert before.keys() <= tree(tmp_path).keys()


def test_names_in_a_transcript_that_comes_late_are_replaced(archive, source, tmp_path):
    source.outcomes[good(1)] = NOT_READY
    archive(redact_speakers=True).archive_window([with_summary(summary=f"{TEXT} Cleo left.")], START, END)
    assert "Cleo" in only_summary(tmp_path)
    source.outcomes[good(1)] = SPOKEN
    late = archive(NOW + timedelta(days=1), redact_speakers=True)
    ((changed,), _) = late.update_earlier(END)
    (entry,) = entries_of(changed)
    assert only_summary(tmp_path) == "Student read a page.\nTeacher praised him. Speaker 1 left.\n"
    assert summary_in(ObjectStoragePath(f"file://{tmp_path}"), entry) is not None


def test_names_are_replaced_when_redaction_begins_and_return_when_it_ends(archive, tmp_path):
    archive().archive_window([with_summary()], START, END)
    archive(redact_speakers=True).archive_window([with_summary()], START, END)
    assert only_summary(tmp_path) == "Student read a page.\nTeacher praised him.\n"
    archive().archive_window([with_summary()], START, END)
    assert only_summary(tmp_path) == TEXT + "\n"


def test_a_summary_that_cannot_be_written_is_named_and_its_transcript_archived(archive, source, tmp_path, monkeypatch):
    def refuse(*_):
        raise LessonspaceDestinationError("the store is full")

    monkeypatch.setattr(summaries, "write_pieces", refuse)
    window = archive().archive_window([with_summary(), a_session(2)], START, END)
    assert [entry.session_id for entry in window.failed] == [good(1)]
    assert window.failed[0].reason == "its summary could not be written: the store is full"
    assert {entry.status for entry in entries_of(window)} == {"archived"}
    monkeypatch.undo()
    source.asked.clear()
    again = archive().archive_window([with_summary(), a_session(2)], START, END)
    assert again.failed == []
    assert only_summary(tmp_path) == TEXT + "\n"
    assert source.asked == []


def test_a_dry_run_writes_no_summary(archiver, tmp_path, log):
    archiver(dry_run=True, summaries=True).archive_window([with_summary()], START, END)
    assert tree(tmp_path) == {}


def test_lists_without_the_field_are_a_warning(archive, log):
    archive().archive_window([a_session(1)], START, END)
    assert any("No listed session has the field summary" in line for line in log.warnings)
    log.warnings.clear()
    archive().archive_window([with_summary(summary=None)], START, END)
    archive().archive_window([], START, END)
    assert log.warnings == []


def test_a_session_that_cannot_be_filed_has_no_summary(archive, tmp_path):
    (entry,) = entries_of(archive().archive_window([with_summary(uuid=None)], START, END))
    assert (entry.status, entry.summary) == ("failed", None)
    assert summaries_in(tmp_path) == {}


def test_an_erased_session_gets_no_summary(archive, tmp_path):
    window = archive().archive_window([with_summary(summary=None)], START, END)
    path = tmp_path / "manifests" / window.path.name
    path.write_text(path.read_text().replace('"status": "archived"', '"status": "erased"'))
    archive().archive_window([with_summary()], START, END)
    archive_late(archive(), [with_summary()])
    assert summaries_in(tmp_path) == {}
