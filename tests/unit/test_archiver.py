# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import re
from datetime import datetime, timedelta, timezone
from threading import Event
from unittest.mock import Mock

import pytest
import requests
from airflow.sdk import ObjectStoragePath

from lessonspace_provider import storage
from lessonspace_provider.archiver import ArchiveLayout, Archiver
from lessonspace_provider.exceptions import LessonspaceError, LessonspaceServerError, LessonspaceTranscriptNotReady

NOW = datetime(2026, 11, 23, 3, tzinfo=timezone.utc)
START, END = NOW - timedelta(days=1, hours=1), NOW - timedelta(hours=1)
SEGMENTS = [{"start_time": 1.0, "end_time": 2.0, "user": {"id": 1, "name": "Ann"}, "text": "Hi"}]
NOT_READY = LessonspaceTranscriptNotReady("no transcript", status=404)


ENDED = NOW - timedelta(hours=2)


def a_session(number, **fields):
    return {
        "id": number,
        "uuid": f"00000000-0000-4000-8000-{number:012d}",
        "name": f"Lesson {number}",
        "start_time": (ENDED - timedelta(hours=1)).isoformat(),
        "end_time": ENDED.isoformat(),
        "profiles": [{"user": 1, "name": "Ann", "role": "teacher"}, {"user": 2, "name": "Ben", "role": "student"}],
        **fields,
    }


class Source:
    """Gives transcripts, or raises what it was told to, and remembers who was asked for."""

    def __init__(self):
        self.outcomes = {}
        self.asked = []

    def open_transcript(self, session_id):
        self.asked.append(session_id)
        outcome = self.outcomes.get(session_id, SEGMENTS)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


@pytest.fixture
def source():
    return Source()


class Log:
    """Keeps its lines, and tells whoever waits for one."""

    def __init__(self):
        self.lines, self.warnings = [], []
        self._awaited = []

    def has_line(self, beginning):
        self._awaited.append((beginning, there := Event()))
        return there

    def warning(self, message, *arguments):
        self.warnings.append(message % arguments)

    def info(self, message, *arguments):
        self.lines.append(message % arguments)
        for beginning, there in self._awaited:
            if self.lines[-1].startswith(beginning):
                there.set()


@pytest.fixture
def log():
    return Log()


@pytest.fixture
def archiver(source, log, tmp_path):
    """Make an archiver; ``now`` moves its clock."""

    def make(now=NOW, *, dry_run=False, **layout):
        layout = {"destination": ObjectStoragePath(f"file://{tmp_path}"), "formats": ["json", "txt"], **layout}
        return Archiver(
            source,
            ArchiveLayout(**layout),
            give_up_after=timedelta(days=7),
            log=log,
            dry_run=dry_run,
            now=lambda: now,
        )

    return make


def good(number):
    return a_session(number)["uuid"]


def statuses(window):
    return {entry["session_id"]: entry["status"] for entry in window.account["sessions"]}


def tree(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_run_again_it_fetches_nothing_and_changes_nothing(archiver, source, tmp_path):
    sessions = [a_session(number) for number in range(5)]
    archiver().archive_window(sessions, START, END)
    before, times = tree(tmp_path), {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.txt")}
    source.asked.clear()
    archiver().archive_window(sessions, START, END)
    assert source.asked == []
    assert tree(tmp_path) == before
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.txt")} == times


@pytest.mark.parametrize("damage", [b"", b"[", b'[{"text": "other"}]\n'])
def test_a_damaged_file_is_fetched_again_and_mended(archiver, source, tmp_path, damage):
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
    assert [file["format"] for file in window.account["sessions"][0]["files"]] == ["json", "txt"]


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


@pytest.mark.parametrize("since", [{"profiles": [{"user": 1}]}, {"record_av": False}])
def test_what_was_archived_stays_so_when_people_or_the_recording_are_removed(archiver, tmp_path, since):
    archiver().archive_window([a_session(1)], START, END)
    before = tree(tmp_path)
    archiver().archive_window([a_session(1, **since)], START, END)
    assert tree(tmp_path) == before


def test_a_format_that_comes_too_late_takes_no_file_out_of_the_account(archiver, source, tmp_path):
    archiver(formats=["txt"]).archive_window([a_session(1)], START, END)
    (before,) = tmp_path.rglob("*.txt")
    source.outcomes[a_session(1)["uuid"]] = NOT_READY
    window = archiver(NOW + timedelta(days=8), formats=["txt", "vtt"]).archive_window([a_session(1)], START, END)
    (entry,) = window.account["sessions"]
    assert (entry["status"], entry["segments"]) == ("archived", 1)
    assert [file["path"] for file in entry["files"]] == [str(before.relative_to(tmp_path))]
    assert "any more" in entry["reason"]


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
    (entry,) = window.account["sessions"]
    assert (entry["status"], entry["segments"]) == ("archived", 1)
    assert [(tmp_path / file["path"]).read_bytes() for file in entry["files"]] == [b"[00:00:01] Ann: Hi\n"]


def test_a_store_that_could_not_be_read_for_a_moment_costs_no_archived_file(archiver, source, monkeypatch):
    archiver(formats=["txt"]).archive_window([a_session(1)], START, END)
    source.outcomes[good(1)] = NOT_READY
    with monkeypatch.context() as broken:

        def unreadable(path):
            if str(path).endswith(".txt"):
                raise OSError("store 503")
            return storage.read_whole(path)

        broken.setattr("lessonspace_provider.archiver.read_whole", unreadable)
        assert statuses(archiver(formats=["txt"]).archive_window([a_session(1)], START, END)) == {good(1): "failed"}
    window = archiver(NOW + timedelta(days=8), formats=["txt"]).archive_window([a_session(1)], START, END)
    (entry,) = window.account["sessions"]
    assert (entry["status"], entry["reason"], len(entry["files"])) == ("archived", None, 1)


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
    assert window.account["counts"]["archived"] == 3
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


def test_a_session_that_is_not_listed_any_more_stays_in_the_account(archiver, source):
    source.outcomes[a_session(2)["uuid"]] = NOT_READY
    archiver().archive_window([a_session(1), a_session(2), a_session(3)], START, END)
    window = archiver().archive_window([a_session(3)], START, END)
    assert list(statuses(window).values()) == ["archived", "pending", "archived"]
    assert window.account["counts"]["archived"] == 2


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
    ((window,), _) = archiver(tomorrow).take_up_pending(before=END)
    assert statuses(window) == {good(1): "pending", good(2): "archived"}


def test_a_retry_undoes_nothing_that_a_night_has_archived_meanwhile(archiver, source):
    source.outcomes[good(1)] = NOT_READY
    archiver().archive_window([a_session(1)], START, END)
    source.outcomes.clear()
    tomorrow, fetch = NOW + timedelta(days=1), source.open_transcript

    def fetch_while_the_night_runs(session_id):
        source.open_transcript = fetch
        archiver(tomorrow).take_up_pending(before=END)
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
    assert [len(entry["files"]) for entry in window.account["sessions"]] == [3, 2]


def test_a_manifest_that_was_removed_while_a_run_went_on_is_whole_again_at_its_end(archiver, source, tmp_path):
    archiver().archive_window([a_session(1)], START, END)

    def fetch_while_somebody_tidies(session_id):
        next((tmp_path / "manifests").iterdir()).unlink(missing_ok=True)
        raise NOT_READY

    source.open_transcript = fetch_while_somebody_tidies
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

    monkeypatch.setattr("lessonspace_provider.archiver.write_whole", refuses)
    with pytest.raises(PermissionError, match="manifests"):
        archiver(NOW + timedelta(days=1)).archive_window([a_session(1)], START, END)
    assert source.asked == []
    assert tree(tmp_path) == before


def test_of_a_run_that_is_killed_the_manifest_says_of_every_session_that_it_did_not_come_to_it(
    archiver, source, tmp_path
):
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
    assert account["counts"] == {"archived": 0, "not_eligible": 1, "pending": 0, "given_up": 0, "failed": 1}
    assert "ended before it did" in account["sessions"][0]["reason"]
    del source.open_transcript
    assert archiver().archive_window(sessions, START, END).account["counts"]["archived"] == 1


def test_a_session_that_the_list_shows_twice_is_archived_once(archiver, source):
    window = archiver().archive_window([a_session(1), a_session(2), a_session(1)], START, END)
    assert len(window.account["sessions"]) == 2
    assert sorted(source.asked) == sorted({*source.asked})


@pytest.mark.parametrize(
    "error", [LessonspaceServerError("500 for ever"), OSError("disk full"), RuntimeError("https://store/?Signature=x")]
)
def test_one_bad_session_stops_no_other_and_its_retry_takes_up_only_that_one(archiver, source, error):
    sessions = [a_session(number) for number in range(4)]
    source.outcomes[sessions[2]["uuid"]] = error
    window = archiver().archive_window(sessions, START, END)
    assert [entry["session_id"] for entry in window.failed] == [sessions[2]["uuid"]]
    assert window.account["counts"]["archived"] == 3
    assert "Signature" not in str(window.failed)
    source.outcomes.clear()
    source.asked.clear()
    assert archiver().archive_window(sessions, START, END).failed == []
    assert source.asked == [sessions[2]["uuid"]]


def test_a_session_whose_times_make_no_sense_is_failed_and_not_lost(archiver):
    window = archiver().archive_window([a_session(1), {**a_session(2), "end_time": "soon"}], START, END)
    assert statuses(window)[a_session(2)["uuid"]] == "failed"
    assert "soon" in window.failed[0]["reason"]
    assert window.account["counts"]["archived"] == 1


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
    ({"end_time": None}, "failed"),
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
    odd = next(entry for entry in window.account["sessions"] if entry["session_id"] not in {good(1), good(3)})
    assert odd["status"] == status
    assert bool(odd["reason"]) == (status == "failed")
    assert "please report it" not in str(odd["reason"])
    assert window.account["counts"]["archived"] == (3 if status == "archived" else 2)
    written = json.loads(window.path.read_bytes())
    assert archiver(**layout).archive_window(sessions, START, END).account == written == window.account


def test_sessions_without_a_uuid_are_told_apart_and_taken_up_late_without_stopping_others(archiver):
    archiver().archive_window([], START, END)
    late = [{**a_session(number), "uuid": None} for number in (1, 2)] + [a_session(3)]
    ((window,), _) = archiver().take_up_pending(before=END, late=late)
    assert sorted(statuses(window).values()) == ["archived", "failed", "failed"]


def test_a_transcript_that_came_later_is_taken_up_by_the_next_night_in_its_own_manifest(archiver, source, tmp_path):
    session = a_session(1)
    source.outcomes[session["uuid"]] = NOT_READY
    window = archiver().archive_window([session, a_session(2)], START, END)
    assert window.account["counts"]["pending"] == 1
    source.outcomes.clear()
    source.asked.clear()
    tomorrow = NOW + timedelta(days=1)
    ((changed,), _) = archiver(tomorrow).take_up_pending(before=END)
    assert source.asked == [session["uuid"]]
    assert changed.path == window.path
    assert json.loads(changed.path.read_bytes())["counts"]["archived"] == 2
    assert len(list(tmp_path.rglob(f"{session['uuid']}.*"))) == 2
    assert archiver(tomorrow).take_up_pending(before=tomorrow) == ([], [])


def test_a_pending_transcript_is_not_asked_for_before_its_next_look(archiver, source):
    session = a_session(1)
    source.outcomes[session["uuid"]] = NOT_READY
    archiver().archive_window([session], START, END)
    archiver(NOW + timedelta(minutes=1)).archive_window([session], START, END)
    assert archiver(NOW + timedelta(minutes=1)).take_up_pending(before=END) == ([], [])
    assert len(source.asked) == 1
    archiver(NOW + timedelta(minutes=6)).archive_window([session], START, END)
    assert len(source.asked) == 2


def test_it_is_given_up_in_the_end_and_then_left_alone(archiver, source):
    source.outcomes[a_session(1)["uuid"]] = NOT_READY
    archiver().archive_window([a_session(1)], START, END)
    ((changed,), _) = archiver(NOW + timedelta(days=8)).take_up_pending(before=END)
    assert changed.account["counts"]["given_up"] == 1
    assert archiver(NOW + timedelta(days=9)).take_up_pending(before=NOW) == ([], [])


def test_each_that_is_given_up_is_warned_of_once_with_its_end_and_the_reason(archiver, source, log):
    source.outcomes = {good(1): NOT_READY, good(2): NOT_READY}
    archiver().archive_window([a_session(number) for number in (1, 2, 3)], START, END)
    assert log.warnings == []
    for night in (8, 9):
        archiver(NOW + timedelta(days=night)).take_up_pending(before=END)
        assert log.warnings == [
            f"A transcript was given up: session {good(number)} 2026-11-23T01:00:00Z: "
            f"no transcript 7 days, 0:00:00 after the session's end"
            for number in (1, 2)
        ]


def test_of_an_old_window_that_is_backfilled_those_that_are_given_up_at_once_are_warned_of(archiver, source, log):
    source.outcomes[good(1)] = NOT_READY
    for _ in range(2):
        archiver(NOW + timedelta(days=90)).archive_window([a_session(1)], START, END)
        assert len(log.warnings) == 1


def test_of_an_earlier_window_what_has_changed_is_told_and_what_is_as_it_was_is_not(archiver, source):
    source.outcomes = {good(number): NOT_READY for number in (1, 2, 3)}
    archiver().archive_window([a_session(number) for number in (1, 2, 3)], START, END)
    source.outcomes = {good(2): NOT_READY, good(3): LessonspaceServerError("503")}
    late = [a_session(4, profiles=[{"user": 1}])]
    ((window,), _) = archiver(NOW + timedelta(days=1)).take_up_pending(before=END, late=late)
    assert {entry["session_id"]: entry["status"] for entry in window.changed} == {
        good(1): "archived",
        good(4): "not_eligible",
    }


def test_a_try_after_one_that_failed_tells_what_that_one_has_changed_and_later_runs_do_not(archiver, source):
    source.outcomes[good(1)] = NOT_READY
    archiver().archive_window([a_session(1)], START, END)
    source.outcomes.clear()
    for _ in range(2):
        ((window,), _) = archiver(NOW + timedelta(days=1)).take_up_pending(before=END)
        assert [entry["session_id"] for entry in window.changed] == [good(1)]
    assert archiver(NOW + timedelta(days=1)).take_up_pending(before=NOW) == ([], [])


def test_a_manifest_of_before_runs_signed_their_changes_is_gone_on_with(archiver, source):
    source.outcomes[good(1)] = NOT_READY
    window = archiver().archive_window([a_session(1)], START, END)
    assert "changed_by" not in json.loads(window.path.read_bytes())["sessions"][0]
    source.outcomes.clear()
    archiver(NOW + timedelta(days=1)).take_up_pending(before=END)
    assert json.loads(window.path.read_bytes())["sessions"][0]["changed_by"] == "2026-11-23T02:00:00Z"


def test_what_its_own_windows_run_has_archived_meanwhile_is_no_change_of_a_later_run(archiver, source):
    source.outcomes[good(1)] = LessonspaceServerError("503")
    archiver().archive_window([a_session(1)], START, END)
    source.outcomes[good(1)] = NOT_READY
    tomorrow = NOW + timedelta(days=1)
    ((window,), _) = archiver(tomorrow).take_up_pending(before=END)
    assert statuses(window) == {good(1): "pending"}
    source.outcomes.clear()
    archiver(tomorrow + timedelta(hours=1)).archive_window([a_session(1)], START, END)
    assert archiver(tomorrow + timedelta(hours=2)).take_up_pending(before=END) == ([], [])


def test_a_pending_one_that_fails_is_named_and_stays_pending(archiver, source):
    session = a_session(1)
    source.outcomes[session["uuid"]] = NOT_READY
    archiver().archive_window([session], START, END)
    source.outcomes[session["uuid"]] = LessonspaceServerError("503")
    ((changed,), _) = archiver(NOW + timedelta(days=1)).take_up_pending(before=END)
    assert [entry["session_id"] for entry in changed.failed] == [session["uuid"]]
    assert changed.account["counts"] == {"archived": 0, "not_eligible": 0, "pending": 1, "given_up": 0, "failed": 0}


def failed_once(archiver, source):
    source.outcomes[good(1)] = LessonspaceServerError("503")
    archiver().archive_window([a_session(1), a_session(2)], START, END)
    source.asked.clear()


def test_one_that_failed_though_it_was_tried_again_is_taken_up_by_the_next_night(archiver, source, tmp_path):
    failed_once(archiver, source)
    source.outcomes.clear()
    ((changed,), problems) = archiver(NOW + timedelta(days=1)).take_up_pending(before=END)
    assert (source.asked, changed.failed, problems) == ([good(1)], [], [])
    assert set(statuses(changed).values()) == {"archived"}
    assert len(list(tmp_path.rglob(f"{good(1)}.*"))) == 2


def test_what_a_killed_run_never_came_to_is_taken_up_by_the_next_night(archiver, source):
    class Killed(BaseException):
        pass

    fetch, source.open_transcript = source.open_transcript, Mock(side_effect=Killed)
    with pytest.raises(Killed):
        archiver().archive_window([a_session(1), a_session(2)], START, END)
    source.open_transcript = fetch
    ((changed,), _) = archiver(NOW + timedelta(days=1)).take_up_pending(before=END)
    assert set(statuses(changed).values()) == {"archived"}


def test_a_failed_one_is_left_to_its_own_runs_retries_at_first(archiver, source):
    failed_once(archiver, source)
    assert archiver(NOW + timedelta(hours=11)).take_up_pending(before=END) == ([], [])
    assert source.asked == []
    assert archiver(NOW).archive_window([a_session(1)], START, END).failed != []
    assert source.asked == [good(1)]


def test_one_that_fails_night_after_night_is_warned_of_and_fails_no_other_run(archiver, source, log):
    failed_once(archiver, source)
    for night in range(1, 7):
        ((changed,), problems) = archiver(NOW + timedelta(days=night)).take_up_pending(before=END)
        assert (changed.failed, problems) == ([], [])
        assert changed.account["counts"]["failed"] == 1
    assert source.asked == [good(1)] * 6
    assert [good(1) in line and "503" in line for line in log.warnings] == [True] * 6


def test_one_that_failed_is_left_alone_when_it_would_be_given_up(archiver, source):
    failed_once(archiver, source)
    archiver(NOW + timedelta(days=6, hours=20)).take_up_pending(before=END)
    source.asked.clear()
    assert archiver(NOW + timedelta(days=8)).take_up_pending(before=END) == ([], [])
    assert source.asked == []


def test_one_that_failed_and_has_no_transcript_yet_is_pending_from_then_on(archiver, source):
    failed_once(archiver, source)
    source.outcomes[good(1)] = NOT_READY
    ((changed,), _) = archiver(NOW + timedelta(days=1)).take_up_pending(before=END)
    assert statuses(changed)[good(1)] == "pending"


def test_a_pending_one_is_not_given_up_for_an_error_but_when_it_is_not_there(archiver, source):
    source.outcomes[good(1)] = NOT_READY
    archiver().archive_window([a_session(1)], START, END)
    late = NOW + timedelta(days=8)
    source.outcomes[good(1)] = LessonspaceServerError("503")
    ((changed,), _) = archiver(late).take_up_pending(before=END)
    assert statuses(changed) == {good(1): "pending"}
    source.outcomes.clear()
    ((changed,), _) = archiver(late + timedelta(days=1)).take_up_pending(before=END)
    assert statuses(changed) == {good(1): "archived"}


def test_windows_that_are_not_earlier_or_long_past_are_left_alone(archiver, source):
    source.outcomes[a_session(1)["uuid"]] = NOT_READY
    archiver().archive_window([a_session(1)], START, END)
    assert archiver(NOW + timedelta(days=1)).take_up_pending(before=START) == ([], [])
    assert archiver(NOW + timedelta(days=60)).take_up_pending(before=END) == ([], [])


@pytest.mark.parametrize("damage", [b"{", b"", b"[]", b"null", b"{}", b"\xff", b'{"sessions": [{"session_id": "1"}]}'])
def test_a_manifest_that_can_not_be_read_is_named_and_not_overwritten(archiver, tmp_path, damage):
    window = archiver().archive_window([a_session(1)], START, END)
    window.path.write_bytes(damage)
    with pytest.raises(LessonspaceError, match=r"manifest .*20261122.* can't be read"):
        archiver().archive_window([a_session(1)], START, END)
    assert window.path.read_bytes() == damage


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        ({"sessions": None}, r"manifest .*20261121.* can't be read"),
        ({"tries": None}, "20261121.*TypeError"),
        ({"end_time": 5}, "20261121.*TypeError"),
    ],
)
def test_an_earlier_manifest_that_can_not_be_gone_on_with_is_named_and_stops_no_other(
    archiver, source, damage, problem
):
    day = timedelta(days=1)
    source.outcomes = {good(number): NOT_READY for number in (1, 2)}
    damaged = archiver().archive_window([a_session(1), a_session(3)], START - day, END - day)
    other = archiver().archive_window([a_session(2)], START, END)
    account = json.loads(damaged.path.read_bytes())
    account["sessions"][0].update(damage)
    damaged.path.write_text(json.dumps({**account, **{key: damage[key] for key in account.keys() & damage.keys()}}))
    source.outcomes = {good(1): NOT_READY}
    ((changed,), (said,)) = archiver(NOW + day).take_up_pending(before=END)
    assert changed.path == other.path
    assert re.search(problem, said)
    assert json.loads(other.path.read_bytes())["counts"]["archived"] == 1


def test_manifests_that_can_not_be_listed_are_a_problem_and_no_end(archiver, monkeypatch):
    def refuses(_):
        raise PermissionError("no listing")

    monkeypatch.setattr("lessonspace_provider.archiver.names_in", refuses)
    changed, (problem,) = archiver().take_up_pending(before=END)
    assert changed == []
    assert "no listing" in problem


def test_the_address_in_an_error_of_requests_is_not_told(archiver, source):
    source.outcomes[good(1)] = requests.ConnectionError("Max retries exceeded with url: /webhdfs/v1/a?delegation=TOKEN")
    window = archiver().archive_window([a_session(1)], START, END)
    assert "unexpected ConnectionError" in window.failed[0]["reason"]
    assert "TOKEN" not in window.path.read_text()


def test_a_full_disk_leaves_no_half_file_and_no_entry_that_says_more_than_is_there(archiver, monkeypatch, tmp_path):
    def full_for_txt(path, pieces):
        if str(path).endswith(".txt"):
            raise OSError(28, "No space left on device")
        return storage.write_pieces(path, pieces)

    monkeypatch.setattr("lessonspace_provider.archiver.write_pieces", full_for_txt)
    window = archiver().archive_window([a_session(1)], START, END)
    assert window.account["counts"]["failed"] == 1
    assert window.account["sessions"][0]["files"] == []
    assert not [name for name in tree(tmp_path) if name.endswith((".txt", ".part"))]


def test_a_list_that_breaks_off_leaves_no_manifest_that_looks_complete(archiver, tmp_path):
    def breaks_off():
        yield a_session(1)
        raise LessonspaceServerError("page 2")

    with pytest.raises(LessonspaceServerError, match="page 2"):
        archiver().archive_window(breaks_off(), START, END)
    assert not (tmp_path / "manifests").exists()


def test_a_dry_run_asks_for_nothing_and_writes_nothing(archiver, source, tmp_path):
    window = archiver(dry_run=True).archive_window([a_session(1), a_session(2, profiles=[{"user": 1}])], START, END)
    assert statuses(window) == {good(1): "pending", good(2): "not_eligible"}
    assert source.asked == []
    assert tree(tmp_path) == {}


@pytest.mark.parametrize("change", [{"redact_speakers": True}, {"formats": ["json", "txt", "vtt"]}])
def test_a_dry_run_leaves_an_archive_that_is_there_as_it_is(archiver, source, tmp_path, change):
    archiver().archive_window([a_session(1)], START, END)
    before = tree(tmp_path)
    source.asked.clear()
    window = archiver(dry_run=True, **change).archive_window([a_session(1)], START, END)
    assert statuses(window) == {good(1): "pending"}
    assert tree(tmp_path) == before
    assert source.asked == []


def test_a_dry_run_says_what_of_earlier_windows_would_be_looked_for(archiver, source, log, tmp_path):
    source.outcomes[good(1)] = NOT_READY
    archiver().archive_window([a_session(1), a_session(2)], START, END)
    before = tree(tmp_path)
    source.asked.clear()
    log.lines.clear()
    archiver(NOW + timedelta(days=1), dry_run=True).take_up_pending(before=END, late=[a_session(3)])
    assert log.lines[1:-1] == [
        f"{good(1)} 2026-11-23T01:00:00Z: would be fetched or written",
        f"{good(3)} 2026-11-23T01:00:00Z: would be fetched or written",
    ]
    assert tree(tmp_path) == before
    assert source.asked == []


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


def test_after_a_passing_error_files_with_roles_are_not_taken_for_files_with_names(archiver, source, tmp_path):
    archiver(redact_speakers=True).archive_window([a_session(1)], START, END)
    source.outcomes[good(1)] = LessonspaceServerError("503")
    (entry,) = archiver().archive_window([a_session(1)], START, END).account["sessions"]
    assert (entry["status"], entry["redacted"]) == ("failed", True)
    source.outcomes.clear()
    source.asked.clear()
    (entry,) = archiver().archive_window([a_session(1)], START, END).account["sessions"]
    assert source.asked == [good(1)]
    assert (entry["status"], entry["redacted"]) == ("archived", False)
    assert b"Teacher" not in b"".join(tree(tmp_path).values())


def test_what_a_killed_run_left_redacted_is_not_taken_for_files_with_names(archiver, source, tmp_path):
    sessions = [a_session(1)]
    archiver(redact_speakers=True).archive_window(sessions, START, END)
    next((tmp_path / "manifests").iterdir()).unlink()
    source.asked.clear()
    (entry,) = archiver().archive_window(sessions, START, END).account["sessions"]
    assert source.asked == [good(1)]
    assert entry["redacted"] is False
    assert b"Teacher" not in b"".join(tree(tmp_path).values())


def test_while_transcripts_are_fetched_the_log_says_how_far_it_is_and_how_long_it_will_take(
    archiver, source, log, monkeypatch
):
    monkeypatch.setattr("lessonspace_provider.archiver.PROGRESS_INTERVAL", 0.01)
    fetch = source.open_transcript

    def wait_for_a_line(session_id):
        if session_id == good(1):
            assert log.has_line("3 of 4 sessions done").wait(60)
        return fetch(session_id)

    source.open_transcript = wait_for_a_line
    source.outcomes = {good(2): NOT_READY, good(3): LessonspaceServerError("503")}
    archiver().archive_window([a_session(number) for number in (1, 2, 3, 4)], START, END)
    line = next(line for line in log.lines if line.startswith("3 of 4"))
    assert re.fullmatch(r"3 of 4 sessions done: 1 pending, 1 failed; \d+\.\d a second, about \d+ s left", line)


def test_at_its_end_the_log_has_a_folded_group_for_each_outcome(archiver, source, log):
    source.outcomes = {good(2): NOT_READY, good(3): LessonspaceServerError("503")}
    archiver().archive_window([a_session(number) for number in (1, 2, 3, 4)], START, END)
    assert log.lines == [
        "::group::archived (2)",
        f"{good(1)} 2026-11-23T01:00:00Z: 1 segments",
        f"{good(4)} 2026-11-23T01:00:00Z: 1 segments",
        "::endgroup::",
        "::group::pending (1)",
        f"{good(2)} 2026-11-23T01:00:00Z: no transcript yet",
        "::endgroup::",
        "::group::failed (1)",
        f"{good(3)} 2026-11-23T01:00:00Z: 503",
        "::endgroup::",
    ]
