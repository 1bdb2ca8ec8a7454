# SPDX-License-Identifier: Apache-2.0
"""
### Recordings to be reviewed

Every morning, the DAG delivers to a reviewer the links to the recordings of the sessions that ended since the morning
before. Anyone with such a link can watch for about three hours, so XCom and logs do not have it.

Set the Airflow Variable `lessonspace_review_folder` to a folder on the worker's machine. Each link is written to a
new file there, which only its owner may read. Copy `link_files.py` with this file, or replace `deliver` by your own
function. XCom has sessions' ids, and whether they were recorded.

If a session can't be read, the others are delivered, and the run fails. For more than 1,024 sessions a day, raise
`[core] max_map_length`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, Variable, task
from airflow.timetables.interval import CronDataIntervalTimetable

from lessonspace_provider.operators.sessions import (
    LessonspaceGetRecordingUrlOperator,
    LessonspaceGetSessionOperator,
    LessonspaceListSessionsOperator,
)

# Airflow adds the DAGs folder itself to the path; this file may be in a folder below it.
sys.path.append(str(Path(__file__).parent))

from link_files import write_file

SCHOOL_TIME = "Europe/London"


def deliver(recording: Any, _context: Any) -> None:
    """Write a link into a file that only the owner may read; another try replaces it."""
    folder = Path(Variable.get("lessonspace_review_folder"))
    write_file(folder, recording["session_id"], f"{recording['recording_url']}\n")


def uuid_of(session: dict[str, Any]) -> str:
    """Take a session's uuid, which the next task is mapped over."""
    return str(session["uuid"])


def has_recording(session: dict[str, Any]) -> bool:
    """Whether there is a recording; where that is not known, whether one was requested."""
    available = session.get("recording_available")
    return bool(session.get("record_av") if available is None else available)


with DAG(
    "recordings_review",
    schedule=CronDataIntervalTimetable("0 6 * * *", timezone=SCHOOL_TIME),
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    max_active_runs=1,
    default_args={"owner": "data-team", "retries": 3, "retry_delay": timedelta(minutes=10)},
    doc_md=__doc__,
    tags=["lessonspace", "sessions"],
) as dag:
    # Whether the API counts the moment itself is unknown: a second early, a link may be handed over twice. Triggered
    # without a logical date, a run has no interval: then it is the day before.
    sessions = LessonspaceListSessionsOperator(
        task_id="sessions",
        filters={
            "end_time_after": "{{ (data_interval_start | default(dag_run.run_after - macros.timedelta(days=1))"
            " - macros.timedelta(seconds=1)).isoformat() }}",
            "end_time_before": "{{ (data_interval_end | default(dag_run.run_after)).isoformat() }}",
            "include_single_user": True,
        },
        fields=["uuid"],
    )
    details = LessonspaceGetSessionOperator.partial(
        task_id="details", fields=["uuid", "recording_available", "record_av"]
    ).expand(session_id=sessions.output.map(uuid_of))

    @task(trigger_rule="all_done")
    def recorded(sessions: Iterable[dict[str, Any]] | None) -> list[str]:
        """Name the sessions with a recording, of those that could be read."""
        return [session["uuid"] for session in sessions or [] if has_recording(session)]

    LessonspaceGetRecordingUrlOperator.partial(task_id="hand_over", deliver=deliver).expand(
        session_id=recorded(details.output)
    )

    # Without it, a run whose links were all handed over would count as good, whatever could not be read.
    details >> EmptyOperator(task_id="all_could_be_read")
