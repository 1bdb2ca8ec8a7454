# SPDX-License-Identifier: Apache-2.0
"""What is open is checked however old it is, without reading the manifests of years each night."""

from __future__ import annotations

import json
import os
import shutil
from datetime import timedelta
from pathlib import Path

import pytest
from airflow.sdk import ObjectStoragePath

from lessonspace_provider.archive.index import INDEX, read_index
from lessonspace_provider.archive.manifest_store import ManifestStore
from lessonspace_provider.exceptions import LessonspaceServerError
from lessonspace_provider.output import files as storage
from lessonspace_provider.output.updates import update_whole
from tests.airflow_version import needs_airflow
from tests.unit.archive.kit import END, NOT_READY, NOW, START, a_session, archive_late, good, statuses, tree

DAY = timedelta(days=1)
PAUSED = 63  # days, from July to September


def night(archiver, day, sessions=(), **more):
    """Run the night of a day, counted from START, as an operator does; give its window and what was earlier."""
    run = archiver(NOW + day * DAY, **more)
    window = run.archive_window(sessions, START + day * DAY, END + day * DAY)
    return window, *run.update_earlier(START + day * DAY, window.elsewhere)


def held(number, day, **fields):
    """A session of a day."""
    times = {"start_time": START + day * DAY, "end_time": START + day * DAY + timedelta(hours=1)}
    return a_session(number, **{name: time.isoformat() for name, time in times.items()}, **fields)


def write_manifests(tmp_path, days):
    """Write a closed manifest for each of some days, as a version without an index left them."""
    for day in days:
        start, end = START + day * DAY, END + day * DAY
        name = f"{start:%Y%m%dT%H%M%SZ}_{end:%Y%m%dT%H%M%SZ}.json"
        account = {
            "window_start": f"{start:%Y-%m-%dT%H:%M:%SZ}",
            "window_end": f"{end:%Y-%m-%dT%H:%M:%SZ}",
            "counts": {},
            "sessions": [],
        }
        (tmp_path / "manifests").mkdir(exist_ok=True)
        (tmp_path / "manifests" / name).write_text(json.dumps(account))


@pytest.mark.parametrize(
    ("outcome", "before"), [(NOT_READY, "pending"), (LessonspaceServerError("503"), "failed"), (None, "not_attempted")]
)
def test_what_was_open_before_a_long_pause_is_checked_after_it(archiver, source, outcome, before):
    class Killed(BaseException):
        pass

    source.outcomes[good(1)] = outcome or Killed
    if outcome is None:
        source.open_transcript = lambda _: (_ for _ in ()).throw(Killed)
        with pytest.raises(Killed):
            night(archiver, 0, [held(1, 0)])
        del source.open_transcript
    else:
        night(archiver, 0, [held(1, 0)])
    source.outcomes = {}
    _, (earlier,), problems = night(archiver, PAUSED)
    assert (statuses(earlier), problems) == ({good(1): "archived"}, [])
    assert [entry.session_id for entry in earlier.changed] == [good(1)]


def test_what_never_came_is_given_up_after_a_long_pause(archiver, source, log):
    source.outcomes[good(1)] = NOT_READY
    night(archiver, 0, [held(1, 0)])
    _, (earlier,), _ = night(archiver, PAUSED)
    assert statuses(earlier) == {good(1): "given_up"}
    assert len(log.warnings) == 1
    assert night(archiver, PAUSED + 1)[1] == []


def test_of_three_years_of_nights_few_manifests_are_read(archiver, source, tmp_path, reads):
    write_manifests(tmp_path, range(-1100, 0))
    source.outcomes = {good(1): NOT_READY, good(2): NOT_READY}
    night(archiver, -900, [held(1, -900)])
    night(archiver, -500, [held(2, -500)])
    night(archiver, 0)
    for day in (1, 2, 3):
        reads.clear()
        night(archiver, day)
        assert len(reads) <= 8
        assert len(set(reads)) <= 5


def test_an_archive_without_an_index_is_read_once_and_has_one_then(archiver, source, tmp_path, reads):
    source.outcomes[good(1)] = NOT_READY
    night(archiver, -300, [held(1, -300)])
    write_manifests(tmp_path, range(-299, 0))
    (tmp_path / INDEX).unlink(missing_ok=True)
    source.outcomes = {}
    _, (earlier,), _ = night(archiver, 0)
    assert statuses(earlier) == {good(1): "archived"}
    assert len(set(reads)) >= 300
    reads.clear()
    night(archiver, 1)
    assert len(set(reads)) <= 4


@pytest.mark.parametrize("damage", [b"", b"{", b"null", b"[]", b'{"closed": 7}', b"\xff", b'{"closed": {"x": 7}}'])
def test_a_damaged_index_loses_nothing(archiver, source, tmp_path, damage):
    source.outcomes[good(1)] = NOT_READY
    night(archiver, 0, [held(1, 0)])
    night(archiver, 1)
    (tmp_path / INDEX).write_bytes(damage)
    source.outcomes = {}
    _, (earlier,), problems = night(archiver, PAUSED)
    assert (statuses(earlier), problems) == ({good(1): "archived"}, [])


def test_an_index_that_lists_too_much_is_not_trusted(archiver, source, tmp_path):
    source.outcomes[good(1)] = NOT_READY
    window, *_ = night(archiver, 0, [held(1, 0)])
    for mark in ("", "size=1", None, f"size={len(window.path.read_bytes())}"):
        (tmp_path / INDEX).write_text(json.dumps({"closed": {window.path.name: mark}}))
        asked = len(source.asked)
        night(archiver, PAUSED + asked)
        assert len(source.asked) == asked + 1
        window.path.write_text(window.path.read_text().replace("given_up", "pending"))


def test_a_manifest_that_was_restored_from_a_backup_is_read_again(archiver, source, tmp_path):
    source.outcomes[good(1)] = NOT_READY
    window, *_ = night(archiver, 0, [held(1, 0)])
    backup = tmp_path / "backup"
    shutil.copy2(window.path.path, backup)
    night(archiver, PAUSED)
    night(archiver, PAUSED + 1)
    night(archiver, PAUSED + 2)
    assert window.path.name in read_index((tmp_path / INDEX).read_bytes())
    shutil.copy2(backup, window.path.path)
    source.outcomes = {}
    _, (earlier,), _ = night(archiver, PAUSED + 3)
    assert statuses(earlier) == {good(1): "archived"}


def test_a_manifest_of_the_same_size_and_time_is_read_again(archiver, source, tmp_path):
    source.outcomes[good(1)] = NOT_READY
    window, *_ = night(archiver, 0, [held(1, 0)])
    is_open = window.path.read_bytes()
    night(archiver, PAUSED)
    night(archiver, PAUSED + 1)
    night(archiver, PAUSED + 2)
    closed = window.path.read_bytes()
    path = Path(window.path.path)
    times = path.stat()
    longer = max(len(is_open), len(closed))
    (tmp_path / "other").write_bytes(is_open.ljust(longer))
    window.path.write_bytes(closed.ljust(longer))
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    night(archiver, PAUSED + 3)
    (tmp_path / "other").replace(path)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    source.outcomes = {}
    _, (earlier,), _ = night(archiver, PAUSED + 4)
    assert statuses(earlier) == {good(1): "archived"}


def test_a_run_that_is_killed_before_it_writes_the_index_loses_nothing(archiver, source, monkeypatch):
    class Killed(BaseException):
        pass

    def is_killed(self, found):
        raise Killed

    source.outcomes[good(1)] = NOT_READY
    night(archiver, 0, [held(1, 0)])
    with monkeypatch.context() as killing:
        killing.setattr(ManifestStore, "add_closed", is_killed)
        with pytest.raises(Killed):
            night(archiver, 1)
    source.outcomes = {}
    _, (earlier,), _ = night(archiver, PAUSED)
    assert statuses(earlier) == {good(1): "archived"}


def test_two_runs_beside_each_other_keep_what_the_other_has_found(tmp_path):
    one, other = (ManifestStore(ObjectStoragePath(f"file://{tmp_path}"), dry_run=False) for _ in range(2))
    one.add_closed({"a.json": "size=1"})
    other.add_closed({"b.json": "size=2"})
    one.add_closed({"c.json": "size=3"})
    assert other.closed() == {"a.json": "size=1", "b.json": "size=2", "c.json": "size=3"}


def test_an_index_that_can_not_be_written_is_a_warning_and_no_failure(archiver, source, log, tmp_path, monkeypatch):
    write_manifests(tmp_path, [-1])

    def refuses(path, change):
        if path.name == INDEX:
            raise PermissionError("no new files")
        update_whole(path, change)

    monkeypatch.setattr("lessonspace_provider.archive.manifest_store.update_whole", refuses)
    assert night(archiver, 0, [held(1, 0)])[2] == []
    assert [line for line in log.warnings if "no new files" in line]


def test_a_folder_in_the_place_of_the_index_costs_a_warning_and_nothing_else(archiver, source, log, tmp_path):
    source.outcomes[good(1)] = NOT_READY
    night(archiver, 0, [held(1, 0)])
    (tmp_path / INDEX).unlink(missing_ok=True)
    (tmp_path / INDEX).mkdir()
    source.outcomes = {}
    _, (earlier,), problems = night(archiver, PAUSED)
    assert (statuses(earlier), problems) == ({good(1): "archived"}, [])
    assert [line for line in log.warnings if "index can't be read or written" in line]


def test_a_store_without_fingerprints_has_all_manifests_read(archiver, tmp_path, monkeypatch, reads):
    write_manifests(tmp_path, range(-10, 0))
    listed = storage.fingerprints_in

    def without_marks(folder):
        return dict.fromkeys(listed(folder))

    monkeypatch.setattr("lessonspace_provider.archive.manifest_store.fingerprints_in", without_marks)
    for day in (0, 1):
        reads.clear()
        night(archiver, day)
        assert len(set(reads)) >= 10


def test_a_dry_run_writes_no_index(archiver, tmp_path):
    write_manifests(tmp_path, range(-3, 0))
    before = tree(tmp_path)
    night(archiver, 0, [held(1, 0)], dry_run=True)
    assert tree(tmp_path) == before


@needs_airflow("3.2", "ObjectStoragePath of older ones reads no memory:// file")
def test_in_memory_and_on_disk_the_index_does_the_same(archiver, source, reads):
    folder = ObjectStoragePath("memory://open/transcripts")
    source.outcomes[good(1)] = NOT_READY
    night(archiver, 0, [held(1, 0)], destination=folder)
    for day in range(1, 12):
        night(archiver, day, destination=folder)
    reads.clear()
    night(archiver, 12, destination=folder)
    assert len(set(reads)) <= 4
    source.outcomes = {}
    path = next(iter((folder / "manifests").iterdir()))
    path.write_text(path.read_text().replace("given_up", "pending"))
    _, earlier, _ = night(archiver, 13, destination=folder)
    assert [statuses(window) for window in earlier] == [{good(1): "archived"}]


def test_a_later_night_closes_a_backfilled_one(archiver, source):
    night(archiver, 0)
    source.outcomes[good(1)] = LessonspaceServerError("503")
    night(archiver, -40, [held(1, -40)])
    source.outcomes = {}
    assert [statuses(window) for window in night(archiver, 1)[1]] == [{good(1): "archived"}]


def test_late_sessions_are_on_record_before_any_transcript_is_asked_for(archiver, source, tmp_path):
    class Killed(BaseException):
        pass

    archiver().archive_window([a_session(1)], START, END)
    source.open_transcript = lambda _: (_ for _ in ()).throw(Killed)
    with pytest.raises(Killed):
        archive_late(archiver(), [a_session(2), a_session(3, end_time=END.isoformat())])
    del source.open_transcript
    _, earlier, _ = night(archiver, PAUSED)
    assert [statuses(window) for window in earlier] == [
        {good(1): "archived", good(2): "archived"},
        {good(3): "archived"},
    ]


def test_a_run_knows_how_long_the_oldest_transcript_has_been_pending(archiver, source):
    source.outcomes = {good(1): NOT_READY, good(2): NOT_READY}
    for day in range(3):
        sessions = [held(day + 1, day)] if day < 2 else []
        run = archiver(NOW + day * DAY)
        window = run.archive_window(sessions, START + day * DAY, END + day * DAY)
        run.update_earlier(START + day * DAY, window.elsewhere)
        assert run.oldest_pending == NOW + day * DAY - (START + timedelta(hours=1)), (
            "the first is older than the second"
        )
    source.outcomes = {}
    run = archiver(NOW + 3 * DAY)
    run.archive_window([], START + 3 * DAY, END + 3 * DAY)
    run.update_earlier(START + 3 * DAY)
    assert run.oldest_pending == timedelta(0)
