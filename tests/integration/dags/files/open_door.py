# SPDX-License-Identifier: Apache-2.0
"""Leaves a link where no link belongs, so that a search has something to find, and notes how what handles it looks."""

from __future__ import annotations

import os
from pathlib import Path

from airflow.sdk import DAG

from lessonspace_provider.operators.spaces import LessonspaceLaunchSpaceOperator


def keep(launch, context):
    folder, operator = Path(os.environ["OPEN_DOOR"]), context["task"]
    (folder / "link.txt").write_text(launch["client_url"])
    handlers = (operator, operator.hook, operator.hook.settings, operator.hook.get_conn())
    (folder / "reprs.txt").write_text("\n".join(f"{handler!r} {handler}" for handler in handlers))


with DAG("open_door", schedule=None) as dag:
    LessonspaceLaunchSpaceOperator(
        task_id="launch",
        launch_id="open door",
        deliver=keep,
        push_client_url=True,
        # Airflow hides what is called a token, but neither a URL nor a variable of this name.
        auth_external={
            "method": "child",
            "url": "https://school.example/{{ var.value.exam_word }}",
            "token": "{{ var.value.exam_word }}",
        },
    )
