# SPDX-License-Identifier: Apache-2.0
"""
### Inventory of people and spaces

Every month, the DAG writes the organisation's users and spaces as JSON Lines into object storage. Users have id and
role, spaces have ids, name and time: no names of people, e-mail addresses or links. Another run of the month replaces
its files.

Set the Airflow Variable `lessonspace_inventory` to the folder, such as `s3://aws_default@my-bucket/inventory`.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from airflow.sdk import DAG
from airflow.timetables.interval import CronDataIntervalTimetable

from lessonspace_provider.operators.spaces import LessonspaceListSpacesOperator
from lessonspace_provider.operators.users import LessonspaceListUsersOperator

SCHOOL_TIME = "Europe/London"
# Triggered without a logical date, a run has no interval.
MONTH = "{{ var.value.lessonspace_inventory }}/{{ (data_interval_end | default(dag_run.run_after)).strftime('%Y-%m') }}"

with DAG(
    "people_inventory",
    schedule=CronDataIntervalTimetable("0 3 1 * *", timezone=SCHOOL_TIME),
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    max_active_runs=1,
    default_args={"owner": "data-team", "retries": 3, "retry_delay": timedelta(minutes=10)},
    doc_md=__doc__,
    tags=["lessonspace", "users"],
) as dag:
    LessonspaceListUsersOperator(task_id="users", destination=f"{MONTH}/users.jsonl")
    LessonspaceListSpacesOperator(task_id="spaces", destination=f"{MONTH}/spaces.jsonl")
