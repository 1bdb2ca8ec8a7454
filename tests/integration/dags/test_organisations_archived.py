# SPDX-License-Identifier: Apache-2.0
"""The archives of three organisations under a real Airflow, each with a sandbox of its own."""

from __future__ import annotations

import json
from contextlib import ExitStack
from datetime import datetime, timedelta, timezone

import pytest

from lessonspace_provider.sandbox import Sandbox, SandboxSettings
from tests.integration.conftest import load_dag

TODAY = datetime.now(timezone.utc).replace(hour=3, minute=0, second=0, microsecond=0) - timedelta(days=1)
NAMES = ("north", "south", "west")


@pytest.fixture(scope="module")
def schools():
    """Three schools, of which each has held another number of lessons yesterday."""
    with ExitStack() as running:
        yield {
            name: running.enter_context(Sandbox(SandboxSettings(rate=0, seed=number, sessions_per_day=number)))
            for number, name in enumerate(NAMES, 1)
        }


@pytest.fixture
def archives(schools, tmp_path, monkeypatch):
    """Connections to the schools, and the Variable that names their archives."""
    for number, (name, school) in enumerate(schools.items(), 1):
        monkeypatch.setenv(
            f"AIRFLOW_CONN_{name.upper()}",
            json.dumps(
                {
                    "conn_type": "lessonspace",
                    "host": school.base_url,
                    "password": school.api_key,
                    "extra": {"rate_limit_per_second": 0, **({"organisation_id": "20417"} if number == 2 else {})},
                }
            ),
        )
    archives = [{"lessonspace_conn_id": name, "destination": f"file://{tmp_path}/{name}"} for name in NAMES]
    monkeypatch.setenv("AIRFLOW_VAR_LESSONSPACE_ORGANISATIONS", json.dumps(archives))
    return tmp_path


def test_one_event_names_the_archives_of_all_organisations(run_dag, archives, schools):
    run = run_dag(load_dag("organisations_archived"), TODAY)
    assert run.state == "success"
    (extra,) = extras_of(run)
    assert [
        (archive["connection"], archive["organisation"], archive["destination"]) for archive in extra["archives"]
    ] == [(name, "20417", f"file://{archives}/{name}") for name in NAMES]
    windows = {(archive["window_start"], archive["window_end"]) for archive in extra["archives"]}
    assert windows == {
        tuple(f"{bound:%Y-%m-%dT%H:%M:%SZ}" for bound in (run.data_interval_start, run.data_interval_end))
    }
    for archive, school in zip(extra["archives"], schools.values(), strict=True):
        (manifest,) = (archives / archive["connection"] / "manifests").iterdir()
        assert archive["manifest"].endswith(f"{archive['connection']}/manifests/{manifest.name}")
        held = {truth.session_id for truth in school.control.sessions()}
        sessions = json.loads(manifest.read_text())["sessions"]
        assert sum(archive["counts"].values()) == len(sessions)
        assert {session["session_id"] for session in sessions} <= held


def extras_of(run):
    """Read the extras of a run's asset events."""
    from airflow.models.asset import AssetEvent
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        return list(session.scalars(select(AssetEvent.extra).where(AssetEvent.source_run_id == run.run_id)))
