# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest

from lessonspace_provider.archive.health.figures import (
    MOST_ITEMS,
    Health,
    Night,
    assembled,
    figures_of,
    night_of,
    nights_in,
)
from lessonspace_provider.archive.windows import Window
from tests.unit.archive.health_kit import DAY, FIRST, a_health, a_manifest, a_run, an_entry, an_item, night_window

HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("start", "hours", "night"),
    [
        ("2026-11-22T02:00:00+00:00", 24, "2026-11-22"),
        ("2026-11-22T00:00:00+00:00", 24, "2026-11-22"),
        ("2026-11-22T02:00:00+13:00", 24, "2026-11-22"),
        ("2026-11-22T02:00:00-08:00", 24, "2026-11-22"),
        ("2026-11-22T23:00:00+00:00", 1, "2026-11-22"),
    ],
)
def test_a_night_is_the_day_of_the_lessons(start, hours, night):
    begin = datetime.fromisoformat(start)
    assert night_of(Window(begin, begin + hours * HOUR)) == night
    assert nights_in(begin, begin + hours * HOUR) == [night]


def test_a_gap_of_several_windows_is_their_nights():
    assert nights_in(FIRST, FIRST + 3 * DAY) == ["2026-11-01", "2026-11-02", "2026-11-03"]


def figures(*manifests, mark="m", **options):
    return figures_of("2026-11-01", manifests, mark, **options)


def test_a_night_counts_all_its_manifests():
    night, items = figures(a_manifest(0, archived=3, pending=1), a_manifest(0, not_eligible=2), None)
    assert night.counts == {"archived": 3, "not_eligible": 2, "pending": 1}
    assert night.missing == {"too_short": 2, "not_ready": 1}
    assert (night.manifests, night.unreadable) == (3, 1)
    assert [item.status for item in items] == ["pending"]


def test_what_is_open_or_given_up_is_named_with_its_times_and_without_names():
    manifest = a_manifest(0, archived=1, not_eligible=1, erased=1, pending=1, given_up=1, failed=1, not_attempted=1)
    _, items = figures(manifest)
    assert {item.status for item in items} == {"pending", "given_up", "failed", "not_attempted"}
    (pending,) = (item for item in items if item.status == "pending")
    assert (pending.ended_at, pending.until) == ("2026-11-01T10:00:00Z", "2026-11-08T10:00:00Z")
    health = assembled(FIRST + DAY, [manifest.window], [figures(manifest)[0]], items)
    assert b"Ann" not in health.to_json()
    assert b"teacher" not in health.to_json()


def test_session_names_are_there_on_request():
    _, items = figures(a_manifest(0, pending=1), session_names=True)
    assert items[0].name == "Algebra with Ann"


def test_a_file_is_read_as_it_was_written():
    health = a_health(
        items=(an_item("pending", until="2026-11-10T00:00:00Z"), an_item("failed", 2)),
        gaps=(("2026-11-02T02:00:00Z", "2026-11-03T02:00:00Z"),),
        erasures=2,
        last_erasure="20261102T000000Z",
    )
    assert Health.from_json(health.to_json()) == health
    assert json.loads(health.to_json())["counts"] == {"archived": 5, "not_eligible": 1}


def a_year(nights=365, items=0):
    manifests = [a_manifest(number, archived=150, not_eligible=45, pending=2, given_up=2, failed=1) for number in (0,)]
    named = [an_item("pending", number, until="2026-11-10T00:00:00Z", night="2026-11-01") for number in range(items)]
    figures = figures_of("2026-11-01", manifests, "0123456789abcdef")[0]
    every = [replace(figures, night=(FIRST + number * DAY).date().isoformat()) for number in range(nights)]
    windows = [night_window(number) for number in range(0, nights, 2)]  # with as many gaps
    runs = [a_run(number) for number in range(nights)]
    return assembled(night_window(nights).end, windows, every, named, runs=runs, schedule=a_health().schedule)


def test_a_year_at_its_worst_is_under_200_kb():
    health = a_year(items=5000)
    assert len(health.items) == MOST_ITEMS
    assert health.items_left_out == 5000 - MOST_ITEMS
    assert health.gaps_left_out > 0
    assert len(health.to_json()) < 200_000
    assert Health.from_json(health.to_json()) == health


def test_a_night_whose_items_were_left_out_is_read_again():
    items = [an_item("pending", number) for number in range(MOST_ITEMS)]
    nights = [Night("2026-11-03", mark="a"), Night("2026-11-04", mark="b")]
    assert [night.mark for night in assembled(FIRST, [], nights, items).nights] == ["a", "b"]
    more = [*items, an_item("pending", 999, night="2026-11-04", until="2026-12-01T00:00:00Z")]
    assert [night.mark for night in assembled(FIRST, [], nights, more).nights] == ["a", None]


def test_items_that_need_action_come_first():
    items = [
        an_item(status, number) for number, status in enumerate(("pending", "given_up", "not_attempted", "failed"))
    ]
    items[1] = replace(items[1], given_up_by="2026-11-03T02:00:00Z")
    health = assembled(FIRST, [night_window(3)], [], items)
    assert [item.status for item in health.items] == ["failed", "not_attempted", "given_up", "pending"]


def test_what_was_given_up_long_ago_is_counted_and_not_named():
    night, items = figures(a_manifest(0, given_up=1))
    soon = assembled(FIRST, [night_window(0), night_window(6)], [night], items)
    assert len(soon.items) == 1
    later = assembled(FIRST, [night_window(0), night_window(8)], [night], items)
    assert (later.items, later.counts) == ((), {"given_up": 1})


def test_a_session_that_a_later_night_gave_up_is_named_since_then():
    late = an_entry(0, 1, "given_up", changed_by="2026-11-08T02:00:00Z")
    night, items = figures(a_manifest(0).with_entries({late.session_id: late}))
    health = assembled(FIRST, [night_window(0), night_window(9)], [night], items)
    assert [item.given_up_by for item in health.items] == ["2026-11-08T02:00:00Z"]


def test_gaps_are_between_the_first_and_the_last_manifest():
    health = assembled(FIRST + 30 * DAY, [night_window(0), night_window(2)], [], [])
    assert health.gaps == (("2026-11-02T02:00:00Z", "2026-11-03T02:00:00Z"),)
    assert health.missing_nights() == {"2026-11-02"}


GOOD = json.loads(a_health(items=(an_item("pending"),)).to_json())


def changed(path, value):
    stored = json.loads(json.dumps(GOOD))
    *way, last = path
    place = stored
    for step in way:
        place = place[step]
    place[last] = value
    return json.dumps(stored).encode()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff",
        b"[]",
        b"[" * 100_000,
        b"{}",
        json.dumps({**GOOD, "more": 1}).encode(),
        changed(["version"], 2),
        changed(["updated_at"], "now"),
        changed(["nights", 0, "night"], "2026-13-01"),
        changed(["nights", 0, "night"], "20261101"),
        changed(["nights", 0, "night"], "2026-W45-1"),
        changed(["nights", 0, "night"], "0001-01-01"),
        changed(["nights", 0, "night"], "9999-12-31"),
        changed(["nights", 0, "counts"], {"archived": -1}),
        changed(["nights", 0, "counts"], {"<b>": 1}),
        changed(["nights", 0, "missing"], {"<b>": 1}),
        changed(["nights", 0, "more"], 1),
        changed(["items", 0, "session_id"], "<script>"),
        changed(["items", 0, "status"], "lost"),
        changed(["items", 0, "until"], "soon"),
        changed(["gaps"], [["2026-11-02T02:00:00Z"]]),
        changed(["gaps"], [["2026-11-03T02:00:00Z", "2026-11-02T02:00:00Z"]]),
        changed(["gaps"], [["1900-01-01T00:00:00Z", "8999-12-31T00:00:00Z"]]),
        changed(["gaps"], [["2026-11-02T00:00:00Z", "2026-11-04T00:00:00Z"]] * 2),
        changed(["runs", 0, "has_failed"], "no"),
        changed(["schedule", "dag_id"], "x; rm -rf ~"),
        changed(["schedule", "dag_id"], "x\n"),
        changed(["schedule", "interval"], 0),
        changed(["items_left_out"], 10**400),
    ],
)
def test_a_changed_file_is_refused(data):
    with pytest.raises(ValueError, match=r"^it"):
        Health.from_json(data)


def test_now_is_utc_in_the_file():
    assert assembled(datetime(2026, 11, 1, tzinfo=timezone.utc), [], [], []).updated_at == "2026-11-01T00:00:00Z"
