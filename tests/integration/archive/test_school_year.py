# SPDX-License-Identifier: Apache-2.0
"""A school year of nightly runs and all that goes wrong in one: in the end, every session is accounted for."""

from __future__ import annotations

import hashlib
import json
import os
import random
from collections import Counter, defaultdict
from datetime import datetime, timedelta, timezone

import pytest

from lessonspace_provider.archive.windows import window_of
from tests.integration.archive import interruptions
from tests.integration.archive.nightly_runs import Night, Nights, entries_in, manifests_in, windows
from tests.integration.archive.runs import tree
from tests.integration.archive.school_year import DAY, HOUR, MINUTE, Lesson, School

#: A failing year is lived through again with its seed, which is part of the test's name.
SEED = int(os.environ.get("SCHOOL_YEAR_SEED", "20260901"))

WINDOW_START = {"hour": 2, "tzinfo": timezone.utc}
SCHOOL_BEGINS = datetime(2026, 9, 1, **WINDOW_START)
OUTAGE = datetime(2026, 11, 10, **WINDOW_START), datetime(2026, 11, 14, **WINDOW_START)
HOLIDAY = datetime(2027, 7, 1, **WINDOW_START), datetime(2027, 8, 31, **WINDOW_START)
BREAKS = [
    (datetime(2026, 10, 24, **WINDOW_START), datetime(2026, 11, 2, **WINDOW_START)),
    (datetime(2026, 12, 19, **WINDOW_START), datetime(2027, 1, 4, **WINDOW_START)),
    (datetime(2027, 3, 27, **WINDOW_START), datetime(2027, 4, 12, **WINDOW_START)),
]
FAULTY_WEEKS = [datetime(2026, 10, 12, **WINDOW_START), datetime(2027, 1, 18, **WINDOW_START)]
WRONG_CLOCKS = {
    datetime(2026, 9, 14, **WINDOW_START): HOUR,
    datetime(2026, 12, 3, **WINDOW_START): 20 * DAY,
    datetime(2027, 2, 5, **WINDOW_START): -20 * DAY,
    datetime(2027, 3, 10, **WINDOW_START): 20 * DAY,
    datetime(2027, 6, 10, **WINDOW_START): HOUR,
}

#: Kinds of lessons that are still as they were after months without a run.
LASTING = ("ordinary", "never", "slow", "empty", "alone", "at the bound")

#: What is pending, or not yet listed, when the last run before the summer ends.
BEFORE_THE_HOLIDAY = ("slow", "never", "empty", "empty at first", "too late", "end known late", "deleted pending")


class Year:
    """
    Lives through the nights of a school.

    :param school: of which nothing has happened yet.
    :param nights: the runs of the archive.
    """

    def __init__(self, school, nights, chance):
        self.school, self.nights, self.chance = school, nights, chance
        self._to_clear = []

    def live(self, window, night):
        """Hold a day's lessons, and run the archive at its end."""
        is_calm = not (night.trouble or night.clock_error or night.faulty)
        # The server does not wait with a deletion until a run that failed has been started again.
        kinds = [kind for kind in self.school.kinds if is_calm or not kind.startswith("deleted")]
        held = self.hold(window, kinds)
        # The run starts before the day is over, or finds a transcript missing that comes later.
        for kind in {HOUR: ["in the last hour"], 20 * DAY: ["slow", "empty at first"]}.get(night.clock_error, []):
            self.school.hold(window[0].date(), kind)
        night.may_fail |= bool({"odd end", "no uuid", "failing"} & held)
        now = window[1] + night.delay - min(HOUR, max(timedelta(0), night.clock_error))
        if is_calm and "ordinary" in held and self.chance.random() < 0.15:
            self.school.move_clock(now)
            self.school.delete_between_pages(window[1])
        self.run(window, now, night)
        for moment, failed in [item for item in self._to_clear if item[0] <= now]:
            self._to_clear.remove((moment, failed))
            self.run(failed, now + HOUR)

    def hold(self, window, kinds):
        """Hold a day's lessons; give their kinds."""
        if window[0].weekday() > 4 or any(first <= window[0] < last for first, last in BREAKS):
            return set()
        held = ["ordinary" if self.chance.random() < 0.5 else self.chance.choice(kinds) for _ in range(5)]
        held = held[: self.chance.randint(2, 5)]
        for kind in held:
            self.school.hold(window[0].date(), kind)
        return set(held)

    def run(self, window, now, night=None):
        """Run the archive; where all tries fail, somebody clears the task some days later."""
        if self.nights.run(window, now, night):
            self._to_clear.append((now + self.nights.chance.randint(1, 3) * DAY, window))

    def miss(self, first, last):
        """Hold lessons while there are no runs."""
        missed = windows(first, last)
        for window in missed:
            self.hold(window, LASTING)
        return missed


def nights_of_term(chance, first, last, calm=80):
    """Choose what goes wrong in each night; so many in a hundred are calm."""
    for window in windows(first, last):
        trouble = None if chance.random() < calm / 100 else chance.choice(("kill",) * 6 + ("disk",) * 3 + ("sigkill",))
        error = WRONG_CLOCKS.get(window[0], timedelta(0))
        faulty = any(week <= window[0] < week + 7 * DAY for week in FAULTY_WEEKS)
        delay = 5 * MINUTE if error else chance.choice((MINUTE, 5 * MINUTE, 3 * HOUR))
        yield window, Night(delay, error, None if error or faulty else trouble, faulty=faulty)


@pytest.fixture
def year(control, destination, monkeypatch):
    interruptions.install(monkeypatch)
    monkeypatch.setattr(os, "fsync", lambda _: None)  # runs are killed, but no machine loses its power
    control.reset(now=SCHOOL_BEGINS, speed=0.0, days=0, sessions_per_day=0, page_size=4)
    chance = random.Random(SEED)
    school = School(control, chance)
    # What is left to the runs draws from a chance of its own: it may differ from one machine to another.
    return Year(school, Nights(school, control, destination, random.Random(SEED)), chance)


@pytest.mark.parametrize("seed", [SEED])
@pytest.mark.parametrize("destination", ["disk"], indirect=True)
def test_a_school_year_accounts_for_every_session(year, destination, control, seed):
    for window, night in nights_of_term(year.chance, SCHOOL_BEGINS, OUTAGE[0]):
        year.live(window, night)
    outage = year.miss(*OUTAGE)
    backfill_at = OUTAGE[1] + 9 * DAY
    for window, night in nights_of_term(year.chance, OUTAGE[1], backfill_at):
        year.live(window, night)
    assert year.nights.warned_of_gap(*OUTAGE)
    for window in reversed(outage):
        year.run(window, backfill_at + HOUR)
    for window, night in nights_of_term(year.chance, backfill_at, HOLIDAY[0] - DAY):
        year.live(window, night)
    last = (HOLIDAY[0] - DAY, HOLIDAY[0])
    for kind in BEFORE_THE_HOLIDAY:
        year.school.hold(last[0].date(), kind)
    year.live(last, Night())

    holiday = year.miss(*HOLIDAY)
    for window in windows(HOLIDAY[1], HOLIDAY[1] + 4 * DAY):
        year.live(window, Night())
    assert year.nights.warned_of_gap(*HOLIDAY)
    check_settled_after_holiday(year, destination)
    for window in holiday:
        year.run(window, HOLIDAY[1] + 4 * DAY + HOUR)
    check_end(year, destination, control, HOLIDAY[1] + 4 * DAY)


@pytest.mark.parametrize("seed", [SEED])
@pytest.mark.parametrize("destination", ["s3"], indirect=True)
def test_two_weeks_on_s3_account_for_every_session(year, destination, control, seed):
    begin, end = SCHOOL_BEGINS, SCHOOL_BEGINS + 14 * DAY
    for window, night in nights_of_term(year.chance, begin, end, calm=50):
        year.live(window, night)
    check_end(year, destination, control, end)


def check_settled_after_holiday(year, destination):
    """What was open when the DAG was paused is settled by the first runs after it, without a backfill."""
    statuses = {entry["session_id"]: entry["status"] for _, entry in entries_in(tree(destination))}
    before = [lesson for lesson in year.school.lessons if lesson.end < HOLIDAY[0] and lesson.allowed]
    # What was still running in the last night is found by the backfill, as what ended in the holiday.
    before = [lesson for lesson in before if lesson.kind != "end known late" or lesson.end < HOLIDAY[0] - DAY]
    found = [(lesson, statuses.get(lesson.session_id)) for lesson in before]
    assert not [(lesson, status) for lesson, status in found if status not in lesson.allowed]


def check_end(year, destination, control, begin):
    """Let what is open come to its end in quiet nights; then compare the archive with the sandbox's own list."""
    for window in windows(begin, begin + 10 * DAY):
        year.run(window, window[1] + 5 * MINUTE)
    reads = year.nights.manifest_reads
    year.run((begin + 10 * DAY, begin + 11 * DAY), begin + 11 * DAY + 5 * MINUTE)
    assert year.nights.manifest_reads - reads <= 12, "a night when nothing is open does not read all manifests"
    assert year.nights.unexpected == []
    assert year.nights.interrupted >= 3, "some runs have to be interrupted"

    files = tree(destination)
    accounts = defaultdict(list)
    for path, entry in entries_in(files):
        accounts[entry["session_id"]].append((path, entry))
    lessons = {lesson.session_id: lesson for lesson in year.school.lessons}
    assert lessons.keys() <= {truth.session_id for truth in control.sessions()}
    problems = []
    for truth in control.sessions():
        # The sandbox starts with some sessions of its own.
        lesson = lessons.get(truth.session_id) or lesson_of(truth)
        problems += problems_of(lesson, accounts, files)
    problems += problems_of_manifests(files)
    kinds = Counter(lesson.kind for lesson in year.school.lessons)
    assert not problems, f"{len(problems)} problems with {kinds}:\n" + "\n".join(problems)
    asked = len(control.calls(target="api", path="/transcript/$"))
    assert asked < 8 * len(year.school.lessons), "a transcript is not asked for again and again"


def lesson_of(truth):
    allowed = {"not_eligible"} if truth.transcript == "single-user" else {"archived"}
    return Lesson("of the sandbox", truth.end_time, allowed, None, truth.session_id)


def problems_of(lesson, accounts, files):
    """Say what is wrong with a lesson's account."""
    found = accounts.pop(lesson.session_id, [])
    name = f"{lesson.kind} {lesson.session_id} ended {lesson.end:%Y-%m-%d %H:%M:%S}"
    if len(found) > 1 or (lesson.allowed and not found):
        yield f"{name}: it is in {len(found)} manifests: {[path for path, _ in found]}"
        return
    for path, entry in found:
        if entry["status"] not in (lesson.allowed or {"archived", "given_up", "failed", "not_eligible"}):
            yield f"{name}: {entry['status']} ({entry['reason']}) in {path}"
        elif not is_window_right(path, lesson):
            yield f"{name}: it is in {path}"
        elif entry["status"] != "archived" and not entry["reason"]:
            yield f"{name}: {entry['status']} without a reason in {path}"
        elif entry["status"] == "archived" and not is_file_right(entry, lesson, files):
            yield f"{name}: its files {entry['files']} are not there, or not right"


def is_window_right(path, lesson):
    """Whether a session is accounted for in the window of its end; where that was corrected, in one of them."""
    window = window_of(path.rpartition("/")[2])
    return lesson.kind in ("end moved", "odd end") or window.start <= lesson.end < window.end


def is_file_right(entry, lesson, files):
    (file,) = entry["files"]
    data = files.get(file["path"], b"")
    described = len(data) == file["size"] and hashlib.sha256(data).hexdigest() == file["sha256"]
    segments = json.loads(data) if described else None
    return described and entry["segments"] == len(segments) and lesson.segments in (None, segments)


def problems_of_manifests(files):
    """Say what is wrong with the manifests themselves, and what lies around beside them."""
    manifests = manifests_in(files)
    bounds = sorted((manifest["window_start"], manifest["window_end"]) for manifest in manifests.values())
    for (_, end), (start, _) in zip(bounds, bounds[1:], strict=False):
        if end != start:
            yield f"windows do not meet: {end} {start}"
    known = set()
    for path, manifest in manifests.items():
        counted = Counter(entry["status"] for entry in manifest["sessions"])
        if counted != Counter(manifest["counts"]):
            yield f"{path}: counts {manifest['counts']}, but has {counted}"
        known |= {file["path"] for entry in manifest["sessions"] for file in entry["files"]}
    for path in files.keys() - known - manifests.keys():
        if path[:3] == "202" and not path.endswith(".part"):
            whose = [entry for _, entry in entries_in(files) if entry["session_id"] in path]
            yield f"{path} is in no manifest, which has {whose}"
