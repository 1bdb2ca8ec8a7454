# SPDX-License-Identifier: Apache-2.0
"""
### Rooms and links whose launch failed

Launches again what failed in a run of `class_launch`, and nothing else, so that nobody gets a second link for nothing.
Trigger it with the id of that run, which the run's last task names. Lessons that are over are left out. Links are
delivered, and names stored, as in `class_launch`.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

from airflow.sdk import DAG, Param, task
from class_links import COMMON, failed_launches
from class_timetable import is_ahead

from lessonspace_provider.operators.spaces import LessonspaceLaunchSpaceOperator

with DAG(
    "backfill_rooms",
    schedule=None,
    params={"run_id": Param(type="string", minLength=1, description="The id of a run of class_launch")},
    default_args={"owner": "data-team", "retries": 3, "retry_delay": timedelta(minutes=5)},
    doc_md=__doc__,
    tags=["lessonspace", "classes"],
) as dag:

    @task(show_return_value_in_logs=False)
    def failed(ti: Any = None, params: Any = None) -> list[dict[str, Any]]:
        """Find what failed and is still worth a launch."""
        launches = failed_launches(ti, params["run_id"])
        ahead = [launch for launch in launches if is_ahead(launch, datetime.now(timezone.utc))]
        print(f"{len(launches)} launches failed, {len(launches) - len(ahead)} of them for lessons that are over")  # noqa: T201
        return ahead

    # One at a time, teachers first: where there is no room yet, nobody else is about to make it.
    LessonspaceLaunchSpaceOperator.partial(task_id="launch", max_active_tis_per_dagrun=1, **COMMON).expand_kwargs(
        failed()
    )
