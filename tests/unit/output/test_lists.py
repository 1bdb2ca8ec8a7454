# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import itertools
import json

import pytest

from lessonspace_provider.exceptions import LessonspaceInputError
from lessonspace_provider.output.lists import XCOM_LIMIT, as_lines_file, fit_for_xcom, write_lines
from tests.airflow_version import needs_airflow

ENTRY = {"name": "Zoë", "text": "x" * 1000}


def test_a_list_that_fits_is_unchanged_and_no_larger_than_the_limit():
    entries = [ENTRY] * 900
    assert fit_for_xcom(iter(entries)) == entries
    assert len(json.dumps(entries)) < XCOM_LIMIT


def test_reading_stops_where_a_list_becomes_too_large():
    read = []

    def endless():
        while True:
            read.append(ENTRY)
            yield ENTRY

    with pytest.raises(LessonspaceInputError, match=r"too large for XCom.*destination"):
        fit_for_xcom(endless())
    assert len(read) * len(json.dumps(ENTRY)) < XCOM_LIMIT * 1.01


@pytest.mark.parametrize(
    "store",
    [
        "file",
        pytest.param("memory", marks=needs_airflow("3.2", "ObjectStoragePath of older ones reads no memory:// file")),
    ],
)
def test_lines_are_written_as_json_one_for_each_entry(store, tmp_path):
    file = as_lines_file(f"{store}://{tmp_path}/x.jsonl")
    assert write_lines(iter([ENTRY, {"a": "b\nc"}]), file) == {"path": str(file), "count": 2}
    lines = file.read_bytes().decode().splitlines()
    assert [json.loads(line) for line in lines] == [ENTRY, {"a": "b\nc"}]


def test_half_a_character_in_a_name_stops_no_list(tmp_path):
    half = json.loads(r'{"name": "Zo\ud83d"}')
    file = as_lines_file(f"file://{tmp_path}/x.jsonl")
    assert write_lines([half, ENTRY], file)["count"] == 2
    assert [json.loads(line) for line in file.read_bytes().decode().splitlines()] == [half, ENTRY]


def test_what_other_programs_take_for_a_line_end_ends_no_line(tmp_path):
    entry = {"name": "a\x85b\u2028c\u2029d"}
    file = as_lines_file(f"file://{tmp_path}/x.jsonl")
    write_lines([entry, ENTRY], file)
    assert [json.loads(line) for line in file.read_bytes().decode().splitlines()] == [entry, ENTRY]


def test_a_file_has_a_largest_size(tmp_path, monkeypatch):
    monkeypatch.setattr("lessonspace_provider.output.lists.LARGEST_FILE", 10_000)
    with pytest.raises(LessonspaceInputError, match=r"over 0 MB after 10 entries\. Narrow it"):
        write_lines(itertools.repeat(ENTRY), as_lines_file(f"{tmp_path}/x.jsonl"))
    assert not list(tmp_path.iterdir())


def test_an_empty_list_is_an_empty_file(tmp_path):
    file = as_lines_file(f"file://{tmp_path}/x.jsonl")
    assert write_lines([], file)["count"] == 0
    assert file.read_bytes() == b""


def test_a_list_that_breaks_off_leaves_no_file_and_the_old_one_as_it_was(tmp_path):
    def broken():
        yield ENTRY
        raise LessonspaceInputError("the second page failed")

    file = as_lines_file(f"file://{tmp_path}/x.jsonl")
    with pytest.raises(LessonspaceInputError):
        write_lines(broken(), file)
    assert list(tmp_path.iterdir()) == []
    write_lines([{"a": 1}], file)
    with pytest.raises(LessonspaceInputError):
        write_lines(broken(), file)
    assert file.read_bytes() == b'{"a": 1}\n'
