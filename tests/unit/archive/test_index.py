# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from lessonspace_provider.archive.index import read_index, write_index


def test_an_index_is_read_as_it_was_written():
    closed = {"b.json": "size=1", "a.json": "size=2"}
    assert read_index(write_index(closed)) == closed
    assert list(read_index(write_index(closed))) == ["a.json", "b.json"]


@pytest.mark.parametrize(
    "data",
    [
        None,
        b"",
        b"{",
        b"\xff",
        b"null",
        b"[]",
        b"7",
        b"{}",
        b"[" * 100_000,
        b'{"closed": null}',
        b'{"closed": []}',
        b'{"closed": {"a.json": 7}}',
        b'{"closed": {"a.json": null}}',
    ],
)
def test_a_damaged_index_has_nothing(data):
    assert read_index(data) == {}
