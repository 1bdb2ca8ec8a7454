# SPDX-License-Identifier: Apache-2.0
"""The analytics of lessons under a real Airflow, from tables that the archive wrote, and its page in a real browser."""

from __future__ import annotations

import csv
import io
import json
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace

import pytest

from lessonspace_provider.operators.archive import LessonspaceArchiveTranscriptsOperator
from tests.integration.browser import SCREENSHOTS
from tests.integration.conftest import load_dag

TODAY = datetime.now(timezone.utc).replace(hour=0, minute=0, second=0, microsecond=0)
FIRST = TODAY - timedelta(days=TODAY.weekday() + 7)  # the Monday of last week
INJECTION = '<script>document.title="bad"</script>'


@pytest.fixture
def school(lessonspace_sandbox, lessonspace_connection, monkeypatch, tmp_path):
    """A school without a session, and an archive with tables."""
    monkeypatch.setenv("AIRFLOW_VAR_LESSONSPACE_ARCHIVE", f"file://{tmp_path}/archive")
    monkeypatch.setenv("AIRFLOW_VAR_LESSONSPACE_ANALYTICS", f"file://{tmp_path}/analytics")
    lessonspace_sandbox.control.reset(days=0, sessions_per_day=0)
    return lessonspace_sandbox.control


def archive_day(tmp_path, day):
    return LessonspaceArchiveTranscriptsOperator(
        task_id="archive",
        destination=f"file://{tmp_path}/archive",
        formats=["json"],
        tables=True,
        window_start=day,
        window_end=day + timedelta(days=1),
    ).execute({})


def add_lesson(control, day, users, *said, **fields):
    """Hold a lesson in which the named say something for so many seconds."""
    end = day + timedelta(hours=10)
    session_id = control.add_session(end - timedelta(minutes=40), end, users=users, transcript="ready", **fields)
    (truth,) = (session for session in control.sessions() if session.session_id == session_id)
    ids = dict(zip(users, truth.user_ids))
    segments = [
        {
            "start_time": 100.0 * number,
            "end_time": 100.0 * number + seconds,
            "user": {"id": ids[name], "name": name},
            "breakout_id": "main",
            "text": "well",
        }
        for number, (name, seconds) in enumerate(said)
    ]
    control.set_transcript(session_id, "ready", segments=segments)
    return ids


def rows_of(path):
    return list(csv.DictReader(io.StringIO(path.read_bytes().decode("utf-8-sig"), newline="")))


def hold_two_weeks(control, tmp_path):
    for day in (FIRST, FIRST + timedelta(days=1)):
        ids = add_lesson(control, day, [INJECTION, "Ben", "Cy"], (INJECTION, 30), ("Ben", 10))
        control.add_session(day + timedelta(hours=1), day + timedelta(hours=2), users=["Cy"])
        archive_day(tmp_path, day)
    add_lesson(control, FIRST + timedelta(days=7), ["Ada Byron", "Ben"], ("Ada Byron", 90), ("Ben", 10))
    archive_day(tmp_path, FIRST + timedelta(days=7))
    return ids


def test_figures_of_known_weeks(run_dag, xcom, school, tmp_path, all_said):
    ids = hold_two_weeks(school, tmp_path)
    run = run_dag(load_dag("lesson_analytics"))
    assert run.state == "success"
    result = xcom(run, "analyse")
    assert len(result["days_read"]) == 3
    assert result["silent_students"] == 1
    shares = rows_of(tmp_path / "analytics" / "talk_share.csv")
    assert [(row["lessons"], row["talk_percent"]) for row in shares] == [("2", "75.0"), ("1", "90.0")]
    losses = rows_of(tmp_path / "analytics" / "without_transcript.csv")
    assert [tuple(row.values())[1:] for row in losses] == [("not_eligible", "one person only", "2")]
    silent = rows_of(tmp_path / "analytics" / "silent_students.csv")
    assert [(int(row["user_id"]), row["lessons"]) for row in silent] == [(ids["Cy"], "2")]
    said = all_said() + json.dumps(result)
    assert not [name for name in ("Ada Byron", "document.title") if name in said]
    modes = {path.stat().st_mode & 0o077 for path in (tmp_path / "analytics").rglob("*") if path.is_file()}
    assert modes == {0}


def test_only_the_days_that_changed_are_read_again(run_dag, xcom, school, tmp_path):
    hold_two_weeks(school, tmp_path)
    run_dag(load_dag("lesson_analytics"))
    for path in (tmp_path / "archive" / "tables").rglob("*.parquet"):
        if f"day={FIRST:%Y-%m-%d}" in str(path):
            path.write_bytes(b"not read")
    day = FIRST + timedelta(days=2)
    add_lesson(school, day, ["Ada Byron", "Ben"], ("Ada Byron", 10), ("Ben", 90))
    changed = archive_day(tmp_path, day)["days"]
    assert changed == [f"{day:%Y-%m-%d}"]
    run = run_dag(load_dag("lesson_analytics"))
    assert run.state == "success"
    assert xcom(run, "analyse")["days_read"] == changed


def test_the_days_of_the_archives_events_are_the_changed_ones():
    module = load_dag("lesson_analytics").get_task("analyse").python_callable.__globals__
    extras = [{"days": ["2026-11-20", "2026-11-21"]}, {"days": []}, {}, None]
    events = {"asset": [SimpleNamespace(extra=extra) for extra in extras]}
    assert [day.isoformat() for day in sorted(module["changed_days"](events))] == ["2026-11-20", "2026-11-21"]
    assert module["changed_days"](None) == set()


def test_an_archive_without_tables_is_skipped_with_advice(run_dag, school, tmp_path, all_said):
    run = run_dag(load_dag("lesson_analytics"))
    assert run.get_task_instance("analyse").state == "skipped"
    assert "give the archive tables=True" in all_said()


def test_the_page_in_a_browser(run_dag, school, tmp_path, browser_page):
    hold_two_weeks(school, tmp_path)
    run_dag(load_dag("lesson_analytics"))
    problems = []
    browser_page.on("console", lambda message: problems.append(message.text))
    browser_page.on("request", lambda request: problems.append(request.url) if request.url[:5] == "http:" else None)
    browser_page.goto(f"file://{tmp_path}/analytics/lesson_analytics.html")
    assert browser_page.title() == f"Lesson analytics {FIRST + timedelta(days=7):%G-W%V}"
    text = browser_page.inner_text("body")
    assert "Ada Byron" in browser_page.locator("svg").first.text_content()
    assert "one person only" in text
    assert browser_page.locator("svg rect[fill]").count() >= 3
    assert problems == []
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    browser_page.screenshot(path=SCREENSHOTS / "lesson_analytics.png", full_page=True)
    browser_page.set_viewport_size({"width": 390, "height": 800})
    assert browser_page.evaluate("document.documentElement.scrollWidth") <= 390
