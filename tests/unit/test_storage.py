# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from airflow.sdk import ObjectStoragePath

from lessonspace_provider.storage import write_whole
from tests.airflow_version import needs_airflow


@pytest.fixture(
    params=[
        "file",
        "plain",
        pytest.param("memory", marks=needs_airflow("3.2", "ObjectStoragePath of older ones reads no memory:// file")),
    ]
)
def folder(request, tmp_path):
    return ObjectStoragePath(
        {"file": f"file://{tmp_path}/a b", "plain": f"{tmp_path}/a b", "memory": f"memory://{tmp_path}/a b"}[
            request.param
        ]
    )


def test_a_file_appears_with_its_folders_and_replaces_the_one_before(folder):
    path = folder / "x" / "y.json"
    write_whole(path, b"one")
    write_whole(path, b"other")
    assert path.read_bytes() == b"other"
    assert [entry.name for entry in (folder / "x").iterdir()] == ["y.json"]


@pytest.mark.parametrize("step", ["os.fsync", "pathlib.Path.replace"])
def test_a_write_that_breaks_off_leaves_the_old_file_and_no_part(tmp_path, monkeypatch, step):
    path = ObjectStoragePath(f"file://{tmp_path}/y.json")
    write_whole(path, b"old")

    def disk_full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(step, disk_full)
    with pytest.raises(OSError, match="No space"):
        write_whole(path, b"new")
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["y.json"]
