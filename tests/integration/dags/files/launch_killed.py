# SPDX-License-Identifier: Apache-2.0
"""A DAG for the tests: a file is launched in one task, whose process says who it is with each link."""

from __future__ import annotations

import os
from datetime import datetime, timedelta, timezone
from pathlib import Path

from airflow.sdk import DAG

from lessonspace_provider.operators.spaces import LessonspaceLaunchSpacesOperator

FOLDER = Path(os.environ.get("LAUNCH_KILLED", "/tmp"))


def to_the_school(launch, context):
    line = f"{os.getpid()} {launch['request']['user']['id']} {launch['client_url']}\n"
    descriptor = os.open(FOLDER / "delivered", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.write(descriptor, line.encode())
    os.close(descriptor)


with DAG("launch_killed", start_date=datetime(2026, 1, 1, tzinfo=timezone.utc), schedule=None) as dag:
    LessonspaceLaunchSpacesOperator(
        task_id="launch",
        launches=str(FOLDER / "launches.csv"),
        account=str(FOLDER / "account"),
        deliver=to_the_school,
        max_threads=4,
        retries=2,
        retry_delay=timedelta(seconds=1),
    )
