# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json

import pytest

from lessonspace_provider.exceptions import LessonspaceInputError
from lessonspace_provider.transcripts import check_formats, write

SEGMENTS = [
    {"start_time": 0.5, "end_time": 2.0, "user": {"id": 1, "name": "Ann"}, "breakout_id": "main", "text": "Hello 🎉"},
    {"start_time": 3725.9, "end_time": 3730.0, "user": {"id": 2, "name": None}, "text": "two\nlines", "new": {"x": 1}},
    {"start_time": None, "text": "שלום"},
]


def test_json_keeps_the_segments_untouched_unknown_fields_included():
    data = write(SEGMENTS, "json")
    assert json.loads(data) == SEGMENTS
    assert "🎉".encode() in data


def test_txt_has_a_line_per_segment_with_time_and_speaker():
    assert write(SEGMENTS, "txt").decode().splitlines() == [
        "[00:00:00] Ann: Hello 🎉",
        "[01:02:05] User 2: two lines",
        "[00:00:00] Unknown: שלום",
    ]


def test_no_segments_make_files_that_are_valid_all_the_same():
    assert json.loads(write([], "json")) == []
    assert write([], "txt") == b""


def test_formats_are_taken_once_each_in_the_order_given():
    assert check_formats(("txt", "json", "txt")) == ["txt", "json"]


@pytest.mark.parametrize("formats", ["json", [], ["pdf"], ["json", "pdf"], None, 3])
def test_formats_that_do_not_exist_are_refused_and_the_known_ones_named(formats):
    with pytest.raises(LessonspaceInputError, match=r"formats=.*json, txt"):
        check_formats(formats)
