# SPDX-License-Identifier: Apache-2.0
"""Questions to the tables of an archive on this machine, and the same computed from its JSON files."""

from __future__ import annotations

import time
from pathlib import Path

#: The one line that is measured.
TALK_SHARES = (
    "SELECT p.name, sum(p.talk_seconds) / sum(s.talk_seconds) AS share FROM '{archive}/tables/people/*/*.parquet' p "
    "JOIN '{archive}/tables/sessions/*/*.parquet' s USING (session_id) WHERE role = 'teacher' GROUP BY 1 ORDER BY 2"
)

# Each person's intervals are merged in SQL, out of the archive's JSON files.
_REFERENCE = """
WITH spoken AS (
    SELECT filename AS session, "user".id AS person, start_time, end_time
    FROM read_json('{folder}/2026/*/*/*.json', filename = true)
), ordered AS (
    SELECT *, max(end_time) OVER (PARTITION BY session, person ORDER BY start_time, end_time
        ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS until FROM spoken
)
SELECT parse_filename(session, true) AS session_id, person,
    sum(greatest(0, end_time - greatest(start_time, coalesce(until, 0)))) AS talk
FROM ordered GROUP BY ALL"""

_COMPARED = """
WITH reference AS ({reference}), shares AS (
    SELECT *, talk / sum(talk) OVER (PARTITION BY session_id) AS share FROM reference
), ours AS (
    SELECT *, talk_seconds / sum(talk_seconds) OVER (PARTITION BY session_id) AS share
    FROM '{folder}/tables/people/*/*.parquet'
)
SELECT count(*), max(abs(ours.share - shares.share))
FROM shares JOIN ours ON shares.session_id = ours.session_id AND shares.person = ours.user_id"""


def query_seconds(destination: str) -> float:
    """Ask for each teacher's share of the talk, with a connection of its own; on S3 by way of Airflow's connection."""
    import duckdb
    from airflow.sdk import ObjectStoragePath

    archive = ObjectStoragePath(destination)
    began = time.monotonic()
    with duckdb.connect() as connection:
        if archive.protocol == "s3":
            connection.register_filesystem(archive.fs)
        place = f"s3://{archive.path}" if archive.protocol == "s3" else archive.path
        if not connection.sql(TALK_SHARES.format(archive=place)).fetchall():
            raise RuntimeError(f"no teacher has talked in the archive in {destination}")
    return time.monotonic() - began


def largest_difference(folder: Path) -> tuple[int, float]:
    """
    Compare the talk shares of all people with those computed in SQL.

    :return: how many were compared, and the largest difference, as a share.
    """
    import duckdb

    with duckdb.connect() as connection:
        reference = _REFERENCE.format(folder=folder)
        ((compared, difference),) = connection.sql(_COMPARED.format(reference=reference, folder=folder)).fetchall()
    return compared, difference or 0.0
