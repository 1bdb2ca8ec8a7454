# SPDX-License-Identifier: Apache-2.0
"""A DAG for the tests: a timetable in a file, or made by a task, is launched in one task."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

from airflow.sdk import DAG, Variable, task

from lessonspace_provider.operators.spaces import LessonspaceLaunchSpacesOperator


def to_the_school(launch, context):
    folder = Path(Variable.get("links_folder"))
    folder.mkdir(exist_ok=True)
    (folder / f"{launch['request']['launch_id']} {launch['request']['user']['id']}").write_text(launch["client_url"])


def all_to_the_school(launches, context):
    for launch in launches:
        to_the_school(launch, context)


@task(show_return_value_in_logs=False)
def timetable() -> list[dict[str, object]]:
    """Give two launches whose names look like templates."""
    return [
        {
            "launch_id": "from-a-task",
            "user": {"id": f"listed-{number}", "name": "{{ 6 * 7 }}"},
            "recipient": {"n": number},
        }
        for number in range(2)
    ]


with DAG(
    "launch_many",
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    schedule=None,
    params={"folder": "/tmp"},
) as dag:
    LessonspaceLaunchSpacesOperator(
        task_id="file",
        launches="{{ params.folder }}/launches.csv",
        account="{{ params.folder }}/file",
        defaults={"transcribe": True, "name": "Lesson of {{ params.folder | length }}"},
        deliver=to_the_school,
    )
    LessonspaceLaunchSpacesOperator(
        task_id="listed", launches=timetable(), account="{{ params.folder }}/listed", deliver=to_the_school
    )
    LessonspaceLaunchSpacesOperator(
        task_id="batches",
        launches=[{"launch_id": "batch", "user": {"id": f"batch-{number}"}} for number in range(3)],
        account="{{ params.folder }}/batches",
        deliver_many=all_to_the_school,
        deliver_batch_size=2,
    )
    LessonspaceLaunchSpacesOperator(
        task_id="written",
        launches=[{"launch_id": "written-{{ params.folder | length }}", "user": {"id": "Wanda Written"}}],
        account="{{ params.folder }}/written",
        deliver=to_the_school,
    )
