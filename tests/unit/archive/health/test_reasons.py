# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from lessonspace_provider.api.errors import Call, no_reply
from lessonspace_provider.archive.entry import Entry
from lessonspace_provider.archive.health.reasons import describe_reason, is_reason, reason_code
from lessonspace_provider.waiting.transcripts import transcript_obstacle
from tests.unit.archive.health_kit import REASONS, an_entry
from tests.unit.archive.kit import a_session


@pytest.mark.parametrize(
    ("status", "code"),
    [
        ("archived", None),
        ("not_eligible", "too_short"),
        ("pending", "not_ready"),
        ("given_up", "given_up"),
        ("failed", "http_503"),
        ("not_attempted", "not_attempted"),
        ("erased", "erased"),
    ],
)
def test_a_reason_becomes_a_code(status, code):
    assert reason_code(an_entry(0, 1, status)) == code
    assert code is None or is_reason(code)


@pytest.mark.parametrize(
    "fields",
    [
        {"start_time": "2026-11-22T23:59:00Z", "end_time": "2026-11-23T00:01:00Z"},
        {"profiles": [{"user": 1}]},
        {"record_av": False},
    ],
)
def test_each_obstacle_has_a_code_of_its_own(fields):
    obstacle = transcript_obstacle(a_session(1, **fields))
    code = reason_code(Entry("x", status="not_eligible", reason=obstacle))
    assert code in ("too_short", "one_person", "not_recorded")


@pytest.mark.parametrize(
    ("status", "reason", "code"),
    [
        ("archived", "the transcript is empty: no one spoke, or it was never created", "empty"),
        ("archived", "the API does not have the transcript any more: no file in vtt", "incomplete"),
        ("given_up", "archived once, but 2026/Ann_x.json are missing or damaged, and", "files_lost"),
        ("pending", "the transcript is empty so far", "empty_so_far"),
        ("failed", "The destination /a/Ann.json can't be written or read (OSError). Try", "destination"),
        ("failed", str(no_reply(TimeoutError(), Call("GET", "/x", "school"))), "connection"),
        ("failed", "unexpected KeyError at x.py:1, please report it", "unexpected"),
        ("failed", "A session has no uuid, id 7. Without a uuid, its", "no_uuid"),
        ("failed", "Session x has no end_time, by which", "no_uuid"),
        ("failed", "Ann says 404: hello", "other"),
        ("pending", None, "other"),
    ],
)
def test_reasons_of_the_archive_are_known(status, reason, code):
    assert reason_code(Entry("x", status=status, reason=reason)) == code
    assert "Ann" not in describe_reason(code)


@pytest.mark.parametrize("value", [None, 7, "", "http_200", "http_5030", "Ann", ["empty"]])
def test_what_is_no_code_is_refused(value):
    assert not is_reason(value)


def test_every_reason_of_the_kit_is_one_that_entries_have():
    assert set(REASONS) == {"archived", "not_eligible", "pending", "given_up", "failed", "not_attempted", "erased"}
    assert describe_reason("http_503") == "Lessonspace returned the status 503"
