# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import hashlib
import json
from datetime import datetime, timedelta, timezone

import pytest

from lessonspace_provider.api.times import read_time
from lessonspace_provider.archive import entry as archive
from lessonspace_provider.archive.clock import Present
from lessonspace_provider.archive.paths import transcript_path

UUID = "5b5f1a2c-3d4e-4f5a-8b9c-0d1e2f3a4b5c"
START = datetime(2026, 11, 22, 2, tzinfo=timezone.utc)
END = datetime(2026, 11, 23, 2, tzinfo=timezone.utc)
DAY, WEEK = timedelta(days=1), timedelta(days=7)


def a_session(end="2026-11-22T23:30:00-02:00", uuid=UUID, **fields):
    return {"uuid": uuid, "name": None, "start_time": "2026-11-22T22:30:00Z", "end_time": end, "profiles": [], **fields}


def an_entry(**fields):
    session = a_session(**fields)
    return archive.new_entry(session, transcript_path(session))


def test_a_file_is_verified_by_its_size_and_hash():
    file = {"format": "txt", "path": "a/b.txt", "size": 5, "sha256": hashlib.sha256(b"hello").hexdigest()}
    assert archive.is_described(b"hello", file)
    assert not archive.is_described(b"hellO", file)


def test_an_entry_keeps_roles_and_no_names_of_people():
    entry = an_entry(profiles=[{"user": 1, "name": "Ann", "email": "a@b.c", "role": "teacher"}, {"user": 2}])
    assert entry["roles"] == {"1": "teacher"}
    assert entry["participants"] == 2
    assert "Ann" not in str(entry)


def absent(entry, now, *, is_confirmed=True):
    return archive.missing(entry, present=Present(now, is_confirmed, of_api=now), give_up_after=WEEK)


def test_a_pending_transcript_is_checked_at_growing_intervals_until_it_is_given_up():
    entry, now, waits = an_entry(end="2026-11-23T00:00:00Z"), END, []
    while (entry := absent(entry, now))["status"] == "pending":
        assert not archive.is_due(entry, now)
        next_look = read_time(entry["next_look"])
        assert archive.is_due(entry, next_look)
        waits.append(next_look - now)
        now = next_look
    assert waits[:3] == [timedelta(minutes=5), timedelta(minutes=10), timedelta(minutes=20)]
    assert max(waits) == timedelta(hours=12)
    assert now == datetime(2026, 11, 30, tzinfo=timezone.utc)
    assert entry["status"] == "given_up"
    assert entry["tries"] == len(waits) + 1
    assert "7 days" in entry["reason"]


def test_where_the_apis_clock_is_not_known_several_checks_give_up_and_none_alone():
    entry, now = an_entry(end="2026-11-23T00:00:00Z"), END + 20 * DAY
    statuses = []
    for _ in range(6):
        entry = absent(entry, now, is_confirmed=False)
        statuses.append(entry["status"])
        now += DAY
    assert statuses == ["pending"] * 4 + ["given_up"] * 2


def test_a_next_check_that_a_wrong_clock_has_set_far_ahead_is_due():
    entry = absent(an_entry(end="2026-11-23T00:00:00Z"), END + 2 * DAY)
    assert not archive.is_due(entry, END + 2 * DAY)
    assert archive.is_due(entry, END)


@pytest.mark.parametrize("status", ["pending", "not_attempted", "failed"])
def test_what_is_open_is_so_however_old_and_what_can_not_be_asked_for_is_not(status):
    entry = {**an_entry(), "status": status}
    assert archive.is_open(entry)
    assert archive.is_due(entry, END + 3000 * DAY)
    assert not archive.is_open({**entry, "path": ""})
    assert not archive.is_due({**entry, "path": ""}, END)


@pytest.mark.parametrize("status", ["archived", "not_eligible", "given_up"])
def test_what_is_settled_is_not_open(status):
    assert not archive.is_open({**an_entry(), "status": status})


def test_the_fields_of_an_entry_are_bounded_whatever_the_server_sends():
    odd = a_session(id=10**5000, name="n" * 10**6, space={"id": "s" * 10**6}, start_time="t" * 10**6)
    entry = archive.new_entry(odd)
    assert len(json.dumps(entry)) < 3000
    assert entry["id"] is None


def test_a_role_of_thousands_of_digits_is_no_user():
    entry = {**an_entry(), "roles": {"9" * 5000: "teacher", "7": "student"}}
    assert archive.profiles_of(entry) == [{"user": 7, "role": "student"}]


def test_a_time_that_can_not_be_read_stays_in_the_entry_for_whoever_looks_into_it():
    assert archive.new_entry(a_session(end="soon"), "x")["end_time"] == "soon"


def test_how_far_an_archive_is_is_said_with_the_rate_and_the_time_left():
    done = [archive.settled(an_entry(), status, reason=None) for status in ("failed", "archived")]
    assert archive.progress(done, 10, 4.0) == (
        "2 of 10 sessions done: 0 pending, 1 failed; 0.5 a second, about 16 s left"
    )
    assert "not known yet" in archive.progress([], 10, 4.0)
