# SPDX-License-Identifier: Apache-2.0
"""A DAG for the tests: each session of a space is locked, and its recording's link delivered."""

from __future__ import annotations

import os
from datetime import datetime, timezone
from pathlib import Path

from airflow.sdk import DAG, Variable

from lessonspace_provider.operators.sessions import (
    LessonspaceGetRecordingUrlOperator,
    LessonspaceListSessionsOperator,
    LessonspaceUpdateSessionOperator,
)


def to_the_school(recording, context):
    path = Path(Variable.get("recordings_folder")) / f"{recording['session_id']}.txt"
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(recording["recording_url"])


with DAG(
    "recordings_locked",
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    schedule=None,
    params={"launch_id": "class-7b"},
) as dag:
    sessions = LessonspaceListSessionsOperator(
        task_id="sessions", filters={"launch_id": "{{ params.launch_id }}", "include_single_user": True}
    )
    ids = sessions.output.map(lambda session: session["session_id"])
    LessonspaceUpdateSessionOperator.partial(task_id="lock", recording_access_policy=["admin"]).expand(session_id=ids)
    LessonspaceGetRecordingUrlOperator.partial(task_id="recording", deliver=to_the_school).expand(session_id=ids)
