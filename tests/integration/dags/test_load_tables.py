# SPDX-License-Identifier: Apache-2.0
"""The tables of an archive in a real PostgreSQL, loaded under a real Airflow as the guide does it."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from lessonspace_provider.operators.archive import LessonspaceArchiveTranscriptsOperator
from tests.integration.conftest import load_dag
from tests.integration.doc_blocks import ROOT, blocks_of
from tests.tables import rows_of

DAY = datetime.now(timezone.utc).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=2)
COLUMNS = ("session_id", "user_id", "role", "name", "talk_seconds", "words")


@pytest.fixture
def warehouse(database):
    """The hook of a database with the guide's table."""
    (statement,) = (text for lang, text in blocks_of(ROOT / "docs/how-to/load-tables.md") if lang == "sql")
    hook = database("warehouse")
    hook.run(statement)
    return hook


def archive_day(folder, day):
    return LessonspaceArchiveTranscriptsOperator(
        task_id="archive",
        destination=f"file://{folder}",
        tables=True,
        window_start=day,
        window_end=day + timedelta(days=1),
    ).execute({})["days"]


def loaded(hook):
    names = ", ".join(COLUMNS)
    rows = hook.get_records(f"SELECT day, {names} FROM lessonspace_people ORDER BY day, session_id, user_id")  # noqa: S608
    return [(str(day), *rest) for day, *rest in rows]


def in_archive(folder):
    files = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.parquet")}
    rows = [(row["day"], *(row[column] for column in COLUMNS)) for row in rows_of(files, "people")]
    return sorted(rows, key=lambda row: row[:3])


def test_the_days_that_changed_are_loaded_and_loading_again_changes_nothing(
    run_dag, xcom, warehouse, lessonspace_connection, lessonspace_sandbox, monkeypatch, tmp_path
):
    monkeypatch.setenv("AIRFLOW_VAR_LESSONSPACE_ARCHIVE", f"file://{tmp_path}/archive")
    control = lessonspace_sandbox.control
    control.reset(days=0, sessions_per_day=0)
    for hours in (5, 30):
        end = DAY + timedelta(hours=hours)
        control.add_session(end - timedelta(minutes=40), end, users=["O'Neil; DROP", "Ben"], transcript="ready")
    days = archive_day(tmp_path / "archive", DAY) + archive_day(tmp_path / "archive", DAY + timedelta(days=1))
    assert len(days) == 2
    for _ in range(2):
        run = run_dag(load_dag("load_tables"), days=days)
        assert run.state == "success"
        assert xcom(run, "load") == sorted(days)
        assert loaded(warehouse) == in_archive(tmp_path / "archive")
    assert len(loaded(warehouse)) == 4


def test_a_day_whose_insert_fails_keeps_its_rows(
    run_dag, warehouse, lessonspace_connection, lessonspace_sandbox, monkeypatch, tmp_path
):
    monkeypatch.setenv("AIRFLOW_VAR_LESSONSPACE_ARCHIVE", f"file://{tmp_path}/archive")
    lessonspace_sandbox.control.reset(days=0, sessions_per_day=0)
    end = DAY + timedelta(hours=5)
    lessonspace_sandbox.control.add_session(end - timedelta(minutes=40), end, users=["Ann", "Ben"], transcript="ready")
    days = archive_day(tmp_path / "archive", DAY)
    run_dag(load_dag("load_tables"), days=days)
    before = loaded(warehouse)
    warehouse.run("ALTER TABLE lessonspace_people ADD CONSTRAINT none CHECK (words < 0) NOT VALID")
    assert run_dag(load_dag("load_tables"), days=days).state == "failed"
    assert loaded(warehouse) == before != []
