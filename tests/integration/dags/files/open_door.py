# SPDX-License-Identifier: Apache-2.0
"""Leaves a link where no link belongs, so that a search for links has something to find."""

from __future__ import annotations

import os
from pathlib import Path

from airflow.sdk import DAG

from lessonspace_provider.operators.spaces import LessonspaceLaunchSpaceOperator


def keep(launch, context):
    Path(os.environ["OPEN_DOOR"]).write_text(launch["client_url"])


with DAG("open_door", schedule=None) as dag:
    LessonspaceLaunchSpaceOperator(task_id="launch", launch_id="open door", deliver=keep, push_client_url=True)
