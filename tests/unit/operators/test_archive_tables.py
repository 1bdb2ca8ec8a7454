# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import shutil
import sys
from datetime import timedelta
from types import SimpleNamespace

import pytest
from airflow.sdk import Asset, AssetAlias
from airflow.sdk.execution_time import task_runner
from airflow.sdk.execution_time.context import OutletEventAccessor, OutletEventAccessors

from lessonspace_provider.exceptions import LessonspaceError, LessonspaceInputError
from lessonspace_provider.operators.archive import LessonspaceBuildTablesOperator
from lessonspace_provider.operators.archive_tables import report_days
from tests.tables import all_rows, rows_of
from tests.unit.archive.kit import tree
from tests.unit.operators.kit import END, NOW, START, OutletEvents, a_session, archiver

DAY = timedelta(days=1)
ENDED = (NOW - timedelta(hours=2)).date().isoformat()


def build(tmp_path, context=None, **parameters):
    operator = LessonspaceBuildTablesOperator(task_id="build", **{"destination": f"file://{tmp_path}", **parameters})
    return operator.execute(context or {})


def two_nights(tmp_path, **parameters):
    for number in (0, 1):
        end = NOW - timedelta(hours=2) - number * DAY
        window = {"window_start": START - number * DAY, "window_end": END - number * DAY}
        sessions = [a_session(10 * number + 1, end=end), a_session(10 * number + 2, end=end, profiles=[{"user": 1}])]
        archiver(tmp_path, sessions, **{"tables": True, **window, **parameters}).execute({})


def test_tables_built_from_an_archive_are_those_that_its_runs_wrote(tmp_path):
    two_nights(tmp_path)
    written = tree(tmp_path)
    shutil.rmtree(tmp_path / "tables")
    result = build(tmp_path)
    assert all_rows(tree(tmp_path)) == all_rows(written)
    days = sorted({row["day"] for row in rows_of(written, "sessions")})
    assert result == {"days": days, "manifests": 2, "sessions": 4, "destination": f"file://{tmp_path}"}


def test_tables_that_are_right_are_not_written_again(tmp_path):
    two_nights(tmp_path)
    written = tree(tmp_path)
    assert build(tmp_path)["days"] == []
    assert tree(tmp_path) == written


def test_a_damaged_file_of_a_table_is_written_again(tmp_path):
    two_nights(tmp_path)
    written = tree(tmp_path)
    for path in tmp_path.glob("tables/segments/**/*.parquet"):
        path.write_bytes(b"PAR1")
    assert len(build(tmp_path)["days"]) == 2
    assert all_rows(tree(tmp_path)) == all_rows(written)


def test_a_span_builds_the_windows_that_overlap_it(tmp_path):
    two_nights(tmp_path, tables=False)
    assert build(tmp_path, window_start=START.isoformat())["manifests"] == 1
    assert build(tmp_path, window_end=START)["manifests"] == 1
    assert build(tmp_path, window_start=START - timedelta(seconds=1), window_end=END)["manifests"] == 2


def test_archive_without_json_files_gets_a_warning_with_what_it_lacks(tmp_path):
    two_nights(tmp_path, tables=False, formats=["txt"])
    with pytest.raises(
        LessonspaceError, match=r"lack the transcripts of 2 session.*json.*000000000001: it has no json"
    ):
        build(tmp_path)
    rows = rows_of(tree(tmp_path), "sessions")
    assert [(row["status"], row["segments"]) for row in rows] == [("archived", None), ("not_eligible", None)] * 2


def test_a_manifest_that_can_not_be_read_stops_no_other(tmp_path):
    two_nights(tmp_path, tables=False)
    first = min((tmp_path / "manifests").iterdir())
    first.write_text("[]")
    with pytest.raises(LessonspaceError, match=f"{first.name}: .*not a JSON object"):
        build(tmp_path)
    assert len(rows_of(tree(tmp_path), "sessions")) == 2


def test_a_folder_without_an_archive_is_refused(tmp_path):
    with pytest.raises(LessonspaceError, match="no manifest"):
        build(tmp_path)


@pytest.mark.parametrize(
    "parameters",
    [
        {"destination": "relative"},
        {"window_start": "soon"},
        {"window_start": END, "window_end": START},
        {"window_end": 5},
    ],
    ids=["destination", "window_start", "span", "window_end"],
)
def test_bad_parameters_are_refused(tmp_path, parameters):
    with pytest.raises(LessonspaceInputError, match=r"destination|window_"):
        build(tmp_path, **parameters)


@pytest.fixture
def without_pyarrow(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)


def test_without_pyarrow_nothing_is_asked_for(tmp_path, without_pyarrow):
    operator = archiver(tmp_path, [a_session(1)], tables=True)
    with pytest.raises(LessonspaceInputError, match=r"^Tables need pyarrow.*\[tables\].*Nothing was sent\.$"):
        operator.execute({})
    assert (operator.hook.asked, operator.hook.fetched, list(tmp_path.iterdir())) == ([], [], [])
    assert archiver(tmp_path, [a_session(1)]).execute({})["days"] == []
    with pytest.raises(LessonspaceInputError, match="pyarrow"):
        build(tmp_path)


def test_tables_without_a_format_to_make_them_from_are_refused(tmp_path):
    operator = archiver(tmp_path, [a_session(1)], tables=True, formats=["txt", "csv"])
    with pytest.raises(LessonspaceInputError, match=r"formats=.*json or jsonl among them where tables=True"):
        operator.execute({})
    assert operator.hook.asked == []


class Event:
    """The accessor of Airflow 3.3 and newer."""

    def __init__(self):
        self.extra, self.partition_keys = None, set()

    def add_partitions(self, keys):
        self.partition_keys.update(keys)


def test_changed_days_become_partitions_of_the_assets_event(tmp_path):
    asset, event = Asset("archive"), Event()
    context = {"outlet_events": OutletEvents(archive=event)}
    result = archiver(tmp_path, [a_session(1)], tables=True, outlets=[asset]).execute(context)
    assert event.extra == result
    assert result["days"] == [ENDED]
    # None is the event that starts the DAGs scheduled on the asset as a whole.
    assert event.partition_keys == {ENDED, None}
    again = Event()
    context = {"outlet_events": OutletEvents(archive=again)}
    operator = LessonspaceBuildTablesOperator(task_id="build", destination=f"file://{tmp_path}", outlets=[asset])
    assert operator.execute(context)["days"] == []
    assert (again.extra["days"], again.partition_keys) == ([], set())


def test_older_airflow_and_aliases_get_the_days_in_extra_only():
    older, alias = SimpleNamespace(extra=None), Event()
    context = {"outlet_events": OutletEvents(a=older, b=alias)}
    report_days(context, [Asset("a"), AssetAlias("b")], {"days": [ENDED]}, [ENDED])
    assert older.extra == alias.extra == {"days": [ENDED]}
    assert alias.partition_keys == set()


@pytest.mark.skipif(not hasattr(OutletEventAccessor, "add_partitions"), reason="this Airflow has no partitions")
def test_airflow_sends_an_event_of_each_day_and_one_of_the_asset_as_a_whole():
    asset, accessors = Asset("archive"), OutletEventAccessors()
    report_days({"outlet_events": accessors}, [asset], {"days": [ENDED]}, [ENDED])
    sent = list(task_runner._serialize_outlet_events(accessors))
    assert {event["partition_key"] for event in sent} == {ENDED, None}
    assert [event["extra"] for event in sent] == [{"days": [ENDED]}] * 2


def said(user_id, start, end):
    return {"start_time": start, "end_time": end, "user": {"id": user_id, "name": "A B"}, "text": "well"}


def test_the_event_has_the_talk_time_of_the_window_by_role(tmp_path):
    asset, event = Asset("archive"), Event()
    context = {"outlet_events": OutletEvents(archive=event)}
    profiles = [{"user": 7, "role": "teacher"}, {"user": 8, "role": "Student"}]
    sessions = [a_session(number, profiles=profiles) for number in (1, 2)]
    transcripts = {
        sessions[0]["uuid"]: [said(7, 0, 10), said(8, 5, 9.5), said(7, 8, 12)],
        sessions[1]["uuid"]: [said(7, 0, 0.25), said(9, 1, 2)],
    }
    for _ in range(2):  # also of a retry, which has nothing to write
        archiver(tmp_path, sessions, transcripts, tables=True, outlets=[asset]).execute(context)
        assert event.extra["talk_seconds"] == {"teacher": 12.25, "student": 4.5, "admin": 0.0, "unknown": 1.0}
    assert archiver(tmp_path / "without", sessions).execute({})["talk_seconds"] == {}


def test_a_dry_run_reports_no_days(tmp_path):
    assert archiver(tmp_path, [a_session(1)], tables=True, dry_run=True).execute({})["days"] == []
    assert list(tmp_path.iterdir()) == []
