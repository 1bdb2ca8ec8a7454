# SPDX-License-Identifier: Apache-2.0
"""The tables that runs of the archive leave on a local disk."""

from __future__ import annotations

import io
import json
from datetime import timedelta

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lessonspace_provider.archive.entry import by_session
from lessonspace_provider.archive.manifest_store import ManifestStore
from lessonspace_provider.archive.tables import store as archive_tables
from lessonspace_provider.archive.tables.columns import TABLES
from lessonspace_provider.archive.tables.parquet import TableMetadata, arrow_schema
from lessonspace_provider.archive.tables.store import ArchiveTables
from lessonspace_provider.archive.windows import Window, manifest_name
from lessonspace_provider.exceptions import LessonspaceDestinationError, LessonspaceServerError
from tests.tables import all_rows, rows_of, table_files
from tests.unit.archive.kit import END, NOT_READY, NOW, START, a_session, archive_late, entries_of, good, tree

DAY = timedelta(days=1)
TODAY = "2026-11-23"
ANN, BEN = {"id": 1, "name": "Ann"}, {"id": 2, "name": "Ben"}


def said(start, end, user=ANN, text="one two", **more):
    return {"start_time": start, "end_time": end, "user": user, "breakout_id": "main", "text": text, **more}


@pytest.fixture
def archive(archiver, tmp_path):
    """Run the window of the kit with tables; give what was done and the archive's files."""

    def run(*sessions, **more):
        archiving = archiver(**{"tables": True, **more})
        window = archiving.archive_window(sessions, START, END)
        archiving.problems = archiving.update_earlier(START, window.elsewhere)[1]
        return archiving, window, tree(tmp_path)

    return run


def test_each_session_of_the_manifest_has_a_row(archive, source):
    source.outcomes = {
        good(1): [said(0, 10), said(5, 8, BEN, "three more words"), said(20, 30, text="")],
        good(2): NOT_READY,
        good(3): [],
    }
    sessions = (
        a_session(1, space={"id": "room", "name": "Room 7"}, billable_seconds=7200, tags='{"subject": "maths"}'),
        a_session(2),
        a_session(3, start_time="soon"),
        a_session(4, profiles=[{"user": 1, "role": "teacher"}]),
    )
    _, window, files = archive(*sessions)
    rows = {row["session_id"]: row for row in rows_of(files, "sessions")}
    assert {key: (row["status"], row["reason"]) for key, row in rows.items()} == {
        entry.session_id: (entry.status, entry.reason) for entry in entries_of(window)
    }
    assert {row["day"] for row in rows.values()} == {TODAY}
    first = rows[good(1)]
    assert first | {"day": "", "window": ""} == {
        "session_id": good(1),
        "space_id": "room",
        "space_name": "Room 7",
        "name": "Lesson 1",
        "start_time": NOW - timedelta(hours=3),
        "end_time": NOW - timedelta(hours=2),
        "duration_seconds": 3600.0,
        "billable_seconds": 7200,
        "participants": 2,
        "status": "archived",
        "reason": None,
        "tags": '{"subject": "maths"}',
        "summary": None,
        "redacted": False,
        "segments": 3,
        "talk_seconds": 23.0,
        "talk_seconds_teacher": 20.0,
        "talk_seconds_student": 3.0,
        "talk_seconds_admin": 0.0,
        "talk_seconds_unknown": 0.0,
        "silence_seconds": 3580.0,
        "longest_turn_seconds": 10.0,
        "turns": 3,
        "words": 5,
        "words_teacher": 2,
        "words_student": 3,
        "words_admin": 0,
        "words_unknown": 0,
        "day": "",
        "window": "",
    }
    assert [rows[good(number)]["talk_seconds"] for number in (2, 4)] == [None, None]
    assert rows[good(3)]["start_time"] is rows[good(3)]["duration_seconds"] is None


def test_segments_and_people_have_a_row_each(archive, source):
    source.outcomes[good(1)] = [said(0, 10), said(5, 8, BEN), said(9, 9.5, None, "who?", breakout_id="b")]
    profiles = [{"user": 1, "role": "teacher"}, {"user": 2, "role": "student"}, {"user": 3, "role": "Student"}]
    _, _, files = archive(a_session(1, profiles=profiles))
    assert [tuple(row.values())[1:-2] for row in rows_of(files, "segments")] == [
        (0, 0.0, 10.0, 1, "teacher", "Ann", "main", "one two"),
        (1, 5.0, 8.0, 2, "student", "Ben", "main", "one two"),
        (2, 9.0, 9.5, None, None, None, "b", "who?"),
    ]
    assert [tuple(row.values())[1:-2] for row in rows_of(files, "people")] == [
        (1, "teacher", "Ann", 10.0, 2),
        (2, "student", "Ben", 3.0, 2),
        (None, None, None, 0.5, 1),
        (3, "student", None, 0.0, 0),
    ]


def test_people_of_a_session_without_a_transcript_have_no_talk_time(archive, source):
    source.outcomes[good(1)] = NOT_READY
    _, _, files = archive(a_session(1))
    assert [(row["user_id"], row["talk_seconds"], row["words"]) for row in rows_of(files, "people")] == [
        (1, None, None),
        (2, None, None),
    ]


def test_a_redacted_archive_has_labels_and_no_names_in_its_tables(archive, source):
    source.outcomes[good(1)] = [said(0, 10), said(5, 8, BEN, breakout_id="Ben's room")]
    _, _, files = archive(a_session(1), redact_speakers=True)
    rows = all_rows(files)
    assert [row["speaker"] for row in rows["segments"]] == ["Teacher", "Student 1"]
    assert {row["name"] for row in rows["people"]} == {None}
    assert rows["sessions"][0]["redacted"]
    assert not any(b"Ben" in data for path, data in files.items() if path.startswith("tables/"))


def test_a_summary_is_in_the_row_of_its_session(archive, tmp_path):
    _, _, files = archive(a_session(1, summary="Fractions.\nHalves."), a_session(2), summaries=True)
    assert [row["summary"] for row in rows_of(files, "sessions")] == ["Fractions.\nHalves.", None]


def test_every_night_has_the_same_schema(archive, source):
    source.outcomes[good(1)] = NOT_READY
    _, _, files = archive(a_session(1, name=None, start_time=None))
    for table, columns in TABLES.items():
        (data,) = table_files(files, table).values()
        schema = pq.read_schema(io.BytesIO(data))
        assert schema.names == [column.name for column in columns]
        assert schema.equals(arrow_schema(table))
        assert schema.metadata[b"lessonspace.schema_version"] == b"1"
        assert [field.nullable for field in schema] == [bool(column.null) for column in columns]
        assert schema.field("session_id").type == pa.string()
    assert pq.read_schema(io.BytesIO(table_files(files, "sessions").popitem()[1])).field("start_time").type == (
        pa.timestamp("us", tz="UTC")
    )


NIGHTMARES = {
    "null bytes": said(0, 1, text="a\0b"),
    "lone surrogates": said(0, 1, {"id": 1, "name": "A\ud800"}, "a \udfff", breakout_id="\ud800"),
    "10^9 seconds": said(0, 1e9),
    "10^400 seconds": said(0, 10**400),
    "negative": said(-5, 5),
    "not a number": said(float("nan"), float("inf")),
    "no user": {"start_time": 0, "end_time": 1, "text": "hi"},
    "no object": {},
    "a user of lists": said(0, 1, []),
    "a long id": said(0, 1, {"id": 2**64, "name": "x"}),
    "no text": said(0, 1, text=["x"]),
    "times as text": said("0", "1"),
    "true": said(True, False),
}


@pytest.mark.parametrize("segment", NIGHTMARES.values(), ids=NIGHTMARES)
def test_odd_segments_have_a_row_that_is_null_or_clipped(archive, source, segment):
    source.outcomes[good(1)] = [segment, said(10, 12)]
    _, window, files = archive(a_session(1), a_session(2))
    rows = all_rows(files)
    assert window.manifest.counts["archived"] == len(rows["sessions"]) == 2
    odd, right = [row for row in rows["segments"] if row["session_id"] == good(1)]
    assert (right["start_time"], right["end_time"]) == (10.0, 12.0)
    assert all(odd[name] is None or 0 <= odd[name] <= 86_400 for name in ("start_time", "end_time"))
    row = rows["sessions"][0]
    assert (row["segments"], row["turns"] > 0) == (2, True)
    assert 2.0 <= row["talk_seconds"] <= 7.0
    people = [person for person in rows["people"] if person["session_id"] == good(1)]
    assert row["talk_seconds"] == sum(person["talk_seconds"] for person in people)
    assert "\0" not in odd["text"]


def test_odd_sessions_are_not_lost(archive):
    odd = a_session(1, name="\ud800\0", space={"id": 5, "name": ["x"]}, tags="[[[]]]", billable_seconds=10**400)
    _, window, files = archive(odd, a_session(2, end_time="soon"), a_session(4, uuid=None), a_session(3, profiles=None))
    rows = rows_of(files, "sessions")
    assert {row["session_id"] for row in rows} == window.manifest.entries.keys()
    assert len(rows) == 4
    assert {row["day"] for row in rows if row["end_time"] is None} == {START.date().isoformat()}


def test_large_transcripts_become_several_row_groups(archive, source, monkeypatch):
    monkeypatch.setattr("lessonspace_provider.archive.tables.parquet.MOST_ROWS", 10)
    monkeypatch.setattr("lessonspace_provider.archive.tables.sources._LARGEST_PARSED", 100)
    source.outcomes[good(1)] = [said(number, number + 1, text=f"{number} é") for number in range(35)]
    _, _, files = archive(a_session(1))
    (data,) = table_files(files, "segments").values()
    assert pq.ParquetFile(io.BytesIO(data)).num_row_groups == 4
    assert [row["text"] for row in rows_of(files, "segments")] == [f"{number} é" for number in range(35)]
    assert rows_of(files, "sessions")[0]["talk_seconds"] == 35.0


def test_jsonl_does_as_well_as_json(archive, tmp_path):
    rows = {}
    for format_name in ("json", "jsonl"):
        _, _, files = archive(a_session(1), formats=[format_name])
        rows[format_name] = all_rows(files)
    assert rows["json"] == rows["jsonl"]


# What changes, and what is reported


def test_a_run_reports_its_days_and_so_does_a_retry(archive):
    early = a_session(2, end_time=(START + timedelta(minutes=1)).isoformat())
    for _ in range(2):
        archiving, _, _ = archive(a_session(1), early)
        assert [day.isoformat() for day in archiving.table_days] == ["2026-11-22", TODAY]


def test_a_retry_writes_no_file_again(archive, tmp_path):
    archive(a_session(1))

    def stamps():
        return {path: path.stat().st_mtime_ns for path in tmp_path.glob("tables/**/*.parquet")}

    before = stamps()
    assert len(before) == 3
    archive(a_session(1))
    assert stamps() == before


def late_run(archiver, **more):
    archiving = archiver(END + timedelta(hours=2), **{"tables": True, **more})
    done = archive_late(archiving, [])
    return archiving, done


def test_a_late_transcript_changes_its_own_day(archiver, archive, source, tmp_path):
    source.outcomes[good(2)] = NOT_READY
    early = a_session(1, end_time=(START + timedelta(minutes=1)).isoformat())
    _, _, before = archive(early, a_session(2))
    archiving, _ = late_run(archiver)
    assert archiving.table_days == []
    assert {path: data for path, data in tree(tmp_path).items() if path in before and "tables/" in path} == {
        path: data for path, data in before.items() if "tables/" in path
    }
    del source.outcomes[good(2)]
    for _ in range(2):  # a retry reports it, too
        archiving = archiver(END + DAY, tables=True)
        archive_late(archiving, [])
        assert [day.isoformat() for day in archiving.table_days] == [TODAY]
    after = tree(tmp_path)
    assert {path.split("/")[2] for path in before if "tables/" in path and after[path] != before[path]} == {
        f"day={TODAY}"
    }
    assert rows_of(after, "sessions")[1]["talk_seconds"] == 1.0
    next_run = archiver(END + 2 * DAY, tables=True)
    next_run.update_earlier(END + DAY)
    assert next_run.table_days == []


def test_a_session_whose_end_moved_leaves_its_day(archive, source):
    source.outcomes[good(1)] = LessonspaceServerError("503")
    archive(a_session(1))
    del source.outcomes[good(1)]
    moved = a_session(1, end_time=(START + timedelta(minutes=5)).isoformat(), start_time=None)
    archiving, _, files = archive(moved)
    assert [row["day"] for row in rows_of(files, "sessions")] == ["2026-11-22"]
    assert [day.isoformat() for day in archiving.table_days] == ["2026-11-22", TODAY]
    archiving, _, _ = archive(moved)
    assert [day.isoformat() for day in archiving.table_days] == ["2026-11-22", TODAY]


# Healing


class KilledError(BaseException):
    pass


def kill_at_write(monkeypatch, number):
    """Let the n-th write of a table's file end the run."""
    left, write = iter(range(number)), archive_tables.write_whole

    def killed(path, data):
        if next(left, None) is None:
            raise KilledError
        write(path, data)

    monkeypatch.setattr(archive_tables, "write_whole", killed)


@pytest.mark.parametrize("number", range(6))
def test_a_killed_run_is_completed_by_the_run_of_another_window(archiver, archive, tmp_path, number):
    early = a_session(2, end_time=(START + timedelta(minutes=1)).isoformat())
    with pytest.MonkeyPatch.context() as patch:
        kill_at_write(patch, number)
        with pytest.raises(KilledError):
            archive(a_session(1), early)
    archiving, (windows, problems) = late_run(archiver)
    assert (windows, problems) == ([], [])
    missing = ["2026-11-22", TODAY] if number < 3 else [TODAY]
    assert [day.isoformat() for day in archiving.table_days] == missing
    healed = all_rows(tree(tmp_path))
    assert [row["session_id"] for row in healed["sessions"]] == [good(2), good(1)]
    assert [len(rows) for rows in healed.values()] == [2, 2, 4]
    assert not (tmp_path / "manifest_index.json").exists()
    archiver(END + DAY, tables=True).update_earlier(END + DAY)
    assert manifest_name(Window(START, END)) in (tmp_path / "manifest_index.json").read_text()


def test_tables_that_can_not_be_written_are_reported_and_tried_again(archiver, archive, tmp_path, monkeypatch):
    with pytest.MonkeyPatch.context() as patch:

        def refuse(*_):
            raise LessonspaceDestinationError("full")

        patch.setattr(archive_tables, "write_whole", refuse)
        archiving, window, _ = archive(a_session(1))
        assert window.manifest.counts["archived"] == 1
        assert archiving.problems == [f"tables of {manifest_name(Window(START, END))}: full"]
        archiver(END + DAY, tables=True).update_earlier(END)
    assert not (tmp_path / "manifest_index.json").exists()
    archiver(END + DAY, tables=True).update_earlier(END)
    assert len(rows_of(tree(tmp_path), "sessions")) == 1


def test_a_file_that_someone_removed_is_written_again(archiver, archive, source, tmp_path):
    source.outcomes[good(2)] = NOT_READY
    _, _, before = archive(a_session(1), a_session(2))
    (tmp_path / table_files(before, "people").popitem()[0]).unlink()
    late_run(archiver)
    assert all_rows(tree(tmp_path)) == all_rows(before)


def test_a_manifest_that_changes_meanwhile_is_written_again(archive, archiver, source, tmp_path, monkeypatch):
    source.outcomes[good(1)] = NOT_READY
    archiving, window, _ = archive(a_session(1))
    manifests, write = ManifestStore(archiving._layout.destination, dry_run=False), archive_tables.write_whole
    (entry,) = entries_of(window)

    def write_and_erase(path, data):
        write(path, data)
        if "sessions" in path.path and manifests.read(window.manifest.name).entries[good(1)].status != "erased":
            manifests.update(window.manifest, by_session([entry.erased("on request")]))

    monkeypatch.setattr(archive_tables, "write_whole", write_and_erase)
    (tmp_path / table_files(tree(tmp_path), "people").popitem()[0]).unlink()
    assert len(ArchiveTables(archiving._layout.destination, manifests).update(window.manifest)) == 1
    (row,) = rows_of(tree(tmp_path), "sessions")
    assert (row["status"], row["name"]) == ("erased", None)


def test_a_transcript_that_can_not_be_read_is_named_and_its_row_is_null(archive, archiver, source, log, tmp_path):
    source.outcomes[good(2)] = NOT_READY
    _, _, files = archive(a_session(1), a_session(2))
    (path,) = tmp_path.glob(f"**/{good(1)}.json")
    path.write_bytes(b"{}")
    (tmp_path / table_files(files, "sessions").popitem()[0]).unlink()
    late_run(archiver)
    row = rows_of(tree(tmp_path), "sessions")[0]
    assert (row["status"], row["segments"], row["talk_seconds"]) == ("archived", None, None)
    (warning,) = [line for line in log.warnings if good(1) in line]
    assert "is missing or damaged" in warning
    archive(a_session(1), a_session(2))  # the run of its window restores the file, and the row
    assert rows_of(tree(tmp_path), "sessions")[0]["segments"] == 1


def test_no_table_is_written_unless_wanted(archive, archiver, tmp_path):
    archive(a_session(1), tables=False)
    archive(a_session(1), dry_run=True)
    assert not (tmp_path / "tables").exists()


def test_metadata_of_what_is_no_file_of_ours_is_none(tmp_path):
    foreign = io.BytesIO()
    pq.write_table(pa.table({"a": [1]}), foreign)
    assert [TableMetadata.of(data) for data in (None, b"", b"PAR1", foreign.getvalue())] == [None] * 4


def test_rows_of_segments_agree_with_the_files(archive, source):
    source.outcomes[good(1)] = [said(0, 10, text="é \U0001f389"), said(5, 8, BEN)]
    _, _, files = archive(a_session(1))
    (stored,) = (json.loads(data) for path, data in files.items() if path.endswith(f"{good(1)}.json"))
    assert [row["text"] for row in rows_of(files, "segments")] == [segment["text"] for segment in stored]
