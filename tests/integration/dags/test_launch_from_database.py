# SPDX-License-Identifier: Apache-2.0
"""A timetable in a real PostgreSQL is launched under a real Airflow, as the how-to does it."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone

import pytest

from tests.integration.conftest import load_dag

NOW = datetime.now(timezone.utc)
TABLE = """CREATE TABLE timetable (lesson_id text, subject text, starts_at timestamptz, ends_at timestamptz,
           person_id text, person_name text, email text, role text)"""


@pytest.fixture
def school_database(database):
    """The hook of a database with an empty timetable."""
    hook = database("school_database")
    hook.run(TABLE)
    return hook


def lesson(hour, person, role="student", lesson_id="maths", name=None, email=None):
    start = NOW + timedelta(hours=hour)
    return (lesson_id, "Maths", start, start + timedelta(hours=1), person, name or f"Filia {person}", email, role)


def test_the_days_lessons_are_launched_and_no_one_is_in_airflows_database(
    run_dag, xcom, school_database, lessonspace_connection, lessonspace_sandbox, monkeypatch, tmp_path, airflow_home
):
    lessonspace_sandbox.control.reset(days=0, sessions_per_day=0)
    monkeypatch.setenv("AIRFLOW_VAR_LINKS_FILE", str(tmp_path / "links"))
    injection = "Filia {{ conn.school_database.password }}'; DROP TABLE timetable; --"
    rows = [lesson(3, "ben", name=injection), lesson(3, "ada", "teacher", email="ada@school.example")]
    rows += [lesson(3, "ben"), lesson(-2, "late"), lesson(30, "tomorrow"), lesson(4, "cy", lesson_id="art", email="cy")]
    school_database.insert_rows("timetable", rows)

    run = run_dag(load_dag("launch_from_database"), folder=f"{tmp_path}")

    links = dict(line.split() for line in (tmp_path / "links").read_text().splitlines())
    assert sorted(links) == ["ada", "ben"]
    first, second = (call.body for call in lessonspace_sandbox.control.launches())
    assert (first["user"]["id"], second["user"]["id"]) == ("ada", "ben")
    assert second["user"]["name"] == injection
    assert "email" not in second["user"]
    assert first["timeouts"]["not_before"] < rows[0][2].isoformat()

    assert run.state == "failed"  # two rows are refused
    _, *records = map(json.loads, next(tmp_path.glob("*/account.jsonl")).read_text().splitlines())
    reasons = {record["place"]: record["reason"] for record in records if record["status"] == "refused"}
    assert reasons["item 3"] == "this person is in this lesson twice, see item 1"
    assert "user.email was refused" in reasons["item 4"]

    stored = b"".join(path.read_bytes() for path in airflow_home.glob("airflow.db*"))
    assert b"launch_from_database" in stored
    assert not [
        text for text in (b"Filia", b"ada@school", *(link.encode() for link in links.values())) if text in stored
    ]
