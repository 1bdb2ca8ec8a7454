# SPDX-License-Identifier: Apache-2.0
"""
### Lesson analytics

Runs after the nightly archive, and reads the tables of the days that changed. It reports the talk share of each teacher
in each week, sessions without a transcript by reason, and students who never speak. It writes three CSV files and a
page with plots that loads nothing from the network.

The archive has to have `tables=True`. Airflow needs the packages `duckdb` and `pyarrow`. Set two Airflow Variables:
`lessonspace_archive` to the archive's folder, and `lessonspace_analytics` to a folder for the results, which contain
names of teachers. After an erasure, remove that folder: the next run computes all days again.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, timezone
from pathlib import Path
from typing import Any

from airflow.sdk import DAG, Asset, ObjectStoragePath, Variable, task

# Airflow adds the DAGs folder itself to the path; this file may be in a folder below it.
sys.path.append(str(Path(__file__).parent))

from analytics.figures import analytics, figures_of_day
from analytics.page import as_csv_files, as_page

TABLES = ("sessions", "people")


def changed_days(asset_events: Any) -> set[date]:
    """Read from the archive's events which days changed; an event of another task may have none."""
    extras = [event.extra or {} for events in (asset_events or {}).values() for event in events]
    return {date.fromisoformat(day) for extra in extras for day in extra.get("days", ())}


def days_in(folder: ObjectStoragePath, prefix: str, suffix: str = "") -> set[date]:
    """List the days that have a folder or file of such a name."""
    if not folder.exists():
        return set()
    names = [path.name for path in folder.iterdir()]
    texts = [name[len(prefix) :].removesuffix(suffix) for name in names if name.startswith(prefix)]
    return {date.fromisoformat(text) for text in texts if text[:1].isdigit() and len(text) == 10}


def files_of(archive: ObjectStoragePath, table: str, day: date) -> list[bytes]:
    """
    Read a table's files of a day: there is one for each of the archive's windows.

    :raises FileNotFoundError: when there is none.
    """
    folder = archive / "tables" / table / f"day={day.isoformat()}"
    paths = sorted(folder.iterdir(), key=str) if folder.exists() else []
    files = [path.read_bytes() for path in paths if path.name.endswith(".parquet")]
    if not files:
        raise FileNotFoundError(
            f"{folder} has no Parquet file. Build the archive's tables again with LessonspaceBuildTablesOperator, or "
            f"remove the folders of this day."
        )
    return files


@contextmanager
def only_for_the_owner() -> Iterator[None]:
    """Create local files that only the owner may read."""
    before = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(before)


with DAG(
    "lesson_analytics",
    schedule=[Asset("lessonspace_transcripts")],
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    max_active_runs=1,
    default_args={"owner": "data-team"},
    doc_md=__doc__,
    tags=["lessonspace", "transcripts"],
) as dag:

    @task
    def analyse(triggering_asset_events: Any = None) -> dict[str, Any]:
        """Read, compute and write in one task, so that no name passes through XCom; return counts and the folder."""
        # Not needed to parse this file.
        from airflow.providers.common.compat.sdk import AirflowSkipException

        from lessonspace_provider.output import write_whole

        archive = ObjectStoragePath(Variable.get("lessonspace_archive"))
        folder = ObjectStoragePath(Variable.get("lessonspace_analytics"))
        there = days_in(archive / "tables" / "sessions", "day=")
        if not there:
            raise AirflowSkipException(f"There are no tables in {archive}: give the archive tables=True.")
        figures = folder / "figures"
        # Days without figures as well: the first run has no other, and a failed one has lost its event.
        to_read = there & (changed_days(triggering_asset_events) | (there - days_in(figures, "", ".json")))
        with only_for_the_owner():
            for day in sorted(to_read):
                computed = figures_of_day({table: files_of(archive, table, day) for table in TABLES})
                write_whole(figures / f"{day.isoformat()}.json", json.dumps(computed).encode())
            days = {day: json.loads((figures / f"{day.isoformat()}.json").read_bytes()) for day in there}
            found = analytics(days)
            for name, data in {**as_csv_files(found), "lesson_analytics.html": as_page(found)}.items():
                write_whole(folder / name, data)
        return {
            "folder": str(folder),
            "days_read": sorted(day.isoformat() for day in to_read),
            "weeks": [week.name for week in found.weeks],
            "silent_students": len(found.silent),
        }

    analyse()
