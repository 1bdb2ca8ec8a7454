# SPDX-License-Identifier: Apache-2.0
"""
### Weekly attendance report

Every Monday at 5, the DAG reports the week before, from Monday to Sunday in the school's time: who taught, who came,
how late and for how many minutes, and what is billed. It writes `attendance-2026-W47.csv` for spreadsheets, and
`attendance-2026-W47.html`, a page to read or print that loads nothing from the network. A later run replaces them. A
manual run reports the last whole week, or the last whole week before its logical date.

Airflow Variables:

- `lessonspace_attendance`: the folder, such as `s3://aws_default@my-bucket/attendance`. On a local disk, only the owner
  may read the files.
- `lessonspace_timetable`, optional: the timetable of `class_launch`, or else the sample beside this file.
- `lessonspace_late_minutes`, optional: minutes of lateness that are not reported; default 5.
- `lessonspace_archive`, optional: the folder of an archive with `tables=True`. The report then has the minutes that
  each person talked. Airflow needs the package `pyarrow` for this.

A session counts for a lesson if it was in the room that `class_launch` made for the lesson, and partly in its time. A
session without a lesson counts in the week in which it ended. People are matched to the timetable by name and e-mail
address. What can't be matched or known is listed on the page, and so are rows of the timetable that can't be read.

The files contain children's names, so restrict access to the folder. XCom and logs have counts and paths only. The DAG
makes two or three calls per lesson, within the rate limit.
"""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from airflow.sdk import DAG, ObjectStoragePath, Variable, task
from airflow.timetables.interval import CronDataIntervalTimetable

from lessonspace_provider.waiting import known_start, space_id_of

# Airflow adds the DAGs folder itself to the path; this file may be in a folder below it.
sys.path.append(str(Path(__file__).parent))

from attendance.figures import make_report, week_name
from attendance.lessons import Session, planned_lessons, week_before
from attendance.page import as_page
from attendance.sheet import as_csv
from attendance.talk import Talk, talk_of_days
from class_timetable import timetable_file

if TYPE_CHECKING:
    from lessonspace_provider.hooks.lessonspace import LessonspaceHook

SCHOOL_TIME = "Europe/London"


def room_sessions(hook: LessonspaceHook, launch_id: str) -> list[Session]:
    """List the sessions of a lesson's room with their logs, which only a space's list has."""
    return with_logs(hook, list(hook.list_sessions(launch_id=launch_id, include_single_user=True)))


def week_sessions(hook: LessonspaceHook, begin: datetime, end: datetime) -> list[Session]:
    """List the sessions that ended in a week, perhaps a few more, and those that began before its end and still run."""
    # Whether the API counts the moments themselves is unknown: a second more.
    second = timedelta(seconds=1)
    window = {"end_time_after": begin - second, "end_time_before": end + second}
    running = hook.list_sessions(in_progress_only=True, start_time_before=end, include_single_user=True)
    return [*hook.list_sessions(**window, include_single_user=True), *running]


def with_logs(hook: LessonspaceHook, sessions: list[Any]) -> list[Session]:
    """Add the logs to sessions; none to one that its space does not list, or without any."""
    logged: dict[str, Any] = {}
    # A space that is used for years has many sessions.
    starts = [start for start in map(known_start, sessions) if start]
    since = min(starts) - timedelta(seconds=1) if starts else None
    for space_id in dict.fromkeys(space_id_of(session) for session in sessions):
        if space_id:
            found = hook.list_space_sessions(space_id, start_time_after=since, include_single_user=True)
            logged |= {session["uuid"]: session for session in found}
    return [{"logs": [], **session, **logged.get(session["uuid"], {})} for session in sessions]


def late_minutes() -> float:
    """
    Read how much later one may come to a lesson.

    :raises ValueError: when the Variable is no number of minutes.
    """
    text = Variable.get("lessonspace_late_minutes", default="5")
    try:
        minutes = float(text)
    except ValueError:
        minutes = math.nan
    if not 0 <= minutes < math.inf:
        raise ValueError(
            f"The Airflow Variable lessonspace_late_minutes is {text!r}, and no number of minutes such as 5."
        )
    return minutes


def week_talk(begin: datetime, end: datetime) -> Talk:
    """Read how long people talked in the sessions of a week, a day more on both sides; nothing without an archive."""
    archive = Variable.get("lessonspace_archive", default=None)
    if not archive:
        return {}
    days = (moment.astimezone(timezone.utc).date() for moment in (begin - timedelta(days=1), end + timedelta(days=1)))
    return talk_of_days(ObjectStoragePath(archive), *days)


@contextmanager
def only_for_the_owner() -> Iterator[None]:
    """Create local files that only the owner may read."""
    before = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(before)


with DAG(
    "attendance_report",
    schedule=CronDataIntervalTimetable("0 5 * * 1", timezone=SCHOOL_TIME),
    start_date=datetime(2026, 1, 1, tzinfo=ZoneInfo(SCHOOL_TIME)),
    catchup=False,
    max_active_runs=1,
    default_args={"owner": "data-team", "retries": 3, "retry_delay": timedelta(minutes=10)},
    doc_md=__doc__,
    tags=["lessonspace", "classes"],
) as dag:

    @task
    def report(dag_run: Any = None) -> dict[str, Any]:
        """List, count and write in one task, so that no name passes through XCom; return counts and paths."""
        # Not needed to parse this file.
        from lessonspace_provider.hooks.lessonspace import LessonspaceHook
        from lessonspace_provider.output import write_whole

        folder = ObjectStoragePath(Variable.get("lessonspace_attendance"))
        late_after = late_minutes()
        zone = ZoneInfo(SCHOOL_TIME)
        begin, end = week_before(dag_run.data_interval_end or dag_run.run_after, zone)
        # The day before belongs to the week before; but a session of its last lesson may have ended in this one.
        lessons, refused = planned_lessons(timetable_file(), begin - timedelta(days=1), end, zone)
        hook = LessonspaceHook()
        sessions = {lesson.launch_id: room_sessions(hook, lesson.launch_id) for lesson in lessons}
        in_rooms = {session["uuid"] for of_room in sessions.values() for session in of_room}
        others = [session for session in week_sessions(hook, begin, end) if session["uuid"] not in in_rooms]
        counted = make_report(
            lessons,
            sessions,
            with_logs(hook, others),
            begin=begin,
            end=end,
            late_after=late_after,
            refused=refused,
            talk=week_talk(begin, end),
        )
        files = {"csv": as_csv(counted), "html": as_page(counted, SCHOOL_TIME)}
        paths = {kind: folder / f"attendance-{week_name(counted)}.{kind}" for kind in files}
        with only_for_the_owner():
            for kind, data in files.items():
                write_whole(paths[kind], data)
        return {
            "csv": str(paths["csv"]),
            "page": str(paths["html"]),
            "lessons_planned": len(counted.lessons),
            "lessons_held": counted.held,
            "lessons_missed": len(counted.missed),
            "lessons_unclear": len(counted.unclear),
            "rows_refused": len(counted.refused),
            "sessions_without_a_lesson": len(counted.others),
            "billable_minutes": round(counted.billable, 1),
        }

    report()
