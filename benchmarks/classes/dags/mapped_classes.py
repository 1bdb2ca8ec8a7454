# SPDX-License-Identifier: Apache-2.0
"""Launches a timetable's lessons with a mapped task for each link, and writes the links into files."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from airflow.sdk import DAG, Variable, task
from class_timetable import read_launches, timetable_file
from link_files import write_file

from lessonspace_provider.operators.spaces import LessonspaceLaunchSpaceOperator


def deliver(launch: Any, _context: Any) -> None:
    """Write the link into a file of its own."""
    name = f"{launch['request']['launch_id']} {launch['user_id']}"
    write_file(Path(Variable.get("lessonspace_links_folder")), name, launch["client_url"])


COMMON = {"deliver": deliver, "transcribe": True, "map_index_template": "{{ task.launch_id }}, {{ task.user.role }}"}

with DAG("mapped_classes", schedule=None, default_args={"retries": 3, "retry_delay": timedelta(minutes=5)}) as dag:

    @task(show_return_value_in_logs=False)
    def launches_of(people: str, dag_run: Any = None) -> list[dict[str, Any]]:
        """Read the launches of teachers or of students."""
        now = datetime.now(timezone.utc)
        return read_launches(timetable_file(), dag_run.run_after, now, ZoneInfo("Europe/London"))[people]

    teachers = launches_of.override(task_id="teachers")("teachers")
    students = launches_of.override(task_id="students")("students")
    make_rooms = LessonspaceLaunchSpaceOperator.partial(task_id="make_rooms", **COMMON).expand_kwargs(teachers)
    make_links = LessonspaceLaunchSpaceOperator.partial(
        task_id="make_links", trigger_rule="all_done", **COMMON
    ).expand_kwargs(students)
    make_rooms >> make_links
