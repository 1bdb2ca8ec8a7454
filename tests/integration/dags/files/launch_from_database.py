# SPDX-License-Identifier: Apache-2.0
"""A DAG for the tests and the docs: the day's lessons are read from a database and launched in one task."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

# --8<-- [start:read]
from airflow.providers.common.compat.sdk import BaseHook
from airflow.sdk import DAG, Variable

from lessonspace_provider.operators.spaces import LessonspaceLaunchSpacesOperator

LESSONS = """
    SELECT lesson_id, subject, starts_at, ends_at, person_id, person_name, email, role
    FROM timetable WHERE starts_at >= %(now)s AND starts_at < %(now)s + interval '1 day'
"""


class LaunchTimetable(LessonspaceLaunchSpacesOperator):
    """Launches the lessons of the next 24 hours."""

    def execute(self, context):
        rows = BaseHook.get_hook("school_database").get_records(LESSONS, {"now": context["dag_run"].run_after})
        self.launches = [
            {
                "launch_id": f"{lesson}-{start:%Y-%m-%d}",
                "name": subject,
                "lesson_start": start,
                "lesson_end": end,
                "user": {"id": person, "name": name, "email": email, "role": role},
            }
            for lesson, subject, start, end, person, name, email, role in rows
        ]
        return super().execute(context)


# --8<-- [end:read]


def send_link(launch, context):
    """Append a person's link to a file."""
    with Path(Variable.get("links_file")).open("a") as file:
        print(launch["request"]["user"]["id"], launch["client_url"], file=file)


with DAG(
    "launch_from_database",
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    schedule=None,
    params={"folder": "/tmp"},
) as dag:
    # --8<-- [start:launch]
    LaunchTimetable(
        task_id="launch",
        launches=(),  # execute() fills it
        account="{{ params.folder }}/{{ dag_run.run_after.strftime('%Y-%m-%d') }}",
        defaults={"transcribe": True},
        deliver=send_link,
    )
    # --8<-- [end:launch]
