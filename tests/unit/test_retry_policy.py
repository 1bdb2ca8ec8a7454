# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import re
from datetime import timedelta

import pytest

retry_policy = pytest.importorskip(
    "airflow.sdk.definitions.retry_policy", reason="retry policies came with Airflow 3.3"
)

from lessonspace_provider.exceptions import (  # noqa: E402 - after the check whether Airflow has retry policies
    LessonspaceAccountError,
    LessonspaceAuthError,
    LessonspaceBadRequestError,
    LessonspaceConnectionError,
    LessonspaceDeliveryError,
    LessonspaceDestinationError,
    LessonspaceError,
    LessonspaceInputError,
    LessonspaceJobError,
    LessonspaceLinkExpiredError,
    LessonspaceNotFoundError,
    LessonspaceRateLimitedError,
    LessonspaceReplyTimeoutError,
    LessonspaceReplyTooLargeError,
    LessonspaceServerError,
    LessonspaceSettingRefusedError,
    LessonspaceTlsError,
    LessonspaceTranscriptNotReady,
)
from lessonspace_provider.retry_policy import LessonspaceRetryPolicy  # noqa: E402
from lessonspace_provider.sensors.base import LessonspaceWaitFailed  # noqa: E402
from tests.unit.test_exceptions import ERRORS, all_kinds  # noqa: E402

FAIL, RETRY, DEFAULT = (retry_policy.RetryAction[name] for name in ("FAIL", "RETRY", "DEFAULT"))


@pytest.mark.parametrize(
    ("error", "action", "delay"),
    [
        (LessonspaceRateLimitedError("429", status=429, retry_after=90), RETRY, timedelta(seconds=90)),
        (LessonspaceServerError("503", status=503, retry_after=5), RETRY, timedelta(seconds=5)),
        (LessonspaceServerError("503", status=503, retry_after=1e300), RETRY, timedelta(days=1)),
        (LessonspaceServerError("500", status=500), DEFAULT, None),
        (LessonspaceServerError("not JSON", status=200), DEFAULT, None),
        (LessonspaceServerError("redirect", status=302, retry_after=1), FAIL, None),
        (LessonspaceAuthError("401", status=401, retry_after=1), FAIL, None),
        (LessonspaceAuthError("403", status=403), FAIL, None),
        (LessonspaceNotFoundError("404", status=404), FAIL, None),
        (LessonspaceBadRequestError("408", status=408), DEFAULT, None),
        (LessonspaceBadRequestError("425", status=425, retry_after=90), RETRY, timedelta(seconds=90)),
        (LessonspaceTranscriptNotReady("404", status=404), DEFAULT, None),
        (LessonspaceInputError("bad window"), FAIL, None),
        (LessonspaceBadRequestError("400", status=400, retry_after=1), FAIL, None),
        (ValueError("somebody else's"), DEFAULT, None),
    ],
)
def test_what_happens_to_a_task_that_failed(error, action, delay):
    decision = LessonspaceRetryPolicy().evaluate(error, try_number=1, max_tries=3)
    assert (decision.action, decision.retry_delay) == (action, delay)


@pytest.mark.parametrize(("asked", "action"), [(5, DEFAULT), (300, DEFAULT), (301, RETRY)])
def test_a_server_makes_no_task_come_back_sooner_than_its_own_delay(asked, action):
    class Task:
        retry_delay = timedelta(minutes=5)

    error = LessonspaceServerError("503", status=503, retry_after=asked)
    decision = LessonspaceRetryPolicy().evaluate(error, try_number=1, max_tries=3, context={"task": Task()})
    assert decision.action is action


#: What becomes of a task by the kind of its error: each kind has to be decided on.
DECISIONS = {
    LessonspaceError: DEFAULT,
    LessonspaceInputError: FAIL,
    LessonspaceAuthError: FAIL,
    LessonspaceNotFoundError: FAIL,
    LessonspaceBadRequestError: FAIL,
    LessonspaceTlsError: FAIL,
    LessonspaceWaitFailed: FAIL,
    LessonspaceRateLimitedError: DEFAULT,
    LessonspaceServerError: DEFAULT,
    LessonspaceReplyTooLargeError: DEFAULT,
    LessonspaceConnectionError: DEFAULT,
    LessonspaceReplyTimeoutError: DEFAULT,
    LessonspaceDestinationError: DEFAULT,
    LessonspaceTranscriptNotReady: DEFAULT,
    LessonspaceLinkExpiredError: DEFAULT,
    LessonspaceDeliveryError: DEFAULT,
    LessonspaceSettingRefusedError: FAIL,
    LessonspaceAccountError: DEFAULT,
    LessonspaceJobError: DEFAULT,
}


def test_every_kind_of_error_is_decided_on_and_the_docs_describe_how():
    assert set(all_kinds()) == set(DECISIONS)
    decided = {kind: LessonspaceRetryPolicy().evaluate(kind("x"), try_number=1, max_tries=3) for kind in DECISIONS}
    assert {kind: decision.action for kind, decision in decided.items()} == DECISIONS
    for kind, action in DECISIONS.items():
        (section,) = re.findall(rf"^## {kind.code}\n\n(.*?)(?=\n## |\Z)", ERRORS.read_text(), re.M | re.S)
        retried = re.search(r"Retried by the policy: (no|only|yes)", section)
        assert retried is not None, kind
        assert (retried[1] != "yes") is (action is FAIL), kind


def test_it_can_be_in_the_default_args_of_a_dag():
    from airflow.sdk import DAG
    from airflow.serialization.serialized_objects import DagSerialization

    from lessonspace_provider.operators.sessions import LessonspaceListSessionsOperator

    with DAG("policy", schedule=None, default_args={"retry_policy": LessonspaceRetryPolicy()}) as dag:
        LessonspaceListSessionsOperator(task_id="list")
    assert DagSerialization.deserialize_dag(DagSerialization.serialize_dag(dag)).get_task("list").has_retry_policy
