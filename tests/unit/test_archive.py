# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import hashlib
from datetime import datetime, timedelta, timezone

import pytest

from lessonspace_provider import archive
from lessonspace_provider.exceptions import LessonspaceServerError

UUID = "5b5f1a2c-3d4e-4f5a-8b9c-0d1e2f3a4b5c"
START = datetime(2026, 11, 22, 2, tzinfo=timezone.utc)
END = datetime(2026, 11, 23, 2, tzinfo=timezone.utc)


def a_session(end="2026-11-22T23:30:00-02:00", uuid=UUID):
    return {"uuid": uuid, "name": None, "start_time": "2026-11-22T22:30:00Z", "end_time": end, "profiles": []}


def test_a_transcript_lies_under_the_utc_day_of_the_sessions_end():
    assert archive.transcript_path(a_session(), "json") == f"2026/11/23/{UUID}.json"


def test_a_session_without_an_end_has_no_place():
    with pytest.raises(LessonspaceServerError, match=UUID):
        archive.transcript_path(a_session(end=None), "json")


def test_a_manifest_is_named_by_its_window_the_same_in_every_time_zone():
    path = archive.manifest_path(START, END)
    assert path == "manifests/20261122T020000Z_20261123T020000Z.json"
    india = timezone(timedelta(hours=5, minutes=30))
    assert archive.manifest_path(START.astimezone(india), END.astimezone(india)) == path


def test_a_file_is_described_so_that_it_can_be_verified():
    assert archive.describe_file("txt", "a/b.txt", b"hello") == {
        "format": "txt",
        "path": "a/b.txt",
        "size": 5,
        "sha256": hashlib.sha256(b"hello").hexdigest(),
    }


def test_the_manifest_counts_every_status_and_orders_by_end():
    late = archive.manifest_session(a_session(), "archived", segments=3)
    early = archive.manifest_session(
        a_session("2026-11-22T10:00:00Z", uuid="1" * 8), "pending", reason="no transcript yet", pending_until=END
    )
    account = archive.manifest(START, END, [late, early])
    assert account["counts"] == {"archived": 1, "not_eligible": 0, "pending": 1, "given_up": 0, "failed": 0}
    assert [entry["session_id"] for entry in account["sessions"]] == ["1" * 8, UUID]
    assert account["sessions"][0]["pending_until"] == "2026-11-23T02:00:00Z"
    assert account["window_start"] == "2026-11-22T02:00:00Z"
