# SPDX-License-Identifier: Apache-2.0
"""The night's transcripts, with the provider."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from airflow.sdk import DAG
from airflow.timetables.interval import CronDataIntervalTimetable

from lessonspace_provider.operators.transcripts import LessonspaceArchiveTranscriptsOperator

with DAG(
    "archive",
    schedule=CronDataIntervalTimetable("0 0 * * *", timezone="UTC"),
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 3, "retry_delay": timedelta(seconds=5), "retry_exponential_backoff": 2},
) as dag:
    LessonspaceArchiveTranscriptsOperator(task_id="transcripts", destination="{{ var.value.lessonspace_archive }}")
