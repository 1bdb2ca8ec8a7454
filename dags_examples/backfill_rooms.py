# SPDX-License-Identifier: Apache-2.0
"""
### Rooms and links whose launch failed

Launches again what failed in a run of `class_launch`, and nothing else, so that nobody gets a second link for nothing.
Trigger it with the id of that run, which the run's last task names. What an earlier run of this DAG has launched for it
is left out, and so are lessons that are over; the timetable is the one that `class_launch` has read. Links are
delivered, and names stored, as in `class_launch`.
"""

from __future__ import annotations

import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from airflow.sdk import DAG, Param, task

from lessonspace_provider.operators.spaces import LessonspaceLaunchSpaceOperator

# Airflow puts the DAGs folder itself on the path; this file may lie in a folder below it.
sys.path.append(str(Path(__file__).parent))

from class_links import COMMON, OF_RUN, failed_launches, launched_since
from class_timetable import is_ahead

with DAG(
    "backfill_rooms",
    schedule=None,
    max_active_runs=1,  # one that is triggered twice sees what the first run has launched
    params={"run_id": Param(type="string", minLength=1, description="The id of a run of class_launch")},
    default_args={"owner": "data-team", "retries": 3, "retry_delay": timedelta(minutes=5)},
    doc_md=__doc__,
    tags=["lessonspace", "classes"],
) as dag:

    @task(show_return_value_in_logs=False)
    def failed(ti: Any = None, params: Any = None) -> list[dict[str, Any]]:
        """Find what failed, was not launched since and is still worth a launch."""
        launches, done = failed_launches(ti, params["run_id"]), launched_since(ti, params["run_id"])
        left = [launch for launch in launches if launch not in done]
        ahead = [launch for launch in left if is_ahead(launch, datetime.now(timezone.utc))]
        print(  # noqa: T201 - for the task's log
            f"{len(launches)} launches failed, {len(launches) - len(left)} of them were made since, "
            f"{len(left) - len(ahead)} of the others are for lessons that are over"
        )
        ti.xcom_push(OF_RUN, params["run_id"])
        return ahead

    # One at a time, teachers first: where there is no room yet, nobody else is about to make it.
    LessonspaceLaunchSpaceOperator.partial(task_id="launch", max_active_tis_per_dagrun=1, **COMMON).expand_kwargs(
        failed()
    )
