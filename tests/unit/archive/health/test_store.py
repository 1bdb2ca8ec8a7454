# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from datetime import timedelta

import pytest
from airflow.sdk import ObjectStoragePath

from lessonspace_provider.archive.health import store as health_store
from lessonspace_provider.archive.health.figures import Health, Schedule
from lessonspace_provider.archive.health.store import (
    HEALTH,
    HEALTH_PAGE,
    read_health,
    rebuild_health,
    recording_run,
    update_health,
)
from lessonspace_provider.exceptions import LessonspaceError, LessonspaceInputError
from tests.unit.archive.health_kit import a_manifest, a_run, night_window, write_manifest
from tests.unit.archive.kit import Log

NOW = night_window(5).end + timedelta(hours=1)


@pytest.fixture
def archive(tmp_path):
    return ObjectStoragePath(f"file://{tmp_path}")


def test_only_manifests_that_were_written_since_are_read(archive, tmp_path, reads):
    for number in range(6):
        write_manifest(tmp_path, a_manifest(number, archived=2, pending=number == 1))
    first = update_health(archive, now=NOW)
    assert len(reads) == 6
    assert first.counts == {"archived": 12, "pending": 1}

    reads.clear()
    assert update_health(archive, now=NOW).nights == first.nights
    assert reads == []

    write_manifest(tmp_path, a_manifest(1, archived=3))
    again = update_health(archive, now=NOW)
    assert reads == [a_manifest(1).name]
    assert again.counts == {"archived": 13}
    assert again.items == ()
    assert read_health(archive) == again


def test_an_update_is_what_a_rebuild_finds(archive, tmp_path):
    for number in range(6):
        write_manifest(tmp_path, a_manifest(number, archived=2, pending=1, failed=1))
        update_health(archive, now=NOW)
    (tmp_path / "manifests" / a_manifest(2).name).unlink()
    (tmp_path / "manifests" / a_manifest(3).name).write_bytes(b"{")
    updated, rebuilt = update_health(archive, now=NOW), rebuild_health(str(archive))
    assert updated.nights == rebuilt.nights
    assert updated.items == rebuilt.items
    assert updated.gaps == rebuilt.gaps == (("2026-11-03T02:00:00Z", "2026-11-04T02:00:00Z"),)
    assert updated.unreadable == 1
    assert rebuild_health(archive, session_names=True).items[0].name == "Algebra with Ann"
    assert b"Ann" not in (tmp_path / HEALTH).read_bytes() + (tmp_path / HEALTH_PAGE).read_bytes()


@pytest.mark.parametrize("damage", [None, b"", b"{}", b"[" * 100_000])
def test_a_lost_or_damaged_file_is_written_again(archive, tmp_path, damage):
    write_manifest(tmp_path, a_manifest(0, archived=1))
    before = update_health(archive, now=NOW)
    (tmp_path / HEALTH).unlink() if damage is None else (tmp_path / HEALTH).write_bytes(damage)
    with pytest.raises(LessonspaceError, match=r"the next run of the archive writes it|The next run"):
        read_health(archive)
    assert update_health(archive, now=NOW) == before


def test_runs_schedule_and_erasures_are_kept(archive, tmp_path):
    write_manifest(tmp_path, a_manifest(0, archived=1))
    (tmp_path / "erasures").mkdir()
    for name in ("20261102T030000Z.json", "20261101T030000Z.json", "tombstones.json", "key"):
        (tmp_path / "erasures" / name).touch()
    update_health(archive, run=a_run(0), schedule=Schedule("nightly", 86400), now=NOW)
    update_health(archive, run=a_run(1, has_failed=True), now=NOW)
    stored = read_health(archive)
    assert stored.runs == (a_run(0), a_run(1, has_failed=True))
    assert stored.schedule == Schedule("nightly", 86400)
    assert (stored.erasures, stored.last_erasure) == (2, "20261102T030000Z")
    assert rebuild_health(archive).runs == stored.runs


def test_hourly_windows_are_one_night(archive, tmp_path, reads):
    from lessonspace_provider.archive.manifest import Manifest
    from lessonspace_provider.archive.windows import Window

    start = night_window(0).start
    for hour in range(22):
        window = Window(start + hour * timedelta(hours=1), start + (hour + 1) * timedelta(hours=1))
        write_manifest(tmp_path, Manifest(window, a_manifest(0, archived=1).entries))
    health = update_health(archive, now=NOW)
    assert [(night.night, night.manifests) for night in health.nights] == [("2026-11-01", 22)]
    assert health.gaps == ()


def test_a_run_is_recorded_and_its_error_stays(archive, tmp_path):
    write_manifest(tmp_path, a_manifest(0, archived=1))
    with recording_run(archive, night_window(0), Schedule("nightly", 86400), Log()) as report:
        report.given_up = 3
    with (
        pytest.raises(LessonspaceError, match="2 sessions failed"),
        recording_run(archive, night_window(1), None, Log()),
    ):
        raise LessonspaceError("2 sessions failed")
    runs = read_health(archive).runs
    assert [(run.window_start[:10], run.has_failed, run.given_up) for run in runs] == [
        ("2026-11-01", False, 3),
        ("2026-11-02", True, 0),
    ]


def test_refused_parameters_and_kills_leave_nothing(archive, tmp_path):
    for error in (LessonspaceInputError("no"), KeyboardInterrupt()):
        with pytest.raises(type(error)), recording_run(archive, night_window(0), None, Log()):
            raise error
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("error", [OSError(28, "No space left"), ValueError("Ann")])
def test_an_update_that_fails_is_a_warning(archive, tmp_path, monkeypatch, error):
    def refuse(path, data):
        raise error

    monkeypatch.setattr(health_store, "write_whole", refuse)
    log = Log()
    with recording_run(archive, night_window(0), None, log):
        pass
    (warning,) = log.warnings
    assert warning.startswith("health.json was not updated. The archive is not affected")
    assert "Ann" not in warning


def test_a_rebuild_writes_nothing(archive, tmp_path):
    write_manifest(tmp_path, a_manifest(0, archived=1))
    rebuild_health(archive)
    assert [path.name for path in tmp_path.iterdir()] == ["manifests"]
    assert isinstance(rebuild_health(f"file://{tmp_path}"), Health)


def test_a_destination_that_is_none_is_refused():
    for value in ("relative", None, 7):
        with pytest.raises(LessonspaceInputError):
            read_health(value)
