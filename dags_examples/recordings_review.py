# SPDX-License-Identifier: Apache-2.0
"""
### Recordings to be reviewed

Every morning: the sessions that ended the day before and were recorded, and for each of them the link to its recording,
handed to a reviewer. Whoever has such a link can watch for about three hours, so it lies in no XCom and no log.

Set the Airflow Variable `lessonspace_review_folder` to a folder on the worker's machine. Each link becomes a file there,
which only its owner may read. Put your school's own way in place of `deliver`. In XCom lie sessions' ids, names, times
and counts, and no people.

More than 1024 recordings a day need a higher `[core] max_map_length`.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from airflow.sdk import DAG, Variable
from airflow.timetables.interval import CronDataIntervalTimetable

from lessonspace_provider.operators.sessions import (
    LessonspaceGetRecordingUrlOperator,
    LessonspaceGetSessionOperator,
    LessonspaceListSessionsOperator,
)


# --8<-- [start:deliver]
def deliver(recording: Any, context: Any) -> None:
    """Write a link into a file that only the owner may read; another try replaces it."""
    folder = Path(Variable.get("lessonspace_review_folder"))
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / f"{recording['session_id']}.txt"
    path.touch(mode=0o600)
    path.write_text(f"{recording['recording_url']}\n", encoding="utf-8")
    # --8<-- [end:deliver]


def session_id_of(session: dict[str, Any]) -> dict[str, str]:
    """Take from a session what the next tasks are mapped over."""
    return {"session_id": session["uuid"]}


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
            "has_recording": True,
        },
        fields=["uuid"],
    )
    ids = sessions.output.map(session_id_of)
    # --8<-- [start:get]
    details = LessonspaceGetSessionOperator.partial(task_id="details").expand_kwargs(ids)
    # --8<-- [end:get]
    # --8<-- [start:recording]
    hand_over = LessonspaceGetRecordingUrlOperator.partial(task_id="hand_over", deliver=deliver).expand_kwargs(ids)
    # --8<-- [end:recording]
    details >> hand_over
