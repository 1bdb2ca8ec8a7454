# SPDX-License-Identifier: Apache-2.0
"""Tests as the documentation shows them to users: docs/how-to/testing.md shows them."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone

from lessonspace_provider.operators.archive import LessonspaceArchiveTranscriptsOperator
from lessonspace_provider.sensors.sessions import LessonspaceSessionEndSensor

NOW = datetime.now(timezone.utc)


def test_the_archive_has_the_lesson(lessonspace_sandbox, lessonspace_connection, tmp_path):
    began, ended = NOW - timedelta(hours=2), NOW - timedelta(hours=1)
    control = lessonspace_sandbox.control
    lesson = control.add_session(began, ended, users=["Ms Byron", "Ben"], transcript="ready")

    LessonspaceArchiveTranscriptsOperator(
        task_id="archive", destination=f"file://{tmp_path}", window_start=began, window_end=NOW
    ).execute({})

    (manifest,) = (tmp_path / "manifests").glob("*.json")
    status = {session["session_id"]: session["status"] for session in json.loads(manifest.read_text())["sessions"]}
    assert status[lesson] == "archived"
    (transcript,) = tmp_path.rglob(f"{lesson}.json")
    assert json.loads(transcript.read_text())[0]["text"]


def test_the_sensor_sees_the_end(lessonspace_sandbox, lessonspace_connection):
    control = lessonspace_sandbox.control
    lesson = control.add_session(NOW - timedelta(minutes=40), users=["Ms Byron", "Ben"])  # no end: it runs
    sensor = LessonspaceSessionEndSensor(task_id="lesson_ended", session_id=lesson)
    assert not sensor.poke({})

    control.end_session(lesson)
    control.inject_fault("status", status=503, count=1)  # the hook retries
    assert sensor.poke({}).is_done
