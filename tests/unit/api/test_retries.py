# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from datetime import datetime, timedelta, timezone
from types import SimpleNamespace

import pytest
import tenacity

from lessonspace_provider.api.retries import ATTEMPTS, LONGEST_BACKOFF, SHORTEST_WAIT, retry_after_seconds, retry_policy
from lessonspace_provider.exceptions import (
    LessonspaceAuthError,
    LessonspaceBadRequestError,
    LessonspaceConnectionError,
    LessonspaceInputError,
    LessonspaceLinkExpiredError,
    LessonspaceNotFoundError,
    LessonspaceRateLimitedError,
    LessonspaceServerError,
    LessonspaceTlsError,
    LessonspaceTranscriptNotReady,
)

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("", None),
        ("0", 0.0),
        ("120", 120.0),
        (" 2.5 ", 2.5),
        ("-1", 0.0),
        ("Mon, 23 Nov 2026 08:02:00 GMT", 120.0),
        ("Mon, 23 Nov 2026 10:02:00 +0200", 120.0),
        ("Mon, 23 Nov 2026 08:02:00 -0000", 120.0),
        ("Monday, 23-Nov-26 08:02:00 GMT", 120.0),
        ("Mon Nov 23 08:02:00 2026", 120.0),
        ("Mon, 23 Nov 2026 07:59:00 GMT", 0.0),
        ("soon", None),
        ("nan", None),
        ("inf", None),
        ("1e400", None),
        ("Mon, 99 Nov 2026 08:02:00 GMT", None),
        ("Mon, 23 Nov 99999999999999999999 08:02:00 GMT", None),
        ("Mon, 23 Nov 2026 08:02:00 +99999999999999999999", None),
    ],
)
def test_retry_after_is_read_in_both_its_forms_and_never_raises(header, seconds):
    assert retry_after_seconds(header, NOW) == seconds


def test_a_date_counts_from_now():
    later = (datetime.now(timezone.utc) + timedelta(hours=10)).strftime("%a, %d %b %Y %H:%M:%S GMT")
    assert retry_after_seconds(later) == pytest.approx(36_000, rel=0.01)


class Calls:
    """A call that fails with these errors one after the other, then succeeds; time passes only while it sleeps."""

    def __init__(self, monkeypatch, longest, errors):
        self.errors, self.longest = iter(errors), longest
        self.made, self.waits, self.reports = 0, [], []
        self.now = 0.0
        monkeypatch.setattr(tenacity, "time", SimpleNamespace(monotonic=lambda: self.now))
        monkeypatch.setattr("tenacity.nap.time", self)

    def __call__(self):
        self.made += 1
        for error in self.errors:
            raise error
        return "good"

    def sleep(self, seconds):
        self.waits.append(seconds)
        self.now += seconds

    def run(self):
        policy = retry_policy(longest=self.longest, before_sleep=self.reports.append)
        return policy(self)


@pytest.fixture
def calls(monkeypatch):
    return lambda *errors, longest=600.0: Calls(monkeypatch, longest, errors)


def too_many(retry_after=None):
    return LessonspaceRateLimitedError("429", status=429, retry_after=retry_after)


def fault(status=500, retry_after=None):
    return LessonspaceServerError("fault", status=status, retry_after=retry_after)


@pytest.mark.parametrize(
    "error",
    [
        LessonspaceConnectionError("no answer"),
        fault(500),
        fault(503),
        fault(200),
        fault(None),
        too_many(),
    ],
)
def test_what_passes_by_itself_is_tried_again(calls, error):
    call = calls(error)
    assert call.run() == "good"
    assert call.made == 2
    assert len(call.reports) == 1


@pytest.mark.parametrize(
    "error",
    [
        LessonspaceAuthError("no", status=401),
        LessonspaceTlsError("no"),
        LessonspaceBadRequestError("no", status=400),
        LessonspaceInputError("no"),
        LessonspaceLinkExpiredError("no", status=403),
        LessonspaceNotFoundError("no", status=404),
        LessonspaceTranscriptNotReady("no", status=404, retry_after=7.0),
        LessonspaceRateLimitedError("the gate's own"),
        fault(302),
        KeyError("a bug"),
        KeyboardInterrupt(),
    ],
)
def test_what_stays_as_it_is_ends_the_call(calls, error):
    call = calls(error)
    with pytest.raises(type(error)) as caught:
        call.run()
    assert caught.value is error
    assert call.made == 1
    assert call.waits == []


def test_faults_are_counted_and_the_last_one_is_raised_as_it_is(calls):
    errors = [fault() for _ in range(ATTEMPTS)]
    call = calls(*errors)
    with pytest.raises(LessonspaceServerError) as caught:
        call.run()
    assert caught.value is errors[-1]
    assert caught.value.__cause__ is None
    assert call.made == ATTEMPTS


def test_429s_between_them_are_not_counted(calls):
    call = calls(*[fault(), too_many(1.0), too_many(1.0)] * (ATTEMPTS - 1))
    assert call.run() == "good"


def test_each_call_counts_again(calls):
    for _ in range(3):
        assert calls(*[fault()] * (ATTEMPTS - 1)).run() == "good"


@pytest.mark.parametrize("error", [too_many(7.5), fault(503, 7.5)])
def test_the_server_names_how_long_to_wait(calls, error):
    call = calls(error)
    call.run()
    assert call.waits == [7.5]


def test_but_never_not_at_all(calls):
    call = calls(too_many(0.0))
    call.run()
    assert call.waits == [SHORTEST_WAIT]


@pytest.mark.parametrize(("retry_after", "made"), [(599.0, 2), (600.0, 1), (1e12, 1)])
def test_no_one_waits_as_long_as_the_longest_wait(calls, retry_after, made):
    call = calls(too_many(retry_after), longest=600.0)
    try:
        call.run()
    except LessonspaceRateLimitedError:
        assert made == 1
    assert call.made == made


def test_all_waits_of_a_call_together_stay_within_the_longest(calls):
    call = calls(*[too_many(7.0), fault(503, 7.0)] * 2, *[too_many(7.0)] * 100, longest=60.0)
    with pytest.raises(LessonspaceRateLimitedError):
        call.run()
    assert call.waits == [7.0] * 8


def test_without_a_word_from_the_server_waits_are_jittered_and_grow_to_a_cap(calls):
    call = calls(*[too_many()] * 400, longest=1e9)
    call.run()
    assert all(wait <= min(2**number, LONGEST_BACKOFF) for number, wait in enumerate(call.waits))
    assert max(call.waits) > 0.9 * LONGEST_BACKOFF
    assert len(set(call.waits)) > 390
