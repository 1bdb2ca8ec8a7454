# SPDX-License-Identifier: Apache-2.0
from datetime import datetime, timedelta, timezone
from pathlib import Path

from airflow.sdk import DAG, Variable, task

from lessonspace_provider.operators.spaces import LessonspaceLaunchSpacesOperator


def send_link(launch, context):
    """Replace this body with a mail, or with a call to your school's portal."""
    file = Path(Variable.get("lessonspace_links"), f"{launch['user_id']}.txt")
    file.touch(mode=0o600)
    file.write_text(launch["client_url"])


with DAG("first_launch", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=timezone.utc)) as dag:

    @task(show_return_value_in_logs=False)
    def people():
        start = datetime.now(timezone.utc)
        lesson = {
            "launch_id": f"algebra-{start:%Y-%m-%d-%H%M}",
            "lesson_start": start.isoformat(),
            "lesson_end": (start + timedelta(minutes=45)).isoformat(),
        }
        return [
            {**lesson, "user": {"id": "byron", "name": "Ms Byron", "role": "teacher"}},
            {**lesson, "user": {"id": "ben", "name": "Ben", "role": "student"}},
        ]

    LessonspaceLaunchSpacesOperator(
        task_id="launch",
        launches=people(),
        account="{{ var.value.lessonspace_accounts }}/{{ run_id }}",
        defaults={"transcribe": True},
        deliver=send_link,
    )
