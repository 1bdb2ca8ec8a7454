# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone

import pytest

from lessonspace_provider.archive.entry import Entry
from lessonspace_provider.archive.erasure.people import ErasedPeople, marks_of_id, marks_of_name
from lessonspace_provider.archive.erasure.tombstones import Request, Tombstones, redacted_entry
from lessonspace_provider.archive.manifest import Manifest
from lessonspace_provider.archive.windows import Window
from tests.unit.archive.kit import a_session

KEY = b"k" * 32
NOW = datetime(2026, 11, 23, 3, tzinfo=timezone.utc)


def people(mode="redact"):
    marks = [*marks_of_id(KEY, 48151), *marks_of_name(KEY, "Ben Okafor")]
    return ErasedPeople(KEY, [f"{mode}:{mark}" for mark in marks])


def an_entry(number=1, **fields):
    profiles = [{"user": 1, "role": "teacher"}, {"user": 48151, "role": "student"}]
    session = a_session(number, **{"name": "Ben Okafor: maths", "profiles": profiles, **fields})
    return Entry.of(session, f"2026/{session['uuid']}")


def test_tombstones_are_read_as_they_were_written():
    request = Request(NOW, people().marks, for_future=True, sessions={"a": True})
    there = Tombstones(KEY).with_request(request)
    assert Tombstones.from_json(there.to_json(), KEY) == there
    assert Tombstones.from_json(None, KEY) == Tombstones(KEY)
    assert there.people().mode_of_id(48151) == "redact"


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"version": 2}, "another version"),
        ({"key_digest": "0"}, "another key"),
        ({"requests": None}, "no requests"),
        ({"requests": [None]}, "not an object"),
        ({"requests": [{"time": "x"}]}, "lacks its time"),
        ({"requests": [{"time": "2026-11-23T03:00:00Z", "for_future": True, "done": True, "marks": ["Ben"]}]}, "marks"),
    ],
)
def test_tombstones_that_cannot_be_honoured_are_refused(change, why):
    data = json.dumps({**json.loads(Tombstones(KEY).to_json()), **change}).encode()
    with pytest.raises(ValueError, match=why):
        Tombstones.from_json(data, KEY)


def test_a_request_that_is_done_loses_its_sessions_and_then_itself():
    old = Request(NOW - timedelta(days=8), people().marks, is_done=True, sessions={"a": True})
    lasting = Request(NOW - timedelta(days=9), people().marks, for_future=True, is_done=True, sessions={"b": True})
    interrupted = Request(NOW - timedelta(days=10), people().marks, sessions={"c": True})
    there = Tombstones(KEY, (interrupted, lasting, old)).with_request(Request(NOW, ()))
    assert [request.time for request in there.requests] == [interrupted.time, lasting.time, NOW]
    assert [request.sessions for request in there.requests] == [{"c": True}, {}, {}]
    assert there.open_marks == [*people().marks]


def test_an_entry_loses_a_person_and_keeps_their_marks():
    entry = redacted_entry(an_entry(), people())
    assert (entry.roles, entry.name) == ({"1": "teacher"}, "[erased]: maths")
    assert entry.erased_people == sorted(people().marks)
    assert "48151" not in json.dumps(entry.to_json())
    assert redacted_entry(entry, people()) == entry


def test_an_entry_of_other_people_has_marks_only_while_its_transcript_may_come():
    entry = an_entry(name="Maths", profiles=[])
    assert redacted_entry(entry, people()).erased_people == sorted(people().marks)
    archived = entry.archived([], segments=1, redacted=False)
    assert redacted_entry(archived, people()) == archived


def test_an_entry_in_which_a_deleted_person_took_part_is_erased_and_has_no_people():
    entry = redacted_entry(an_entry(), people("delete"))
    assert (entry.status, entry.roles, entry.name) == ("erased", {}, None)


def manifest(*entries):
    start = NOW - timedelta(days=1)
    return Manifest(Window(start, NOW)).with_entries({entry.session_id: entry for entry in entries})


def test_a_run_that_archived_meanwhile_does_not_undo_an_erasure():
    seen, erased = an_entry(), an_entry().erased("erased on request")
    archived = seen.archived([], segments=1, redacted=False)
    merged = manifest(erased).merged({erased.session_id: archived}, manifest(seen))
    assert merged.entries[erased.session_id] == erased


def test_a_run_that_archived_meanwhile_does_not_bring_people_back():
    seen, redacted = an_entry(), redacted_entry(an_entry(), people())
    archived = seen.archived([], segments=1, redacted=False)
    merged = manifest(redacted).merged({seen.session_id: archived}, manifest(seen)).entries[seen.session_id]
    assert (merged.status, merged.segments) == ("archived", 1)
    assert (merged.roles, merged.name, merged.erased_people) == (redacted.roles, redacted.name, redacted.erased_people)


def test_an_erasure_counts_though_another_run_archived_meanwhile():
    seen = an_entry()
    archived, erased = seen.archived([], segments=1, redacted=False), seen.erased("erased on request")
    assert manifest(archived).merged({seen.session_id: erased}, manifest(seen)).entries[seen.session_id] == erased


def test_a_manifest_of_a_newer_version_is_refused():
    data = json.dumps({**json.loads(manifest().to_json()), "version": 2}).encode()
    with pytest.raises(ValueError, match="newer version"):
        Manifest.from_json(data, manifest().name)
