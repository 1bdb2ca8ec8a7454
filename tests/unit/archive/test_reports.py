# SPDX-License-Identifier: Apache-2.0
"""What runs log, and what dry runs say."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from lessonspace_provider.exceptions import LessonspaceServerError
from tests.unit.archive.kit import END, NOT_READY, NOW, START, a_session, archive_late, good, statuses, tree


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


def test_a_dry_run_logs_what_it_would_check_in_earlier_windows(archiver, source, log, tmp_path):
    source.outcomes[good(1)] = NOT_READY
    archiver().archive_window([a_session(1), a_session(2)], START, END)
    before = tree(tmp_path)
    source.asked.clear()
    log.lines.clear()
    archive_late(archiver(NOW + timedelta(days=1), dry_run=True), [a_session(3)])
    assert log.lines[2:-1] == [
        f"{good(1)} 2026-11-23T01:00:00Z: would be fetched or written",
        f"{good(3)} 2026-11-23T01:00:00Z: would be fetched or written",
    ]
    assert tree(tmp_path) == before
    assert source.asked == []


def test_the_log_has_progress_and_time_left_during_a_fetch(archiver, source, log, monkeypatch):
    monkeypatch.setattr("lessonspace_provider.archive.fetching.PROGRESS_INTERVAL", 0.01)
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
        "2 transcripts: 2 fetched now, 0 rebuilt from files, 0 already archived",
    ]


def test_an_archive_run_again_logs_what_it_fetched_now(archiver, source, log):
    source.outcomes[good(2)] = NOT_READY
    archiver(formats=["json"]).archive_window([a_session(number) for number in (1, 2, 3)], START, END)
    source.outcomes.clear()
    later = NOW + timedelta(days=1)
    archiver(later, formats=["json"]).archive_window([a_session(number) for number in (1, 2, 3)], START, END)
    assert log.lines[-1] == "3 transcripts: 1 fetched now, 0 rebuilt from files, 2 already archived"
    archiver(later).archive_window([a_session(number) for number in (1, 2, 3)], START, END)
    assert log.lines[-1] == "3 transcripts: 0 fetched now, 3 rebuilt from files, 0 already archived"
