# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from lessonspace_provider.archive.health.figures import Night
from lessonspace_provider.archive.health.problems import fill_command, next_run_due, problems_of
from tests.unit.archive.health_kit import DAY, a_health, a_run, an_item, night_window

MORNING = night_window(2).end + timedelta(hours=2)
GAP = ("2026-11-02T02:00:00Z", "2026-11-03T02:00:00Z")


def kinds(health, now=MORNING, **options):
    return [(problem.kind, problem.number) for problem in problems_of(health, now, **options)]


def test_all_is_well():
    assert kinds(a_health()) == []
    assert kinds(a_health(runs=(), schedule=None)) == []


def test_failed_and_abandoned_sessions_are_one_problem():
    items = (an_item("failed"), an_item("not_attempted", 2, next_check="2026-11-03T14:00:00Z"))
    (problem,) = problems_of(a_health(items=items, runs=(a_run(2, has_failed=True),)), MORNING)
    assert (problem.kind, problem.number) == ("failed", 2)
    assert items[0].session_id in str(problem)


def test_sessions_that_a_run_beside_may_be_at_are_no_problem():
    items = (an_item("not_attempted", next_check="2026-11-04T14:00:00Z"),)
    assert kinds(a_health(items=items)) == []
    assert kinds(a_health(items=items), MORNING + timedelta(hours=13)) == [("failed", 1)]


def test_a_failed_run_is_a_problem_until_its_window_succeeds():
    failed = a_run(2, has_failed=True)
    assert kinds(a_health(runs=(a_run(1), failed))) == [("failed_run", 1)]
    assert kinds(a_health(runs=(a_run(1), failed, a_run(2, late=timedelta(hours=1))))) == []


@pytest.mark.parametrize(
    ("hours", "expected"),
    [(2, []), (26, []), (28, [("no_run", 1)]), (24 * 30, [("no_run", 1)])],
)
def test_a_night_without_a_run_is_noticed_in_its_morning(hours, expected):
    assert kinds(a_health(), night_window(2).end + timedelta(hours=hours)) == expected


def test_a_weekend_without_lessons_is_no_missing_run():
    over_the_weekend = replace(a_run(5), window_start=a_run(2).window_end)
    runs = (a_run(1), a_run(2), over_the_weekend, *(a_run(number) for number in range(6, 10)))
    assert kinds(a_health(runs=runs), night_window(9).end + 2 * DAY) == []
    assert kinds(a_health(runs=runs), night_window(9).end + 4 * DAY) == [("no_run", 1)]


def test_absurd_runs_and_gaps_of_a_changed_file_are_no_error():
    absurd = replace(a_run(2), window_start="1900-01-01T00:00:00Z", window_end="8999-12-31T00:00:00Z")
    assert kinds(a_health(runs=(absurd,), gaps_left_out=1)) == []


def test_without_a_schedule_a_run_is_missing_after_a_day_and_a_half():
    health = a_health(schedule=None)
    assert kinds(health, night_window(2).end + timedelta(hours=35)) == []
    assert kinds(health, night_window(2).end + timedelta(hours=37)) == [("no_run", 1)]
    assert next_run_due(a_health(runs=())) is None


def test_a_gap_has_the_command_that_fills_it():
    (problem,) = problems_of(a_health(gaps=(GAP,)), MORNING)
    assert (problem.kind, problem.number) == ("gap", 1)
    assert "airflow backfill create --dag-id nightly --from-date 2026-11-01T02:00:00Z" in problem.action
    assert fill_command(a_health(schedule=None), *GAP) == (
        "run the archive's task with window_start=2026-11-02T02:00:00Z and window_end=2026-11-03T02:00:00Z"
    )


def test_a_manifest_that_cannot_be_read_is_a_problem():
    (problem,) = problems_of(a_health(nights=(Night("2026-11-01", unreadable=1),)), MORNING)
    assert (problem.kind, problem.number) == ("unreadable", 1)
    assert "2026-11-01" in str(problem)


def test_a_session_is_given_up_once():
    item = an_item("given_up", given_up_by="2026-11-03T02:00:00Z")  # by the run of night 2, which ended on the 4th
    health = a_health(items=(item,))
    assert kinds(health, MORNING) == [("given_up", 1)]
    next_day = a_health(items=(item,), runs=(a_run(1), a_run(2), a_run(3)))
    assert kinds(next_day, MORNING + DAY) == []
    assert kinds(next_day, MORNING + DAY, given_up_within=7 * DAY) == [("given_up", 1)]


def test_a_session_is_pending_for_too_long_after_two_days():
    health = a_health(items=(an_item("pending", ended_at="2026-11-02T03:59:00Z"), an_item("pending", 2)))
    assert kinds(health, MORNING) == [("pending", 1)]
    assert kinds(health, MORNING, pending_after=7 * DAY) == []
    assert kinds(health, MORNING, pending_after=timedelta(hours=1)) == [("pending", 2)]


def test_the_file_names_fewer_sessions_than_there_are():
    items = tuple(an_item("failed", number) for number in range(300))
    nights = (Night("2026-11-03", {"failed": 420, "pending": 5}),)
    (problem,) = problems_of(a_health(items=items, items_left_out=125, nights=nights), MORNING)
    assert problem.number == 420
    assert "and 415 more). Read the log" in str(problem)
