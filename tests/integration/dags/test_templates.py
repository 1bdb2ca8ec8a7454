# SPDX-License-Identifier: Apache-2.0
"""No text of the server's is rendered as a template, in any example DAG."""

from __future__ import annotations

import asyncio
import json
from contextlib import aclosing
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace

import jinja2
import pytest

from lessonspace_provider.triggers.sessions import LessonspaceSessionEndedEventTrigger
from scripts.examples import example_dags
from tests.integration.conftest import load_dag
from tests.integration.dags.hostile_server import KEY, MARK, SPACE, HostileSchool, serving, session_id

NOW = datetime.now(timezone.utc)
TODAY = NOW.replace(hour=2, minute=0, second=0, microsecond=0) - timedelta(days=1)
TIMETABLE = """\
lesson,subject,days,start,end,teacher,students,cancelled
maths,Maths,daily,00:00,23:59,Ada B <ada@s.example>,Ben I <ben@h.example>,
"""


@pytest.fixture
def school(monkeypatch, tmp_path):
    """A school whose every text is a template, and what the examples need."""
    (tmp_path / "timetable.csv").write_text(TIMETABLE)
    (tmp_path / "leavers.csv").write_text("user_id\n7\n")
    folders = (
        "accounts",
        "alerts",
        "analytics",
        "archive",
        "attendance",
        "inventory",
        "space_transcripts",
        "links_folder",
        "review_folder",
    )
    for name in folders:
        (tmp_path / name).mkdir()
        url = str(tmp_path / name) if name.endswith("folder") else f"file://{tmp_path}/{name}"
        monkeypatch.setenv(f"AIRFLOW_VAR_LESSONSPACE_{name.upper()}", url)
    monkeypatch.setenv("AIRFLOW_VAR_LESSONSPACE_TIMETABLE", str(tmp_path / "timetable.csv"))
    archives = [{"lessonspace_conn_id": "lessonspace_default", "destination": f"file://{tmp_path}/archive/north"}]
    monkeypatch.setenv("AIRFLOW_VAR_LESSONSPACE_ORGANISATIONS", json.dumps(archives))
    monkeypatch.setenv("AIRFLOW_VAR_LESSONSPACE_LEAVERS", f"file://{tmp_path}/leavers.csv")
    with serving(HostileSchool(TODAY - timedelta(hours=3))) as school:
        connection = {
            "conn_type": "lessonspace",
            "host": f"{school.base}/v2",
            "password": KEY,
            "extra": {"organisation_id": "1", "rate_limit_per_second": 0, "rate_limit_max_wait": 1},
        }
        monkeypatch.setenv("AIRFLOW_CONN_LESSONSPACE_DEFAULT", json.dumps(connection))
        yield school


@pytest.fixture
def rendered(monkeypatch):
    """Every text that is made a template of."""
    sources = []
    from_string = jinja2.Environment.from_string

    def note(environment, source, *args, **kwargs):
        sources.append(str(source))
        return from_string(environment, source, *args, **kwargs)

    monkeypatch.setattr(jinja2.Environment, "from_string", note)
    return sources


def hurried(name):
    """Load an example whose tasks fail at once when they fail."""
    dag = load_dag(name)
    for task in dag.tasks:
        task.retries = 0
    return dag


def by_its_schedule(name):
    return lambda run_dag, school: run_dag(hurried(name), TODAY)


def after_the_archive(name):
    """Run an example on the archive of the same school."""

    def run(run_dag, school):
        school.has_odd_sessions = False
        assert run_dag(hurried("nightly_transcript_archive"), TODAY).state == "success"
        return run_dag(hurried(name), TODAY)

    return run


def organisations(run_dag, school):
    school.has_odd_sessions = False  # or no archive would be done, and none reported
    return run_dag(hurried("organisations_archived"), TODAY)


def one_space(run_dag, school):
    return run_dag(hurried("space_transcripts"), space_id=SPACE, days=7)


def classes(run_dag, school):
    school.refuses_launches = True
    assert run_dag(hurried("class_launch")).state == "failed"
    school.refuses_launches = False
    return run_dag(hurried("class_launch"))


def sessions_that_ended(run_dag, school):
    """Run what a watcher's event triggers; ``dag.test()`` itself knows of no events."""

    async def first_event():
        trigger = LessonspaceSessionEndedEventTrigger(lessonspace_conn_id="lessonspace_default", poll_interval=5)
        async with aclosing(trigger.run()) as events:
            return await anext(events)

    school.end = datetime.now(timezone.utc) + timedelta(seconds=60)  # whatever ended before it was started is not told
    payload = asyncio.run(first_event()).payload
    assert [session["session_id"] for session in payload["sessions"]] == [session_id(1), session_id(4)]
    dag = hurried("on_session_end")
    collect = dag.get_task("ended_sessions").python_callable
    events = {"asset": [SimpleNamespace(extra={"payload": payload})]}
    dag.get_task("ended_sessions").python_callable = lambda: collect(triggering_asset_events=events)
    return run_dag(dag)


def approved(run_dag, school, answer):
    answer("Approve")
    return run_dag(hurried("leavers"))


def searched(run_dag, school, answer):
    answer("Reject")
    return run_dag(hurried("data_subject_request"), user_ids=["7"], reference="17")


#: How each example is run. Those whose lists name sessions by no uuid fail at their end, and say so.
RUNS = {
    "archive_alerts": (after_the_archive("archive_alerts"), "success"),
    "attendance_report": (by_its_schedule("attendance_report"), "success"),
    "class_launch": (classes, "success"),
    "data_subject_request": (searched, "failed"),  # there is no archive yet
    "leavers": (approved, "success"),
    "lesson_alerts": (by_its_schedule("lesson_alerts"), "success"),
    "lesson_analytics": (after_the_archive("lesson_analytics"), "success"),
    "nightly_transcript_archive": (by_its_schedule("nightly_transcript_archive"), "failed"),
    "on_session_end": (sessions_that_ended, "success"),
    "organisations_archived": (organisations, "success"),
    "people_inventory": (by_its_schedule("people_inventory"), "success"),
    "recordings_review": (by_its_schedule("recordings_review"), "success"),
    "session_housekeeping": (by_its_schedule("session_housekeeping"), "success"),
    "space_transcripts": (one_space, "success"),
    "transcripts_archived": (by_its_schedule("transcripts_archived"), "success"),
}


def test_every_example_is_walked():
    assert set(RUNS) == set(example_dags())


@pytest.mark.parametrize("name", RUNS)
def test_no_text_of_the_servers_is_rendered(request, run_dag, school, rendered, tmp_path, name):
    run, state = RUNS[name]
    extras = {"answer": request.getfixturevalue("answer")} if name in ("leavers", "data_subject_request") else {}
    assert run(run_dag, school, **extras).state == state
    assert school.bodies or name in ("transcripts_archived", "data_subject_request")
    assert [source for source in rendered if MARK in source and "{" in source] == []
    files = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert [path for path, content in files.items() if KEY.encode() in content] == []
    assert [body for body in school.bodies if KEY in body or "{{" in body] == []
