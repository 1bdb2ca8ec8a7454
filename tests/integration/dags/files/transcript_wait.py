# SPDX-License-Identifier: Apache-2.0
"""A DAG for the tests: a task that waits for a transcript that does not come in time."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from airflow.sdk import DAG

from lessonspace_provider.operators.transcripts import LessonspaceGetTranscriptOperator

with DAG("transcript_wait", start_date=datetime(2026, 1, 1, tzinfo=timezone.utc), schedule=None) as dag:
    LessonspaceGetTranscriptOperator(
        task_id="fetch",
        session_id="{{ var.json.awaited_sessions.fetch }}",
        wait=True,
        on_missing="skip",
        execution_timeout=timedelta(seconds=3),
        retries=1,
        retry_delay=timedelta(0),
    )
