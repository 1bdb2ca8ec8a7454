# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import shlex
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from airflow.cli.cli_parser import get_parser

from lessonspace_provider.archive.windows import (
    Window,
    backfill_command,
    clocks_change,
    gaps,
    manifest_name,
    window_of,
)

START = datetime(2026, 11, 22, 2, tzinfo=timezone.utc)
END = datetime(2026, 11, 23, 2, tzinfo=timezone.utc)
DAY = timedelta(days=1)
INDIA = timezone(timedelta(hours=5, minutes=30))


def test_a_manifest_is_named_by_its_window_the_same_in_every_time_zone():
    name = "20261122T020000Z_20261123T020000Z.json"
    assert manifest_name(Window(START, END)) == name
    assert manifest_name(Window(START.astimezone(INDIA), END.astimezone(INDIA))) == name


@pytest.mark.parametrize("extra", [timedelta(0), timedelta(microseconds=5)])
def test_a_manifests_name_gives_its_window_back(extra):
    window = Window(START + extra, END + extra)
    assert window_of(manifest_name(window)) == window


@pytest.mark.parametrize(
    "name",
    [
        "notes.json",
        ".20261122T020000Z_20261123T020000Z.json.part",
        "20261399T020000Z_20261123T020000Z.json",
        "20261122T020000Z_20261123T990000Z.json",
        "٢٠٢٦1122T020000Z_20261123T020000Z.json",
        "20261122T020000Z_20261123T020000Z.json\n",
        "",
    ],
)
def test_other_files_beside_the_manifests_are_none(name):
    assert window_of(name) is None


def days(*bounds):
    """Give windows by the days on which they start and end, counted from START."""
    return [Window(START + first * DAY, START + last * DAY) for first, last in bounds]


@pytest.mark.parametrize(
    ("windows", "found"),
    [
        ([], []),
        ([(-1, 0)], []),
        ([(-2, -1)], [(-1, 0)]),
        ([(0, 1), (-9, -8), (-5, -4)], [(-8, -5), (-4, 0)]),
        ([(-2, -1), (1, 2)], [(-1, 0)]),
        ([(0, 1)], []),
        ([(1, 2)], []),
        ([(0, 1), (1, 2)], []),
        ([(-3, -2), (-2, 1)], []),
        ([(-3, -2), (-1, 1)], [(-2, -1)]),
        ([(-3, -2), (-1.5, 1), (-1, 2)], [(-2, -1.5)]),
        ([(-3, -2), (-5, 1)], []),
        ([(-3, -2), (-2.5, 0), (0, 1)], []),
        ([(-3, -1), (-2, 0.5)], []),
        ([(-9, -8), (-8, -7), (-3, -2)], [(-7, -3), (-2, 0)]),
        ([(-9, -2), (-8, -7), (-1, 0)], [(-2, -1)]),
    ],
)
def test_all_time_since_the_first_manifest_that_no_manifest_accounts_for_is_a_gap(windows, found):
    expected = days(*found)
    assert gaps(days(*windows), START) == expected
    assert gaps(reversed(days(*windows)), START.astimezone(INDIA)) == expected


def test_there_is_no_gap_within_a_second():
    windows = days((-1, 0))
    assert gaps(windows, START + timedelta(microseconds=999_999)) == []
    assert gaps(windows, START + timedelta(seconds=1)) == [Window(START, START + timedelta(seconds=1))]


@pytest.mark.parametrize(("interval", "first"), [(DAY, START - DAY), (DAY / 96, START - DAY / 24)])
def test_the_command_for_a_gap_starts_an_interval_earlier_and_leaves_out_what_succeeded(interval, first):
    program, *command = shlex.split(backfill_command("nightly", Window(START, END), interval))
    arguments = get_parser().parse_args(command)
    assert program == "airflow"
    assert (arguments.dag_id, arguments.reprocess_behavior) == ("nightly", "failed")
    assert (arguments.from_date, arguments.to_date) == (first, END - timedelta(seconds=1))


@pytest.mark.parametrize(
    ("zone", "day", "change"),
    [
        ("Europe/London", (2027, 3, 28), True),
        ("Europe/London", (2027, 10, 31), True),
        ("Europe/London", (2027, 4, 28), False),
        ("Australia/Lord_Howe", (2027, 10, 3), True),
        ("UTC", (2027, 3, 28), False),
    ],
)
def test_a_change_of_the_clocks_is_known(zone, day, change):
    assert clocks_change(datetime(*day, 1, 30, tzinfo=timezone.utc), ZoneInfo(zone)) is change
