# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import get_args

from lessonspace_provider.archive.table_schemas import ROLES, TABLES, WRITTEN, ColumnType


def test_each_table_is_written_and_sessions_last():
    assert set(WRITTEN) == TABLES.keys()
    assert WRITTEN[-1] == "sessions"


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
