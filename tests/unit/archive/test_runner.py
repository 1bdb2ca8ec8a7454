# SPDX-License-Identifier: Apache-2.0
"""Runs of a window."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
import requests

from lessonspace_provider.exceptions import LessonspaceError, LessonspaceServerError
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


def test_run_again_it_fetches_nothing_and_changes_nothing(archiver, source, tmp_path):
    sessions = [a_session(number) for number in range(5)]
    archiver().archive_window(sessions, START, END)
    before, times = tree(tmp_path), {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.txt")}
    source.asked.clear()
    archiver().archive_window(sessions, START, END)
    assert source.asked == []
    assert tree(tmp_path) == before
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.txt")} == times


@pytest.mark.parametrize("since", [{"profiles": [{"user": 1}]}, {"record_av": False}])
def test_what_was_archived_stays_so_when_people_or_the_recording_are_removed(archiver, tmp_path, since):
    archiver().archive_window([a_session(1)], START, END)
    before = tree(tmp_path)
    archiver().archive_window([a_session(1, **since)], START, END)
    assert tree(tmp_path) == before


def test_a_session_that_is_not_listed_any_more_stays_in_the_account(archiver, source):
    source.outcomes[a_session(2)["uuid"]] = NOT_READY
    archiver().archive_window([a_session(1), a_session(2), a_session(3)], START, END)
    window = archiver().archive_window([a_session(3)], START, END)
    assert list(statuses(window).values()) == ["archived", "pending", "archived"]
    assert window.manifest.counts["archived"] == 2


def test_a_night_undoes_nothing_that_a_retry_of_an_earlier_one_has_done_meanwhile(archiver, source):
    sessions = [a_session(1), a_session(2)]
    source.outcomes = {sessions[0]["uuid"]: NOT_READY, sessions[1]["uuid"]: LessonspaceServerError("503")}
    archiver().archive_window(sessions, START, END)
    source.outcomes = {sessions[0]["uuid"]: NOT_READY}
    tomorrow, fetch = NOW + timedelta(days=1), source.open_transcript

    def fetch_while_the_retry_runs(session_id):
        if session_id == good(1):
            return fetch(session_id)
        source.open_transcript = fetch
        archiver(tomorrow).archive_window(sessions, START, END)
        raise LessonspaceServerError("503")

    source.open_transcript = fetch_while_the_retry_runs
    ((window,), _) = archiver(tomorrow).update_earlier(before=END)
    assert statuses(window) == {good(1): "pending", good(2): "archived"}


def test_a_retry_undoes_nothing_that_a_night_has_archived_meanwhile(archiver, source):
    source.outcomes[good(1)] = NOT_READY
    archiver().archive_window([a_session(1)], START, END)
    source.outcomes.clear()
    tomorrow, fetch = NOW + timedelta(days=1), source.open_transcript

    def fetch_while_the_night_runs(session_id):
        source.open_transcript = fetch
        archiver(tomorrow).update_earlier(before=END)
        raise NOT_READY

    source.open_transcript = fetch_while_the_night_runs
    assert statuses(archiver(tomorrow).archive_window([a_session(1)], START, END)) == {good(1): "archived"}


def test_entries_that_a_run_left_as_they_were_are_not_written_over_newer_ones(archiver, source):
    archiver().archive_window([a_session(1)], START, END)
    fetch = source.open_transcript

    def fetch_while_another_adds_a_format(session_id):
        source.open_transcript = fetch
        archiver(formats=["json", "txt", "vtt"]).archive_window([a_session(1)], START, END)
        return SEGMENTS

    source.open_transcript = fetch_while_another_adds_a_format
    window = archiver().archive_window([a_session(1), a_session(2)], START, END)
    assert [len(entry.files) for entry in entries_of(window)] == [3, 2]


def test_a_manifest_removed_during_a_run_is_complete_at_its_end(archiver, source, tmp_path):
    archiver().archive_window([a_session(1)], START, END)

    def fetch_while_the_manifest_is_removed(session_id):
        next((tmp_path / "manifests").iterdir()).unlink(missing_ok=True)
        raise NOT_READY

    source.open_transcript = fetch_while_the_manifest_is_removed
    window = archiver().archive_window([a_session(1), a_session(2)], START, END)
    assert statuses(window) == {good(1): "archived", good(2): "pending"}


@pytest.mark.parametrize("known", [True, False])
def test_a_destination_that_can_not_be_written_costs_no_call(archiver, source, tmp_path, monkeypatch, known):
    if known:
        source.outcomes[good(1)] = NOT_READY
        archiver().archive_window([a_session(1)], START, END)
        source.asked.clear()
    before = tree(tmp_path)

    def refuses(path, data):
        raise PermissionError(f"not allowed to write {path}")

    monkeypatch.setattr("lessonspace_provider.archive.manifest_store.update_whole", refuses)
    with pytest.raises(PermissionError, match="manifests"):
        archiver(NOW + timedelta(days=1)).archive_window([a_session(1)], START, END)
    assert source.asked == []
    assert tree(tmp_path) == before


def test_of_a_killed_run_the_manifest_has_every_session_as_not_attempted(archiver, source, tmp_path):
    class Killed(BaseException):
        pass

    def is_killed(session_id):
        raise Killed

    source.open_transcript = is_killed
    sessions = [a_session(1), a_session(2, profiles=[{"user": 1}])]
    with pytest.raises(Killed):
        archiver().archive_window(sessions, START, END)
    (path,) = (tmp_path / "manifests").iterdir()
    account = json.loads(path.read_bytes())
    assert {status: number for status, number in account["counts"].items() if number} == {
        "not_eligible": 1,
        "not_attempted": 1,
    }
    assert "ended before it tried" in account["sessions"][0]["reason"]
    del source.open_transcript
    assert archiver().archive_window(sessions, START, END).manifest.counts["archived"] == 1


def test_a_session_that_the_list_shows_twice_is_archived_once(archiver, source):
    window = archiver().archive_window([a_session(1), a_session(2), a_session(1)], START, END)
    assert len(entries_of(window)) == 2
    assert sorted(source.asked) == sorted({*source.asked})


@pytest.mark.parametrize(
    "error", [LessonspaceServerError("500 for ever"), OSError("disk full"), RuntimeError("https://store/?Signature=x")]
)
def test_one_bad_session_stops_no_other_and_its_retry_tries_only_that_one(archiver, source, error):
    sessions = [a_session(number) for number in range(4)]
    source.outcomes[sessions[2]["uuid"]] = error
    window = archiver().archive_window(sessions, START, END)
    assert [entry.session_id for entry in window.failed] == [sessions[2]["uuid"]]
    assert window.manifest.counts["archived"] == 3
    assert "Signature" not in str(window.failed)
    source.outcomes.clear()
    source.asked.clear()
    assert archiver().archive_window(sessions, START, END).failed == []
    assert source.asked == [sessions[2]["uuid"]]


def test_a_session_whose_times_make_no_sense_is_failed_and_not_lost(archiver):
    window = archiver().archive_window([a_session(1), {**a_session(2), "end_time": "soon"}], START, END)
    assert statuses(window)[a_session(2)["uuid"]] == "failed"
    assert "soon" in window.failed[0].reason
    assert window.manifest.counts["archived"] == 1


ODD_SESSIONS = [
    ({"profiles": [None]}, "archived"),
    ({"profiles": [3, "Ann"]}, "archived"),
    ({"profiles": "x"}, "archived"),
    ({"profiles": 7}, "archived"),
    ({"profiles": [{"user": [1]}, {"user": {}}]}, "archived"),
    ({"profiles": [{"user": "\u00b2", "role": ["x"]}, {}]}, "archived"),
    ({"guests": [3]}, "archived"),
    ({"guests": 7}, "archived"),
    ({"guests": [{"uuid": [1]}]}, "archived"),
    ({"id": "5"}, "archived"),
    ({"name": 5}, "archived"),
    ({"name": {"en": "x"}}, "archived"),
    ({"name": "\ud800"}, "archived"),
    ({"space": {"id": 5, "name": 5}}, "archived"),
    ({"space": 5}, "archived"),
    ({"start_time": {"at": 1}}, "archived"),
    ({"end_time": 5}, "failed"),
    ({"uuid": None}, "failed"),
    ({"uuid": ""}, "failed"),
    ({"uuid": 5}, "failed"),
    ({"uuid": ["x"]}, "failed"),
]


@pytest.mark.parametrize(("fields", "status"), ODD_SESSIONS)
def test_a_session_of_an_odd_shape_is_accounted_for_and_stops_no_other(archiver, tmp_path, fields, status):
    layout = {"path_template": "{name}/{space_id}/{space_name}/{session_id}", "redact_speakers": True}
    sessions = [a_session(1), {**a_session(2), **fields}, a_session(3)]
    window = archiver(**layout).archive_window(sessions, START, END)
    odd = next(entry for entry in entries_of(window) if entry.session_id not in {good(1), good(3)})
    assert odd.status == status
    assert bool(odd.reason) == (status == "failed")
    assert "please report it" not in str(odd.reason)
    assert window.manifest.counts["archived"] == (3 if status == "archived" else 2)
    assert window.path.read_bytes() == window.manifest.to_json()
    assert archiver(**layout).archive_window(sessions, START, END).manifest == window.manifest


def test_late_sessions_without_a_uuid_are_separate_and_stop_no_other(archiver):
    archiver().archive_window([], START, END)
    late = [{**a_session(number), "uuid": None} for number in (1, 2)] + [a_session(3)]
    ((window,), _) = archive_late(archiver(), late)
    assert sorted(statuses(window).values()) == ["archived", "failed", "failed"]


def test_a_pending_transcript_is_not_requested_before_its_next_check(archiver, source):
    session = a_session(1)
    source.outcomes[session["uuid"]] = NOT_READY
    archiver().archive_window([session], START, END)
    archiver(NOW + timedelta(minutes=1)).archive_window([session], START, END)
    assert archiver(NOW + timedelta(minutes=1)).update_earlier(before=END) == ([], [])
    assert len(source.asked) == 1
    archiver(NOW + timedelta(minutes=6)).archive_window([session], START, END)
    assert len(source.asked) == 2


def test_of_an_old_window_that_is_backfilled_those_that_are_given_up_at_once_are_warned_of(archiver, source, log):
    source.outcomes[good(1)] = NOT_READY
    for _ in range(2):
        archiver(NOW + timedelta(days=90)).archive_window([a_session(1)], START, END)
        assert len(log.warnings) == 1


@pytest.mark.parametrize("damage", [b"{", b"", b"[]", b"null", b"{}", b"\xff", b'{"sessions": [{"session_id": "1"}]}'])
def test_a_manifest_that_can_not_be_read_is_named_and_not_overwritten(archiver, tmp_path, damage):
    window = archiver().archive_window([a_session(1)], START, END)
    window.path.write_bytes(damage)
    with pytest.raises(LessonspaceError, match=r"manifest .*20261122.* can't be read"):
        archiver().archive_window([a_session(1)], START, END)
    assert window.path.read_bytes() == damage


def test_the_address_in_an_error_of_requests_is_not_shown(archiver, source):
    source.outcomes[good(1)] = requests.ConnectionError("Max retries exceeded with url: /webhdfs/v1/a?delegation=TOKEN")
    window = archiver().archive_window([a_session(1)], START, END)
    assert "unexpected ConnectionError" in window.failed[0].reason
    assert "TOKEN" not in window.path.read_text()


def test_an_interrupted_list_leaves_no_manifest_that_seems_complete(archiver, tmp_path):
    def breaks_off():
        yield a_session(1)
        raise LessonspaceServerError("page 2")

    with pytest.raises(LessonspaceServerError, match="page 2"):
        archiver().archive_window(breaks_off(), START, END)
    assert not (tmp_path / "manifests").exists()
