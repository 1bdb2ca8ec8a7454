# SPDX-License-Identifier: Apache-2.0
"""
### Rooms and links for the day's lessons

Every morning: for each lesson of the timetable that begins within a day, one room, and for each of its people a link of
their own, which works from 15 minutes before the lesson to 15 minutes after it. Lessons that are cancelled or over are
left out. Triggered by hand, it does so for the 24 hours from then on. Run again, the rooms are the same, and everybody
gets another link to them.

**The timetable** is the CSV file in the Airflow Variable `lessonspace_timetable`, or else the sample beside this file;
`class_timetable.py` says what is in its columns. A row that can't be read is left out, and named by the last task,
which then fails.

**Links** are mailed through the connection `smtp_default`. With the Variable `lessonspace_links_folder` they are
written there instead, a file for each, which only the owner may read; the folder is on the machine of the worker.

**When a launch fails** for good, the others go on, the last task fails and names the lessons, and the DAG
`backfill_rooms` launches those that failed. When only the delivery fails, the retry launches again: the same room,
another link.

**What is stored where:** the names and e-mail addresses of the timetable lie in Airflow's database, in the XCom of the
tasks `timetable`, `teachers` and `students`, and in the rendered fields of the mapped tasks; whoever may see this DAG
can read them. They are in no log. Links lie nowhere but in the mails or files.

More than 1024 links a day need a higher `[core] max_map_length`.
"""

from __future__ import annotations

import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from airflow.sdk import DAG, Variable, task
from airflow.timetables.trigger import CronTriggerTimetable

from lessonspace_provider.operators.spaces import LessonspaceLaunchSpaceOperator

# Airflow puts the DAGs folder itself on the path; this file may lie in a folder below it.
sys.path.append(str(Path(__file__).parent))

from class_links import COMMON, check_delivery, failed_launches
from class_timetable import read_launches

SCHOOL_TIME = "Europe/London"
SAMPLE = Path(__file__).with_name("timetable.csv")

with DAG(
    "class_launch",
    schedule=CronTriggerTimetable("0 6 * * *", timezone=SCHOOL_TIME),
    start_date=datetime(2026, 1, 1, tzinfo=ZoneInfo(SCHOOL_TIME)),
    catchup=False,
    max_active_runs=1,
    default_args={"owner": "data-team", "retries": 3, "retry_delay": timedelta(minutes=5)},
    doc_md=__doc__,
    tags=["lessonspace", "classes"],
) as dag:
    # One XCom, not another for each key, and no names in logs.
    @task(multiple_outputs=False, show_return_value_in_logs=False)
    def timetable(dag_run: Any = None) -> dict[str, list[Any]]:
        """Say whom to launch: teachers, students, and the rows that can't be read."""
        check_delivery()
        path = Path(Variable.get("lessonspace_timetable", default=str(SAMPLE)))
        return read_launches(path, dag_run.run_after, datetime.now(timezone.utc), ZoneInfo(SCHOOL_TIME))

    @task(show_return_value_in_logs=False)
    def launches_of(people: str, launches: dict[str, list[Any]]) -> list[dict[str, Any]]:
        """Give the launches of teachers or of students: a task maps over all that another one returned."""
        return launches[people]

    @task(trigger_rule="all_done", retries=0)
    def everybody_has_a_link(launches: dict[str, list[Any]] | None, ti: Any = None) -> None:
        """Fail when a launch has failed or a row could not be read, and say which."""
        problems = list(launches["refused"]) if launches else []
        if failed := sorted({launch["launch_id"] for launch in failed_launches(ti, ti.run_id)}):
            problems.append(f"launches failed for {', '.join(failed)}: trigger backfill_rooms for {ti.run_id}")
        if problems:
            raise RuntimeError(f"Not everybody has a link. {'; '.join(problems)}")

    launches = timetable()
    teachers = launches_of.override(task_id="teachers")("teachers", launches)
    students = launches_of.override(task_id="students")("students", launches)
    # The teacher's launch makes the room. Students come after it, whatever became of other lessons.
    # --8<-- [start:launch]
    make_rooms = LessonspaceLaunchSpaceOperator.partial(task_id="make_rooms", **COMMON).expand_kwargs(teachers)
    make_links = LessonspaceLaunchSpaceOperator.partial(
        task_id="make_links", trigger_rule="all_done", **COMMON
    ).expand_kwargs(students)
    # --8<-- [end:launch]
    make_rooms >> make_links >> everybody_has_a_link(launches)
