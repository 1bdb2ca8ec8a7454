# SPDX-License-Identifier: Apache-2.0
"""DAGs for the tests: nightly archives at an hour that the clocks of their time zone skip once a year."""

from __future__ import annotations

from datetime import datetime, timezone

from airflow.sdk import DAG
from airflow.timetables.interval import CronDataIntervalTimetable

from lessonspace_provider.operators.transcripts import LessonspaceArchiveTranscriptsOperator


def nightly(dag_id: str, cron: str, zone: str) -> DAG:
    """Make a nightly archive."""
    schedule = CronDataIntervalTimetable(cron, timezone=zone)
    with DAG(dag_id, schedule=schedule, start_date=datetime(2020, 1, 1, tzinfo=timezone.utc), catchup=False) as made:
        LessonspaceArchiveTranscriptsOperator(task_id="archive", destination="{{ var.value.lessonspace_archive }}")
    return made


london = nightly("clocks_of_london", "30 1 * * *", "Europe/London")
new_york = nightly("clocks_of_new_york", "30 2 * * *", "America/New_York")
sydney = nightly("clocks_of_sydney", "30 2 * * *", "Australia/Sydney")
