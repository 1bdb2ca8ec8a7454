# SPDX-License-Identifier: Apache-2.0
"""Ends that become known late, or are corrected: each session is accounted for once, night after night."""

from __future__ import annotations

import json
from collections import Counter
from datetime import timedelta

import pytest

from lessonspace_provider.archive.windows import LOOK_BACK
from lessonspace_provider.output.updates import update_whole
from tests.unit.archive.kit import END, NOT_READY, NOW, START, a_session, good, statuses, tree

DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)


class World:
    """Sessions whose ends become known, and move, while nights go by."""

    def __init__(self, archiver, tmp_path):
        self.ends = {}
        self.starts = {}
        self._archiver = archiver
        self._folder = tmp_path

    def hold(self, number, end, *, start=None):
        self.starts[number] = start or START - 10 * DAY
        self.ends[number] = end

    def night(self, day, *, ahead=timedelta(0), **more):
        """Run the night of a day; the list shows what has ended by then, and since a day before the window."""
        start, end, now = START + day * DAY, END + day * DAY, NOW + day * DAY
        listed = [
            a_session(number, start_time=self.starts[number].isoformat(), end_time=moment.isoformat())
            for number, moment in self.ends.items()
            if moment is not None and start - LOOK_BACK <= moment < min(end, now - ahead)
        ]
        run = self._archiver(now, **more)
        window = run.archive_window(listed, start, end)
        return window, *run.update_earlier(start, window.elsewhere)

    def accounted(self):
        """Count in how many manifests each session is."""
        accounts = [json.loads(path.read_text()) for path in (self._folder / "manifests").iterdir()]
        return Counter(int(entry["session_id"][-12:]) for account in accounts for entry in account["sessions"])


@pytest.fixture
def world(archiver, tmp_path):
    return World(archiver, tmp_path)


@pytest.mark.parametrize("back", [MINUTE, 31 * MINUTE, 5 * HOUR, 23 * HOUR])
def test_an_end_that_is_known_a_night_late_is_filed_in_its_own_window(world, tmp_path, back):
    world.night(0)
    world.hold(1, None)
    world.night(1)
    world.ends[1] = END + DAY - back
    _, (earlier,), problems = world.night(2)
    assert (statuses(earlier), problems) == ({good(1): "archived"}, [])
    assert world.accounted() == {1: 1}
    assert len([path for path in tree(tmp_path) if good(1) in path]) == 2
    for day in (3, 4, 5):
        assert world.night(day)[1] == []


@pytest.mark.parametrize("first", [2 * HOUR, 12 * HOUR])
@pytest.mark.parametrize("moved", [-30 * HOUR, -23 * HOUR, -HOUR, HOUR, 23 * HOUR, 30 * HOUR, 47 * HOUR, 9 * DAY])
def test_an_end_that_is_corrected_files_nothing_twice_and_loses_nothing(world, source, first, moved):
    for day in range(3):
        world.night(day)
    world.hold(1, START + 3 * DAY + first)
    world.night(3)
    world.ends[1] += moved
    for day in range(4, 14):
        world.night(day)
    assert world.accounted() == {1: 1}
    assert source.asked == [good(1)]


@pytest.mark.parametrize("day", [1, 2, 3])
def test_a_window_that_is_run_again_after_a_correction_files_nothing_twice(world, day):
    for number in range(1, 4):
        world.hold(number, START + number * DAY + HOUR, start=START + number * DAY)
    for night in range(5):
        world.night(night)
    world.ends[2] += DAY
    world.night(day)
    world.ends[2] -= 2 * DAY
    world.night(day)
    assert world.accounted() == {1: 1, 2: 1, 3: 1}


@pytest.mark.parametrize("back", [1, 3, 7])
def test_a_window_that_is_run_again_has_nothing_twice_whose_end_moved_back_into_it(world, back):
    for day in range(10):
        world.night(day)
    world.hold(1, START + 9 * DAY + HOUR, start=START)
    world.night(9)
    world.ends[1] -= back * DAY
    world.night(9 - back)
    assert world.accounted() == {1: 1}


def test_a_pending_session_whose_end_moves_stays_pending_and_comes(world, source):
    source.outcomes[good(1)] = NOT_READY
    world.hold(1, END - HOUR)
    world.night(0)
    world.ends[1] = END + HOUR
    world.night(1)
    source.outcomes = {}
    world.night(2)
    assert world.accounted() == {1: 1}
    assert len(source.asked) == 3


def test_with_a_workers_clock_an_hour_ahead_every_session_is_accounted_for_once(world):
    for number in range(1, 49):
        world.hold(number, START + number * HOUR, start=START + number * HOUR - MINUTE * 40)
    for day in range(5):
        world.night(day, ahead=2 * HOUR)
    assert world.accounted() == dict.fromkeys(range(1, 49), 1)


def test_what_ended_before_the_archive_began_or_in_a_gap_is_left_to_a_backfill(world, log):
    world.hold(1, START - HOUR)
    world.night(0)
    world.hold(2, START + DAY + HOUR)
    world.night(2)
    assert world.accounted() == {}
    assert [line for line in log.lines if "at a time that no manifest accounts for" in line] == [
        "1 listed sessions ended before the window, at a time that no manifest accounts for"
    ] * 2
    world.night(1)
    assert world.accounted() == {2: 1}


def test_a_dry_run_reports_late_sessions_and_files_nothing(world, source, log, tmp_path):
    world.night(0)
    world.hold(1, END - HOUR)
    before = tree(tmp_path)
    window, (earlier,), _ = world.night(1, dry_run=True)
    assert statuses(window) == {}
    assert statuses(earlier) == {good(1): "pending"}
    assert source.asked == []
    assert tree(tmp_path) == before


def test_a_wide_window_updates_other_manifests_in_place(archiver, source, tmp_path):
    source.outcomes = {good(1): NOT_READY, good(2): NOT_READY}
    archiver().archive_window([a_session(1), a_session(2)], START, END)
    source.outcomes = {}
    later = archiver(NOW + 8 * DAY)
    listed = [a_session(1), a_session(3, end_time=(START - HOUR).isoformat())]
    wide = later.archive_window(listed, START - 2 * DAY, END)
    assert statuses(wide) == {good(3): "archived"}
    (inner,), _ = later.update_earlier(START - 2 * DAY, wide.elsewhere)
    assert statuses(inner) == {good(1): "archived", good(2): "pending"}


def test_a_late_session_of_a_manifest_that_can_not_be_written_is_reported_and_found_again(world, tmp_path, monkeypatch):
    window, *_ = world.night(0)
    world.hold(1, END - HOUR)

    def refuses(path, change):
        if path.name == window.path.name:
            raise PermissionError("read only")
        update_whole(path, change)

    with monkeypatch.context() as refusing:
        refusing.setattr("lessonspace_provider.archive.manifest_store.update_whole", refuses)
        problems = world.night(1)[2]
    assert problems == [f"{window.path.name}: read only"]
    world.night(1)
    assert world.accounted() == {1: 1}


def test_a_session_whose_end_could_not_be_read_is_filed_when_it_can_be(archiver, source):
    window = archiver().archive_window([a_session(1, end_time="10:"), a_session(2)], START, END)
    assert statuses(window) == {good(1): "failed", good(2): "archived"}
    tomorrow = archiver(NOW + DAY)
    again = tomorrow.archive_window([a_session(1)], END, END + DAY)
    (earlier,), _ = tomorrow.update_earlier(END, again.elsewhere)
    assert statuses(earlier) == {good(1): "archived", good(2): "archived"}
    assert statuses(again) == {}


@pytest.mark.parametrize("ahead", [timedelta(hours=25), timedelta(days=20)])
def test_a_window_that_is_far_from_over_is_not_accounted_for(archiver, source, tmp_path, ahead):
    from lessonspace_provider.exceptions import LessonspaceError

    run = archiver(END + ahead)
    source.time = END - timedelta(hours=25)
    with pytest.raises(LessonspaceError, match="is not over: Lessonspace's clock shows"):
        run.archive_window([a_session(1)], START, END)
    assert tree(tmp_path) == {}


def test_sessions_listed_for_another_time_are_named_in_a_warning(archiver, log):
    listed = [a_session(number, end_time=(END + 2 * DAY).isoformat()) for number in range(1, 25)]
    window = archiver().archive_window([*listed, a_session(30)], START, END)
    assert statuses(window) == {good(30): "archived"}
    (warning,) = log.warnings
    assert warning.startswith("24 sessions are listed for the time from 2026-11-22T02:00:00Z to 2026-11-23T02:00:00Z")
    assert all((good(number) in warning) == (number <= 20) for number in range(1, 25))
    assert "and 4 more" in warning


def test_a_killed_run_leaves_on_record_whose_end_became_readable(archiver, source):
    archiver().archive_window([a_session(1, end_time="10:")], START, END)
    source.outcomes[good(1)] = KeyboardInterrupt()
    killed = archiver(NOW + DAY)
    window = killed.archive_window([a_session(1)], START + DAY, END + DAY)
    with pytest.raises(KeyboardInterrupt):
        killed.update_earlier(START + DAY, window.elsewhere)
    source.outcomes = {}
    later = archiver(NOW + 9 * DAY)
    later.archive_window([], START + 9 * DAY, END + 9 * DAY)
    (earlier,), problems = later.update_earlier(START + 9 * DAY)
    assert (statuses(earlier), problems) == ({good(1): "archived"}, [])


def test_a_killed_run_of_its_own_window_leaves_that_on_record_too(archiver, source):
    archiver().archive_window([a_session(1, end_time="10:")], START, END)
    source.outcomes[good(1)] = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        archiver(NOW + DAY).archive_window([a_session(1)], START, END)
    source.outcomes = {}
    (earlier,), _ = archiver(NOW + 9 * DAY).update_earlier(START + 9 * DAY)
    assert statuses(earlier) == {good(1): "archived"}
