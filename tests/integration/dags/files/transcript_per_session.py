# SPDX-License-Identifier: Apache-2.0
"""A DAG for the tests: sessions are listed, and a mapped task fetches each one's transcript."""

from __future__ import annotations

from datetime import datetime, timezone

from airflow.sdk import DAG

from lessonspace_provider.operators.sessions import LessonspaceListSessionsOperator
from lessonspace_provider.operators.transcripts import LessonspaceGetTranscriptOperator

with DAG("transcript_per_session", start_date=datetime(2026, 1, 1, tzinfo=timezone.utc), schedule=None) as dag:
    listed = LessonspaceListSessionsOperator(task_id="list", filters={"search": "fractions xiv"})
    LessonspaceGetTranscriptOperator.partial(
        task_id="get", destination="{{ var.value.lessonspace_archive }}", formats=["txt"]
    ).expand(session_id=listed.output.map(lambda session: session["session_id"]))
