# SPDX-License-Identifier: Apache-2.0
"""When a transcript is checked again, and when it is given up."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from uuid import UUID

import pytest

from lessonspace_provider.exceptions import LessonspaceNotFoundError
from lessonspace_provider.waiting.awaited import AwaitedTranscript
from lessonspace_provider.waiting.transcripts import (
    CHECKS_WITHOUT_DATE,
    missing_transcript,
    next_check_at,
    pause_after,
    should_give_up,
    transcript_verdict,
)

SESSION_ID = "5b5f1a2c-3d4e-4f5a-8b9c-0d1e2f3a4b5c"
START = datetime(2026, 11, 23, 9, 0, tzinfo=timezone.utc)
END = datetime(2026, 11, 23, 9, 45, tzinfo=timezone.utc)
WEEK = timedelta(days=7)
SESSION_IDS = [str(UUID(int=number)) for number in range(300)]


def a_session(**fields):
    return {
        "uuid": SESSION_ID,
        "start_time": START.isoformat(),
        "end_time": END.isoformat(),
        "profiles": [{"user": 1}, {"user": 2}],
        "guests": [],
        "record_av": True,
        **fields,
    }


def checks_of(session_id, until=WEEK):
    """How long after the session's end it is checked."""
    ages, now = [], END
    while now - END < until:
        before, now = now, next_check_at(session_id, END, now, 52 * WEEK)
        assert now > before, "the same check comes again and again"
        ages.append(now - END)
    return ages


@pytest.mark.parametrize("session_id", SESSION_IDS[:20])
def test_a_transcript_is_checked_5_minutes_after_the_end_then_rarer(session_id):
    ages = checks_of(session_id)
    spread = ages[0] / timedelta(minutes=5)
    assert 1 <= spread < 1.1
    exact = [age / spread for age in ages]
    minutes = [5, 10, 20, 40, 80, 160, 320, 640, 1280]
    assert [round(age.total_seconds(), 3) for age in exact[:9]] == [60 * number for number in minutes]
    gaps = [later - earlier for earlier, later in zip(exact, exact[1:])]
    assert {round(gap.total_seconds(), 3) for gap in gaps[8:]} == {12 * 3600.0}
    assert max(gaps) <= timedelta(hours=12, milliseconds=1)


def test_a_week_takes_some_twenty_checks():
    assert all(18 <= len(checks_of(session_id)) <= 24 for session_id in SESSION_IDS[:20])


def test_sessions_that_ended_together_are_not_checked_together():
    firsts = [checks_of(session_id, until=timedelta(minutes=1))[0] for session_id in SESSION_IDS]
    assert min(firsts) >= timedelta(minutes=5)
    assert max(firsts) <= timedelta(minutes=5) * 1.1
    tenths = {int((first - timedelta(minutes=5)).total_seconds() // 3) for first in firsts}
    assert tenths == set(range(10)), "each tenth of the spread has some"


@pytest.mark.parametrize("seconds", [-600, 0, 1, 299, 300, 301, 329, 330, 4_000, 43_200, 600_000])
def test_the_next_check_is_ahead_and_is_the_same_until_then(seconds):
    now = END + timedelta(seconds=seconds)
    for session_id in SESSION_IDS[:20]:
        following = next_check_at(session_id, END, now, 52 * WEEK)
        assert following > now
        assert next_check_at(session_id, END, now, 52 * WEEK) == following
        for share in (0.25, 0.5, 0.999):
            assert next_check_at(session_id, END, now + (following - now) * share, 52 * WEEK) == following
        assert next_check_at(session_id, END, following, 52 * WEEK) > following


def test_a_restarted_triggerer_continues_with_the_same_checks():
    ages = checks_of(SESSION_ID)
    restarted = END + timedelta(hours=5, minutes=7)
    assert next_check_at(SESSION_ID, END, restarted, 52 * WEEK) - END == min(a for a in ages if END + a > restarted)


@pytest.mark.parametrize(
    ("checks", "pause"),
    [
        (1, timedelta(minutes=5)),
        (2, timedelta(minutes=10)),
        (3, timedelta(minutes=20)),
        (8, timedelta(minutes=640)),
        (9, timedelta(hours=12)),
        (1_000_000, timedelta(hours=12)),
    ],
)
def test_the_pause_after_each_check_doubles_up_to_12_hours(checks, pause):
    assert pause_after(checks) == pause
    assert next_check_at(SESSION_ID, END, END, 52 * WEEK, checks=checks) == END + pause


def test_the_pauses_after_the_checks_never_get_shorter():
    pauses = [pause_after(checks) for checks in range(1, 40)]
    assert pauses == sorted(pauses)


@pytest.mark.parametrize("checks", [None, 20])
def test_the_last_check_is_at_the_moment_of_giving_up_and_later_ones_follow_the_pauses(checks):
    until = END + WEEK
    assert next_check_at(SESSION_ID, END, until - timedelta(seconds=1), WEEK, checks=checks) == until
    assert until < next_check_at(SESSION_ID, END, until, WEEK, checks=checks) <= until + timedelta(hours=24)


def test_an_unconfirmed_clock_gives_up_only_after_several_checks():
    last = END + WEEK
    assert should_give_up(END, last, WEEK)
    assert not should_give_up(END, last - timedelta(microseconds=1), WEEK)
    few, enough = (
        should_give_up(END, last, WEEK, is_confirmed=False, checks=checks)
        for checks in (CHECKS_WITHOUT_DATE - 1, CHECKS_WITHOUT_DATE)
    )
    assert (few, enough) == (False, True)
    assert not should_give_up(END, END, WEEK, is_confirmed=False, checks=CHECKS_WITHOUT_DATE)


@pytest.mark.parametrize(
    ("session", "now", "status", "reason"),
    [
        pytest.param(None, START, "pending", "no one has joined", id="it does not exist yet"),
        pytest.param(None, START + WEEK - timedelta(seconds=1), "pending", "no one has joined", id="nor for a week"),
        pytest.param(None, START + WEEK, "given_up", "no such session", id="it never existed"),
        pytest.param(a_session(end_time=None), START, "pending", "running", id="it runs"),
        pytest.param(a_session(end_time=None), START + 2 * WEEK, "pending", "running", id="it runs for very long"),
        pytest.param(
            a_session(end_time=(START + timedelta(seconds=300)).isoformat()),
            END,
            "not_eligible",
            "too short",
            id="too short",
        ),
        pytest.param(a_session(profiles=[{"user": 1}]), END, "not_eligible", "one person only", id="one person"),
        pytest.param(a_session(record_av=False), END, "not_eligible", "not recorded", id="not recorded"),
        pytest.param(
            a_session(record_av=False), END + 2 * WEEK, "not_eligible", "not recorded", id="not recorded, long ago"
        ),
        pytest.param(a_session(), END, "pending", "not ready yet, 0:00:00 after", id="just ended"),
        pytest.param(a_session(), END - WEEK, "pending", "not ready yet, 0:00:00 after", id="ends in the future"),
        pytest.param(
            a_session(), END + WEEK - timedelta(seconds=1), "pending", "not ready yet", id="almost a week ago"
        ),
        pytest.param(a_session(), END + WEEK, "given_up", "7 days", id="a week ago"),
    ],
)
def test_what_is_known_without_asking_for_the_transcript(session, now, status, reason):
    verdict = transcript_verdict(SESSION_ID, session, now, began_at=START, give_up_after=WEEK)
    assert verdict.status == status
    assert reason in verdict.message
    assert SESSION_ID in verdict.message
    has_ended = session is not None and session["end_time"] is not None
    assert (verdict.ended_at is not None) is has_ended


def test_a_session_that_ended_is_given_up_by_its_end_however_lately_it_is_waited_for():
    verdict = transcript_verdict(SESSION_ID, a_session(), END + WEEK, began_at=END + WEEK, give_up_after=WEEK)
    assert verdict.status == "given_up"


def test_a_missing_transcript_is_given_up_when_its_time_is_over():
    hour = timedelta(hours=1)
    assert missing_transcript(SESSION_ID, END, END + hour - timedelta(microseconds=1), hour).status == "pending"
    verdict = missing_transcript(SESSION_ID, END, END + hour, hour)
    assert (verdict.status, verdict.ended_at) == ("given_up", END)
    assert "1:00:00 after the session's end" in verdict.message


class Source:
    """Stands in for the hook, and remembers what it was asked."""

    def __init__(self, session, *, has_transcript=False):
        self.session = session
        self.is_there = has_transcript
        self.calls = []

    def get_session(self, session_id):
        self.calls.append(("session", session_id))
        if self.session is None:
            raise LessonspaceNotFoundError("no such session", status=404)
        return self.session

    def has_transcript(self, session_id):
        self.calls.append(("transcript", session_id))
        return self.is_there


def check(source, now, *, ended_at=None):
    awaited = AwaitedTranscript(SESSION_ID, WEEK, began_at=START, ended_at=ended_at)
    verdict = awaited.check(source, now)
    assert all(session_id == SESSION_ID for _, session_id in source.calls)
    return verdict.status, [asked for asked, _ in source.calls]


SOON = END + timedelta(minutes=5)


@pytest.mark.parametrize(
    ("session", "status"),
    [
        pytest.param(None, "pending", id="it does not exist yet"),
        pytest.param(a_session(end_time=None), "pending", id="it runs"),
        pytest.param(a_session(record_av=False), "not_eligible", id="it can have none"),
    ],
)
def test_as_long_as_there_can_be_no_transcript_only_the_session_is_asked_for(session, status):
    assert check(Source(session, has_transcript=True), SOON) == (status, ["session"])


def test_an_ended_session_is_asked_for_and_its_transcript_at_once():
    assert check(Source(a_session()), SOON) == ("pending", ["session", "transcript"])
    assert check(Source(a_session(), has_transcript=True), SOON) == ("ready", ["session", "transcript"])


def test_once_the_end_is_known_the_session_is_not_asked_for_again():
    assert check(Source(a_session()), SOON, ended_at=END) == ("pending", ["transcript"])
    assert check(Source(a_session(), has_transcript=True), SOON, ended_at=END) == ("ready", ["transcript"])


@pytest.mark.parametrize("ended_at", [None, END])
def test_before_it_is_given_up_it_is_asked_for_a_last_time(ended_at):
    late = END + WEEK + timedelta(hours=1)
    assert check(Source(a_session(), has_transcript=True), late, ended_at=ended_at)[0] == "ready"
    status, asked = check(Source(a_session()), late, ended_at=ended_at)
    assert (status, asked[-1]) == ("given_up", "transcript")


def test_a_check_learns_the_end_so_that_the_next_needs_one_call():
    first = AwaitedTranscript(SESSION_ID, WEEK, began_at=START).check(Source(a_session()), SOON)
    assert first.ended_at == END
