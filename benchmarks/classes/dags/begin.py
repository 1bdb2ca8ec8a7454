# SPDX-License-Identifier: Apache-2.0
"""Triggers mapped_classes once, when the DAG processor has read it."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import DAG

with DAG(
    "begin",
    schedule="@once",
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    default_args={"retries": 20, "retry_delay": timedelta(seconds=1)},
) as dag:
    TriggerDagRunOperator(task_id="mapped_classes", trigger_dag_id="mapped_classes")
