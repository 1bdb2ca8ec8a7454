# SPDX-License-Identifier: Apache-2.0
"""
### Session housekeeping

Every night, two tasks handle the sessions that ended since the night before, whatever their number. `changes` lists
them and writes a file of updates. `update` sends those that change something. Its retry sends only what is not
done. Sessions of the timetable's lessons are named after subject, teacher and date, all others after their space and
day. Names that were given by hand are replaced. Only teachers and admins may watch the recordings of under-age classes.

Airflow Variables:

- `lessonspace_accounts`: a folder, such as `s3://aws_default@my-bucket/accounts`. Each run writes its file of updates
  there, and an account with the result of each.
- `lessonspace_timetable`, optional: the timetable of `class_launch`, or else the sample beside this file.
- `lessonspace_session_name`, optional: a template for the name of a lesson's session, with `{subject}`, `{teacher}`,
  `{date}` and `{time}` (the lesson's start); default `{subject}, {teacher}, {date}`.
- `lessonspace_under_age`, optional: a regular expression that finds under-age classes by subject, space name or tags,
  in upper and lower case. Without it, all recordings are restricted. A session without a subject and without a space
  name is always restricted.

A session belongs to a lesson if it was in the room that `class_launch` made for it. Sessions have no launch id, so the
DAG lists the sessions of each lesson's room: N lessons cost N + 1 lists.

XCom has the file's path and counts. The file of updates has the sessions' ids, who may watch, and the old and new
names. These contain names of teachers, unless your template leaves them out. On a local disk, only its owner may read
it. Keep `class_timetable.py` beside this file.
"""

from __future__ import annotations

import json
import os
import re
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from airflow.sdk import DAG, ObjectStoragePath, Variable, task
from airflow.timetables.interval import CronDataIntervalTimetable

from lessonspace_provider.operators.sessions import LessonspaceUpdateSessionsOperator
from lessonspace_provider.waiting import known_start, space_of

# Airflow adds the DAGs folder itself to the path; this file may be in a folder below it.
sys.path.append(str(Path(__file__).parent))

from class_timetable import Launch, read_launches, timetable_file

SCHOOL_TIME = "Europe/London"
#: Where a run keeps its account, and beside it its updates.
FOLDER = "{{ var.value.lessonspace_accounts }}/session_housekeeping/{{ dag_run.run_after.strftime('%Y%m%dT%H%M%S%f') }}"
TEMPLATE_WORDS = ("subject", "teacher", "date", "time")


def check_template(template: str) -> str:
    """Refuse a template with anything in braces but the words that are known, and return it otherwise."""
    words = [f"{{{word}}}" for word in TEMPLATE_WORDS]
    if set("{}") & set(re.sub("|".join(map(re.escape, words)), "", template)):
        raise ValueError(
            f"The Airflow Variable lessonspace_session_name is {template!r}: in braces, only "
            f"{', '.join(words)} are known."
        )
    return template


def lessons_between(timetable: Any, begin: datetime, end: datetime) -> list[Launch]:
    """Read the lessons that begin within some days, and those of the day before that are not over by then."""
    zone, day = ZoneInfo(SCHOOL_TIME), timedelta(days=1)
    moment = datetime.fromtimestamp(begin.timestamp(), zone)
    lessons: list[Launch] = read_launches(timetable, moment - day, moment, zone)["teachers"]
    while moment < end:
        read = read_launches(timetable, moment, moment, zone)
        for problem in read["refused"]:
            print(f"Not read: {problem}")
        lessons += read["teachers"]
        moment += day
    return lessons


def new_name(session: dict[str, Any], lesson: Launch | None, template: str) -> str | None:
    """Name a session after its lesson, or its space and day; None leaves its name, when its start can't be read."""
    start = datetime.fromisoformat(lesson["lesson_start"]) if lesson else known_start(session)
    if start is None:
        return None
    local = start.astimezone(ZoneInfo(SCHOOL_TIME))
    if lesson:
        words = (lesson["name"], lesson["user"]["name"], f"{local:%Y-%m-%d}", f"{local:%H:%M}")
        name = template.format(**dict(zip(TEMPLATE_WORDS, words)))
    else:
        name = f"{space_name(session) or 'Lesson'} {local:%Y-%m-%d}"
    # A DAG that maps over names has Airflow render them: a space called {{ conn... }} would publish the API key.
    return name.replace("{", "(").replace("}", ")")


def space_name(session: dict[str, Any]) -> str | None:
    """Give the name of a session's space; None when the API gives no text."""
    name = space_of(session).get("name")
    return name if isinstance(name, str) else None


def new_policy(session: dict[str, Any], lesson: Launch | None, under_age: str) -> list[str] | None:
    """Lock under-age classes, and unknown ones; None leaves the policy as it is."""
    called = " ".join(filter(None, [lesson and lesson["name"], space_name(session)]))
    if not called or re.search(under_age, f"{called} {session.get('tags') or ''}", re.IGNORECASE):
        return ["teacher", "admin"]
    return None


def change(session: dict[str, Any], lesson: Launch | None, template: str, under_age: str) -> dict[str, Any]:
    """Give what a session is to be called and who may watch it, with the present values that the list knows."""
    return {
        "session_id": session["uuid"],
        "name": new_name(session, lesson, template),
        "recording_access_policy": new_policy(session, lesson, under_age),
        "current": current(session),
    }


def current(session: dict[str, Any]) -> dict[str, Any]:
    """Give the present name and policy, those that can be read; what is as it should be is not sent."""
    name, policy = session.get("name"), session.get("recording_access_policy")
    known: dict[str, Any] = {"name": name} if isinstance(name, str) else {}
    if isinstance(policy, list) and all(isinstance(role, str) for role in policy):
        known["recording_access_policy"] = policy
    return known


with DAG(
    "session_housekeeping",
    schedule=CronDataIntervalTimetable("0 2 * * *", timezone=SCHOOL_TIME),
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    max_active_runs=1,
    default_args={"owner": "data-team", "retries": 3, "retry_delay": timedelta(minutes=10)},
    doc_md=__doc__,
    tags=["lessonspace", "sessions"],
) as dag:

    @task
    def changes(file: str, dag_run: Any = None, data_interval_start: Any = None, data_interval_end: Any = None) -> str:
        """List the night's sessions, write what is to become of each into the file, and give its path."""
        # Not needed to parse this file.
        from lessonspace_provider.hooks.lessonspace import LessonspaceHook
        from lessonspace_provider.output import write_whole

        template = check_template(Variable.get("lessonspace_session_name", default="{subject}, {teacher}, {date}"))
        under_age = Variable.get("lessonspace_under_age", default="")
        # Triggered without a logical date, a run has no interval: then it is the day before.
        end = data_interval_end or dag_run.run_after
        begin = data_interval_start or end - timedelta(days=1)
        # Whether the API's bounds are inclusive is unknown: a second early, a session may be handled twice.
        window: dict[str, Any] = {
            "end_time_after": begin - timedelta(seconds=1),
            "end_time_before": end,
            "include_single_user": True,
        }
        hook = LessonspaceHook()
        sessions: list[Any] = list(hook.list_sessions(**window))
        lessons = lessons_between(timetable_file(), begin, end) if sessions else []
        lesson_of = {
            session["uuid"]: lesson
            for lesson in lessons
            for session in hook.list_sessions(launch_id=lesson["launch_id"], **window)
        }
        wanted = [change(session, lesson_of.get(session["uuid"]), template, under_age) for session in sessions]
        updates = [entry for entry in wanted if entry["name"] or entry["recording_access_policy"]]
        lines = "".join(f"{json.dumps(update)}\n" for update in updates)
        before = os.umask(0o077)
        try:
            write_whole(ObjectStoragePath(file), lines.encode())
        finally:
            os.umask(before)
        return file

    LessonspaceUpdateSessionsOperator(task_id="update", updates=changes(f"{FOLDER}.jsonl"), account=FOLDER)
