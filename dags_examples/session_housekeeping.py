# SPDX-License-Identifier: Apache-2.0
"""
### Session housekeeping

Every night, for the sessions that ended since the night before: names them after their space and day, and lets only
teachers and admins watch the recordings of under-age classes. Run again, it sends nothing for what is as it should be.
All tasks of a connection share the API's rate; there is nothing to throttle here.

Airflow Variables, both optional:

- `lessonspace_session_name`: the name, with `{space}`, `{date}` and `{time}` (of the start) in it; `{space} {date}`.
  It replaces names that were given by hand.
- `lessonspace_under_age`: a regular expression, looked for in the space's name and the session's tags without regard to
  case. Without it every recording is locked. A session whose space has no name is locked in any case.

In XCom lie the sessions' ids, times, tags and spaces, and the new names: no people and no links, unless your spaces are
named after pupils.

A night of more than 1024 sessions fails in `changes`, before anything is sent, until `[core] max_map_length`
(`AIRFLOW__CORE__MAX_MAP_LENGTH`) is raised.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

from airflow.sdk import DAG, Variable, task
from airflow.timetables.interval import CronDataIntervalTimetable

from lessonspace_provider.operators.sessions import LessonspaceListSessionsOperator, LessonspaceUpdateSessionOperator
from lessonspace_provider.sessions import space_of, start_time

SCHOOL_TIMEZONE = "UTC"


def new_name(session: dict[str, Any], template: str) -> str | None:
    """Name a session after its space and start; None, which leaves its name, when the API tells no start."""
    start = start_time(session)
    if start is None:
        return None
    local = start.astimezone(ZoneInfo(SCHOOL_TIMEZONE))
    space = space_of(session).get("name") or "Lesson"
    name = template.format(space=space, date=f"{local:%Y-%m-%d}", time=f"{local:%H:%M}")
    # Airflow renders templates in what it maps over: a space called {{ conn... }} would publish the API key.
    return name.replace("{", "(").replace("}", ")")


def new_policy(session: dict[str, Any], under_age: str) -> list[str] | None:
    """Lock under-age classes, and those that can't be told; None leaves the policy as it is."""
    space = space_of(session).get("name")
    if not space or re.search(under_age, f"{space} {session.get('tags') or ''}", re.IGNORECASE):
        return ["teacher", "admin"]
    return None


def change(session: dict[str, Any], template: str, under_age: str) -> dict[str, Any]:
    """Say what a session is to be called, and who may watch it."""
    return {
        "session_id": session["uuid"],
        "name": new_name(session, template),
        "recording_access_policy": new_policy(session, under_age),
    }


with DAG(
    "session_housekeeping",
    schedule=CronDataIntervalTimetable("0 2 * * *", timezone=SCHOOL_TIMEZONE),
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    max_active_runs=1,
    default_args={"owner": "data-team", "retries": 3, "retry_delay": timedelta(minutes=10)},
    doc_md=__doc__,
    tags=["lessonspace", "sessions"],
) as dag:
    # Whether the API counts the moment itself is unknown: a second early, a session may come twice, which does no harm.
    # --8<-- [start:list]
    sessions = LessonspaceListSessionsOperator(
        task_id="sessions",
        filters={
            "end_time_after": "{{ data_interval_start.subtract(seconds=1).isoformat() }}",
            "end_time_before": "{{ data_interval_end.isoformat() }}",
            "include_single_user": True,
        },
        fields=["uuid", "space", "start_time", "tags"],
    )
    # --8<-- [end:list]

    @task
    def changes(sessions: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Say of every session what it is to be."""
        template = Variable.get("lessonspace_session_name", default="{space} {date}")
        under_age = Variable.get("lessonspace_under_age", default="")
        wanted = [change(session, template, under_age) for session in sessions]
        return [entry for entry in wanted if entry["name"] or entry["recording_access_policy"]]

    # --8<-- [start:update]
    LessonspaceUpdateSessionOperator.partial(task_id="update").expand_kwargs(changes(sessions.output))
    # --8<-- [end:update]
