# SPDX-License-Identifier: Apache-2.0
"""How long a deferred task may wait."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from airflow.models.trigger import TRIGGER_FAIL_REPR, TriggerFailureReason

from lessonspace_provider.triggers.time_limits import deferral_timeout, ended_without_report, report_time

NOW = datetime(2026, 11, 23, 9, tzinfo=timezone.utc)
MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize(
    ("timeout", "execution_timeout", "running_for", "expected"),
    [
        (None, None, 5.0, None),
        (60.0, None, 5.0, MINUTE),
        (None, MINUTE, 5.0, timedelta(seconds=55)),
        (600.0, MINUTE, 5.0, timedelta(seconds=55)),
        (30.0, MINUTE, 5.0, timedelta(seconds=30)),
        (600.0, MINUTE, 90.0, timedelta(0)),
    ],
)
def test_the_smaller_limit_is_chosen(timeout, execution_timeout, running_for, expected):
    assert deferral_timeout(timeout, execution_timeout, running_for) == expected


@pytest.mark.parametrize(("seconds", "margin"), [(86_400, 5), (60, 5), (30, 3), (1, 0.1), (0, 0)])
def test_the_trigger_reports_shortly_before_the_deferral_ends(seconds, margin):
    assert report_time(timedelta(seconds=seconds), NOW) == pytest.approx(NOW.timestamp() + seconds - margin)


def test_without_a_limit_no_time_is_up():
    assert report_time(None, NOW) is None


def test_a_deferral_ended_by_the_scheduler_is_recognised():
    assert ended_without_report(TRIGGER_FAIL_REPR, {"error": TriggerFailureReason.TRIGGER_TIMEOUT.value})
    assert not ended_without_report(TRIGGER_FAIL_REPR, {"error": TriggerFailureReason.TRIGGER_FAILURE.value})
    assert not ended_without_report("execute_complete", {"event": {}})
    assert not ended_without_report(TRIGGER_FAIL_REPR, None)
