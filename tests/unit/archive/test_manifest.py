# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest

from lessonspace_provider.archive.clock import Present
from lessonspace_provider.archive.entry import Entry, by_session
from lessonspace_provider.archive.manifest import Manifest
from lessonspace_provider.archive.paths import transcript_path
from lessonspace_provider.archive.windows import Window, manifest_name

WINDOW = Window(datetime(2026, 11, 22, 2, tzinfo=timezone.utc), datetime(2026, 11, 23, 2, tzinfo=timezone.utc))
NAME = manifest_name(WINDOW)
UUID = "5b5f1a2c-3d4e-4f5a-8b9c-0d1e2f3a4b5c"
FILE = {"format": "txt", "path": f"2026/11/22/{UUID}.txt", "size": 5, "sha256": "0" * 64}

SUMMARY = {
    **FILE,
    "format": "summary",
    "path": f"2026/11/22/{UUID}.summary.txt",
    "source": "0" * 64,
    "redacted": False,
}


def an_entry(uuid=UUID, end="2026-11-22T23:30:00Z"):
    session = {"uuid": uuid, "end_time": end}
    return Entry.of(session, transcript_path(session))


def archived():
    return an_entry().archived([FILE], segments=3, redacted=False)


def stored(**fields):
    return {**archived().to_json(), **fields}


def manifest(*entries):
    return Manifest(WINDOW).with_entries(by_session(entries))


def written(*sessions, **fields):
    return json.dumps({**json.loads(manifest().to_json()), "sessions": sessions, **fields}).encode()


def test_a_manifest_counts_every_status_and_orders_by_end():
    pending = an_entry("0" * 8 + UUID[8:], "2026-11-22T10:00:00Z")
    early = pending.missing(Present.of(WINDOW.end, WINDOW.end), timedelta(days=7))
    account = json.loads(manifest(archived(), early).to_json())
    assert account["counts"] == {
        "archived": 1,
        "not_eligible": 0,
        "pending": 1,
        "given_up": 0,
        "failed": 0,
        "not_attempted": 0,
    }
    assert [entry["session_id"] for entry in account["sessions"]] == ["0" * 8 + UUID[8:], UUID]
    assert account["window_start"] == "2026-11-22T02:00:00Z"


@pytest.mark.parametrize("more", [{}, {"added": {"by": "hand"}}])
def test_a_manifest_is_written_as_it_was_read_with_whatever_was_added_to_it(more):
    account = {**json.loads(manifest(archived()).to_json()), "sessions": [stored(**more)], **more}
    read = Manifest.from_json(json.dumps(account).encode(), NAME)
    assert (read.window, read.name, read.entries[UUID].status) == (WINDOW, NAME, "archived")
    assert list(json.loads(read.to_json()).items()) == list(account.items())


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("path", "../EVIL"),
        ("path", f"../{UUID}"),
        ("path", f"/etc/{UUID}"),
        ("path", f"a//{UUID}"),
        ("path", f"a/./{UUID}"),
        ("path", f"s3://bucket/{UUID}"),
        ("path", f"file:///tmp/{UUID}"),
        ("path", f"..\\{UUID}"),
        ("path", f"%2e%2e/{UUID}"),
        ("path", f"a\0/{UUID}"),
        ("path", "manifests/20261122T020000Z_20261123T020000Z"),
        ("path", "2026/11/22/other"),
        ("path", None),
        ("path", 7),
        ("session_id", 7),
        ("session_id", ""),
        ("session_id", "../../x"),
        ("session_id", "no uuid, id 7\nforged line"),
        ("status", "done"),
        ("status", None),
        ("status", ["archived"]),
        ("id", "7"),
        ("tries", -1),
        ("tries", 10**40),
        ("tries", 1.5),
        ("tries", True),
        ("participants", None),
        ("segments", -3),
        ("redacted", None),
        ("roles", []),
        ("roles", {"7": 7}),
        ("next_look", "soon"),
        ("next_look", 7),
        ("pending_until", {}),
        ("reason", 7),
        ("name", ["x"]),
        ("end_time", 5),
        ("changed_by", 7),
        ("summary", "text"),
        ("summary", {}),
        ("summary", FILE),
        ("summary", {**SUMMARY, "path": "../../etc/passwd"}),
        ("summary", {**SUMMARY, "path": FILE["path"]}),
        ("summary", {**SUMMARY, "format": "txt"}),
        ("summary", {**SUMMARY, "source": None}),
        ("summary", {**SUMMARY, "redacted": 1}),
        ("summary", {**SUMMARY, "size": -1}),
        ("files", None),
        ("files", {}),
        ("files", [None]),
        ("files", [{"format": "txt"}]),
        ("files", [{**FILE, "path": "../../etc/passwd"}]),
        ("files", [{**FILE, "path": f"2026/11/22/{UUID}.vtt"}]),
        ("files", [{**FILE, "format": "../x", "path": f"2026/11/22/{UUID}.../x"}]),
        ("files", [{**FILE, "size": -1}]),
        ("files", [{**FILE, "size": "5"}]),
        ("files", [{**FILE, "sha256": None}]),
    ],
)
def test_an_entry_with_anything_else_than_it_may_have_is_refused_by_name(field, value):
    data = written(stored(**{field: value}))
    with pytest.raises(ValueError, match=rf"^entry 1 has {field}\b") as refused:
        Manifest.from_json(data, NAME)
    assert len(str(refused.value)) < 400


def test_the_record_of_a_summary_is_read_as_it_was_written():
    data = written(stored(summary=SUMMARY))
    (entry,) = Manifest.from_json(data, NAME).entries.values()
    assert entry.summary == SUMMARY
    assert json.loads(Manifest.from_json(data, NAME).to_json())["sessions"][0]["summary"] == SUMMARY


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"\xff", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[]", "not a JSON object"),
        (b"null", "not a JSON object"),
        (b"{}", "has no counts and no sessions and no window_end and no window_start"),
        (written(window_start="2026-11-21T02:00:00Z"), "not the one that it is named by"),
        (written(window_end=None), "not the one that it is named by"),
        (written(window_end={}), "not the one that it is named by"),
        (written(sessions=None), "sessions are not a list"),
        (written(sessions=[None]), "entry 1 is not an object"),
        (written(stored(), {"session_id": UUID}), "entry 2 has no id"),
        (written(stored(), stored()), "a session twice"),
    ],
)
def test_what_is_no_manifest_is_refused_with_the_reason(data, why):
    with pytest.raises(ValueError, match=why):
        Manifest.from_json(data, NAME)


def test_numbers_without_end_are_not_read():
    data = written(stored()).replace(b'"size": 5', b'"size": ' + b"9" * 100_000)
    with pytest.raises(ValueError, match="entry 1 has files"):
        Manifest.from_json(data, NAME)


def test_what_another_run_has_changed_meanwhile_stays_unless_this_one_has_archived_it():
    seen, failed = manifest(an_entry()), replace(an_entry(), status="failed")
    by_another = manifest(replace(an_entry(), tries=7))
    assert seen.merged({UUID: failed}, seen) == manifest(failed)
    assert manifest().merged({UUID: failed}, seen) == manifest(failed)
    assert by_another.merged({UUID: failed}, seen) == by_another
    assert by_another.merged({UUID: archived()}, seen) == manifest(archived())
    not_tried = manifest(replace(an_entry(), status="not_attempted", tries=7))
    assert not_tried.merged({UUID: failed}, seen) == manifest(failed)
