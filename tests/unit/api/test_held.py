# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from lessonspace_provider.api import held as module
from lessonspace_provider.api.held import held
from lessonspace_provider.exceptions import LessonspaceReplyTooLargeError

SMALL = {"uuid": "x", "profiles": [{"user": 1, "name": "Ann"}], "logs": None}


@pytest.mark.parametrize(
    "item",
    [[[]] * 300, [{}] * 300, {f"{number}": 0 for number in range(150)}, "x" * 64 * 300, [["x" * 64] * 10] * 30],
    ids=["lists", "objects", "fields", "long text", "texts"],
)
def test_items_of_any_shape_are_held_up_to_a_bound(monkeypatch, item):
    monkeypatch.setattr(module, "MOST_VALUES", 1000)
    read = []

    def endless():
        while True:
            read.append(item)
            yield item

    with pytest.raises(LessonspaceReplyTooLargeError, match=r"The sessions .* stopped after [1-4]\. Take a shorter"):
        held(endless(), "sessions")
    assert len(read) <= 5


def test_items_that_fit_are_held_as_they_are(monkeypatch):
    monkeypatch.setattr(module, "MOST_VALUES", 1000)
    assert held(iter([SMALL] * 80), "sessions") == [SMALL] * 80
