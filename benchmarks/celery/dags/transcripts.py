# SPDX-License-Identifier: Apache-2.0
"""A mapped task per session fetches its transcript. It runs once, as soon as the DAG processor has read it."""

from __future__ import annotations

from datetime import datetime, timezone

from airflow.sdk import DAG

from lessonspace_provider.operators.sessions import LessonspaceListSessionsOperator
from lessonspace_provider.operators.transcripts import LessonspaceGetTranscriptOperator

with DAG(
    "transcripts",
    schedule="@once",
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    max_active_tasks=64,
    default_args={"retries": 0},
) as dag:
    listed = LessonspaceListSessionsOperator(task_id="list", filters={"search": "celery benchmark"})
    LessonspaceGetTranscriptOperator.partial(
        task_id="transcript", destination="{{ var.value.lessonspace_archive }}", formats=["txt"]
    ).expand(session_id=listed.output.map(lambda session: session["session_id"]))
