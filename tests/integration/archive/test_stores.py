# SPDX-License-Identifier: Apache-2.0
"""Reads and writes of files on stores whose requests have limits."""

from __future__ import annotations

import pytest
from airflow.sdk import ObjectStoragePath

from lessonspace_provider.output.files import read_many, read_whole, write_if_unchanged, write_whole


@pytest.mark.parametrize("size", [0, 3], ids=["empty", "emptied"])
def test_an_empty_file_among_several_is_read_as_it_is(destination, size):
    write_whole(destination / "empty", b"")
    write_whole(destination / "other", b"other")
    files = [(destination / "empty", size), (destination / "other", 5), (destination / "none", 5)]
    assert read_many(files) == [b"", b"other", None]


def test_a_large_object_is_written_with_a_condition(bucket):
    path = ObjectStoragePath("s3://aws_default@school/large")
    write_whole(path, b"before")
    assert not write_if_unchanged(path, bytes(101 * 2**20), None)
    assert read_whole(path) == b"before"
