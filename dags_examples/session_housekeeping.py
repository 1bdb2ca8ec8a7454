# SPDX-License-Identifier: Apache-2.0
"""
### Session housekeeping

Every night, for the sessions that ended since the night before: names those of the timetable's lessons after subject,
teacher and date, and all others after their space and day; and lets only teachers and admins watch the recordings of
under-age classes. Names that were given by hand are replaced. Run again, it sends nothing for what is as it should be.
All tasks of a connection share the API's rate; there is nothing to throttle here.

Airflow Variables, all optional:

- `lessonspace_timetable`: the timetable of `class_launch`, or else the sample beside this file.
- `lessonspace_session_name`: the name of a lesson's session, with `{subject}`, `{teacher}`, `{date}` and `{time}` (of
  the lesson's start) in it; `{subject}, {teacher}, {date}`.
- `lessonspace_under_age`: a regular expression, looked for in the subject, the space's name and the session's tags
  without regard to case. Without it every recording is locked. A session with neither subject nor name of a space is
  locked in any case.

A session is a lesson's when it was in the room that `class_launch` made for it. Since no session says what its room
was launched as, the API is asked for the sessions of each lesson: a night of N lessons costs N lists and one more.

In XCom lie the sessions' ids, who may watch, and the new names, which hold the teachers' unless your template leaves
them out; no other people and no links, unless your spaces are named after pupils. Keep `class_timetable.py` beside
this file.

A night of more than 1024 sessions fails in `changes`, before anything is sent, until `[core] max_map_length`
(`AIRFLOW__CORE__MAX_MAP_LENGTH`) is raised.
"""

from __future__ import annotations

import re
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from airflow.sdk import DAG, Variable, task
from airflow.timetables.interval import CronDataIntervalTimetable

from lessonspace_provider.api.times import read_time
from lessonspace_provider.operators.sessions import LessonspaceUpdateSessionOperator
from lessonspace_provider.sessions import space_of

# Airflow puts the DAGs folder itself on the path; this file may lie in a folder below it.
sys.path.append(str(Path(__file__).parent))

from class_timetable import Launch, read_launches

SCHOOL_TIME = "Europe/London"
SAMPLE = Path(__file__).with_name("timetable.csv")
TEMPLATE_WORDS = ("subject", "teacher", "date", "time")


def check_template(template: str) -> str:
    """Refuse a template with anything in braces but the words that are known, and return it otherwise."""
    words = [f"{{{word}}}" for word in TEMPLATE_WORDS]
    if set("{}") & set(re.sub("|".join(map(re.escape, words)), "", template)):
        raise ValueError(
            f"The Airflow Variable lessonspace_session_name is {template!r}: of what stands in braces, only "
            f"{', '.join(words)} are known."
        )
    return template


def lessons_between(timetable: Path, begin: datetime, end: datetime) -> list[Launch]:
    """Read the lessons that begin within some days, and those of the day before that are not over by then."""
    zone, day = ZoneInfo(SCHOOL_TIME), timedelta(days=1)
    moment = datetime.fromtimestamp(begin.timestamp(), zone)
    lessons: list[Launch] = read_launches(timetable, moment - day, moment, zone)["teachers"]
    while moment < end:
        read = read_launches(timetable, moment, moment, zone)
        for problem in read["refused"]:
            print(f"Not read: {problem}")  # noqa: T201 - for the task's log
        lessons += read["teachers"]
        moment += day
    return lessons


def new_name(session: dict[str, Any], lesson: Launch | None, template: str) -> str | None:
    """Name a session after its lesson, or its space and day; None leaves its name, when its start can't be read."""
    start = datetime.fromisoformat(lesson["lesson_start"]) if lesson else read_time(session.get("start_time"))
    if start is None:
        return None
    local = start.astimezone(ZoneInfo(SCHOOL_TIME))
    if lesson:
        words = (lesson["name"], lesson["user"]["name"], f"{local:%Y-%m-%d}", f"{local:%H:%M}")
        name = template.format(**dict(zip(TEMPLATE_WORDS, words)))
    else:
        name = f"{space_name(session) or 'Lesson'} {local:%Y-%m-%d}"
    # Airflow renders templates in what it maps over: a space called {{ conn... }} would publish the API key.
    return name.replace("{", "(").replace("}", ")")


def space_name(session: dict[str, Any]) -> str | None:
    """Give the name of a session's space; None when the API gives no text."""
    name = space_of(session).get("name")
    return name if isinstance(name, str) else None


def new_policy(session: dict[str, Any], lesson: Launch | None, under_age: str) -> list[str] | None:
    """Lock under-age classes, and those that can't be told; None leaves the policy as it is."""
    called = " ".join(filter(None, [lesson and lesson["name"], space_name(session)]))
    if not called or re.search(under_age, f"{called} {session.get('tags') or ''}", re.IGNORECASE):
        return ["teacher", "admin"]
    return None


def change(session: dict[str, Any], lesson: Launch | None, template: str, under_age: str) -> dict[str, Any]:
    """Say what a session is to be called, and who may watch it."""
    return {
        "session_id": session["uuid"],
        "name": new_name(session, lesson, template),
        "recording_access_policy": new_policy(session, lesson, under_age),
    }


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
    def changes(
        dag_run: Any = None, data_interval_start: Any = None, data_interval_end: Any = None
    ) -> list[dict[str, Any]]:
        """List the night's sessions and say what each is to be; in one task, so that no people pass through XCom."""
        from lessonspace_provider.hooks.lessonspace import LessonspaceHook  # not needed to parse this file

        template = check_template(Variable.get("lessonspace_session_name", default="{subject}, {teacher}, {date}"))
        under_age = Variable.get("lessonspace_under_age", default="")
        timetable = Path(Variable.get("lessonspace_timetable", default=str(SAMPLE)))
        # Triggered without a logical date, a run has no interval: then it is the day before.
        end = data_interval_end or dag_run.run_after
        begin = data_interval_start or end - timedelta(days=1)
        # Whether the API counts the moment itself is unknown: a second early, a session may come twice, which does no
        # harm.
        window: dict[str, Any] = {
            "end_time_after": begin - timedelta(seconds=1),
            "end_time_before": end,
            "include_single_user": True,
        }
        hook = LessonspaceHook()
        sessions: list[Any] = list(hook.list_sessions(**window))
        lessons = lessons_between(timetable, begin, end) if sessions else []
        lesson_of = {
            session["uuid"]: lesson
            for lesson in lessons
            for session in hook.list_sessions(launch_id=lesson["launch_id"], **window)
        }
        wanted = [change(session, lesson_of.get(session["uuid"]), template, under_age) for session in sessions]
        return [entry for entry in wanted if entry["name"] or entry["recording_access_policy"]]

    # --8<-- [start:update]
    LessonspaceUpdateSessionOperator.partial(task_id="update").expand_kwargs(changes())
    # --8<-- [end:update]
