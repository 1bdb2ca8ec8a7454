# SPDX-License-Identifier: Apache-2.0
"""Every operation of the API has an operator that makes its request, and an example DAG with that operator."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import NamedTuple

import pytest

from lessonspace_provider.operators.sessions import (
    LessonspaceGetRecordingUrlOperator,
    LessonspaceGetSessionOperator,
    LessonspaceListSessionsOperator,
    LessonspaceUpdateSessionOperator,
    LessonspaceUpdateSessionsOperator,
)
from lessonspace_provider.operators.spaces import (
    LessonspaceLaunchSpaceOperator,
    LessonspaceLaunchSpacesOperator,
    LessonspaceListSpacesOperator,
)
from lessonspace_provider.operators.transcripts import LessonspaceGetTranscriptOperator
from lessonspace_provider.operators.users import LessonspaceListUsersOperator, LessonspaceRemoveUserOperator
from tests.airflow_version import needs_airflow
from tests.integration.conftest import load_dag

NOON = datetime.now(timezone.utc).replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days=2)
OF_ALL = "/v2/organisations/{organisation}"
SESSIONS, SESSION = f"{OF_ALL}/sessions/", f"{OF_ALL}/sessions/{{session}}/"
PLAYBACK, OF_SPACE = "/v2/sessions/{session}/playback/", "/v2/spaces/{space}/sessions/"
BY_ID = {"session_id": "{session}"}


class Operation(NamedTuple):
    """
    An operation of the vendor's reference.

    :param path: with what stands in braces there.
    :param parameters: with which the operator asks for it.
    """

    method: str
    path: str
    operator: type
    parameters: dict[str, str]
    example: str


OPERATIONS = [
    Operation("GET", SESSIONS, LessonspaceListSessionsOperator, {}, "recordings_review"),
    Operation("GET", SESSION, LessonspaceGetSessionOperator, BY_ID, "recordings_review"),
    Operation("PATCH", SESSION, LessonspaceUpdateSessionOperator, {**BY_ID, "name": "Algebra"}, "session_housekeeping"),
    Operation("GET", f"{SESSION}transcript/", LessonspaceGetTranscriptOperator, BY_ID, "space_transcripts"),
    Operation("GET", f"{OF_ALL}/spaces/", LessonspaceListSpacesOperator, {}, "people_inventory"),
    Operation("GET", f"{OF_ALL}/users/", LessonspaceListUsersOperator, {}, "people_inventory"),
    Operation("DELETE", f"{OF_ALL}/users/{{user}}/", LessonspaceRemoveUserOperator, {"user_id": "{user}"}, "leavers"),
    Operation("GET", PLAYBACK, LessonspaceGetRecordingUrlOperator, BY_ID, "recordings_review"),
    Operation("POST", "/v2/spaces/launch/", LessonspaceLaunchSpaceOperator, {"launch_id": "7b"}, "class_launch"),
    Operation("GET", OF_SPACE, LessonspaceListSessionsOperator, {"space_id": "{space}"}, "space_transcripts"),
]

#: The operators whose example has the one that does the same for many in one task.
IN_ONE_TASK = {
    LessonspaceLaunchSpaceOperator: LessonspaceLaunchSpacesOperator,
    LessonspaceUpdateSessionOperator: LessonspaceUpdateSessionsOperator,
}


def test_the_table_has_the_ten_operations():
    assert len({(operation.method, operation.path) for operation in OPERATIONS}) == 10


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: f"{operation.method} {operation.path}")
def test_an_operator_makes_the_operations_request(operation, lessonspace_connection, lessonspace_sandbox):
    control = lessonspace_sandbox.control
    session = control.add_session(NOON, NOON + timedelta(hours=1), launch_id="7b", transcript="ready")
    truth = next(truth for truth in control.sessions() if truth.session_id == session)
    ids = {
        "organisation": lessonspace_sandbox.organisation_id,
        "session": session,
        "space": truth.room_id,
        "user": truth.user_ids[0],
    }
    parameters = {name: value.format(**ids) for name, value in operation.parameters.items()}
    operation.operator(task_id="it", **parameters).execute({})
    calls = [(call.method, call.path) for call in control.calls(target="api")]
    assert (operation.method, operation.path.format(**ids)) in calls


@pytest.mark.parametrize(
    "operation",
    [
        pytest.param(
            operation,
            id=f"{operation.method} {operation.path}",
            marks=needs_airflow("3.1", "the example waits for an approval") if operation.example == "leavers" else (),
        )
        for operation in OPERATIONS
    ],
)
def test_an_example_has_the_operator(operation):
    tasks = load_dag(operation.example).tasks
    given = [
        task.partial_kwargs if task.is_mapped else vars(task)
        for task in tasks
        if issubclass(
            getattr(task, "operator_class", type(task)), IN_ONE_TASK.get(operation.operator, operation.operator)
        )
    ]
    assert given
    if operation.operator is LessonspaceListSessionsOperator:
        assert [bool(arguments.get("space_id")) for arguments in given] == ["space_id" in operation.parameters]
