# SPDX-License-Identifier: Apache-2.0
"""The command that a gap's warning names, run by the real CLI of Airflow, over both changes of the clocks in a year."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from datetime import datetime, timedelta, timezone
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from airflow.cli.cli_parser import get_parser
from airflow.timetables.base import TimeRestriction
from airflow.timetables.interval import CronDataIntervalTimetable
from pendulum import instance

from lessonspace_provider.archive.windows import Window, backfill_command
from tests.airflow_version import needs_airflow

ZONES = {
    "clocks_of_london": ("30 1 * * *", "Europe/London"),
    "clocks_of_new_york": ("30 2 * * *", "America/New_York"),
    "clocks_of_sydney": ("30 2 * * *", "Australia/Sydney"),
}
YEAR = datetime.now(timezone.utc).year - 1


@pytest.fixture(scope="module")
def dags(airflow_home):
    """Airflow's database knows the DAGs of the tests."""
    command = [sys.executable, "-m", "airflow", "dags", "reserialize", "--bundle-name", "tests"]
    subprocess.run(command, check=True, capture_output=True)


def changes_of(zone):
    """Find the two days of the year on which clocks change."""
    clocks = ZoneInfo(zone)
    days = [datetime(YEAR, 1, 1, tzinfo=timezone.utc) + timedelta(days=day) for day in range(366)]
    changes = [
        day for day, next_day in pairwise(days) if day.astimezone(clocks).dst() != next_day.astimezone(clocks).dst()
    ]
    assert len(changes) == 2
    return changes


def nights_around(day, cron, zone):
    """List the windows of some nights around a day, as Airflow would run them one after another."""
    timetable, last, nights = CronDataIntervalTimetable(cron, timezone=zone), None, []
    began = instance(day - timedelta(days=5))
    for _ in range(9):
        restriction = TimeRestriction(earliest=began, latest=None, catchup=True)
        last = timetable.next_dagrun_info(last_automated_data_interval=last, restriction=restriction).data_interval
        nights.append(Window(last.start, last.end))
    return nights


def dates_of(command, capsys):
    """Run a backfill as a dry run, and read the logical dates of the runs that it would make."""
    arguments = get_parser().parse_args([*shlex.split(command)[1:], "--dry-run"])
    capsys.readouterr()
    arguments.func(arguments)
    attempted = capsys.readouterr().out.partition("attempted:")[2]
    found = re.findall(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d\+00:00", attempted)
    return [datetime.fromisoformat(date) for date in found]


@pytest.mark.parametrize("dag_id", ZONES)
@pytest.mark.parametrize("change", [0, 1], ids=["first change", "second change"])
@pytest.mark.parametrize("length", [1, 2], ids=["a night", "two nights"])
def test_the_command_runs_every_night_of_a_gap_around_a_change_of_the_clocks(dags, capsys, dag_id, change, length):
    cron, zone = ZONES[dag_id]
    nights = nights_around(changes_of(zone)[change], cron, zone)
    for first in range(1, len(nights) - length):
        missed, following = nights[first : first + length], nights[first + length]
        gap = Window(missed[0].start, missed[-1].end)
        dates = dates_of(backfill_command(dag_id, gap, following.end - following.start), capsys)
        wanted = [night.start for night in missed]
        assert dates[-length:] == wanted, f"of the gap {gap}"
        assert set(dates) <= {nights[first - 1].start, *wanted}, "one night before the gap at most"


@needs_airflow("3.3", "the dry run of older ones lists what the backfill itself leaves out")
def test_what_succeeded_before_the_gap_is_left_out(dags, capsys):
    from airflow.models.dagrun import DagRun
    from airflow.utils.session import create_session
    from airflow.utils.types import DagRunType
    from sqlalchemy import select

    dag_id = "clocks_of_london"
    cron, zone = ZONES[dag_id]
    before, missed, following = nights_around(changes_of(zone)[0], cron, zone)[2:5]
    with create_session() as session:
        run = DagRun(
            dag_id=dag_id,
            run_id="the_night_before",
            run_type=DagRunType.SCHEDULED,
            logical_date=before.start,
            data_interval=tuple(before),
            run_after=before.end,
            state="success",
        )
        session.add(run)
    command = backfill_command(dag_id, missed, following.end - following.start)
    assert dates_of(command, capsys) == [missed.start]
    arguments = get_parser().parse_args(shlex.split(command)[1:])
    arguments.func(arguments)
    with create_session() as session:
        made = session.scalars(select(DagRun).where(DagRun.dag_id == dag_id).order_by(DagRun.logical_date)).all()
        assert [(run.logical_date, str(run.state), run.run_type) for run in made] == [
            (before.start, "success", DagRunType.SCHEDULED),
            (missed.start, "queued", DagRunType.BACKFILL_JOB),
        ]
