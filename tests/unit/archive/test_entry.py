# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest

from lessonspace_provider.api.times import read_time
from lessonspace_provider.archive.clock import Present
from lessonspace_provider.archive.entry import Entry, count
from lessonspace_provider.archive.fetching import progress
from lessonspace_provider.archive.paths import transcript_path

UUID = "5b5f1a2c-3d4e-4f5a-8b9c-0d1e2f3a4b5c"
START = datetime(2026, 11, 22, 2, tzinfo=timezone.utc)
END = datetime(2026, 11, 23, 2, tzinfo=timezone.utc)
DAY, WEEK = timedelta(days=1), timedelta(days=7)


def a_session(end="2026-11-22T23:30:00-02:00", uuid=UUID, **fields):
    return {"uuid": uuid, "name": None, "start_time": "2026-11-22T22:30:00Z", "end_time": end, "profiles": [], **fields}


def an_entry(**fields):
    session = a_session(**fields)
    return Entry.of(session, transcript_path(session))


def test_an_entry_keeps_roles_and_no_names_of_people():
    entry = an_entry(profiles=[{"user": 1, "name": "Ann", "email": "a@b.c", "role": "teacher"}, {"user": 2}])
    assert entry.roles == {"1": "teacher"}
    assert entry.participants == 2
    assert "Ann" not in str(entry)


def absent(entry, now, *, is_confirmed=True):
    return entry.missing(Present(now, is_confirmed, of_api=now), WEEK)


def test_a_pending_transcript_is_checked_at_growing_intervals_until_it_is_given_up():
    entry, now, waits = an_entry(end="2026-11-23T00:00:00Z"), END, []
    while (entry := absent(entry, now)).status == "pending":
        assert not entry.is_due(now)
        next_check = read_time(entry.next_check)
        assert entry.is_due(next_check)
        waits.append(next_check - now)
        now = next_check
    assert waits[:3] == [timedelta(minutes=5), timedelta(minutes=10), timedelta(minutes=20)]
    assert max(waits) == timedelta(hours=12)
    assert now == datetime(2026, 11, 30, tzinfo=timezone.utc)
    assert entry.status == "given_up"
    assert entry.tries == len(waits) + 1
    assert "7 days" in entry.reason


def test_where_the_apis_clock_is_not_known_several_checks_give_up_and_none_alone():
    entry, now = an_entry(end="2026-11-23T00:00:00Z"), END + 20 * DAY
    statuses = []
    for _ in range(6):
        entry = absent(entry, now, is_confirmed=False)
        statuses.append(entry.status)
        now += DAY
    assert statuses == ["pending"] * 4 + ["given_up"] * 2


def test_a_next_check_that_a_wrong_clock_has_set_far_ahead_is_due():
    entry = absent(an_entry(end="2026-11-23T00:00:00Z"), END + 2 * DAY)
    assert not entry.is_due(END + 2 * DAY)
    assert entry.is_due(END)


@pytest.mark.parametrize("status", ["pending", "not_attempted", "failed"])
def test_what_is_open_is_so_however_old_and_what_can_not_be_asked_for_is_not(status):
    entry = replace(an_entry(), status=status)
    assert entry.is_open
    assert entry.is_due(END + 3000 * DAY)
    assert not replace(entry, path="").is_open
    assert not replace(entry, path="").is_due(END)


@pytest.mark.parametrize("status", ["archived", "not_eligible", "given_up", "erased"])
def test_what_is_not_checked_again_is_not_open(status):
    assert not replace(an_entry(), status=status).is_open


def test_the_fields_of_an_entry_are_bounded_whatever_the_server_sends():
    odd = a_session(id=10**5000, name="n" * 10**6, space={"id": "s" * 10**6}, start_time="t" * 10**6)
    entry = Entry.of(odd)
    assert len(json.dumps(entry.to_json())) < 3000
    assert entry.id is None


def test_a_role_of_thousands_of_digits_is_no_user():
    entry = replace(an_entry(), roles={"9" * 5000: "teacher", "7": "student"})
    assert entry.user_roles == {7: "student"}


def test_a_time_that_can_not_be_read_stays_in_the_entry_so_that_the_manifest_shows_it():
    assert Entry.of(a_session(end="soon"), "x").end_time == "soon"


def test_progress_has_the_rate_and_the_time_left():
    done = [replace(an_entry(), status=status) for status in ("failed", "archived")]
    assert progress(done, 10, 4.0) == ("2 of 10 sessions done: 0 pending, 1 failed; 0.5 a second, about 16 s left")
    assert "not known yet" in progress([], 10, 4.0)


FILE = {"format": "txt", "path": f"2026/11/23/{UUID}.txt", "size": 5, "sha256": "0" * 64}
STORED = {
    "session_id": UUID,
    "id": 7,
    "space_id": "room",
    "name": "Maths",
    "start_time": "2026-11-22T22:30:00Z",
    "end_time": "2026-11-23T01:30:00Z",
    "participants": 2,
    "roles": {"1": "teacher"},
    "path": f"2026/11/23/{UUID}",
    "status": "archived",
    "reason": None,
    "tries": 3,
    "next_look": "2026-11-24T00:00:00Z",
    "pending_until": "2026-11-30T00:00:00Z",
    "segments": 3,
    "redacted": True,
    "files": [FILE],
    "changed_by": "2026-11-23T02:00:00Z",
    "space_name": "Maths 7b",
    "billable_seconds": 5400,
    "tags": '{"subject": "maths"}',
    "added": {"by": "hand"},
    "next_check": "added, too",
}


def test_an_entry_is_written_as_it_was_read_in_the_same_order():
    entry = Entry.from_json(STORED)
    assert (entry.next_check, entry.files) == ("2026-11-24T00:00:00Z", (FILE,))
    assert list(entry.to_json().items()) == list(STORED.items())
    assert "changed_by" not in replace(entry, changed_by=None).to_json()


def test_fields_that_an_older_manifest_lacks_have_their_default_and_stay_out():
    optional = ("changed_by", "space_name", "billable_seconds", "tags")
    stored = {key: value for key, value in STORED.items() if key not in optional}
    entry = Entry.from_json(stored)
    assert [getattr(entry, name) for name in optional] == [None] * 4
    assert entry.to_json() == stored


@pytest.mark.parametrize(
    "field", [{"billable_seconds": -1}, {"billable_seconds": "1"}, {"tags": {}}, {"space_name": 1}]
)
def test_an_optional_field_of_another_type_is_refused(field):
    with pytest.raises(ValueError, match=f"has {next(iter(field))}="):
        Entry.from_json({**STORED, **field})


def test_space_name_and_billable_seconds_are_kept():
    entry = an_entry(space={"id": "s", "name": "Maths 7b"}, billable_seconds=5400.0)
    assert (entry.space_name, entry.billable_seconds) == ("Maths 7b", 5400)
    assert an_entry(billable_seconds=-1).billable_seconds is None


@pytest.mark.parametrize(
    ("tags", "kept"),
    [
        ('{"subject":  "maths"}', '{"subject": "maths"}'),
        ({"subject": "maths"}, '{"subject": "maths"}'),
        ('{"half": "\\ud800"}', '{"half": "\\ud800"}'),
        ("{}", None),
        ("maths", None),
        (None, None),
        ("[" * 10**5, None),
        ({"long": "x" * 500}, None),
    ],
)
def test_tags_are_kept_as_json_or_not_at_all(tags, kept):
    assert an_entry(tags=tags).tags == kept


@pytest.mark.parametrize("files", [[], [FILE]])
def test_an_erased_transcript_is_never_fetched_again(files):
    erased = Entry.from_json({**STORED, "status": "erased", "files": files})
    session = a_session(profiles=[{"user": 1}, {"user": 2}])
    assert erased.reopened() == erased
    assert Entry.listed(session, erased, "{session_id}") == erased
    assert not erased.is_due(END + 3000 * DAY)
    assert erased.not_attempted(END) == erased


def test_erased_transcripts_are_counted_where_there_are_some():
    assert "erased" not in count([an_entry()])
    assert count([replace(an_entry(), status="erased")])["erased"] == 1


def test_a_task_fails_for_what_failed_and_what_was_not_attempted():
    all_statuses = count([replace(an_entry(), status="erased")])
    failing = [status for status in all_statuses if replace(an_entry(), status=status).has_failed]
    assert failing == ["failed", "not_attempted"]


def test_a_status_keeps_the_run_that_changed_it():
    before = replace(an_entry(), status="failed", changed_by="W1")
    assert replace(before, status="archived").changed_from(before, "W2").changed_by == "W2"
    assert before.changed_from(before, "W2").changed_by == "W1"
    assert an_entry().changed_from(None, None).changed_by is None
