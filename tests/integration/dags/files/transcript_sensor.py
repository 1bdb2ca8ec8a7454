# SPDX-License-Identifier: Apache-2.0
"""A DAG for the tests: it waits for a transcript without a worker."""

from __future__ import annotations

from datetime import datetime, timezone

from airflow.sdk import DAG

from lessonspace_provider.sensors.transcripts import LessonspaceTranscriptSensor

with DAG("transcript_sensor", start_date=datetime(2026, 1, 1, tzinfo=timezone.utc), schedule=None) as dag:
    LessonspaceTranscriptSensor(
        task_id="wait", session_id="{{ var.json.awaited_sessions.wait }}", deferrable=True, give_up_after=3600
    )
