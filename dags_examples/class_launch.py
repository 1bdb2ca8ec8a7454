# SPDX-License-Identifier: Apache-2.0
"""
### Rooms and links for the day's lessons

Every morning, one task launches the lessons that begin within a day, whatever their number: a room for each lesson, and
a link for each of its people. A link works from 15 minutes before the lesson to 15 minutes after it. Lessons that are
cancelled or over are left out. A run that is triggered by hand covers the 24 hours from then on.

Airflow Variables:

- `lessonspace_accounts`: a folder, such as `s3://aws_default@my-bucket/accounts`. Each run writes an account there with
  the result of each launch, without links and people.
- `lessonspace_timetable`, optional: the timetable, a CSV file on any store, or else the sample beside this file.
  `class_timetable.py` lists its columns.
- `lessonspace_links_folder`, optional: a folder on the worker's disk. Each link is written there as a file that only
  its owner may read. Without it, links are mailed through the connection `smtp_default`.

**If a launch fails**, the others continue. The task fails at its end and lists the failed launches. Its retry repeats
only these. Later, clear the task: people who have a link do not get another. If a row of the timetable can't be read,
the task launches the other rows, and then fails without a retry: correct the row, and clear the task.

Keep `class_timetable.py` and `link_files.py` beside this file.

**What is stored where:** the task reads the timetable itself, so that no name, address or link is in XCom, in rendered
fields or in a log. Links are in the mails or files only.
"""

from __future__ import annotations

import sys
from datetime import datetime, timedelta, timezone
from functools import partial
from html import escape
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from airflow.providers.common.compat.sdk import AirflowFailException, BaseHook
from airflow.sdk import DAG
from airflow.timetables.trigger import CronTriggerTimetable

from lessonspace_provider.operators.spaces import LessonspaceLaunchSpacesOperator

# Airflow adds the DAGs folder itself to the path; this file may be in a folder below it.
sys.path.append(str(Path(__file__).parent))

from class_timetable import read_launches, timetable_file
from link_files import write_file

SCHOOL_TIME = "Europe/London"
SMTP_CONNECTION = "smtp_default"


class LaunchTimetable(LessonspaceLaunchSpacesOperator):
    """
    Launch the timetable's lessons of a day.

    The timetable is read in the task, so that none of its people are in XCom.

    :param links_folder: where links are written; empty to mail them.
    """

    template_fields = (*LessonspaceLaunchSpacesOperator.template_fields, "links_folder")

    def __init__(self, *, links_folder: str, **kwargs: Any) -> None:
        super().__init__(launches=(), **kwargs)
        self.links_folder = links_folder

    def execute(self, context: Any) -> Any:
        """Read the timetable, launch its lessons, then fail if a row could not be read."""
        if not self.links_folder:
            BaseHook.get_connection(SMTP_CONNECTION)  # raises if there is none, before the first launch
        begin, now = context["dag_run"].run_after, datetime.now(timezone.utc)
        read = read_launches(timetable_file(), begin, now, ZoneInfo(SCHOOL_TIME))
        for problem in read["refused"]:
            self.log.error("Not launched: %s", problem)
        self.launches = [*read["teachers"], *read["students"]]
        self.deliver = partial(deliver, folder=self.links_folder)
        result = super().execute(context)
        if read["refused"]:
            raise AirflowFailException(f"Some people have no link. {'; '.join(read['refused'])}")
        return result


def deliver(launch: Any, _context: Any, folder: str = "") -> None:
    """
    Write a link into a file of its own if there is a folder for that, else mail it to its person.

    :param launch: the API's answer, with the link in ``client_url`` and the launch's parameters in ``request``.
    :param folder: where links are written; empty to mail them.
    """
    lesson, person = launch["request"], launch["request"]["user"]
    start, end = datetime.fromisoformat(lesson["lesson_start"]), datetime.fromisoformat(lesson["lesson_end"])
    text = (
        f"Dear {person['name']},\n\n"
        f"{lesson['name']}, {start:%A %Y-%m-%d, %H:%M} to {end:%H:%M}. Your link:\n\n"
        f"{launch['client_url']}\n\n"
        "It is yours alone: anyone with it joins in your name.\n"
    )
    if folder:
        write_file(Path(folder), f"{lesson['launch_id']} {person['name']} {launch['user_id']}", text)
    else:
        send_mail(person["email"], f"Your link: {lesson['name']}", text)


def send_mail(address: str, subject: str, text: str) -> None:
    """Send a mail through Airflow's SMTP connection, from the address that it names."""
    from airflow.providers.smtp.hooks.smtp import SmtpHook

    with SmtpHook(SMTP_CONNECTION) as smtp:
        smtp.send_email_smtp(to=address, subject=subject, html_content=escape(text).replace("\n", "<br>\n"))


with DAG(
    "class_launch",
    schedule=CronTriggerTimetable("0 6 * * *", timezone=SCHOOL_TIME),
    start_date=datetime(2026, 1, 1, tzinfo=ZoneInfo(SCHOOL_TIME)),
    catchup=False,
    max_active_runs=1,
    default_args={"owner": "data-team", "retries": 3, "retry_delay": timedelta(minutes=5)},
    doc_md=__doc__,
    tags=["lessonspace", "classes"],
) as dag:
    LaunchTimetable(
        task_id="launch",
        account="{{ var.value.lessonspace_accounts }}/class_launch/{{ dag_run.run_after.strftime('%Y%m%dT%H%M%S%f') }}",
        links_folder="{{ var.value.get('lessonspace_links_folder', '') }}",
        # A launch without transcribe would turn transcription off for the room.
        defaults={"transcribe": True},
    )
