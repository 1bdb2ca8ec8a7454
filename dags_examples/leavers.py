# SPDX-License-Identifier: Apache-2.0
"""
### Leavers

Removes the users on a list from Lessonspace, after somebody has approved it in Airflow (*Required actions*). There is
no way back. Trigger it by hand. Rejected, or not answered within three days, nobody is removed; an answer counts for
the ids that were shown, whatever happens to the file meanwhile. Needs Airflow 3.1.

Set the Airflow Variable `lessonspace_leavers` to a CSV file such as `leavers.csv` beside this DAG, or
`s3://aws_default@my-bucket/leavers.csv`: its column `user_id` holds the integers of `profiles[].user`. Other columns
are not read. To let only certain people answer, give the task `approve` its `assigned_users`.

In XCom lie user ids, what became of each, and who answered: no names or e-mails of the users.
More than 1024 leavers fail in `leavers` until `[core] max_map_length` is raised.
"""

from __future__ import annotations

import csv
from datetime import datetime, timedelta, timezone

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import DAG, ObjectStoragePath, Variable, task
from airflow.sdk.exceptions import AirflowSkipException

from lessonspace_provider.operators.users import LessonspaceRemoveUserOperator


def read_ids(text: str) -> list[int]:
    """Read the column user_id, each id once; one that is no number stops everything."""
    rows = csv.DictReader(text.splitlines())
    if "user_id" not in (rows.fieldnames or []):
        raise ValueError("The list of leavers has no column user_id: its first line has to name the columns.")
    ids: list[int] = []
    for row in rows:
        given = (row["user_id"] or "").strip()
        if not (given.isascii() and given.isdigit() and int(given)):
            raise ValueError(f"Line {rows.line_num} of the list of leavers has no user_id that is a positive integer.")
        ids.append(int(given))
    return list(dict.fromkeys(ids))


with DAG(
    "leavers",
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    max_active_runs=1,
    default_args={"owner": "data-team"},
    doc_md=__doc__,
    tags=["lessonspace", "users"],
) as dag:

    @task
    def leavers() -> list[int]:
        """Say who would be removed; nothing is sent."""
        ids = read_ids(ObjectStoragePath(Variable.get("lessonspace_leavers")).read_text(encoding="utf-8-sig"))
        if not ids:
            raise AirflowSkipException("There is nobody on the list of leavers.")
        return ids

    ids = leavers()
    approve = ApprovalOperator(
        task_id="approve",
        subject="Remove {{ ti.xcom_pull(task_ids='leavers') | length }} users from Lessonspace for good?",
        body="Their ids: {{ ti.xcom_pull(task_ids='leavers') | join(', ') }}",
        response_timeout=timedelta(days=3),
    )
    # --8<-- [start:remove]
    remove = LessonspaceRemoveUserOperator.partial(
        task_id="remove", retries=3, retry_delay=timedelta(minutes=10)
    ).expand(user_id=ids)
    # --8<-- [end:remove]
    ids >> approve >> remove
