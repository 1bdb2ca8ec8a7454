# SPDX-License-Identifier: Apache-2.0
"""
### Archives of several organisations

Every night, the DAG archives each organisation at Lessonspace, in a folder of its own. When all archives are done, one
event of the asset `lessonspace_all_transcripts` lists them: connection, organisation, destination, window and counts.

Set the Airflow Variable `lessonspace_organisations` to JSON such as
`[{"lessonspace_conn_id": "lessonspace_north", "destination": "s3://aws_default@my-bucket/north"}]`.

Do not give the archives one asset in common: a DAG that is scheduled on it may start with the event of one archive, and
get the others a night later.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

from airflow.sdk import DAG, Asset, Variable, task
from airflow.timetables.interval import CronDataIntervalTimetable

from lessonspace_provider.operators.archive import LessonspaceArchiveTranscriptsOperator

ALL_TRANSCRIPTS = Asset("lessonspace_all_transcripts")

with DAG(
    "organisations_archived",
    schedule=CronDataIntervalTimetable("0 3 * * *", timezone="UTC"),
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    max_active_runs=1,
    default_args={"owner": "data-team", "retries": 3, "retry_delay": timedelta(minutes=10)},
    doc_md=__doc__,
    tags=["lessonspace", "transcripts"],
) as dag:

    @task
    def organisations() -> list[dict[str, str]]:
        """Read which archives there are."""
        archives: list[dict[str, str]] = Variable.get("lessonspace_organisations", deserialize_json=True)
        return archives

    @task(outlets=[ALL_TRANSCRIPTS])
    def report(archives: Any, outlet_events: Any = None) -> None:
        """Send one event for all organisations."""
        outlet_events[ALL_TRANSCRIPTS].extra = {"archives": list(archives)}

    archive = LessonspaceArchiveTranscriptsOperator.partial(task_id="archive").expand_kwargs(organisations())
    report(archive.output)
