# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from lessonspace_provider.api.shapes import odd_session_fields, odd_texts, whole_seconds


@pytest.mark.parametrize(
    ("fields", "odd"),
    [
        ({}, []),
        ({"name": None, "space": None, "profiles": None, "guests": None, "billable_seconds": None}, []),
        ({"end_time": "10:", "billable_seconds": "1"}, ["end_time", "billable_seconds"]),
        ({"name": 7, "space": {"id": {}}}, ["name", "space"]),
        ({"profiles": {"0": {}}, "guests": [None], "logs": "none"}, ["profiles", "guests", "logs"]),
    ],
)
def test_odd_fields_of_a_session_are_named(fields, odd):
    assert odd_session_fields(fields) == odd


def test_odd_texts_of_a_space_or_user_are_named():
    assert odd_texts({"name": "Ann", "role": None}) == []
    assert odd_texts({"name": 7, "role": {}, "created_at": "2026-11-22"}) == ["name", "role"]


@pytest.mark.parametrize(
    ("value", "seconds"), [(0, 0), (60.0, 60), (-1, None), (1.5, None), (True, None), ("60", None)]
)
def test_seconds_are_whole_numbers_of_0_or_more(value, seconds):
    assert whole_seconds(value) == seconds
