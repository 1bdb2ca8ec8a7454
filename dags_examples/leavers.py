# SPDX-License-Identifier: Apache-2.0
"""
### Leavers

Removes the users on a list from Lessonspace, after a person has approved it in Airflow (*Required actions*). This can't
be undone. Trigger the DAG by hand. If the request is rejected, or not answered within three days, no user is removed.
An approval applies to the ids that were shown, also if the file has changed since. Needs Airflow 3.1.

Set the Airflow Variable `lessonspace_leavers` to a CSV file such as `leavers.csv` beside this DAG, or
`s3://aws_default@my-bucket/leavers.csv`: its column `user_id` has the integers of `profiles[].user`. The
file may use commas, semicolons or tabs, and UTF-8 or UTF-16. Other columns are not read. To let only certain people
answer, set `assigned_users` of the task `approve`.

XCom has user ids, the result for each, and who answered, but no names or e-mails of the users. For more than 1,024
leavers, raise `[core] max_map_length`.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone

from airflow.providers.common.compat.sdk import AirflowSkipException
from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import DAG, ObjectStoragePath, Variable, task

from lessonspace_provider.operators.users import LessonspaceRemoveUserOperator
from lessonspace_provider.spreadsheets import read_rows


def read_ids(data: bytes, file: str) -> list[int]:
    """Read the column user_id, each id once; one that is no number stops everything."""
    ids: list[int] = []
    for row in read_rows(data, file, ["user_id"]):
        given = row["user_id"]
        if row.problem:
            raise ValueError(row.problem)
        # A spreadsheet may have written 1000001 as 1E+06, 1000001.0 or 1,000,001.
        if not re.fullmatch(r"0*[1-9][0-9]{0,17}", given):
            raise row.error("there is no positive integer: format the column as a number without decimals", "user_id")
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
        """List who would be removed; nothing is sent."""
        path = ObjectStoragePath(Variable.get("lessonspace_leavers"))
        ids = read_ids(path.read_bytes(), path.name)
        if not ids:
            raise AirflowSkipException("There are no users on the list of leavers.")
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
