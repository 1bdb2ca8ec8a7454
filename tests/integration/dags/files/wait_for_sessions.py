# SPDX-License-Identifier: Apache-2.0
"""Waits in the triggerer for the sessions of an Airflow Variable, one mapped task each."""

from __future__ import annotations

import os
from datetime import datetime, timedelta, timezone

from airflow.sdk import DAG

from lessonspace_provider.sensors.sessions import LessonspaceSessionEndSensor

with DAG("wait_for_sessions", schedule="@once", start_date=datetime(2026, 1, 1, tzinfo=timezone.utc)) as dag:
    LessonspaceSessionEndSensor.partial(
        task_id="wait", deferrable=True, poke_interval=5, retries=2, retry_delay=timedelta(seconds=1)
    ).expand(session_id=os.environ.get("SESSIONS_TO_WAIT_FOR", "").split())
