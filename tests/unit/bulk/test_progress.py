# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from lessonspace_provider.bulk.progress import MOST_LISTED, not_done, outcome_lines, progress_line
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


def test_all_done_is_no_problem():
    assert not_done("launches", [a_record("done")], None, None) is None


def test_a_reason_that_is_a_sentence_ends_once():
    told = not_done("launches", [a_record("failed", reason="No answer. Try again.")], "a.jsonl", None)
    assert told is not None
    assert "First: maths (line 3, failed): No answer. Try again. The account a.jsonl lists all." in told


def test_what_is_not_done_is_counted_and_the_first_are_named():
    records = [
        a_record("done"),
        *[a_record("failed", reason=f"no answer {n}") for n in range(5)],
        a_record("not_attempted"),
    ]
    assert not_done("launches", records, "s3://x/account.jsonl", "the task was asked to end") == (
        "6 of 7 launches are not done (1 done, 5 failed, 1 not_attempted). It stopped early: the task was asked to "
        "end. First: maths (line 3, failed): no answer 0; maths (line 3, failed): no answer 1; maths (line 3, failed): "
        "no answer 2. The account s3://x/account.jsonl lists all. Correct refused items in the input, then run the "
        "task again: it does only what is not done."
    )
