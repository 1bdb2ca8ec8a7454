# SPDX-License-Identifier: Apache-2.0
"""The files of transcripts: what is missing or damaged, other formats, redaction."""

from __future__ import annotations

from datetime import timedelta

import pytest

from lessonspace_provider.exceptions import LessonspaceServerError
from lessonspace_provider.output import files as storage
from tests.unit.archive.kit import END, NOT_READY, NOW, START, a_session, entries_of, good, statuses, tree


@pytest.mark.parametrize("damage", [b"", b"[", b'[{"text": "other"}]\n'])
def test_a_damaged_file_is_fetched_again_and_replaced(archiver, source, tmp_path, damage):
    sessions = [a_session(1), a_session(2)]
    archiver().archive_window(sessions, START, END)
    good = tree(tmp_path)
    source.asked.clear()
    for path in tmp_path.rglob(f"{sessions[0]['uuid']}.*"):
        path.write_bytes(damage)
    archiver().archive_window(sessions, START, END)
    assert source.asked == [sessions[0]["uuid"]]
    assert tree(tmp_path) == good


def test_a_missing_format_is_made_from_the_json_file_without_fetching(archiver, source, tmp_path):
    sessions = [a_session(1)]
    archiver(formats=["json"]).archive_window(sessions, START, END)
    source.asked.clear()
    window = archiver(formats=["json", "txt"]).archive_window(sessions, START, END)
    assert source.asked == []
    assert len(list(tmp_path.rglob("*.txt"))) == 1
    assert [file["format"] for file in entries_of(window)[0].files] == ["json", "txt"]


def test_what_a_killed_run_left_without_a_manifest_is_not_fetched_again(archiver, source, tmp_path):
    sessions = [a_session(1), a_session(2)]
    archiver().archive_window(sessions, START, END)
    good = tree(tmp_path)
    next((tmp_path / "manifests").iterdir()).unlink()
    next(tmp_path.rglob(f"{sessions[0]['uuid']}.txt")).unlink()
    source.asked.clear()
    archiver().archive_window(sessions, START, END)
    assert source.asked == []
    assert tree(tmp_path) == good


def test_a_format_that_comes_too_late_takes_no_file_out_of_the_account(archiver, source, tmp_path):
    archiver(formats=["txt"]).archive_window([a_session(1)], START, END)
    (before,) = tmp_path.rglob("*.txt")
    source.outcomes[a_session(1)["uuid"]] = NOT_READY
    window = archiver(NOW + timedelta(days=8), formats=["txt", "vtt"]).archive_window([a_session(1)], START, END)
    (entry,) = entries_of(window)
    assert (entry.status, entry.segments) == ("archived", 1)
    assert [file["path"] for file in entry.files] == [str(before.relative_to(tmp_path))]
    assert "any more" in entry.reason


def test_after_a_passing_error_an_archived_one_keeps_its_files_though_the_api_has_the_transcript_no_more(
    archiver, source, tmp_path
):
    later = NOW + timedelta(days=8)
    archiver(formats=["txt"]).archive_window([a_session(1)], START, END)
    source.outcomes[good(1)] = LessonspaceServerError("503")
    window = archiver(later, formats=["txt", "vtt"]).archive_window([a_session(1)], START, END)
    assert statuses(window) == {good(1): "failed"}
    source.outcomes[good(1)] = NOT_READY
    window = archiver(later, formats=["txt", "vtt"]).archive_window([a_session(1)], START, END)
    (entry,) = entries_of(window)
    assert (entry.status, entry.segments) == ("archived", 1)
    assert [(tmp_path / file["path"]).read_bytes() for file in entry.files] == [b"[00:00:01] Ann: Hi\n"]


def test_a_store_that_could_not_be_read_for_a_moment_costs_no_archived_file(archiver, source, monkeypatch):
    archiver(formats=["txt"]).archive_window([a_session(1)], START, END)
    source.outcomes[good(1)] = NOT_READY
    with monkeypatch.context() as broken:

        def unreadable(path):
            if str(path).endswith(".txt"):
                raise OSError("store 503")
            return storage.read_whole(path)

        broken.setattr("lessonspace_provider.archive.recorded.read_whole", unreadable)
        assert statuses(archiver(formats=["txt"]).archive_window([a_session(1)], START, END)) == {good(1): "failed"}
    window = archiver(NOW + timedelta(days=8), formats=["txt"]).archive_window([a_session(1)], START, END)
    (entry,) = entries_of(window)
    assert (entry.status, entry.reason, len(entry.files)) == ("archived", None, 1)


@pytest.mark.parametrize("template", ["{name}/{session_id}", "{space_name}/{session_id}"])
def test_what_is_known_of_a_session_that_was_renamed_since_stays_where_it_is(archiver, source, tmp_path, template):
    sessions = [a_session(number, space={"name": "Room"}) for number in (1, 2, 3)]
    source.outcomes = {good(2): NOT_READY, good(3): LessonspaceServerError("503")}
    archiver(path_template=template).archive_window(sessions, START, END)
    before = tree(tmp_path)
    source.outcomes[good(1)] = NOT_READY
    renamed = [{**session, "name": "Renamed", "space": {"name": "Renamed"}} for session in sessions]
    window = archiver(path_template=template).archive_window(renamed, START, END)
    assert statuses(window) == {good(1): "archived", good(2): "pending", good(3): "failed"}
    assert tree(tmp_path).keys() == before.keys()
    source.outcomes.clear()
    window = archiver(NOW + timedelta(hours=1), path_template=template).archive_window(renamed, START, END)
    assert window.manifest.counts["archived"] == 3
    assert not [path for path in tree(tmp_path) if "Renamed" in path]


def test_a_new_template_holds_for_what_is_new(archiver, source, tmp_path):
    archiver().archive_window([a_session(1), a_session(2, end_time="soon")], START, END)
    sessions = [a_session(number) for number in (1, 2, 3)]
    archiver(path_template="new/{session_id}").archive_window(sessions, START, END)
    assert sorted(path for path in tree(tmp_path) if path.endswith(".txt")) == [
        f"2026/11/23/{good(1)}.txt",
        f"new/{good(2)}.txt",
        f"new/{good(3)}.txt",
    ]
    assert sorted(source.asked) == [good(1), good(2), good(3)]


def test_a_full_disk_leaves_no_partial_file_and_no_false_entry(archiver, monkeypatch, tmp_path):
    def full_for_txt(path, pieces):
        if str(path).endswith(".txt"):
            raise OSError(28, "No space left on device")
        return storage.write_pieces(path, pieces)

    monkeypatch.setattr("lessonspace_provider.archive.files.write_pieces", full_for_txt)
    window = archiver().archive_window([a_session(1)], START, END)
    assert window.manifest.counts["failed"] == 1
    assert not entries_of(window)[0].files
    assert not [name for name in tree(tmp_path) if name.endswith((".txt", ".part"))]


def test_with_redaction_no_name_is_in_any_file(archiver, tmp_path):
    archiver(redact_speakers=True, formats=["json", "txt"]).archive_window([a_session(1)], START, END)
    everything = b"".join(tree(tmp_path).values())
    assert b"Ann" not in everything
    assert b"Teacher" in everything


def test_redaction_reaches_what_was_archived_with_names_and_names_come_back_only_by_fetching(
    archiver, source, tmp_path
):
    archiver().archive_window([a_session(1)], START, END)
    source.asked.clear()
    archiver(redact_speakers=True).archive_window([a_session(1)], START, END)
    assert b"Ann" not in b"".join(tree(tmp_path).values())
    assert source.asked == []
    archiver(redact_speakers=True).archive_window([a_session(1)], START, END)
    assert source.asked == []
    archiver().archive_window([a_session(1)], START, END)
    assert source.asked == [a_session(1)["uuid"]]
    assert b"Ann" in b"".join(tree(tmp_path).values())


def test_redaction_reaches_files_in_formats_that_are_no_longer_wanted(archiver, source, tmp_path):
    archiver(formats=["json", "txt", "vtt"]).archive_window([a_session(1)], START, END)
    archiver(formats=["json", "txt"]).archive_window([a_session(1)], START, END)
    files = tree(tmp_path).keys()
    window = archiver(formats=["json"], redact_speakers=True).archive_window([a_session(1)], START, END)
    assert [file["format"] for file in entries_of(window)[0].files] == ["json"]
    assert b"Ann" not in b"".join(tree(tmp_path).values())
    assert tree(tmp_path).keys() == files
    assert source.asked == [good(1)]


def test_after_a_passing_error_files_with_roles_are_not_taken_for_files_with_names(archiver, source, tmp_path):
    archiver(redact_speakers=True).archive_window([a_session(1)], START, END)
    source.outcomes[good(1)] = LessonspaceServerError("503")
    (entry,) = entries_of(archiver().archive_window([a_session(1)], START, END))
    assert (entry.status, entry.redacted) == ("failed", True)
    source.outcomes.clear()
    source.asked.clear()
    (entry,) = entries_of(archiver().archive_window([a_session(1)], START, END))
    assert source.asked == [good(1)]
    assert (entry.status, entry.redacted) == ("archived", False)
    assert b"Teacher" not in b"".join(tree(tmp_path).values())


def test_what_a_killed_run_left_redacted_is_not_taken_for_files_with_names(archiver, source, tmp_path):
    sessions = [a_session(1)]
    archiver(redact_speakers=True).archive_window(sessions, START, END)
    next((tmp_path / "manifests").iterdir()).unlink()
    source.asked.clear()
    (entry,) = entries_of(archiver().archive_window(sessions, START, END))
    assert source.asked == [good(1)]
    assert entry.redacted is False
    assert b"Teacher" not in b"".join(tree(tmp_path).values())
