# SPDX-License-Identifier: Apache-2.0
"""What OpenLineage gets of a run, with its provider and without: folders as datasets, and never a failed task."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace

import pyarrow as pa
import pyarrow.parquet
import pytest
from airflow.utils.state import TaskInstanceState

from lessonspace_provider.archive.tables.columns import TABLES
from lessonspace_provider.operators.archive import LessonspaceArchiveTranscriptsOperator, LessonspaceBuildTablesOperator
from lessonspace_provider.operators.lineage import MOST_DAYS, archive_lineage, tables_lineage
from lessonspace_provider.sandbox.settings import ORGANISATION_ID
from tests.airflow_version import needs_airflow

END = datetime.now(timezone.utc).replace(minute=0, second=0, microsecond=0) - timedelta(hours=3)

#: Where an installed OpenLineage can't be imported from.
WITHOUT = (
    "openlineage",
    "openlineage.client",
    "airflow.providers.openlineage",
    "airflow.providers.openlineage.extractors",
)


@pytest.fixture
def archived(lessonspace_sandbox, lessonspace_connection, tmp_path):
    """An operator that has archived a lesson."""
    control = lessonspace_sandbox.control
    control.reset(days=0, sessions_per_day=0)
    control.add_session(END - timedelta(minutes=50), END - timedelta(minutes=10), transcript="ready")
    operator = LessonspaceArchiveTranscriptsOperator(
        task_id="archive", destination=f"file://{tmp_path}/a", window_start=END - timedelta(hours=1), window_end=END
    )
    operator.execute({})
    return operator


def named(datasets):
    return [(dataset.namespace, dataset.name) for dataset in datasets]


def test_a_run_has_the_organisation_as_input_and_the_archive_as_output(archived, tmp_path):
    pytest.importorskip("airflow.providers.openlineage", reason="the OpenLineage provider is not installed here")
    lineage = archived.get_openlineage_facets_on_complete(SimpleNamespace())
    assert named(lineage.inputs) == [("lessonspace://127.0.0.1", f"organisations/{ORGANISATION_ID}")]
    assert named(lineage.outputs) == [("file", f"{tmp_path}/a")]


def test_the_provider_of_openlineage_takes_it(archived, tmp_path):
    managers = pytest.importorskip("airflow.providers.openlineage.extractors.manager", reason="not installed here")
    extracted = managers.ExtractorManager().extract_metadata(
        dagrun=SimpleNamespace(run_id="run"),
        task=archived,
        task_instance_state=TaskInstanceState.SUCCESS,
        task_instance=SimpleNamespace(),
    )
    assert named(extracted.outputs) == [("file", f"{tmp_path}/a")]


def test_without_openlineage_nothing_is_reported_and_nothing_fails(archived, monkeypatch, caplog):
    for module in WITHOUT:
        monkeypatch.setitem(sys.modules, module, None)
    assert archived.get_openlineage_facets_on_complete(SimpleNamespace()) is None
    assert "No lineage" not in caplog.text


def test_operators_import_no_openlineage():
    program = """
import sys
import lessonspace_provider.operators.archive
assert not [name for name in sys.modules if name.startswith(("openlineage", "airflow.providers.openlineage.ext"))]
"""
    subprocess.run([sys.executable, "-c", program], check=True, env={**os.environ})


@pytest.mark.parametrize(
    "destination",
    [
        pytest.param(
            "nowhere://x/y",
            marks=needs_airflow("3.2", "older ones refuse a store that no one knows on the first write"),
        ),
        "relative",
        "",
    ],
)
def test_what_cannot_be_described_is_a_warning(destination, caplog):
    pytest.importorskip("airflow.providers.openlineage", reason="the OpenLineage provider is not installed here")
    assert archive_lineage("https://api.example/v2", "1", destination, [], tables=True) is None
    assert tables_lineage(destination, []) is None
    assert caplog.text.count("No lineage was reported") == 2


def test_a_task_that_has_not_run_reports_nothing(tmp_path):
    operator = LessonspaceArchiveTranscriptsOperator(task_id="archive", destination=f"file://{tmp_path}")
    assert operator.get_openlineage_facets_on_complete(SimpleNamespace()) is None


def test_each_table_has_its_schema_and_the_rows_of_the_days_that_were_written(tmp_path):
    pytest.importorskip("airflow.providers.openlineage", reason="the OpenLineage provider is not installed here")
    for day, rows in (("2026-11-20", 3), ("2026-11-21", 4), ("2026-11-22", 5)):
        for number, table in enumerate(TABLES, 1):
            folder = tmp_path / "tables" / table / f"day={day}"
            folder.mkdir(parents=True)
            pyarrow.parquet.write_table(pa.table({"x": range(number * rows)}), folder / "window.parquet")
    days = ["2026-11-20", "2026-11-22", "2026-11-30"]
    lineage = archive_lineage("https://api.example/v2", "7", f"file://{tmp_path}", days, tables=True)
    assert named(lineage.inputs) == [("lessonspace://api.example", "organisations/7")]
    archive, *tables = lineage.outputs
    assert archive.name == str(tmp_path)
    assert named(tables) == [("file", f"{tmp_path}/tables/{table}") for table in TABLES]
    for number, (table, columns) in enumerate(zip(tables, TABLES.values()), 1):
        fields = table.facets["schema"].fields
        assert [(field.name, field.type) for field in fields[:-1]] == [(column.name, column.type) for column in columns]
        assert fields[-1].name == "day"
        assert table.outputFacets["outputStatistics"].rowCount == 8 * number
    (source,) = tables_lineage(f"file://{tmp_path}", days).inputs
    assert source.name == str(tmp_path)
    many = tables_lineage(f"file://{tmp_path}", ["2026-11-20"] * (MOST_DAYS + 1))
    assert [table.outputFacets for table in many.outputs] == [{}] * len(TABLES)


def test_datasets_of_a_store_have_no_connection_in_their_names(monkeypatch):
    pytest.importorskip("airflow.providers.openlineage", reason="the OpenLineage provider is not installed here")
    # A connection of its own: Airflow keeps a store that it has once connected to.
    monkeypatch.setenv("AIRFLOW_CONN_LINEAGE_STORE", json.dumps({"conn_type": "aws"}))
    destination = "s3://lineage_store@school/transcripts"
    lineage = archive_lineage("https://api.example/v2", "7", destination, [], tables=False)
    assert named(lineage.outputs) == [("s3://school", "transcripts")]


def test_the_tables_of_a_run_are_outputs_with_as_many_rows_as_they_have(lessonspace_sandbox, archived, tmp_path):
    pytest.importorskip("airflow.providers.openlineage", reason="the OpenLineage provider is not installed here")
    build = LessonspaceBuildTablesOperator(task_id="build", destination=f"file://{tmp_path}/a")
    (day,) = build.execute({"outlet_events": {}})["days"]
    lineage = build.get_openlineage_facets_on_complete(SimpleNamespace())
    assert named(lineage.inputs) == [("file", f"{tmp_path}/a")]
    rows = {
        output.name.rpartition("/")[2]: output.outputFacets["outputStatistics"].rowCount for output in lineage.outputs
    }
    files = {table: next((tmp_path / "a" / "tables" / table / f"day={day}").iterdir()) for table in TABLES}
    assert rows == {table: pyarrow.parquet.read_metadata(file).num_rows for table, file in files.items()}
    assert rows["sessions"] == 1
    assert rows["segments"] > 1
