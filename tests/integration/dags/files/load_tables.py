# SPDX-License-Identifier: Apache-2.0
"""Loads the days that changed of a table into PostgreSQL, as docs/how-to/load-tables.md shows it."""

from datetime import datetime, timezone

from airflow.providers.common.compat.sdk import BaseHook
from airflow.sdk import DAG, Asset, ObjectStoragePath, Variable, task

COLUMNS = ["session_id", "user_id", "role", "name", "talk_seconds", "words"]

with DAG(
    "load_tables",
    schedule=[Asset("lessonspace_transcripts")],
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    max_active_runs=1,
) as dag:

    @task
    def load(params=None, triggering_asset_events=None):
        from contextlib import closing

        import pyarrow.parquet

        hook = BaseHook.get_hook("warehouse")  # the connection's type decides which
        archive = ObjectStoragePath(Variable.get("lessonspace_archive"))
        events = [event for events in triggering_asset_events.values() for event in events]
        days = {day for event in events for day in event.extra["days"]} | set(params.get("days", ()))
        for day in sorted(days):
            folder = archive / "tables" / "people" / f"day={day}"
            rows = []
            for file in folder.iterdir():
                with file.open("rb") as content:
                    table = pyarrow.parquet.read_table(content, columns=COLUMNS)
                rows += [(day, *(row[column] for column in COLUMNS)) for row in table.to_pylist()]
            mark = hook.placeholder
            marks = ", ".join([mark] * (1 + len(COLUMNS)))
            with closing(hook.get_conn()) as connection, closing(connection.cursor()) as cursor:
                cursor.execute(f"DELETE FROM lessonspace_people WHERE day = {mark}", (day,))  # noqa: S608
                cursor.executemany(f"INSERT INTO lessonspace_people VALUES ({marks})", rows)  # noqa: S608
                connection.commit()
        return sorted(days)

    load()
