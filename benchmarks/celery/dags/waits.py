# SPDX-License-Identifier: Apache-2.0
"""A mapped sensor per running session waits in the triggerer. It runs once, when the DAG processor has read it."""

from __future__ import annotations

from datetime import datetime, timezone

from airflow.sdk import DAG

from lessonspace_provider.operators.sessions import LessonspaceListSessionsOperator
from lessonspace_provider.sensors.sessions import LessonspaceSessionEndSensor

with DAG(
    "waits",
    schedule="@once",
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    max_active_tasks=64,
    # They are to wait while the transcripts are fetched, not afterwards.
    default_args={"retries": 0, "priority_weight": 10},
) as dag:
    listed = LessonspaceListSessionsOperator(
        task_id="list", filters={"search": "celery wait", "in_progress_only": True}
    )
    LessonspaceSessionEndSensor.partial(task_id="wait", deferrable=True, poke_interval=10).expand(
        session_id=listed.output.map(lambda session: session["session_id"])
    )
