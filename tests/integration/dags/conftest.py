# SPDX-License-Identifier: Apache-2.0
"""What several tests of example DAGs need."""

from __future__ import annotations

import time
from contextlib import ExitStack
from datetime import datetime, timezone
from types import SimpleNamespace

import airflow.sdk.exceptions
import pytest

from benchmarks.shared.postgres import postgres_server


@pytest.fixture
def answer(airflow_home, monkeypatch):
    """
    Answer by the code of Airflow's own route, at the moment when ``dag.test()`` begins to wait for it.

    None as the answer lets the time to answer pass, by the code of Airflow's scheduler.
    """
    if not hasattr(airflow.sdk.exceptions, "TaskAwaitingInput"):
        pytest.skip("before Airflow 3.3, dag.test() waits for an approval in a trigger, which can't be answered here")

    def set_up(option):
        from airflow.api_fastapi.core_api.datamodels.hitl import UpdateHITLDetailPayload
        from airflow.api_fastapi.core_api.routes.public.hitl import update_hitl_detail
        from airflow.jobs.job import Job
        from airflow.jobs.scheduler_job_runner import SchedulerJobRunner
        from airflow.models.hitl import HITLDetail
        from airflow.models.taskinstance import TaskInstance
        from airflow.utils.session import create_session
        from sqlalchemy import select

        asked = []
        sleep = time.sleep

        def respond(seconds):
            with create_session() as session:
                query = select(TaskInstance).where(TaskInstance.task_id == "approve")
                waiting = session.scalar(query.where(TaskInstance.state == "awaiting_input"))
                if waiting is None:
                    sleep(seconds)
                    return
                detail = session.get(HITLDetail, waiting.id)
                asked.append(f"{detail.subject} {detail.body}")
                if option is None:
                    waiting.trigger_timeout = datetime.now(timezone.utc)
                    session.flush()
                    SchedulerJobRunner(job=Job()).check_awaiting_input_timeouts(session=session)
                    return
                update_hitl_detail(
                    waiting.dag_id,
                    waiting.run_id,
                    "approve",
                    UpdateHITLDetailPayload(chosen_options=[option]),
                    SimpleNamespace(get_id=lambda: "1", get_name=lambda: "head"),
                    session,
                )

        monkeypatch.setattr(time, "sleep", respond)
        return asked

    return set_up


@pytest.fixture
def database(monkeypatch, airflow_home):
    """Give the hook of a connection, to an empty database of a real PostgreSQL."""
    with ExitStack() as stack:
        try:
            address = stack.enter_context(postgres_server())
        except SystemExit as missing:
            pytest.skip(f"a real PostgreSQL is part of this test: {missing}")

        def hook_of(conn_id):
            monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", f"postgres://{address}")
            from airflow.providers.postgres.hooks.postgres import PostgresHook

            return PostgresHook(conn_id)

        yield hook_of
