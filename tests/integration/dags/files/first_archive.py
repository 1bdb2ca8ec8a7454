# SPDX-License-Identifier: Apache-2.0
from datetime import datetime, timedelta, timezone

from airflow.sdk import DAG
from airflow.timetables.interval import CronDataIntervalTimetable

from lessonspace_provider.operators.archive import LessonspaceArchiveTranscriptsOperator

with DAG(
    "first_archive",
    schedule=CronDataIntervalTimetable("0 2 * * *", timezone="UTC"),
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 3, "retry_delay": timedelta(minutes=10)},
) as dag:
    LessonspaceArchiveTranscriptsOperator(task_id="archive", destination="{{ var.value.lessonspace_archive }}")
