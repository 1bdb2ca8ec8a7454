# SPDX-License-Identifier: Apache-2.0
"""Odd sessions of a server, and changed manifests: they stop no other session and no path leads out."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from airflow.sdk import ObjectStoragePath

from lessonspace_provider.exceptions import LessonspaceError
from tests.unit.archive.kit import END, ENDED, NOT_READY, NOW, START, a_session, entries_of, good, statuses, tree

DAY = timedelta(days=1)
NESTED = []
for _ in range(10_000):
    NESTED = [NESTED]

ODD = [
    None,
    7,
    "session",
    [],
    {},
    {"uuid": good(2)},
    {"uuid": good(2), "end_time": "10:"},
    {"uuid": good(2), "end_time": {"at": [1]}},
    {"uuid": good(2), "end_time": "9" * 10_000},
    {"uuid": {"uuid": good(2)}, "end_time": ENDED.isoformat()},
    {"uuid": "{{ conn.smtp_default.password }}", "end_time": ENDED.isoformat()},
    a_session(2, id=10**5000),
    a_session(2, id=float("nan"), name=float("inf")),
    a_session(2, name="\ud800" * 1000),
    a_session(2, name="n" * 10**6, space={"name": "s" * 10**6, "id": 10**5000}),
    a_session(2, space=[NESTED]),
    a_session(2, profiles=[{"user": index, "role": "\ud800"} for index in range(20_000)]),
    a_session(2, profiles=NESTED, guests=NESTED),
    a_session(2, profiles=[{"user": 10**5000, "role": "teacher"}]),
    a_session(2, start_time=NESTED),
    a_session(2, record_av=NESTED, tags=NESTED),
]


@pytest.mark.parametrize("odd", ODD, ids=range(len(ODD)))
@pytest.mark.parametrize(
    "template", ["{end:%Y}/{session_id}", "{name}/{space_id}/{space_name}/{start:%H}/{session_id}"]
)
def test_an_odd_session_stops_no_other_and_is_not_lost(archiver, tmp_path, odd, template):
    run = archiver(path_template=template)
    window = run.archive_window([a_session(1), odd, a_session(3)], START, END)
    found = statuses(window)
    assert (found.pop(good(1)), found.pop(good(3))) == ("archived", "archived")
    is_running = isinstance(odd, dict) and odd.get("end_time") is None
    assert len(found) == (0 if is_running else 1)
    assert all(entry.reason for entry in window.failed)
    assert run.update_earlier(START, window.elsewhere) == ([], [])
    assert window.path.read_bytes() == window.manifest.to_json()
    again = archiver(path_template=template).archive_window([a_session(1), odd, a_session(3)], START, END)
    assert statuses(again) == statuses(window)


def test_of_sessions_without_an_id_each_is_named(archiver):
    window = archiver().archive_window([a_session(number, uuid=None, id=None) for number in range(5)], START, END)
    assert len(window.failed) == 5
    assert len({entry.session_id for entry in window.failed}) == 5


def changed(window, **fields):
    """Change the first entry of a manifest behind the archive's back."""
    account = json.loads(window.path.read_bytes())
    account["sessions"][0].update(fields)
    window.path.write_text(json.dumps(account))


EVIL = [
    {"path": f"../EVIL/{good(1)}"},
    {"path": f"/tmp/EVIL/{good(1)}"},
    {"path": "../EVIL"},
    {"path": "manifests/20261121T020000Z_20261122T020000Z"},
    {"path": f"s3://evil/{good(1)}"},
    {"path": f"memory://evil/{good(1)}"},
    {"status": "please_delete"},
    {"tries": 10**100},
    {"tries": "1e999"},
    {"files": [{"format": "txt", "path": "../../etc/passwd", "size": 1, "sha256": "0" * 64}]},
    {"next_look": "9999-99-99"},
    {"roles": {"1": ["teacher"]}},
    {"session_id": "../EVIL"},
]


@pytest.mark.parametrize("fields", EVIL, ids=[str(fields)[:40] for fields in EVIL])
def test_a_manifest_that_was_changed_is_reported_by_name_and_leads_nowhere(archiver, source, tmp_path, fields):
    destination = {"destination": ObjectStoragePath(f"file://{tmp_path}/archive")}
    source.outcomes[good(1)] = NOT_READY
    window = archiver(**destination).archive_window([a_session(1)], START, END)
    changed(window, **fields)
    before = window.path.read_bytes()
    source.outcomes = {}
    source.asked.clear()
    night = archiver(NOW + DAY, **destination)
    later = night.archive_window([a_session(2, end_time=END.isoformat())], END, END + DAY)
    earlier, (problem,) = night.update_earlier(END, later.elsewhere)
    assert (statuses(later), earlier) == ({good(2): "archived"}, [])
    assert problem.startswith(window.path.name)
    assert len(problem) < 1000
    assert source.asked == [good(2)]
    assert window.path.read_bytes() == before
    assert {path.name for path in tmp_path.iterdir()} == {"archive"}
    assert not [path for path in tree(tmp_path) if "EVIL" in path]
    with pytest.raises(LessonspaceError, match=window.path.name):
        archiver(**destination).archive_window([a_session(1)], START, END)


@pytest.mark.parametrize("extra", [{"added": True}, {"added": {"deeply": [1]}}])
def test_fields_added_to_a_manifest_are_kept(archiver, source, extra):
    source.outcomes[good(1)] = NOT_READY
    window = archiver().archive_window([a_session(1)], START, END)
    changed(window, **extra)
    source.outcomes = {}
    ((earlier,), problems) = archiver(NOW + DAY).update_earlier(END)
    assert (statuses(earlier), problems) == ({good(1): "archived"}, [])
    assert entries_of(earlier)[0].added == extra


def test_an_open_entry_without_a_path_is_never_written(archiver, source, tmp_path):
    source.outcomes[good(1)] = NOT_READY
    window = archiver().archive_window([a_session(1)], START, END)
    changed(window, path="")
    source.outcomes = {}
    assert archiver(NOW + DAY).update_earlier(END) == ([], [])
    archiver(NOW + DAY).archive_window([], START, END)
    assert [path for path in tree(tmp_path) if not path.startswith("manifest")] == []


def test_an_erased_transcript_is_fetched_by_no_later_run(archiver, source, tmp_path):
    window = archiver().archive_window([a_session(1), a_session(2)], START, END)
    changed(window, status="erased", reason="erased on request", segments=None, files=[])
    for file in tmp_path.rglob(f"{good(1)}.*"):
        file.unlink()
    source.asked.clear()
    again = archiver(NOW + DAY).archive_window([a_session(1), a_session(2)], START, END)
    assert statuses(again) == {good(1): "erased", good(2): "archived"}
    moved = a_session(1, end_time=END.isoformat())
    night = archiver(NOW + DAY)
    later = night.archive_window([moved], END, END + DAY)
    assert (statuses(later), night.update_earlier(END, later.elsewhere)) == ({}, ([], []))
    assert source.asked == []
    assert not [path for path in tree(tmp_path) if good(1) in path]
