# SPDX-License-Identifier: Apache-2.0
"""What the runs of later windows do about earlier ones."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from unittest.mock import Mock

import pytest

from lessonspace_provider.exceptions import LessonspaceServerError
from tests.unit.archive.kit import (
    END,
    ENDED,
    NOT_READY,
    NOW,
    START,
    a_session,
    archive_late,
    failed_once,
    good,
    statuses,
)


def test_a_late_transcript_is_archived_in_its_own_manifest(archiver, source, tmp_path):
    session = a_session(1)
    source.outcomes[session["uuid"]] = NOT_READY
    window = archiver().archive_window([session, a_session(2)], START, END)
    assert window.manifest.counts["pending"] == 1
    source.outcomes.clear()
    source.asked.clear()
    tomorrow = NOW + timedelta(days=1)
    ((changed,), _) = archiver(tomorrow).update_earlier(before=END)
    assert source.asked == [session["uuid"]]
    assert changed.path == window.path
    assert json.loads(changed.path.read_bytes())["counts"]["archived"] == 2
    assert len(list(tmp_path.rglob(f"{session['uuid']}.*"))) == 2
    assert archiver(tomorrow).update_earlier(before=tomorrow) == ([], [])


def test_it_is_given_up_in_the_end_and_then_left_alone(archiver, source):
    source.outcomes[a_session(1)["uuid"]] = NOT_READY
    archiver().archive_window([a_session(1)], START, END)
    ((changed,), _) = archiver(NOW + timedelta(days=8)).update_earlier(before=END)
    assert changed.manifest.counts["given_up"] == 1
    assert archiver(NOW + timedelta(days=9)).update_earlier(before=NOW) == ([], [])


def test_each_that_is_given_up_is_warned_of_once_with_its_end_and_the_reason(archiver, source, log):
    source.outcomes = {good(1): NOT_READY, good(2): NOT_READY}
    archiver().archive_window([a_session(number) for number in (1, 2, 3)], START, END)
    assert log.warnings == []
    for night in (8, 9):
        archiver(NOW + timedelta(days=night)).update_earlier(before=END)
        assert log.warnings == [
            f"A transcript was given up: session {good(number)} 2026-11-23T01:00:00Z: "
            f"no transcript 7 days, 0:00:00 after the session's end"
            for number in (1, 2)
        ]


def test_of_an_earlier_window_only_changes_are_returned(archiver, source):
    source.outcomes = {good(number): NOT_READY for number in (1, 2, 3)}
    archiver().archive_window([a_session(number) for number in (1, 2, 3)], START, END)
    source.outcomes = {good(2): NOT_READY, good(3): LessonspaceServerError("503")}
    late = [a_session(4, profiles=[{"user": 1}])]
    ((window,), _) = archive_late(archiver(NOW + timedelta(days=1)), late)
    assert {entry.session_id: entry.status for entry in window.changed} == {
        good(1): "archived",
        good(3): "failed",
        good(4): "not_eligible",
    }


def test_a_retry_reports_what_the_failed_try_changed(archiver, source):
    source.outcomes[good(1)] = NOT_READY
    archiver().archive_window([a_session(1)], START, END)
    source.outcomes.clear()
    for _ in range(2):
        ((window,), _) = archiver(NOW + timedelta(days=1)).update_earlier(before=END)
        assert [entry.session_id for entry in window.changed] == [good(1)]
    assert archiver(NOW + timedelta(days=1)).update_earlier(before=NOW) == ([], [])


def test_a_manifest_without_changed_by_is_continued(archiver, source):
    source.outcomes[good(1)] = NOT_READY
    window = archiver().archive_window([a_session(1)], START, END)
    assert "changed_by" not in json.loads(window.path.read_bytes())["sessions"][0]
    source.outcomes.clear()
    archiver(NOW + timedelta(days=1)).update_earlier(before=END)
    assert json.loads(window.path.read_bytes())["sessions"][0]["changed_by"] == "2026-11-23T02:00:00Z"


def test_what_its_own_windows_run_has_archived_meanwhile_is_no_change_of_a_later_run(archiver, source):
    source.outcomes[good(1)] = LessonspaceServerError("503")
    archiver().archive_window([a_session(1)], START, END)
    source.outcomes[good(1)] = NOT_READY
    tomorrow = NOW + timedelta(days=1)
    ((window,), _) = archiver(tomorrow).update_earlier(before=END)
    assert statuses(window) == {good(1): "pending"}
    source.outcomes.clear()
    archiver(tomorrow + timedelta(hours=1)).archive_window([a_session(1)], START, END)
    assert archiver(tomorrow + timedelta(hours=2)).update_earlier(before=END) == ([], [])


def test_a_pending_one_that_fails_is_reported_once_and_retried(archiver, source, log):
    source.outcomes[good(1)] = NOT_READY
    archiver().archive_window([a_session(1)], START, END)
    source.outcomes[good(1)] = LessonspaceServerError("503")
    reported = []
    for night in (1, 2):
        ((changed,), _) = archiver(NOW + timedelta(days=night)).update_earlier(before=END)
        assert statuses(changed) == {good(1): "failed"}
        reported.append(len(changed.failed))
    assert reported == [1, 0]
    assert [line.startswith("A session failed again") for line in log.warnings] == [True]
    source.outcomes.clear()
    ((changed,), _) = archiver(NOW + timedelta(days=3)).update_earlier(before=END)
    assert statuses(changed) == {good(1): "archived"}


def test_a_session_that_failed_twice_is_retried_by_the_next_night(archiver, source, tmp_path):
    failed_once(archiver, source)
    source.outcomes.clear()
    ((changed,), problems) = archiver(NOW + timedelta(days=1)).update_earlier(before=END)
    assert (source.asked, changed.failed, problems) == ([good(1)], [], [])
    assert set(statuses(changed).values()) == {"archived"}
    assert len(list(tmp_path.rglob(f"{good(1)}.*"))) == 2


def test_what_a_killed_run_did_not_try_is_tried_by_the_next_night(archiver, source):
    class Killed(BaseException):
        pass

    fetch, source.open_transcript = source.open_transcript, Mock(side_effect=Killed)
    with pytest.raises(Killed):
        archiver().archive_window([a_session(1), a_session(2)], START, END)
    source.open_transcript = fetch
    ((changed,), _) = archiver(NOW + timedelta(days=1)).update_earlier(before=END)
    assert set(statuses(changed).values()) == {"archived"}


def test_a_failed_one_is_left_to_its_own_runs_retries_at_first(archiver, source):
    failed_once(archiver, source)
    assert archiver(NOW + timedelta(hours=11)).update_earlier(before=END) == ([], [])
    assert source.asked == []
    assert archiver(NOW).archive_window([a_session(1)], START, END).failed != []
    assert source.asked == [good(1)]


def test_one_that_fails_night_after_night_is_warned_of_and_fails_no_other_run(archiver, source, log):
    failed_once(archiver, source)
    for night in range(1, 7):
        ((changed,), problems) = archiver(NOW + timedelta(days=night)).update_earlier(before=END)
        assert (changed.failed, problems) == ([], [])
        assert changed.manifest.counts["failed"] == 1
    assert source.asked == [good(1)] * 6
    assert [good(1) in line and "503" in line for line in log.warnings] == [True] * 6


def test_after_give_up_after_a_failed_one_is_retried_every_week_and_never_given_up_for_an_error(archiver, source):
    failed_once(archiver, source)
    for day in range(8, 30):
        archiver(NOW + timedelta(days=day)).update_earlier(before=END)
    assert source.asked == [good(1)] * 4
    source.outcomes.clear()
    ((changed,), _) = archiver(NOW + timedelta(days=300)).update_earlier(before=END)
    assert statuses(changed)[good(1)] == "archived"


def test_one_that_failed_and_has_no_transcript_yet_is_pending_from_then_on(archiver, source):
    failed_once(archiver, source)
    source.outcomes[good(1)] = NOT_READY
    ((changed,), _) = archiver(NOW + timedelta(days=1)).update_earlier(before=END)
    assert statuses(changed)[good(1)] == "pending"


def test_a_pending_one_is_not_given_up_for_an_error_but_when_it_is_not_there(archiver, source):
    source.outcomes[good(1)] = NOT_READY
    archiver().archive_window([a_session(1)], START, END)
    late = NOW + timedelta(days=8)
    source.outcomes[good(1)] = LessonspaceServerError("503")
    ((changed,), _) = archiver(late).update_earlier(before=END)
    assert statuses(changed) == {good(1): "failed"}
    source.outcomes.clear()
    ((changed,), _) = archiver(late + timedelta(days=8)).update_earlier(before=END)
    assert statuses(changed) == {good(1): "archived"}


def test_windows_that_are_not_earlier_are_left_alone(archiver, source):
    source.outcomes[a_session(1)["uuid"]] = NOT_READY
    archiver().archive_window([a_session(1)], START, END)
    assert archiver(NOW + timedelta(days=1)).update_earlier(before=START) == ([], [])


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        ({"sessions": None}, r"manifest .*20261121.* can't be read"),
        ({"tries": None}, "20261121.* can't be read, since entry 1 has tries=None"),
        ({"end_time": 5}, "20261121.* can't be read, since entry 1 has end_time=5"),
    ],
)
def test_an_unusable_earlier_manifest_is_named_and_stops_no_other(archiver, source, damage, problem):
    day = timedelta(days=1)
    source.outcomes = {good(number): NOT_READY for number in (1, 2)}
    before = {"start_time": None, "end_time": (ENDED - day).isoformat()}
    damaged = archiver().archive_window([a_session(1, **before), a_session(3, **before)], START - day, END - day)
    other = archiver().archive_window([a_session(2)], START, END)
    account = json.loads(damaged.path.read_bytes())
    account["sessions"][0].update(damage)
    damaged.path.write_text(json.dumps({**account, **{key: damage[key] for key in account.keys() & damage.keys()}}))
    source.outcomes = {good(1): NOT_READY}
    ((changed,), (said,)) = archiver(NOW + day).update_earlier(before=END)
    assert changed.path == other.path
    assert re.search(problem, said)
    assert json.loads(other.path.read_bytes())["counts"]["archived"] == 1


def test_manifests_that_can_not_be_listed_are_a_problem_and_no_end(archiver, monkeypatch):
    def refuses(_):
        raise PermissionError("no listing")

    monkeypatch.setattr("lessonspace_provider.archive.manifest_store.fingerprints_in", refuses)
    changed, (problem,) = archiver().update_earlier(before=END)
    assert changed == []
    assert "no listing" in problem
