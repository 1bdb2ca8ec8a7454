# SPDX-License-Identifier: Apache-2.0
"""What the DAG lesson_analytics does with an archive whose tables are not whole, without a run of it."""

from __future__ import annotations

from types import SimpleNamespace

import lesson_analytics
import pytest


@pytest.mark.parametrize("lacking", ["sessions", "people"])
@pytest.mark.parametrize("is_there", [True, False], ids=["empty", "missing"])
def test_a_day_without_files_fails_and_is_named(tmp_path, monkeypatch, lacking, is_there):
    values = {
        "lessonspace_archive": f"file://{tmp_path}/archive",
        "lessonspace_analytics": f"file://{tmp_path}/analytics",
    }
    monkeypatch.setattr(lesson_analytics, "Variable", SimpleNamespace(get=values.__getitem__))
    for table in ("sessions", "people"):
        folder = tmp_path / "archive" / "tables" / table / "day=2026-11-20"
        if table != lacking:
            folder.mkdir(parents=True)
            (folder / "window.parquet").write_bytes(b"not read")
        elif is_there or table == "sessions":  # whose folders are the days
            folder.mkdir(parents=True)
    analyse = lesson_analytics.dag.get_task("analyse").python_callable
    with pytest.raises(FileNotFoundError, match=rf"tables/{lacking}/day=2026-11-20 has no Parquet file\. Build"):
        analyse()
    assert not (tmp_path / "analytics").exists()
