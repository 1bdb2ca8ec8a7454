# SPDX-License-Identifier: Apache-2.0
"""``LessonspaceGetTranscriptOperator(wait=True)``."""

from __future__ import annotations

import time
from datetime import datetime, timedelta, timezone

import pytest
from airflow.providers.common.compat.sdk import AirflowSkipException, AirflowTaskTimeout, TaskDeferred

from lessonspace_provider.exceptions import LessonspaceError, LessonspaceNotFoundError, LessonspaceTranscriptNotReady
from lessonspace_provider.operators.transcripts import LessonspaceGetTranscriptOperator

SESSION = "5b5f1a2c-3d4e-4f5a-8b9c-0d1e2f3a4b5c"
ENDED = datetime.now(timezone.utc).replace(microsecond=0) - timedelta(hours=2)
SEGMENTS = [{"start_time": 1.0, "end_time": 2.0, "user": {"id": 1, "name": "Ann"}, "text": "Hi"}]


class Hook:
    """A session, and what asking for its transcript gives each time."""

    def __init__(self, *transcripts, **session):
        self.transcripts = list(transcripts)
        self.session = {
            "uuid": SESSION,
            "start_time": (ENDED - timedelta(hours=1)).isoformat(),
            "end_time": ENDED.isoformat(),
            "profiles": [{"user": 1}, {"user": 2}],
            **session,
        }

    def get_session(self, session_id):
        if self.session["uuid"] is None:
            raise LessonspaceNotFoundError("none", status=404)
        return self.session

    def open_transcript(self, session_id):
        outcome = self.transcripts.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


MISSING = LessonspaceTranscriptNotReady("not there", status=404)


def an_operator(hook, **parameters):
    operator = LessonspaceGetTranscriptOperator(task_id="t", session_id=SESSION, wait=True, **parameters)
    operator.hook = hook
    return operator


def test_what_is_there_is_not_waited_for():
    assert an_operator(Hook(SEGMENTS)).execute({}) == SEGMENTS


def test_what_is_not_there_yet_is_waited_for_from_the_sessions_end():
    with pytest.raises(TaskDeferred) as caught:
        an_operator(Hook(MISSING), give_up_after=timedelta(hours=5)).execute({})
    trigger = caught.value.trigger
    assert (trigger.session_id, trigger.give_up_after) == (SESSION, 5 * 3600)
    assert trigger.ended_at == ENDED.timestamp()
    assert caught.value.method_name == "execute_complete"
    assert (caught.value.timeout, trigger.timeout_at) == (None, None)


def test_it_is_not_waited_for_longer_than_execution_timeout():
    before = time.time()
    with pytest.raises(TaskDeferred) as caught:
        an_operator(Hook(MISSING), execution_timeout=timedelta(minutes=10)).execute({})
    assert 300 < caught.value.timeout.total_seconds() <= 600
    assert before + 300 < caught.value.trigger.timeout_at < before + 600


@pytest.mark.parametrize(
    ("resumed", "found"),
    [
        (
            ("execute_complete", {"event": {"status": "timeout", "message": "Found at noon: nothing"}}),
            "at noon: nothing",
        ),
        (("__fail__", {"error": "Trigger timeout"}), "Check that a triggerer runs"),
    ],
)
def test_a_wait_that_times_out_is_a_tasks_timeout_whatever_on_missing_is(resumed, found):
    operator = an_operator(Hook(), execution_timeout=timedelta(minutes=10), on_missing="skip")
    with pytest.raises(AirflowTaskTimeout) as caught:
        operator.resume_execution(*resumed, {})
    parts = ("0:10:00 (execution_timeout)", SESSION, found, "connection 'lessonspace_default'")
    assert [part for part in parts if part not in str(caught.value)] == []


@pytest.mark.parametrize("session", [{"end_time": None}, {"uuid": None}])
def test_a_session_that_runs_or_is_only_reserved_is_waited_for(session):
    with pytest.raises(TaskDeferred) as caught:
        an_operator(Hook(MISSING, **session)).execute({})
    assert caught.value.trigger.ended_at is None


def test_what_can_never_come_is_not_waited_for_and_the_reason_is_given():
    alone = Hook(MISSING, profiles=[{"user": 1}])
    with pytest.raises(LessonspaceTranscriptNotReady, match="one person only"):
        an_operator(alone).execute({})


@pytest.mark.parametrize("status", ["not_eligible", "given_up"])
def test_what_never_came_is_missing_as_on_missing_requires(status):
    event = {"status": status, "reason": None, "message": "It was given up.", "session_id": SESSION}
    with pytest.raises(LessonspaceTranscriptNotReady, match="given up"):
        an_operator(Hook()).execute_complete({}, event)
    with pytest.raises(AirflowSkipException, match="given up"):
        an_operator(Hook(), on_missing="skip").execute_complete({}, event)
    assert an_operator(Hook(), on_missing="none").execute_complete({}, event) is None


def test_what_has_come_is_fetched():
    event = {"status": "ready", "reason": None, "message": "", "session_id": SESSION}
    assert an_operator(Hook(SEGMENTS)).execute_complete({}, event) == SEGMENTS


def test_a_wait_that_failed_is_an_error_that_names_the_session_whatever_on_missing_is():
    event = {"status": "error", "reason": "LessonspaceAuthError", "message": "401", "session_id": SESSION}
    with pytest.raises(LessonspaceError, match=f"{SESSION} failed: 401"):
        an_operator(Hook(), on_missing="none").execute_complete({}, event)
