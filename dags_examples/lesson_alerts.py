# SPDX-License-Identifier: Apache-2.0
"""
### Alerts about lessons that go wrong

Every minute, one task lists the sessions in progress of the whole organisation, and compares them with the timetable.
It reports a lesson

- whose room is empty five minutes after its start;
- where a student waits, and the tutor is five minutes late;
- where a student has been without the tutor for five minutes.

Each is reported once, and again after a quarter of an hour if nothing has changed. Lessons that are cancelled are not
reported. A session's profiles show who has come. Whether a tutor has left is only in a room's logs: each run reads
those of ten rooms at most, in turn.

Airflow Variables:

- `lessonspace_alerts`: a folder, such as `s3://aws_default@my-bucket/alerts`. There the DAG stores which alerts it has
  sent, without names.
- `lessonspace_alert_address`, optional: the address for alerts, sent through the connection `smtp_default`. Without it,
  alerts are in the task's log only.
- `lessonspace_timetable`, optional: the timetable, a CSV file on any store, or else the sample beside this file.

**If the mail fails**, the task fails, and the next run sends the alerts again. A timetable that can't be read fails the
task. A row that can't be read is reported like a lesson; the other lessons are watched.

Keep `lesson_watch.py`, the folder `attendance` and `class_timetable.py` beside this file.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from airflow.sdk import DAG, ObjectStoragePath, Variable, task
from airflow.timetables.trigger import CronTriggerTimetable

from lessonspace_provider.exceptions import LessonspaceError
from lessonspace_provider.waiting import space_id_of

# Airflow adds the DAGs folder itself to the path; this file may be in a folder below it.
sys.path.append(str(Path(__file__).parent))

import lesson_watch as watch
from attendance.lessons import planned_lessons
from class_timetable import timetable_file

if TYPE_CHECKING:
    from attendance.lessons import PlannedLesson

    from lessonspace_provider.hooks.lessonspace import LessonspaceHook

SCHOOL_TIME = "Europe/London"
SMTP_CONNECTION = "smtp_default"


def lessons_of_today(now: datetime) -> tuple[list[PlannedLesson], list[str]]:
    """Read the day's lessons, and the rows that can't be read."""
    midnight = now.astimezone(ZoneInfo(SCHOOL_TIME)).replace(hour=0, minute=0, second=0, microsecond=0)
    return planned_lessons(timetable_file(), midnight, midnight + timedelta(days=1), ZoneInfo(SCHOOL_TIME))


def find_alerts(
    hook: LessonspaceHook, sessions: list[Any], lessons: list[PlannedLesson], memory: watch.Memory, now: datetime
) -> list[watch.Alert]:
    """
    Find the lessons that need attention.

    :param sessions: those in progress.
    :param memory: what earlier runs found; it takes what this one finds.
    """
    rooms = watch.assigned(lessons, sessions, now)
    watch.note_arrivals(memory, lessons, rooms)
    for lesson, session in watch.rooms_to_read(lessons, rooms, memory, now):
        with one_may_fail(lesson):
            running = hook.list_space_sessions(space_id_of(session), in_progress_only=True, include_single_user=True)
            for logged in [logged for logged in running if logged["uuid"] == session["uuid"]]:
                watch.note_logs(memory, lesson, logged, now)
    # People may be there under other names, or may have left again.
    for lesson in watch.to_confirm(watch.alerts(lessons, rooms, memory, now), memory, now):
        with one_may_fail(lesson):
            since = lesson.start - watch.MARGIN
            held = list(
                hook.list_sessions(launch_id=lesson.launch_id, start_time_after=since, include_single_user=True)
            )
            watch.note_arrivals(memory, [lesson], {lesson.launch_id: held})
            rooms[lesson.launch_id] = [session for session in held if watch.is_running(session)]
    memory.forget(lessons, rooms)
    return watch.alerts(lessons, rooms, memory, now)


@contextmanager
def one_may_fail(lesson: PlannedLesson) -> Iterator[None]:
    """Let a room that can't be asked stop no other: what is known of it from the list counts."""
    try:
        yield
    except LessonspaceError as error:
        print(f"{lesson.launch_id}: its room could not be asked: {error}")


def read_memory(path: ObjectStoragePath) -> watch.Memory:
    """Read what earlier runs found; nothing when there is none, or it can't be used."""
    try:
        return watch.Memory.from_json(path.read_bytes())
    except FileNotFoundError:
        return watch.Memory()
    except ValueError as error:
        # Alerts are then reported again, which is better than not at all.
        print(f"{path} was not used: {error}")
        return watch.Memory()


def report(texts: list[str]) -> None:
    """Log alerts, and mail them if there is an address."""
    for text in texts:
        print(text)
    address = Variable.get("lessonspace_alert_address", default="")
    if texts and address:
        send_mail(address, f"Lessons that need attention: {len(texts)}", "\n".join(texts))


def send_mail(address: str, subject: str, text: str) -> None:
    """Send a mail through Airflow's SMTP connection, from the address that it names."""
    from airflow.providers.smtp.hooks.smtp import SmtpHook

    with SmtpHook(SMTP_CONNECTION) as smtp:
        smtp.send_email_smtp(to=address, subject=subject, html_content=escape(text).replace("\n", "<br>\n"))


def watch_once(hook: LessonspaceHook, path: ObjectStoragePath) -> dict[str, int]:
    """
    Find what needs attention now, and report what is due.

    :param path: of what is remembered from run to run.
    :return: counts.
    """
    from lessonspace_provider.output import write_whole  # not needed to parse this file

    sessions = list(hook.list_sessions(in_progress_only=True, include_single_user=True))
    now = hook.server_time() or datetime.now(timezone.utc)
    lessons, refused = lessons_of_today(now)
    memory = read_memory(path)
    reports = watch.reports_of(find_alerts(hook, sessions, lessons, memory, now), refused, now)
    due = [text for key, text in reports if watch.is_due(key, memory, now)]
    report(due)
    # Only now: what a killed run had not sent is sent by the next one.
    watch.note_reported(memory, reports, now)
    write_whole(path, memory.to_json())
    return {"sessions": len(sessions), "found": len(reports), "reported": len(due)}


with DAG(
    "lesson_alerts",
    schedule=CronTriggerTimetable("* * * * *", timezone=SCHOOL_TIME),
    start_date=datetime(2026, 1, 1, tzinfo=ZoneInfo(SCHOOL_TIME)),
    catchup=False,
    max_active_runs=1,
    # Without retries: the next run is a minute later.
    default_args={"owner": "data-team", "execution_timeout": timedelta(minutes=5)},
    doc_md=__doc__,
    tags=["lessonspace", "classes"],
) as dag:

    @task
    def watch_lessons() -> dict[str, int]:
        """List, decide and report in one task, so that no name passes through XCom."""
        from lessonspace_provider.hooks.lessonspace import LessonspaceHook  # not needed to parse this file

        return watch_once(
            LessonspaceHook(), ObjectStoragePath(Variable.get("lessonspace_alerts")) / "lesson_alerts.json"
        )

    watch_lessons()
