# SPDX-License-Identifier: Apache-2.0
"""What several tests of example DAGs need."""

from __future__ import annotations

import time
from types import SimpleNamespace

import airflow.sdk.exceptions
import pytest


@pytest.fixture
def answer(airflow_home, monkeypatch):
    """Answer by the code of Airflow's own route, at the moment when ``dag.test()`` begins to wait for it."""
    if not hasattr(airflow.sdk.exceptions, "TaskAwaitingInput"):
        pytest.skip("before Airflow 3.3, dag.test() waits for an approval in a trigger, which can't be answered here")

    def set_up(option):
        from airflow.api_fastapi.core_api.datamodels.hitl import UpdateHITLDetailPayload
        from airflow.api_fastapi.core_api.routes.public.hitl import update_hitl_detail
        from airflow.models.taskinstance import TaskInstance
        from airflow.utils.session import create_session
        from sqlalchemy import select

        asked = []
        sleep = time.sleep

        def respond(seconds):
            with create_session() as session:
                query = select(TaskInstance).where(TaskInstance.dag_id == "leavers", TaskInstance.task_id == "approve")
                waiting = session.scalar(query.where(TaskInstance.state == "awaiting_input"))
                if waiting is None:
                    sleep(seconds)
                    return
                update_hitl_detail(
                    "leavers",
                    waiting.run_id,
                    "approve",
                    UpdateHITLDetailPayload(chosen_options=[option]),
                    SimpleNamespace(get_id=lambda: "1", get_name=lambda: "head"),
                    session,
                )
                asked.append(f"{waiting.hitl_detail.subject} {waiting.hitl_detail.body}")

        monkeypatch.setattr(time, "sleep", respond)
        return asked

    return set_up
