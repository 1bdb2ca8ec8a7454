# SPDX-License-Identifier: Apache-2.0
"""
### Transcripts of one space

Trigger the DAG by hand with a space. It writes the transcripts of the space's sessions of the last days as text, for
example for a teacher who takes over a class. Sessions without a transcript are skipped.

Set the Airflow Variable `lessonspace_space_transcripts` to the folder, such as `s3://aws_default@my-bucket/classes`.
The files have the spoken text and the speakers. XCom has the sessions' ids, names, times and
counts, and the files' paths.

For more than 1,024 sessions, raise `[core] max_map_length`.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from airflow.sdk import DAG, Param

from lessonspace_provider.operators.sessions import LessonspaceListSessionsOperator
from lessonspace_provider.operators.transcripts import LessonspaceGetTranscriptOperator

with DAG(
    "space_transcripts",
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    params={
        "space_id": Param(type="string", minLength=1, description="A space's UUID, or its slug (launch's room_id)"),
        "days": Param(7, type="integer", minimum=1, description="Sessions that ended in so many days"),
    },
    default_args={"owner": "data-team", "retries": 3, "retry_delay": timedelta(minutes=5)},
    doc_md=__doc__,
    tags=["lessonspace", "transcripts"],
) as dag:
    sessions = LessonspaceListSessionsOperator(
        task_id="sessions",
        space_id="{{ params.space_id }}",
        filters={
            "end_time_after": "{{ (dag_run.run_after - macros.timedelta(days=params.days)).isoformat() }}",
            "duration_min": 301,  # shorter ones have no transcript, and nor have those of one person
            "include_single_user": False,
        },
    )
    LessonspaceGetTranscriptOperator.partial(
        task_id="transcripts",
        destination="{{ var.value.lessonspace_space_transcripts }}",
        formats=["txt"],
        on_missing="skip",
    ).expand(session=sessions.output)
