# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
from datetime import datetime, timezone

import pytest
from airflow.sdk import ObjectStoragePath

from lessonspace_provider.__main__ import main
from lessonspace_provider.archive.health.figures import Schedule
from lessonspace_provider.archive.health.store import update_health
from lessonspace_provider.archive.windows import Window, manifest_name
from tests.unit.archive.health_kit import a_manifest, a_run, night_window, write_manifest


def at(day, hour=2):
    return datetime(2026, 11, day, hour, tzinfo=timezone.utc)


@pytest.fixture
def archive(tmp_path):
    """An archive of four nights, of which those of the 22nd and 24th are missing."""
    (tmp_path / "manifests").mkdir()
    for day in (20, 21, 23, 25):
        (tmp_path / "manifests" / manifest_name(Window(at(day), at(day + 1)))).write_text("{}")
    (tmp_path / "manifests" / "notes\x1b[31m.json").write_text("not a manifest")
    return tmp_path


def run(capsys, *arguments):
    status = main([str(argument) for argument in arguments])
    return status, *capsys.readouterr()


def test_gaps_are_found_printed_as_json_and_change_the_exit_status(archive, capsys):
    status, printed, _ = run(capsys, "gaps", archive, "--output", "json")
    assert status == 1
    assert json.loads(printed) == {
        "until": "2026-11-26T02:00:00Z",
        "gaps": [
            {"start": "2026-11-22T02:00:00Z", "end": "2026-11-23T02:00:00Z", "command": None},
            {"start": "2026-11-24T02:00:00Z", "end": "2026-11-25T02:00:00Z", "command": None},
        ],
    }


def test_the_commands_that_fill_gaps_are_printed_whole_and_quoted(archive, capsys):
    status, printed, _ = run(capsys, "gaps", archive, "--dag-id", "a; b")
    assert status == 1
    commands = [line for line in printed.splitlines() if line.startswith("airflow ")]
    assert commands[0] == (
        "airflow backfill create --dag-id 'a; b' --from-date 2026-11-21T02:00:00Z "
        "--to-date 2026-11-23T01:59:59Z --reprocess-behavior failed"
    )
    assert len(commands) == 2
    assert "2026-11-22T02:00:00Z" in printed.partition("airflow")[0]


def test_what_no_run_has_archived_yet_is_a_gap_until_a_moment(archive, capsys):
    for day in (22, 24):
        (archive / "manifests" / manifest_name(Window(at(day), at(day + 1)))).write_text("{}")
    assert run(capsys, "gaps", archive)[:2] == (
        0,
        "No gaps from 2026-11-20T02:00:00Z until 2026-11-26T02:00:00Z.\n",
    )
    status, printed, _ = run(capsys, "gaps", archive, "--until", "2026-11-27T03:00:00+01:00", "-o", "json")
    assert (status, [gap["start"] for gap in json.loads(printed)["gaps"]]) == (1, ["2026-11-26T02:00:00Z"])


@pytest.mark.parametrize("destination", ["/nowhere/at/all", "transcripts", "s3://user:pass@bucket/x", "no://store"])
def test_a_destination_that_is_no_archive_is_an_error_and_not_an_archive_without_gaps(destination, capsys):
    status, printed, error = run(capsys, "gaps", destination)
    assert (status, printed) == (2, "")
    assert error
    assert "pass@" not in error


@pytest.mark.parametrize("until", ["yesterday", "2026-11-27T03:00:00", "99999-01-01T00:00:00Z"])
def test_a_time_that_can_not_be_read_is_refused(archive, capsys, until):
    with pytest.raises(SystemExit) as ended:
        main(["gaps", str(archive), "--until", until])
    assert ended.value.code == 2
    assert "no ISO 8601 time" in capsys.readouterr().err


def test_an_unexpected_error_of_a_store_shows_its_kind_only(archive, capsys, monkeypatch):
    def fail(*_):
        raise RuntimeError("https://store.example/?X-Amz-Signature=secret")

    monkeypatch.setattr("lessonspace_provider.command_line.archive.as_archive", fail)
    status, printed, error = run(capsys, "gaps", archive)
    assert (status, printed) == (2, "")
    assert "RuntimeError" in error
    assert "secret" not in error


def test_the_dag_of_the_archives_health_fills_gaps_unless_another_is_given(archive, capsys):
    update_health(ObjectStoragePath(f"file://{archive}"), run=a_run(23), schedule=Schedule("nightly", 86_400.0))
    _, printed, _ = run(capsys, "gaps", archive, "-o", "json")
    commands = [gap["command"] for gap in json.loads(printed)["gaps"]]
    assert commands
    assert all(command.startswith("airflow backfill create --dag-id nightly --from-date ") for command in commands)
    (archive / "health.json").write_text('{"schedule": {"dag_id": "x; rm -rf /", "interval": 1}}')
    _, printed, _ = run(capsys, "gaps", archive, "-o", "json")
    assert {gap["command"] for gap in json.loads(printed)["gaps"]} == {None}


@pytest.fixture
def nights(tmp_path):
    """An archive of three nights and a gap, all of it long ago."""
    write_manifest(tmp_path, a_manifest(0, archived=2))
    write_manifest(tmp_path, a_manifest(1, archived=1, pending=2))
    write_manifest(tmp_path, a_manifest(3, failed=1, not_eligible=1))
    return tmp_path


def test_the_status_of_an_archive_is_what_its_manifests_have(nights, capsys):
    status, printed, _ = run(capsys, "archive-status", nights, "--output", "json")
    found = json.loads(printed)
    assert status == 1
    assert found["counts"] == {"archived": 3, "not_eligible": 1, "pending": 2, "failed": 1}
    assert found["nights"] == ["2026-11-01", "2026-11-02", "2026-11-04"]
    assert found["gaps"] == [{"start": "2026-11-03T02:00:00Z", "end": "2026-11-04T02:00:00Z"}]
    assert [item["status"] for item in found["items"]] == ["failed", "pending", "pending"]
    assert [problem["kind"] for problem in found["problems"]] == ["failed", "gap", "pending"]
    for word in ("Ann", "Algebra"):
        assert word not in printed


def test_the_status_is_readable_by_people(nights, capsys):
    status, printed, _ = run(capsys, "archive-status", nights)
    assert status == 1
    assert printed.startswith("3 nights from 2026-11-01 to 2026-11-04\n")
    for text in ("archived", "00000000-0000-4000-8000-000003000000", "http_503"):
        assert text in printed
    assert "shorter than five minutes" in printed
    assert "No manifest accounts for 1 gap" in printed
    assert not (nights / "health.json").exists(), "it writes nothing"


def test_an_archive_in_which_all_is_well_has_status_0(tmp_path, capsys):
    for night in range(2):
        write_manifest(tmp_path, a_manifest(night, archived=2, not_eligible=1))
    status, printed, _ = run(capsys, "archive-status", tmp_path)
    assert status == 0
    assert printed.endswith("Nothing needs attention.\n")


def test_a_manifest_that_can_not_be_read_is_a_problem_and_stops_nothing(nights, capsys):
    (nights / "manifests" / manifest_name(night_window(0))).write_text("\x1b[2J not json")
    status, printed, _ = run(capsys, "archive-status", nights, "-o", "json")
    found = json.loads(printed)
    assert status == 1
    assert "unreadable" in [problem["kind"] for problem in found["problems"]]
    assert found["counts"]["archived"] == 1
