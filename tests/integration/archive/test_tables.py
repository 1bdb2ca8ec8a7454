# SPDX-License-Identifier: Apache-2.0
"""Tables agree with the manifests, on disk and on S3, whatever happens to the runs that write them."""

from __future__ import annotations

import io
import os
import random
import shutil
from collections import Counter, defaultdict
from datetime import datetime, timedelta, timezone

import duckdb
import pyarrow.parquet as pq
import pytest
import time_machine
from airflow.sdk import ObjectStoragePath

from lessonspace_provider.operators.archive import LessonspaceBuildTablesOperator
from tests.integration.archive import interruptions
from tests.integration.archive.nightly_runs import Night, Nights, archive, entries_in, windows
from tests.integration.archive.runs import END, START, run, tree
from tests.integration.archive.school_year import DAY, MINUTE, School
from tests.tables import all_rows, table_files

FIRST_NIGHT = datetime(2026, 9, 7, 2, tzinfo=timezone.utc)
SEED = int(os.environ.get("SCHOOL_YEAR_SEED", "20260907"))


def add_session(control, **more):
    return control.add_session(START - timedelta(minutes=50), START + 5 * MINUTE, transcript="ready", **more)


def disagreements(files):
    """Say where the tables of an archive do not have what its manifests have."""
    rows, problems = all_rows(files), []
    sessions = {row["session_id"]: row for row in rows["sessions"]}
    entries = {entry["session_id"]: (path, entry) for path, entry in entries_in(files)}
    if len(sessions) != len(rows["sessions"]) or sessions.keys() != entries.keys():
        problems.append(f"{len(rows['sessions'])} rows of {len(sessions)} sessions for {len(entries)} entries")
    segments = Counter(row["session_id"] for row in rows["segments"])
    talk = defaultdict(float)
    for row in rows["people"]:
        talk[row["session_id"]] += row["talk_seconds"] or 0.0
    for session_id in sessions.keys() & entries.keys():
        row, (path, entry) = sessions[session_id], entries[session_id]
        found = (row["status"], row["reason"], row["segments"], f"manifests/{row['window']}.json")
        if found != (entry["status"], entry["reason"], entry["segments"], path):
            problems.append(f"{session_id}: {found} for {entry} in {path}")
        if (segments[session_id], round(talk[session_id], 6)) != (row["segments"] or 0, row["talk_seconds"] or 0.0):
            problems.append(f"{session_id}: {segments[session_id]} segments, {talk[session_id]} s for {row}")
        if row["end_time"] is not None and row["end_time"].date().isoformat() != row["day"]:
            problems.append(f"{session_id}: it ended at {row['end_time']} and is in {row['day']}")
    return problems


@pytest.mark.parametrize("seed", [SEED])
def test_tables_agree_with_manifests_after_kills_and_faulty_answers(control, destination, monkeypatch, seed):
    interruptions.install(monkeypatch)
    monkeypatch.setattr(os, "fsync", lambda _: None)  # runs are killed, but no machine loses its power
    control.reset(now=FIRST_NIGHT, speed=0.0, days=0, sessions_per_day=0, page_size=4)
    chance = random.Random(seed)
    school = School(control, chance)
    nights = Nights(school, control, destination, random.Random(seed), tables=True)
    complete = 0
    for number, window in enumerate(windows(FIRST_NIGHT, FIRST_NIGHT + 18 * DAY)):
        kinds = [kind for kind in school.kinds if not kind.startswith("deleted")]
        for _ in range(3 if number < 10 else 0):
            school.hold(window[0].date(), chance.choice(kinds))
        night = Night(may_fail=True, faulty=number in (3, 4))
        if number < 14 and not night.faulty:
            night.trouble = chance.choice(("kill", "kill", "kill", "disk", "sigkill"))
        nights.run(window, window[1] + 5 * MINUTE, night)
        if nights.is_complete:
            complete += 1
            assert disagreements(tree(destination)) == [], f"after night {number}"
    assert complete >= 6
    assert nights.interrupted >= 8
    files = tree(destination)
    assert disagreements(files) == []
    assert len(all_rows(files)["segments"]) >= 10
    check_rebuilt(destination, files)


def check_rebuilt(destination, files):
    """Building the tables again from the archive gives the same rows, and changes no file that is right."""
    asked = LessonspaceBuildTablesOperator(task_id="build", destination=destination).execute({})
    assert asked["days"] == []
    assert tree(destination) == files
    store = destination.fs
    store.rm(f"{destination.path}/tables", recursive=True)
    LessonspaceBuildTablesOperator(task_id="build", destination=destination).execute({})
    assert all_rows(tree(destination)) == all_rows(files)


def test_tables_cost_no_call(control, destination):
    for _ in range(5):
        add_session(control)

    def calls():
        state = control.state()
        return state.api_calls + state.store_calls

    before = calls()
    run(destination / "without", formats=["json"])
    without = calls() - before
    run(destination / "with", formats=["json"], tables=True)
    assert calls() - before == 2 * without
    LessonspaceBuildTablesOperator(task_id="build", destination=destination / "with").execute({})
    assert calls() - before == 2 * without


def test_a_late_transcript_changes_one_day_of_one_window(control, destination):
    control.reset(now=FIRST_NIGHT, speed=0.0, days=0, sessions_per_day=0)
    for number, (start, _) in enumerate(windows(FIRST_NIGHT, FIRST_NIGHT + 4 * DAY)):
        late = {"transcript_delay": 2.5 * 86400} if number == 0 else {"transcript": "ready"}
        for hours in (4, 12):
            control.add_session(start + timedelta(hours=hours), start + timedelta(hours=hours + 1), **late)
            late = {"transcript": "ready"}
    reported = []
    for window in windows(FIRST_NIGHT, FIRST_NIGHT + 4 * DAY):
        control.set_clock(window[1] + 5 * MINUTE)
        before = tree(destination) if destination.exists() else {}
        with time_machine.travel(window[1] + 5 * MINUTE):
            reported.append(archive(destination, window, lambda _: None, tables=True)["days"])
    assert reported == [["2026-09-07"], ["2026-09-08"], ["2026-09-07", "2026-09-09"], ["2026-09-10"]]
    after = tree(destination)
    changed = {path for path in before if path.startswith("tables/") and before[path] != after[path]}
    assert changed == set()  # by the last night
    assert disagreements(after) == []


def test_one_line_of_duckdb_answers_a_question(control, tmp_path):
    segments = [
        {"start_time": 0.0, "end_time": 30.0, "user": {"id": 1, "name": "Ada"}, "breakout_id": "main", "text": "a b"},
        {"start_time": 30.0, "end_time": 40.0, "user": {"id": 2, "name": "Ben"}, "breakout_id": "main", "text": "c"},
    ]
    add_session(control, segments=segments)
    add_session(control, segments=segments)
    run(tmp_path, tables=True)
    query = (
        f"SELECT day, count(*), sum(talk_seconds) FROM '{tmp_path}/tables/sessions/*/*.parquet' "  # noqa: S608
        "GROUP BY day"
    )
    assert [(str(day), *rest) for day, *rest in duckdb.sql(query).fetchall()] == [
        ((START + 5 * MINUTE).date().isoformat(), 2, 80.0)
    ]


def test_talk_time_of_a_made_up_transcript_agrees_with_duckdbs(control, tmp_path):
    """DuckDB merges the intervals of each person in SQL: a computation of its own."""
    for _ in range(3):
        add_session(control, users=["Ada Teacher", "Ben Student", "Cy Student"])
    run(tmp_path, tables=True)
    merged = f"""
        WITH ordered AS (
            SELECT session_id, user_id, start_time, end_time, max(end_time) OVER (
                PARTITION BY session_id, user_id ORDER BY start_time, end_time
                ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS until
            FROM '{tmp_path}/tables/segments/*/*.parquet'
        )
        SELECT session_id, user_id, sum(greatest(0, end_time - greatest(start_time, coalesce(until, 0)))) AS talk
        FROM ordered GROUP BY ALL
    """  # noqa: S608
    compared = duckdb.sql(
        f"SELECT talk, talk_seconds FROM ({merged}) JOIN '{tmp_path}/tables/people/*/*.parquet' "  # noqa: S608
        "USING (session_id, user_id)"
    ).fetchall()
    assert len(compared) >= 6
    for reference, ours in compared:
        assert ours == pytest.approx(reference, rel=0.001)


def test_tables_of_an_empty_window_are_no_files(control, destination):
    assert run(destination, tables=True)["days"] == []
    assert [path for path in tree(destination) if path.startswith("tables/")] == []


def test_files_are_named_by_table_day_and_window(control, destination):
    add_session(control)
    run(destination, tables=True)
    window = f"{START:%Y%m%dT%H%M%SZ}_{END:%Y%m%dT%H%M%SZ}"
    day = f"{START + 5 * MINUTE:%Y-%m-%d}"
    paths = [path for path in tree(destination) if path.startswith("tables/")]
    assert paths == [f"tables/{table}/day={day}/{window}.parquet" for table in ("people", "segments", "sessions")]
    (data,) = table_files(tree(destination), "segments").values()
    assert pq.ParquetFile(io.BytesIO(data)).num_row_groups == 1


def test_an_archive_that_was_copied_has_its_tables_built_elsewhere(control, tmp_path):
    add_session(control)
    run(tmp_path / "one", tables=True)
    shutil.copytree(tmp_path / "one", tmp_path / "two", ignore=shutil.ignore_patterns("tables"))
    two = ObjectStoragePath(f"file://{tmp_path}/two")
    LessonspaceBuildTablesOperator(task_id="build", destination=two).execute({})
    assert all_rows(tree(two)) == all_rows(tree(ObjectStoragePath(f"file://{tmp_path}/one")))
