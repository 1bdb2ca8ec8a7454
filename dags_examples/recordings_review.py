# SPDX-License-Identifier: Apache-2.0
"""
### Recordings to be reviewed

Every morning: the sessions that ended the day before and were recorded, and for each of them the link to its recording,
handed to a reviewer. Whoever has such a link can watch for about three hours, so it lies in no XCom and no log.

Set the Airflow Variable `lessonspace_review_folder` to a folder on the worker's machine. Each link becomes a file
there, which only its owner may read. Put your school's own way in place of `deliver`. In XCom lie sessions' ids, and
whether they were recorded.

More than 1024 recordings a day need a higher `[core] max_map_length`.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from airflow.sdk import DAG, Variable, task
from airflow.timetables.interval import CronDataIntervalTimetable

from lessonspace_provider.operators.sessions import (
    LessonspaceGetRecordingUrlOperator,
    LessonspaceGetSessionOperator,
    LessonspaceListSessionsOperator,
)


# --8<-- [start:deliver]
def deliver(recording: Any, context: Any) -> None:  # noqa: ARG001 - Airflow's context is handed over in any case
    """Write a link into a file that only the owner may read; another try replaces it."""
    folder = Path(Variable.get("lessonspace_review_folder"))
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / f"{recording['session_id']}.txt"
    path.touch(mode=0o600)
    path.write_text(f"{recording['recording_url']}\n", encoding="utf-8")
    # --8<-- [end:deliver]


def uuid_of(session: dict[str, Any]) -> str:
    """Take a session's uuid, which the next task is mapped over."""
    return str(session["uuid"])


with DAG(
    "recordings_review",
    schedule=CronDataIntervalTimetable("0 6 * * *", timezone="UTC"),
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    max_active_runs=1,
    default_args={"owner": "data-team", "retries": 3, "retry_delay": timedelta(minutes=10)},
    doc_md=__doc__,
    tags=["lessonspace", "sessions"],
) as dag:
    sessions = LessonspaceListSessionsOperator(
        task_id="sessions",
        filters={
            "end_time_after": "{{ data_interval_start.isoformat() }}",
            "end_time_before": "{{ data_interval_end.isoformat() }}",
        },
        fields=["uuid"],
    )
    # --8<-- [start:get]
    details = LessonspaceGetSessionOperator.partial(
        task_id="details", fields=["uuid", "recording_available", "record_av"]
    ).expand(session_id=sessions.output.map(uuid_of))
    # --8<-- [end:get]

    @task
    def recorded(sessions: Any) -> list[str]:
        """Name the sessions with a recording; one of which it is not said is tried when it was to be recorded."""
        return [session["uuid"] for session in sessions if session.get("recording_available", session.get("record_av"))]

    # --8<-- [start:recording]
    LessonspaceGetRecordingUrlOperator.partial(task_id="hand_over", deliver=deliver).expand(
        session_id=recorded(details.output)
    )
    # --8<-- [end:recording]
