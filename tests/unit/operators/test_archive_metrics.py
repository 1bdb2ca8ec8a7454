# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from datetime import timedelta

import pytest

from lessonspace_provider.exceptions import LessonspaceError, LessonspaceServerError, LessonspaceTranscriptNotReady
from tests.recorded_stats import record_stats
from tests.unit.operators.kit import NOW, a_session, archiver

SESSIONS = "lessonspace.archive.sessions."
OLDEST_PENDING = "lessonspace.archive.oldest_pending"


def a_night(tmp_path, **parameters):
    late = NOW - timedelta(hours=5)
    sessions = [a_session(1), a_session(2), a_session(3, end=late), a_session(4, profiles=[{"user": 1}])]
    outcomes = {
        sessions[1]["uuid"]: LessonspaceServerError("503", status=503),
        sessions[2]["uuid"]: LessonspaceTranscriptNotReady("no transcript", status=404),
    }
    return archiver(tmp_path, sessions, outcomes, **parameters)


def test_a_run_counts_its_sessions_by_status_also_when_some_failed(tmp_path, monkeypatch):
    recorded = record_stats(monkeypatch)
    with pytest.raises(LessonspaceError, match="1 session"):
        a_night(tmp_path).execute({})
    assert recorded.counters == {
        f"{SESSIONS}{status}": 1 for status in ("archived", "failed", "pending", "not_eligible")
    }
    (oldest,) = recorded.gauges[OLDEST_PENDING]
    assert 5 * 3600 <= oldest < 6 * 3600


def test_the_oldest_pending_is_zero_where_none_is(tmp_path, monkeypatch):
    recorded = record_stats(monkeypatch)
    archiver(tmp_path, [a_session(1)]).execute({})
    assert recorded.gauges[OLDEST_PENDING] == [0.0]


def test_a_dry_run_sends_nothing(tmp_path, monkeypatch):
    recorded = record_stats(monkeypatch)
    a_night(tmp_path, dry_run=True).execute({})
    assert not recorded.counters
    assert not recorded.gauges
