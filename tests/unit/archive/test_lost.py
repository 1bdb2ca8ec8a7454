# SPDX-License-Identifier: Apache-2.0
"""Files that were archived and are gone, and transcripts that are empty."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.unit.archive.kit import (
    END,
    NOT_READY,
    NOW,
    SEGMENTS,
    START,
    a_session,
    archive_late,
    entries_of,
    good,
    statuses,
    tree,
)

DAY, WEEK = timedelta(days=1), timedelta(days=8)


def remove(tmp_path, *endings):
    for ending in endings:
        next(tmp_path.rglob(f"{good(1)}.{ending}")).unlink()


def entry_of(window):
    return next(entry for entry in entries_of(window) if entry.session_id == good(1))


@pytest.mark.parametrize("listed", [True, False])
def test_missing_files_are_fetched_when_their_window_runs_again(archiver, source, tmp_path, listed):
    archiver().archive_window([a_session(1), a_session(2)], START, END)
    before = tree(tmp_path)
    remove(tmp_path, "json", "txt")
    source.asked.clear()
    archiver(NOW + WEEK).archive_window([a_session(1)] if listed else [], START, END)
    assert tree(tmp_path) == before
    assert source.asked == [good(1)]


@pytest.mark.parametrize("listed", [True, False])
def test_files_that_can_not_be_fetched_again_are_not_archived(archiver, source, log, tmp_path, listed):
    archiver().archive_window([a_session(1), a_session(2)], START, END)
    remove(tmp_path, "json", "txt")
    source.outcomes[good(1)] = NOT_READY
    window = archiver(NOW + WEEK).archive_window([a_session(1)] if listed else [], START, END)
    assert statuses(window) == {good(1): "given_up", good(2): "archived"}
    assert (entry_of(window).files, entry_of(window).segments) == ((), None)
    assert f"{good(1)}.json" in entry_of(window).reason
    assert f"{good(1)}.txt" in entry_of(window).reason
    assert [line for line in log.warnings if "given up" in line and good(1) in line]


def test_missing_files_are_retried_while_the_transcript_may_return(archiver, source, tmp_path):
    archiver().archive_window([a_session(1)], START, END)
    remove(tmp_path, "json", "txt")
    source.outcomes[good(1)] = NOT_READY
    window = archiver(NOW + DAY).archive_window([], START, END)
    assert entry_of(window).status == "pending"
    source.outcomes = {}
    ((window,), _) = archiver(NOW + 2 * DAY).update_earlier(before=END)
    assert entry_of(window).status == "archived"


def test_a_restored_file_is_archived_again_without_a_call(archiver, source, tmp_path):
    archiver().archive_window([a_session(1)], START, END)
    (path,) = tmp_path.rglob(f"{good(1)}.json")
    saved = path.read_bytes()
    before = tree(tmp_path)
    remove(tmp_path, "json", "txt")
    source.outcomes[good(1)] = NOT_READY
    archiver(NOW + WEEK).archive_window([], START, END)
    path.write_bytes(saved)
    source.asked.clear()
    window = archiver(NOW + WEEK).archive_window([], START, END)
    assert (entry_of(window).status, source.asked) == ("archived", [])
    assert tree(tmp_path).keys() == before.keys()


@pytest.mark.parametrize(("formats", "gone"), [(["json", "jsonl"], "json"), (["jsonl", "json", "txt"], "json")])
def test_a_file_is_restored_from_another_that_holds_all(archiver, source, tmp_path, formats, gone):
    archiver(formats=formats).archive_window([a_session(1)], START, END)
    before = tree(tmp_path)
    remove(tmp_path, gone)
    source.asked.clear()
    source.outcomes[good(1)] = NOT_READY
    window = archiver(NOW + WEEK, formats=formats).archive_window([], START, END)
    assert entry_of(window).status == "archived"
    assert tree(tmp_path) == before
    assert source.asked == []


def test_a_format_that_is_not_wanted_any_more_still_restores_others(archiver, source, tmp_path):
    archiver(formats=["jsonl"]).archive_window([a_session(1)], START, END)
    source.outcomes[good(1)] = NOT_READY
    source.asked.clear()
    window = archiver(formats=["txt", "vtt"]).archive_window([a_session(1)], START, END)
    assert [file["format"] for file in entry_of(window).files] == ["txt", "vtt"]
    assert source.asked == []


@pytest.mark.parametrize(
    "damage", [b"", b"{}\n", b'{"text": "other"}', b'{"text": "a"}\r\n', b'{"text": "Hi"}\n', b"[]\n", b"\xff"]
)
def test_a_damaged_file_restores_nothing(archiver, source, tmp_path, damage):
    archiver(formats=["jsonl", "txt"]).archive_window([a_session(1)], START, END)
    before = tree(tmp_path)
    next(tmp_path.rglob("*.jsonl")).write_bytes(damage)
    source.asked.clear()
    archiver(formats=["jsonl", "txt"]).archive_window([], START, END)
    assert source.asked == [good(1)]
    assert tree(tmp_path) == before


def test_what_is_left_of_the_files_stays_with_what_is_missing(archiver, source, tmp_path):
    archiver().archive_window([a_session(1)], START, END)
    remove(tmp_path, "json")
    source.outcomes[good(1)] = NOT_READY
    window = archiver(NOW + WEEK).archive_window([], START, END)
    entry = entry_of(window)
    assert (entry.status, [file["format"] for file in entry.files]) == ("archived", ["txt"])
    assert "no file in json" in entry.reason


def test_an_empty_transcript_is_pending_until_it_comes(archiver, source):
    source.outcomes[good(1)] = []
    window = archiver().archive_window([a_session(1)], START, END)
    assert entry_of(window).status == "pending"
    assert "empty" in entry_of(window).reason
    source.outcomes = {}
    ((window,), _) = archiver(NOW + DAY).update_earlier(before=END)
    assert (entry_of(window).status, entry_of(window).segments) == ("archived", 1)


def test_an_empty_transcript_is_archived_as_such_after_give_up_after(archiver, source, log, tmp_path):
    source.outcomes[good(1)] = []
    archiver().archive_window([a_session(1)], START, END)
    ((window,), _) = archiver(NOW + WEEK).update_earlier(before=END)
    entry = entry_of(window)
    assert (entry.status, entry.segments, len(entry.files)) == ("archived", 0, 2)
    assert "empty" in entry.reason
    assert log.warnings == [f"An empty transcript was archived: session {good(1)} {entry.end_time}: {entry.reason}"]
    for day in (9, 10):
        archiver(NOW + day * DAY).archive_window([a_session(1)], START, END)
    assert len(log.warnings) == 1
    assert len(source.asked) == 2


def test_a_full_transcript_is_not_replaced_by_an_empty_one(archiver, source, tmp_path):
    archiver(formats=["txt"]).archive_window([a_session(1)], START, END)
    source.outcomes[good(1)] = []
    window = archiver(NOW + WEEK, formats=["txt", "vtt"]).archive_window([a_session(1)], START, END)
    assert (entry_of(window).status, entry_of(window).segments) == ("archived", len(SEGMENTS))
    assert [file["format"] for file in entry_of(window).files] == ["txt"]
    remove(tmp_path, "txt")
    window = archiver(NOW + WEEK, formats=["txt"]).archive_window([a_session(1)], START, END)
    assert entry_of(window).status == "given_up"


def test_an_empty_file_that_an_earlier_run_left_is_asked_for_again(archiver, source, tmp_path):
    path = tmp_path / f"2026/11/23/{good(1)}.json"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"[]\n")
    window = archiver().archive_window([a_session(1)], START, END)
    assert (source.asked, entry_of(window).segments) == ([good(1)], 1)


def test_a_session_whose_times_contradict_each_other_is_asked_for(archiver, source):
    late_start = (END + timedelta(hours=1)).isoformat()
    window = archiver().archive_window([a_session(1, start_time=late_start)], START, END)
    assert (entry_of(window).status, source.asked) == ("archived", [good(1)])


def test_a_late_session_without_a_transcript_is_pending_in_its_own_window(archiver, source):
    archiver().archive_window([], START, END)
    source.outcomes[good(1)] = []
    ((window,), _) = archive_late(archiver(), [a_session(1)])
    assert entry_of(window).status == "pending"
