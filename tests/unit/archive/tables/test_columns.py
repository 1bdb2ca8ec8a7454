# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path
from typing import get_args

from lessonspace_provider.archive.tables.columns import ROLES, SCHEMA_VERSION, TABLES, ColumnType


def test_columns_have_a_name_of_their_own_a_type_and_a_meaning():
    for columns in TABLES.values():
        assert len({column.name for column in columns}) == len(columns)
        assert all(column.type in get_args(ColumnType) and column.meaning for column in columns)
        assert columns[0].name == "session_id"


def test_each_role_has_its_columns():
    names = [column.name for column in TABLES["sessions"]]
    for measure in ("talk_seconds", "words"):
        assert [name for name in names if name.startswith(f"{measure}_")] == [
            f"{measure}_{role}" for role, _ in ROLES.values()
        ]


def test_the_reference_has_each_column_as_it_is():
    page = (Path(__file__).parents[4] / "docs" / "reference" / "tables.md").read_text()
    for table, columns in TABLES.items():
        _, _, section = page.partition(f"\n## {table}\n")
        rows = [line for line in section.partition("\n## ")[0].splitlines() if line.startswith("| `")]
        assert rows == [
            f"| `{column.name}` | {column.type} | {column.meaning} | {column.null or 'never'} |" for column in columns
        ]
    assert f"`lessonspace.schema_version`, now `{SCHEMA_VERSION}`" in page
