# SPDX-License-Identifier: Apache-2.0
"""Reads the tables of an archive in tests, without the provider's own code."""

from __future__ import annotations

import io
import re
from typing import Any

import pyarrow.parquet as pq

PATH = re.compile(r"tables/(sessions|segments|people)/day=(\d{4}-\d\d-\d\d)/(.+)\.parquet")


def table_files(files: dict[str, bytes], table: str) -> dict[str, bytes]:
    """Choose the files of a table among an archive's files."""
    return {path: data for path, data in files.items() if (match := PATH.fullmatch(path)) and match[1] == table}


def rows_of(files: dict[str, bytes], table: str) -> list[dict[str, Any]]:
    """Read all rows of a table, each with its ``day`` and ``window``."""
    rows = []
    for path, data in sorted(table_files(files, table).items()):
        _, day, window = PATH.fullmatch(path).groups()
        rows += [{**row, "day": day, "window": window} for row in pq.read_table(io.BytesIO(data)).to_pylist()]
    return rows


def all_rows(files: dict[str, bytes]) -> dict[str, list[dict[str, Any]]]:
    """Read all rows of all tables."""
    return {table: rows_of(files, table) for table in ("sessions", "segments", "people")}
