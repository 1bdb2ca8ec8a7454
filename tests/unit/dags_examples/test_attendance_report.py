# SPDX-License-Identifier: Apache-2.0
"""What the DAG attendance_report does before and after it counts, without a run of it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import attendance_report
import class_timetable
import pytest

from lessonspace_provider.archive.tables.parquet import TableMetadata, file_of
from tests.attendance_week import MONDAY, NEXT_MONDAY


class Hook:
    """Answers like the hook of a school whose lists are given."""

    def __init__(self, *, week=(), spaces=None):
        self.week, self.spaces = week, spaces or {}

    def list_sessions(self, **filters):
        return iter([] if "launch_id" in filters or filters.get("in_progress_only") else self.week)

    def list_space_sessions(self, space_id, **filters):
        return iter(self.spaces.get(space_id, []))


@pytest.fixture
def variables(monkeypatch, tmp_path):
    """The Airflow Variables that are set; Airflow 3.0 asks nobody for them outside of a task."""
    given = {"lessonspace_attendance": f"file://{tmp_path}/reports"}
    monkeypatch.setattr(
        attendance_report, "Variable", SimpleNamespace(get=lambda key, default=None: given.get(key, default))
    )
    monkeypatch.setattr(
        attendance_report, "timetable_file", lambda: Path(given.get("lessonspace_timetable", class_timetable.SAMPLE))
    )
    return given


@pytest.fixture
def report(variables, monkeypatch, tmp_path):
    """Run the DAG's task for a school; where the files go."""

    def run(**school):
        monkeypatch.setattr("lessonspace_provider.hooks.lessonspace.LessonspaceHook", lambda: Hook(**school))
        task = attendance_report.dag.get_task("report")
        return task.python_callable(dag_run=SimpleNamespace(data_interval_end=NEXT_MONDAY, run_after=None))

    run.folder = tmp_path / "reports"
    return run


def test_sessions_get_their_logs_and_none_when_their_space_does_not_list_them():
    space, start = {"id": "s1"}, MONDAY.isoformat()
    listed = [
        {"uuid": "a", "space": space, "start_time": start},
        {"uuid": "b", "space": space, "start_time": "soon"},
        {"uuid": "c"},
    ]
    hook = Hook(spaces={"s1": [{"uuid": "a", "logs": ["joined"]}, {"uuid": "z", "logs": ["another"]}]})
    assert attendance_report.with_logs(hook, listed) == [
        {**listed[0], "logs": ["joined"]},
        {**listed[1], "logs": []},
        {**listed[2], "logs": []},
    ]


def test_a_session_that_cannot_be_read_does_not_stop_the_report(report):
    odd = {"uuid": "a", "name": "Chess", "start_time": MONDAY.isoformat(), "end_time": "soon"}
    assert report(week=[odd])["sessions_without_a_lesson"] == 1
    (page,) = report.folder.glob("*.html")
    assert "Chess</bdi>: Lessonspace&#39;s record of a session can&#39;t be read" in page.read_text()


@pytest.mark.parametrize("broken", ["as_csv", "as_page"])
def test_no_file_is_written_when_one_of_the_two_cannot_be_made(report, monkeypatch, broken):
    monkeypatch.setattr(attendance_report, broken, lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        report()
    assert not report.folder.exists()


@pytest.mark.parametrize("text", ["5 min", "nan", "inf", "-1", ""])
def test_a_limit_that_is_no_number_of_minutes_is_refused_by_the_variables_name(report, variables, text):
    variables["lessonspace_late_minutes"] = text
    with pytest.raises(ValueError, match=r"Variable lessonspace_late_minutes is '.*no number of minutes such as 5"):
        report()


def test_rows_of_the_timetable_that_cannot_be_read_are_counted_in_the_result(report, variables, tmp_path):
    columns = "lesson,subject,days,start,end,teacher,students,cancelled"
    (tmp_path / "t.csv").write_text(f"{columns}\nmaths,Maths,Mondy,9:00,9:45,Ada Byron <ada@s.example>,,\n")
    variables["lessonspace_timetable"] = str(tmp_path / "t.csv")
    result = report()
    assert (result["rows_refused"], result["lessons_planned"]) == (1, 0)
    (page,) = report.folder.glob("*.html")
    assert "line 2, column days: &#39;Mondy&#39; is no weekday" in page.read_text()


def test_talk_is_read_from_the_tables_of_the_weeks_days(variables, tmp_path):
    def write(day, *rows):
        folder = tmp_path / "archive" / "tables" / "people" / f"day={day:%Y-%m-%d}"
        folder.mkdir(parents=True, exist_ok=True)
        rows = [(session_id, user_id, None, "Ann", seconds, 0) for session_id, user_id, seconds in rows]
        (folder / f"{len(list(folder.iterdir()))}.parquet").write_bytes(file_of("people", rows, TableMetadata("")))
        (folder / "_SUCCESS").touch()

    variables["lessonspace_archive"] = f"file://{tmp_path}/archive"
    assert attendance_report.week_talk(MONDAY, NEXT_MONDAY) == {}
    write(MONDAY, ("a", 1, 90.0), ("a", 2, 0.0), ("a", None, 60.0), ("not archived", 1, None))
    write(MONDAY, ("b", 1, 30.0))
    write(MONDAY - timedelta(days=1), ("c", 1, 6.0))
    write(NEXT_MONDAY, ("d", 1, 6.0))
    write(MONDAY - timedelta(days=9), ("e", 1, 6.0))
    assert attendance_report.week_talk(MONDAY, NEXT_MONDAY) == {
        ("a", 1): 1.5,
        ("a", 2): 0.0,
        ("b", 1): 0.5,
        ("c", 1): 0.1,
        ("d", 1): 0.1,
    }
    del variables["lessonspace_archive"]
    assert attendance_report.week_talk(MONDAY, NEXT_MONDAY) == {}
