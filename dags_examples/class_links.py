# SPDX-License-Identifier: Apache-2.0
"""What the DAGs `class_launch` and `backfill_rooms` share. No DAG itself: keep it beside the DAG files."""

from __future__ import annotations

import os
import re
from datetime import datetime
from html import escape
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

from airflow.providers.common.compat.sdk import BaseHook
from airflow.sdk import Variable

FOLDER = "lessonspace_links_folder"
SMTP_CONNECTION = "smtp_default"

#: The XCom in which a run of `backfill_rooms` says for which run of `class_launch` it is.
OF_RUN = "of_run"


def check_delivery() -> None:
    """
    Fail when there is no way to deliver a link, which is better known before the first launch.

    :raises AirflowNotFoundException: when there is neither a folder for links nor the SMTP connection.
    """
    if not Variable.get(FOLDER, default=None):
        BaseHook.get_connection(SMTP_CONNECTION)


# --8<-- [start:deliver]
def deliver(launch: Any, context: Any) -> None:
    """
    Write a link into a file of its own if there is a folder for that, else mail it to its person.

    :param launch: the API's answer, with the link in ``client_url``.
    :param context: Airflow's; its task has the arguments of this launch.
    """
    lesson = context["task"]
    start, end = datetime.fromisoformat(lesson.lesson_start), datetime.fromisoformat(lesson.lesson_end)
    text = (
        f"Dear {lesson.user['name']},\n\n"
        f"{lesson.name}, {start:%A %Y-%m-%d, %H:%M} to {end:%H:%M}. Your link:\n\n"
        f"{launch['client_url']}\n\n"
        "It is yours alone: whoever has it joins in your name.\n"
    )
    if folder := Variable.get(FOLDER, default=None):
        write_file(Path(folder), f"{lesson.launch_id} {lesson.user['name']} {launch['user_id']}", text)
    else:
        send_mail(lesson.user["email"], f"Your link: {lesson.name}", text)


# --8<-- [end:deliver]


def write_file(folder: Path, name: str, text: str) -> None:
    """
    Write a file that only the owner may read; the same name again replaces it.

    :raises PermissionError: when other users could put other links into the folder.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    made = folder.stat()
    if made.st_uid != os.geteuid() or made.st_mode & 0o022:
        raise PermissionError(
            f"Other users may write to {folder}, and could replace the links: give a folder of the user that runs "
            f"Airflow, with mode 0700, or one that is not there yet."
        )
    path = folder / (re.sub(r"[^\w-]+", "-", name) + ".txt")
    # A new file, which takes the name: what has that name may be a link to elsewhere, or open to others.
    with NamedTemporaryFile("w", dir=folder, prefix=".", encoding="utf-8", delete=False) as file:
        part = Path(file.name)
        try:
            file.write(text)
            file.flush()
            part.replace(path)
        except BaseException:
            part.unlink(missing_ok=True)
            raise


def send_mail(address: str, subject: str, text: str) -> None:
    """Send a mail through Airflow's SMTP connection, from the address that it names."""
    from airflow.providers.smtp.hooks.smtp import SmtpHook

    with SmtpHook(SMTP_CONNECTION) as smtp:
        smtp.send_email_smtp(to=address, subject=subject, html_content=escape(text).replace("\n", "<br>\n"))


#: What every launch has in common. A launch without ``transcribe`` would turn transcription off for the room.
COMMON = {
    "deliver": deliver,
    "transcribe": True,
    "join_early": 15 * 60,
    "join_late": 15 * 60,
    "map_index_template": "{{ task.launch_id }}, {{ task.user.role }}",  # Airflow logs it: no names
}


def failed_launches(ti: Any, run_id: str) -> list[dict[str, Any]]:
    """
    Find the launches of a run of `class_launch` that failed.

    :param ti: the task instance that asks; it asks Airflow's API server, not the database.
    :param run_id: the run.
    :return: the arguments of each, those for teachers first.
    :raises ValueError: when there is no such run, or it has read no timetable.
    """
    launches = ti.xcom_pull(dag_id="class_launch", run_id=run_id, task_ids="timetable")
    if launches is None:
        raise ValueError(f"There is no run {run_id!r} of class_launch that has read the timetable.")
    states = ti.get_task_states(dag_id="class_launch", run_ids=[run_id])[run_id]
    return [
        launch
        for task_id, people in (("make_rooms", "teachers"), ("make_links", "students"))
        for index, launch in enumerate(launches[people])
        # A mapped task that was not expanded has one state for all.
        if states.get(f"{task_id}_{index}", states.get(task_id)) in ("failed", "upstream_failed")
    ]


def launched_since(ti: Any, run_id: str) -> list[dict[str, Any]]:
    """
    Find what earlier runs of `backfill_rooms` have launched for a run of `class_launch`.

    :param ti: the task instance that asks, once or twice for each of these runs that launched something.
    :param run_id: the run of `class_launch`.
    :return: the arguments of each launch.
    """

    def result(earlier: str, key: str = "return_value") -> Any:
        return ti.xcom_pull(dag_id="backfill_rooms", run_id=earlier, task_ids="failed", key=key)

    return [
        launch
        for earlier, states in ti.get_task_states(dag_id="backfill_rooms", task_ids=["launch"]).items()
        if "success" in states.values() and result(earlier, OF_RUN) == run_id
        for index, launch in enumerate(result(earlier))
        if states.get(f"launch_{index}") == "success"
    ]
