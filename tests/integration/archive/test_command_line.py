# SPDX-License-Identifier: Apache-2.0
"""The commands as a shell runs them, on disk and on S3, with connections of the environment and of the database."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import timedelta

import pytest

from tests.airflow_version import needs_airflow
from tests.integration.archive.runs import END, START, run

PROGRAM = [sys.executable, "-m", "lessonspace_provider"]
AIRFLOW = [sys.executable, "-m", "airflow", "lessonspace"]


@pytest.fixture
def archived(control, destination):
    """An archive with one transcript, and a later window, so that there is a gap between them."""
    control.add_session(START, START + timedelta(minutes=40), users=["Ann", "Ben"], transcript="ready")
    run(destination)
    later = {"window_start": END + timedelta(days=1), "window_end": END + timedelta(days=1, hours=1)}
    run(destination, **later)
    return destination


def shell(*command):
    return subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=300)


def test_an_archive_is_read_without_a_request_and_only_the_result_is_on_standard_output(archived, control):
    calls = len(control.calls())
    for command in (["archive-status"], ["gaps"], ["erase", "--dry-run", "--user-id", "1"]):
        done = shell(*PROGRAM, command[0], archived, *command[1:], "--output", "json")
        assert done.returncode in (0, 1), done.stderr
        assert json.loads(done.stdout)
        assert "Traceback" not in done.stderr
    assert shell(*PROGRAM, "gaps", archived).returncode == 1
    assert len(control.calls()) == calls


@pytest.mark.parametrize("destination", ["s3"], indirect=True)
@needs_airflow("3.2", "older ones read no commands of providers")
def test_airflows_command_finds_connections_of_its_database(archived, airflow_home, monkeypatch):
    stored = json.loads(os.environ["AIRFLOW_CONN_AWS_DEFAULT"])
    monkeypatch.delenv("AIRFLOW_CONN_AWS_DEFAULT")
    add = [sys.executable, "-m", "airflow", "connections", "add", "school_store", "--conn-json", json.dumps(stored)]
    subprocess.run(add, check=True, capture_output=True)
    try:
        place = str(archived).replace("aws_default@", "school_store@")
        done = shell(*AIRFLOW, "gaps", place, "--output", "json")
        assert done.returncode == 1, done.stderr
        assert len(json.loads(done.stdout)["gaps"]) == 1
    finally:
        delete = [sys.executable, "-m", "airflow", "connections", "delete", "school_store"]
        subprocess.run(delete, check=True, capture_output=True)


def test_a_reader_that_stops_early_gets_no_traceback(archived):
    pipe = f"{sys.executable} -m lessonspace_provider archive-status {archived} | true"
    done = subprocess.run(["bash", "-c", pipe], capture_output=True, text=True, timeout=300)
    assert "Traceback" not in done.stderr
