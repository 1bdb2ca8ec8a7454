# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import hashlib
from datetime import datetime, timedelta, timezone

import pytest

from lessonspace_provider import archive
from lessonspace_provider.exceptions import LessonspaceInputError

UUID = "5b5f1a2c-3d4e-4f5a-8b9c-0d1e2f3a4b5c"
START = datetime(2026, 11, 22, 2, tzinfo=timezone.utc)
END = datetime(2026, 11, 23, 2, tzinfo=timezone.utc)
WEEK = timedelta(days=7)


def a_session(end="2026-11-22T23:30:00-02:00", uuid=UUID, **fields):
    return {"uuid": uuid, "name": None, "start_time": "2026-11-22T22:30:00Z", "end_time": end, "profiles": [], **fields}


def an_entry(**fields):
    session = a_session(**fields)
    return archive.new_entry(session, archive.transcript_path(session))


def test_a_transcript_lies_under_the_utc_day_of_the_sessions_end():
    assert archive.transcript_path(a_session()) == f"2026/11/23/{UUID}"


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("Maths 7b / Algebra", "Maths 7b _ Algebra"),
        ("../../etc/passwd", "_.._etc_passwd"),
        ("..", "_"),
        ("", "_"),
        (None, "_"),
        ("a\0b\nc", "a_b_c"),
        ("C:\\x", "C_x"),
        ("שיעור 🎉", "שיעור _"),
        ("x" * 300, "x" * 80),
        ("数学" * 50, "数学" * 13),
    ],
)
def test_no_name_leads_out_of_the_destination(name, folder):
    path = archive.transcript_path(a_session(name=name), "{name}/{session_id}")
    assert path == f"{folder}/{UUID}"


@pytest.mark.parametrize(
    "template",
    [
        "{end:%Y}",
        "{session_id}/{secret}",
        "{session_id",
        "{0}{session_id}",
        "",
        None,
        3,
        "{session_id:.8}",
        "{session_id!r:.8}",
        "{session_id!r}",
        "{session_id!s}",
        "{name:%Y}/{session_id}",
        "{end:{x}}/{session_id}",
        "{end:{name}}/{session_id}",
        "{name:>999999999}/{session_id}",
        "{session_id:>999999999}/{session_id}",
        "{end:%999999999Y}/{session_id}",
        "{session_id}" + "x" * 300,
        "{name}-{name}-{space_name}/{session_id}",
        "a\0b/{session_id}",
        "\ud800/{session_id}",
        "..\\{session_id}",
        "%2e%2e/{session_id}",
        ".. /{session_id}",
        "C:/{session_id}",
        "s3://bucket/{session_id}",
        "{session_id}\n",
        "5b5f1a2c-3d4e-4f5a-8b9c-0d1e2f3a4b5c",
    ],
)
def test_a_path_template_that_could_lose_or_leak_something_is_refused(template):
    with pytest.raises(LessonspaceInputError, match=r"path_template=.*session_id"):
        archive.check_path_template(template)


def test_a_year_inside_of_braces_is_refused_for_that_reason_and_taken_outside_of_them():
    with pytest.raises(LessonspaceInputError, match="no number of four digits inside of braces"):
        archive.check_path_template("{end:2026/%m}/{session_id}")
    template = archive.check_path_template("2026/{end:%m}/{session_id}")
    assert archive.transcript_path(a_session(), template) == f"2026/11/{UUID}"


def test_dots_in_a_template_do_not_lead_out_either():
    template = archive.check_path_template("../{start:%Y}//./{session_id}")
    assert archive.transcript_path(a_session(), template) == f"2026/{UUID}"


def test_a_file_is_verified_by_its_size_and_hash():
    file = {"format": "txt", "path": "a/b.txt", "size": 5, "sha256": hashlib.sha256(b"hello").hexdigest()}
    assert archive.is_described(b"hello", file)
    assert not archive.is_described(b"hellO", file)


def test_an_entry_keeps_roles_and_no_names_of_people():
    entry = an_entry(profiles=[{"user": 1, "name": "Ann", "email": "a@b.c", "role": "teacher"}, {"user": 2}])
    assert entry["roles"] == {"1": "teacher"}
    assert entry["participants"] == 2
    assert "Ann" not in str(entry)


def test_the_manifest_counts_every_status_and_orders_by_end():
    late = archive.archived(an_entry(), [], segments=3, redacted=False)
    early = archive.not_there(an_entry(end="2026-11-22T10:00:00Z", uuid="1" * 8), now=END, give_up_after=WEEK)
    account = archive.manifest(START, END, [late, early])
    assert account["counts"] == {"archived": 1, "not_eligible": 0, "pending": 1, "given_up": 0, "failed": 0}
    assert [entry["session_id"] for entry in account["sessions"]] == ["1" * 8, UUID]
    assert account["window_start"] == "2026-11-22T02:00:00Z"


def test_a_pending_transcript_is_looked_for_at_growing_intervals_until_it_is_given_up():
    entry, now, waits = an_entry(end="2026-11-23T00:00:00Z"), END, []
    while (entry := archive.not_there(entry, now=now, give_up_after=WEEK))["status"] == "pending":
        assert not archive.is_due(entry, now)
        next_look = datetime.fromisoformat(entry["next_look"].replace("Z", "+00:00"))
        assert archive.is_due(entry, next_look)
        waits.append(next_look - now)
        now = next_look
    assert waits[:3] == [timedelta(minutes=5), timedelta(minutes=10), timedelta(minutes=20)]
    assert max(waits) == timedelta(hours=12)
    assert now == datetime(2026, 11, 30, tzinfo=timezone.utc)
    assert entry["status"] == "given_up"
    assert entry["tries"] == len(waits) + 1
    assert "7 days" in entry["reason"]


def test_a_look_that_failed_leaves_a_transcript_pending_and_due_at_once():
    failed = archive.settled(an_entry(), "failed", reason="503")
    entry = archive.still_pending(failed, now=END, give_up_after=WEEK)
    assert (entry["status"], entry["tries"]) == ("pending", 1)
    assert "503" in entry["reason"]
    assert archive.is_due(entry, END)


def test_a_time_that_can_not_be_read_stays_in_the_entry_for_whoever_looks_into_it():
    assert archive.new_entry(a_session(end="soon"), "x")["end_time"] == "soon"


def test_how_far_an_archive_is_is_said_with_the_rate_and_the_time_left():
    done = [archive.settled(an_entry(), "failed"), archive.settled(an_entry(), "archived")]
    assert archive.progress(done, 10, 4.0) == (
        "2 of 10 sessions done: 0 pending, 1 failed; 0.5 a second, about 16 s left"
    )
    assert "not known yet" in archive.progress([], 10, 4.0)
