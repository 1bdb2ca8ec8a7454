# SPDX-License-Identifier: Apache-2.0
"""The nightly archive under a real Airflow, against the sandbox."""

from __future__ import annotations

import json
import math
from collections import Counter
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace

import pytest

from lessonspace_provider.archive.windows import LOOK_BACK
from tests.airflow_version import needs_airflow
from tests.integration.conftest import load_dag

TODAY = datetime.now(timezone.utc).replace(hour=2, minute=0, second=0, microsecond=0) - timedelta(days=1)


@pytest.fixture
def archive(tmp_path, monkeypatch):
    monkeypatch.setenv("AIRFLOW_VAR_LESSONSPACE_ARCHIVE", f"file://{tmp_path}")
    return tmp_path


def test_the_nightly_archive_accounts_for_every_session_of_its_interval(
    run_dag, lessonspace_connection, lessonspace_sandbox, archive
):
    run = run_dag(load_dag("nightly_transcript_archive"), TODAY)
    assert run.state == "success"

    (path,) = (archive / "manifests").iterdir()
    manifest = json.loads(path.read_text())
    start, end = run.data_interval_start, run.data_interval_end
    assert end - start == timedelta(days=1)
    truths = {
        truth.session_id: truth
        for truth in lessonspace_sandbox.control.sessions()
        if truth.end_time and start <= truth.end_time < end
    }
    assert truths
    assert {entry["session_id"] for entry in manifest["sessions"]} == set(truths)
    for entry in manifest["sessions"]:
        truth = truths[entry["session_id"]]
        assert (entry["status"] == "archived") == (truth.transcript == "ready"), truth
        for file in entry["files"]:
            assert file["path"].startswith(f"{truth.end_time:%Y/%m/%d}/")
            assert (archive / file["path"]).stat().st_size == file["size"]
    assert manifest["counts"]["archived"] > 0


def test_it_costs_the_list_pages_and_one_call_per_transcript(
    run_dag, lessonspace_connection, lessonspace_sandbox, archive
):
    control = lessonspace_sandbox.control
    run = run_dag(load_dag("nightly_transcript_archive"), TODAY)
    (path,) = (archive / "manifests").iterdir()
    statuses = Counter(entry["status"] for entry in json.loads(path.read_text())["sessions"])
    asked_for = statuses["archived"] + statuses["pending"] + statuses["given_up"]
    calls = [call.path for call in control.calls(target="api")]
    assert len([path for path in calls if path.endswith("/transcript/")]) == asked_for
    first = run.data_interval_start - LOOK_BACK - timedelta(minutes=10)
    listed = [s for s in control.sessions() if s.end_time and first <= s.end_time <= run.data_interval_end]
    pages = math.ceil(len(listed) / lessonspace_sandbox.settings.page_size)
    assert len([path for path in calls if path.endswith("/sessions/")]) == pages
    assert len(calls) == asked_for + pages + 1, "beside these, only the organisation is asked for"
    assert len(control.calls(target="store")) == statuses["archived"]


def test_listed_sessions_expand_into_a_task_per_transcript(
    run_dag, xcom, lessonspace_connection, lessonspace_sandbox, archive
):
    for hour in (1, 2, 3):
        begin = TODAY - timedelta(hours=hour)
        lessonspace_sandbox.control.add_session(
            begin, begin + timedelta(minutes=30), name="Fractions XIV", transcript="ready"
        )
    run = run_dag(load_dag("transcript_per_session"), TODAY)
    assert run.state == "success"
    assert [session["name"] for session in xcom(run, "list")] == ["Fractions XIV"] * 3
    assert len(list(archive.rglob("*.txt"))) == 3


def test_the_archives_asset_shows_the_dag_behind_it_the_counts_and_the_manifest(
    run_dag, lessonspace_connection, lessonspace_sandbox, archive, capsys
):
    run = run_dag(load_dag("nightly_transcript_archive"), TODAY - timedelta(days=2))
    (path,) = (archive / "manifests").iterdir()
    counts = json.loads(path.read_text())["counts"]
    (extra,) = report(triggering_asset_events=events_of(run))
    assert extra["counts"] == counts
    assert extra["manifest"].endswith(path.name)
    assert f"{counts} in {extra['manifest']}" in capsys.readouterr().out


@needs_airflow("3.2", "older ones have no partitions")
def test_each_changed_day_is_a_partition_beside_the_event_without_one(
    run_dag, lessonspace_connection, lessonspace_sandbox, archive
):
    run = run_dag(load_dag("nightly_transcript_archive"), TODAY - timedelta(days=2))
    events = [event for events in events_of(run).values() for event in events]
    assert events[0].extra["days"]
    assert sorted(str(event.partition_key) for event in events) == [*events[0].extra["days"], "None"]


def test_the_dag_behind_the_archive_shows_what_came_late_and_what_never_came(capsys):
    none = dict.fromkeys(("archived", "not_eligible", "pending", "given_up", "failed", "not_attempted"), 0)
    extra = {"counts": none, "manifest": "m/2", "updated_manifests": ["m/1"], "earlier": none}
    changed = {**extra, "counts": {**none, "given_up": 1}, "earlier": {**none, "archived": 3, "given_up": 2}}
    for sent, said in ((extra, []), (changed, ["3 came late, read these again: ['m/1']", "3 could not be archived"])):
        report(triggering_asset_events={"asset": [SimpleNamespace(extra=sent)]})
        lines = capsys.readouterr().out.splitlines()[1:]
        assert [line[: len(start)] for line, start in zip(lines, said, strict=True)] == said


def test_the_dag_behind_the_archive_reports_nothing_when_it_is_triggered_by_hand():
    assert report() == []


def report(**context):
    return load_dag("transcripts_archived").get_task("report").python_callable(**context)


def events_of(run):
    """Give the asset events of a run as the tasks of the runs that they trigger get them."""
    from airflow.api_fastapi.execution_api.datamodels.taskinstance import AssetEventDagRunReference
    from airflow.models.asset import AssetEvent
    from airflow.sdk.execution_time.comms import AssetEventDagRunReferenceResult
    from airflow.sdk.execution_time.context import TriggeringAssetEventsAccessor
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        events = session.scalars(select(AssetEvent).where(AssetEvent.source_run_id == run.run_id)).all()
        sent = [AssetEventDagRunReference.model_validate(event).model_dump() for event in events]
    return TriggeringAssetEventsAccessor.build(AssetEventDagRunReferenceResult(**event) for event in sent)


@needs_airflow("3.1", "dag.test() of 3.0 prints what it is asked to mask")
def test_no_secret_reaches_the_logs_of_a_run(run_dag, lessonspace_connection, lessonspace_sandbox, archive, all_said):
    run_dag(load_dag("nightly_transcript_archive"), TODAY)
    output = all_said()
    assert "archived" in output
    assert lessonspace_sandbox.api_key not in output
    assert "ignature=" not in output
