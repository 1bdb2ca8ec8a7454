# SPDX-License-Identifier: Apache-2.0
"""A question to the tables of the archive, and DuckDB's answer, as text for a terminal."""

from __future__ import annotations

from pathlib import Path

#: Rows of the answer.
ROWS = 3

QUERY = f"""\
SELECT name AS teacher, count(*) AS sessions, round(sum(p.talk_seconds) / 60, 1) AS minutes,
       round(100 * sum(p.talk_seconds) / sum(s.talk_seconds)) AS percent_of_talk
FROM 'tables/people/*/*.parquet' p JOIN (SELECT session_id, talk_seconds FROM 'tables/sessions/*/*.parquet') s
     USING (session_id)
WHERE role = 'teacher' GROUP BY name ORDER BY minutes DESC, teacher LIMIT {ROWS}"""  # noqa: S608


def table_answer(archive: Path) -> str:
    """Ask how much the teachers spoke.

    :param archive: its folder, with tables.
    :return: the query, and its answer as a table; its paths are below the folder.
    :raises ValueError: the answer has no rows.
    """
    import duckdb

    with duckdb.connect() as connection:
        connection.execute("SET file_search_path = ?", [str(archive)])
        connection.execute("SET threads = 1")
        answer = connection.sql(QUERY)
        if not answer.fetchall():
            raise ValueError("the tables have no teacher who spoke")
        return f"{QUERY}\n\n{answer}".rstrip()
