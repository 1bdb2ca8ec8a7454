# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from lessonspace_provider.bulk.progress import MOST_LISTED, outcome_lines, progress_line
from tests.unit.bulk.test_items import a_record


def test_progress_counts_and_gives_rate_and_time_left():
    line = progress_line({"done": 40, "failed": 10}, total=150, seconds=10)
    assert line == (
        "50 of 150 items finished: 40 done, 10 failed, 0 refused, 0 not_attempted; 5.0 a second, about 20 s left"
    )


def test_before_the_first_item_there_is_no_estimate():
    assert progress_line({}, total=3, seconds=0).endswith("0.0 a second, time left not known yet")


def test_what_is_not_done_is_listed_in_groups_and_what_is_done_is_counted():
    lines = list(outcome_lines([a_record("done"), a_record("failed", reason="no answer"), a_record("refused")]))
    assert lines == [
        "::group::failed (1)",
        "maths (line 3): no answer",
        "::endgroup::",
        "::group::refused (1)",
        "maths (line 3)",
        "::endgroup::",
        "3 items: 1 done, 1 failed, 1 refused, 0 not_attempted",
    ]


def test_a_long_group_is_cut():
    lines = list(outcome_lines([a_record("failed")] * (MOST_LISTED + 7)))
    assert len(lines) == MOST_LISTED + 4
    assert "... and 7 more, which the account lists" in lines
