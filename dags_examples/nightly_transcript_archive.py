# SPDX-License-Identifier: Apache-2.0
"""
### Nightly transcript archive

Every night: the sessions that ended since the night before, their transcripts as JSON and as readable text, a manifest
with the status of every session, and tables for SQL. The following nights check again for transcripts that were not
ready. Other DAGs can be scheduled on the asset `lessonspace_transcripts`.

The tables need the extra `airflow-provider-lessonspace[tables]`; without it, remove `tables=True`.

Set the Airflow Variable `lessonspace_archive` to the folder, such as `s3://aws_default@my-bucket/transcripts`.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from airflow.sdk import DAG, Asset
from airflow.timetables.interval import CronDataIntervalTimetable

from lessonspace_provider.operators.archive import LessonspaceArchiveTranscriptsOperator

with DAG(
    "nightly_transcript_archive",
    schedule=CronDataIntervalTimetable("0 2 * * *", timezone="UTC"),
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    max_active_runs=1,
    default_args={"owner": "data-team", "retries": 3, "retry_delay": timedelta(minutes=10)},
    doc_md=__doc__,
    tags=["lessonspace", "transcripts"],
) as dag:
    LessonspaceArchiveTranscriptsOperator(
        task_id="archive_transcripts",
        destination="{{ var.value.lessonspace_archive }}",
        formats=["json", "txt"],
        tables=True,
        outlets=[Asset("lessonspace_transcripts")],
    )
