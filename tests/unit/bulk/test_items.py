# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from lessonspace_provider.bulk.items import LONGEST_REASON, Item, Record, count, reason_of
from lessonspace_provider.exceptions import LessonspaceBadRequestError

NOON = "2026-11-23T12:00:00Z"


def a_record(status="done", **fields):
    return Record(
        key="k",
        item="maths",
        place="line 3",
        status=status,
        reason=None,
        tries=1,
        time="2026-11-23T12:00:00Z",
        name=None,
    ) | {**fields}


def test_each_status_is_counted_also_those_that_did_not_occur():
    records = [a_record("done"), a_record("done"), a_record("failed")]
    assert count(records) == {"done": 2, "failed": 1, "refused": 0, "not_attempted": 0}


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ("POST /x/ failed: 'ann@school.example' is taken", "POST /x/ failed: '<address>' is taken"),
        ("see https://x.example/space/y?user=JWT for it", "see <link> for it"),
        ("check that it begins with http:// or https://, and", "check that it begins with http:// or https://, and"),
        ("Ann Other is not allowed, says\n  Ann", "<hidden> is not allowed, says <hidden>"),
    ],
)
def test_a_reason_holds_no_address_link_or_name(message, reason):
    assert reason_of(LessonspaceBadRequestError(message), ["Ann", "Ann Other"]) == reason


def test_a_reason_is_bounded():
    assert len(reason_of(LessonspaceBadRequestError("x" * 5000))) == LONGEST_REASON


def test_the_text_of_an_unexpected_error_is_left_out():
    assert reason_of(RuntimeError("secret")) == "unexpected RuntimeError, see the task's log"


def test_an_item_shows_nothing_of_what_is_in_it():
    assert "Ann" not in repr(Item(key="k", label="maths", place="line 3", task={"name": "Ann"}, name="Ann"))
