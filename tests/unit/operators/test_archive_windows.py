# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import shlex
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from airflow.cli.cli_parser import get_parser
from airflow.sdk import DAG
from airflow.timetables.interval import CronDataIntervalTimetable

from lessonspace_provider.archive.windows import Window, manifest_name
from lessonspace_provider.exceptions import (
    LessonspaceError,
    LessonspaceInputError,
    LessonspaceTranscriptNotReady,
)
from tests.unit.operators.kit import END, NOW, START, a_session, archiver, make_due


def warnings_of(operator, monkeypatch, **context):
    warned = []
    monkeypatch.setattr(operator.log, "warning", lambda message, *said: warned.append(message % said))
    operator.execute(context)
    return [line for line in warned if "Task Runner" not in line]


def test_nights_that_were_skipped_are_warned_of_with_the_command_that_archives_them(tmp_path, monkeypatch):
    nights = [END - timedelta(days=day) for day in (5, 4, 1, 0)]
    for start, end, is_told in ((0, 1, False), (2, 3, True), (1, 2, False), (2, 3, False)):
        for dry_run in (True, False):
            with DAG("nightly", schedule=None):
                operator = archiver(tmp_path, [], window_start=None, window_end=None, dry_run=dry_run)
            interval = {"data_interval_start": nights[start], "data_interval_end": nights[end]}
            warned = warnings_of(operator, monkeypatch, **interval)
            assert len(warned) == (is_told and not dry_run)
            for line in warned:
                assert f"from {nights[1].isoformat()} to {nights[2].isoformat()}" in line
                command = shlex.split(line.partition("intended: airflow ")[2])
                arguments = get_parser().parse_args(command)
                assert (arguments.dag_id, arguments.from_date) == ("nightly", nights[1] - timedelta(days=1))


def archive_intervals(tmp_path, *intervals):
    for start, end in intervals:
        archiver(tmp_path, [], window_start=start, window_end=end).execute({})


def test_every_gap_since_the_archive_began_is_warned_of_until_it_is_filled(tmp_path, monkeypatch):
    nights = [END - timedelta(days=day) for day in range(20, -1, -1)]
    archive_intervals(tmp_path, *((nights[day], nights[day + 1]) for day in (0, 2, 4)))
    for _ in range(2):
        warned = warnings_of(archiver(tmp_path, [], window_start=nights[6], window_end=nights[7]), monkeypatch)
        assert [line.count(f"from {nights[day].isoformat()} to") for line, day in zip(warned, (1, 3, 5))] == [1, 1, 1]
    archive_intervals(tmp_path, (nights[3], nights[4]))
    warned = warnings_of(archiver(tmp_path, [], window_start=nights[6], window_end=nights[7]), monkeypatch)
    assert len(warned) == 2
    archive_intervals(tmp_path, *((nights[day], nights[day + 1]) for day in (8, 10, 12, 14)))
    warned = warnings_of(archiver(tmp_path, [], window_start=nights[16], window_end=nights[17]), monkeypatch)
    assert len(warned) == 6
    assert f"2 earlier gaps, the first from {nights[1].isoformat()}" in warned[-1]


def on_the_day_the_clocks_skip(zone, hour):
    with DAG("nightly", schedule=CronDataIntervalTimetable(f"30 {hour} * * *", timezone=zone)) as dag:
        pass
    moment = datetime(2027, 3, 28, 1, 30, tzinfo=timezone.utc)
    return {"dag": dag, "data_interval_start": moment, "data_interval_end": moment}


@pytest.mark.parametrize(
    ("archived_until", "advice"),
    [
        (None, "window_start=2027-03-27T01:30:00Z and window_end=2027-03-28T01:30:00Z"),
        ((2027, 3, 27, 22), "window_start=2027-03-27T22:00:00Z and window_end=2027-03-28T01:30:00Z"),
        ((2027, 3, 28, 1, 30), "give the window that starts at 2027-03-28T01:30:00Z"),
    ],
)
def test_manual_run_on_a_day_that_the_clocks_skip_gets_the_window_to_give(tmp_path, archived_until, advice):
    if archived_until:
        end = datetime(*archived_until, tzinfo=timezone.utc)
        (tmp_path / "manifests").mkdir()
        (tmp_path / "manifests" / manifest_name(Window(end - timedelta(hours=20), end))).touch()
    operator = archiver(tmp_path, [], window_start=None, window_end=None)
    with pytest.raises(LessonspaceInputError, match="clocks of Europe/London change then") as told:
        operator.execute(on_the_day_the_clocks_skip("Europe/London", 1))
    assert advice in str(told.value)
    assert operator.hook.asked == []


def test_empty_interval_on_any_other_day_gets_advice_on_the_timetable(tmp_path):
    operator = archiver(tmp_path, [], window_start=None, window_end=None)
    with pytest.raises(LessonspaceInputError, match="use a CronDataIntervalTimetable"):
        operator.execute(on_the_day_the_clocks_skip("UTC", 1))


@pytest.mark.parametrize("given", [True, False])
def test_the_window_is_logged(tmp_path, monkeypatch, given):
    window = {} if given else {"window_start": None, "window_end": None}
    operator, lines = archiver(tmp_path, [], **window), []
    monkeypatch.setattr(operator.log, "info", lambda message, *said: lines.append(message % said))
    operator.execute({"data_interval_start": START, "data_interval_end": END})
    bounds = [f"{bound:%Y-%m-%dT%H:%M:%SZ}" for bound in (START, END)]
    assert f"Archiving sessions that ended from {bounds[0]} until {bounds[1]}" in lines


def test_a_gap_between_windows_that_are_no_data_intervals_is_reported_with_what_to_run(tmp_path, monkeypatch):
    archiver(tmp_path, [], window_start=START - timedelta(days=2), window_end=START - timedelta(days=1)).execute({})
    for interval in ({}, {"data_interval_start": END, "data_interval_end": END}):
        (line,) = warnings_of(archiver(tmp_path, []), monkeypatch, **interval)
        assert "run this task with window_start and window_end for that time" in line
        assert "backfill" not in line


def test_manifests_that_can_not_be_listed_are_reported_once_and_no_gap(tmp_path, monkeypatch):
    def refuses(_):
        raise PermissionError("no listing")

    monkeypatch.setattr("lessonspace_provider.archive.manifest_store.fingerprints_in", refuses)
    operator, warned = archiver(tmp_path, []), []
    monkeypatch.setattr(operator.log, "warning", lambda message, *said: warned.append(message % said))
    with pytest.raises(LessonspaceError, match="no listing") as told:
        operator.execute({})
    assert str(told.value).count("no listing") == 1
    assert not [line for line in warned if "No manifest" in line]


def days_in_berlin(first, count):
    """Give the midnights there, one more than days, as a DAG's templates render them."""
    midnights = [datetime(*first, tzinfo=ZoneInfo("Europe/Berlin")) + timedelta(days=day) for day in range(count + 1)]
    return [midnight.isoformat() for midnight in midnights]


@pytest.mark.parametrize("first", [(2025, 10, 25), (2026, 3, 28)], ids=["clocks go back", "clocks go forward"])
@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1)], ids=["in order", "backfilled out of order"])
def test_over_a_change_of_the_clocks_every_session_belongs_to_exactly_one_of_the_days(tmp_path, first, order):
    bounds = days_in_berlin(first, 3)
    moments = [datetime.fromisoformat(bound).astimezone(timezone.utc) for bound in bounds]
    assert {end - start for start, end in zip(moments, moments[1:])} > {timedelta(days=1)}, (
        "one day is of another length"
    )
    hours = int((moments[-1] - moments[0]) / timedelta(hours=1))
    ends = [moments[0] + timedelta(hours=hour) for hour in range(-1, hours + 1)]
    sessions = [a_session(number, end=end) for number, end in enumerate(ends)]
    for day in order:
        archiver(tmp_path, sessions, window_start=bounds[day], window_end=bounds[day + 1]).execute({})
    accounts = [json.loads(path.read_text()) for path in sorted((tmp_path / "manifests").iterdir())]
    assert len(accounts) == 3
    assert [entry["session_id"] for account in accounts for entry in account["sessions"]] == [
        session["uuid"] for session, end in zip(sessions, ends) if moments[0] <= end < moments[-1]
    ]
    assert all(account["counts"]["archived"] == len(account["sessions"]) for account in accounts)


def test_windows_that_are_backfilled_out_of_order_take_up_only_what_earlier_ones_wait_for(tmp_path):
    bounds = [NOW - timedelta(days=3 - day) for day in range(4)]
    sessions = [a_session(day, end=bounds[day] + timedelta(hours=1)) for day in range(3)]
    missing = {session["uuid"]: LessonspaceTranscriptNotReady("no transcript", status=404) for session in sessions}
    updated = []
    for day in (2, 0, 1):
        window = {"window_start": bounds[day], "window_end": bounds[day + 1]}
        make_due(tmp_path)
        updated.append(archiver(tmp_path, sessions, missing, **window).execute({})["updated_manifests"])
    assert [len(manifests) for manifests in updated] == [0, 0, 1]
    for day in (2, 0, 1):
        make_due(tmp_path)
        window = {"window_start": bounds[day], "window_end": bounds[day + 1]}
        archiver(tmp_path, sessions, **window).execute({})
    accounts = [json.loads(path.read_text()) for path in sorted((tmp_path / "manifests").iterdir())]
    assert [[(entry["session_id"], entry["status"]) for entry in account["sessions"]] for account in accounts] == [
        [(session["uuid"], "archived")] for session in sessions
    ]


def test_without_a_window_the_runs_data_interval_is_archived(tmp_path):
    operator = archiver(tmp_path, [a_session(1)], window_start=None, window_end=None)
    interval = {"data_interval_start": START, "data_interval_end": END}
    assert operator.execute(interval)["counts"]["archived"] == 1


def test_run_without_a_data_interval_gets_advice(tmp_path):
    operator = archiver(tmp_path, [a_session(1)], window_start=None, window_end=None)
    with pytest.raises(
        LessonspaceInputError,
        match=r"no window to archive.*without a logical date.*Trigger the DAG with a logical date",
    ):
        operator.execute({})
    assert operator.hook.asked == []
