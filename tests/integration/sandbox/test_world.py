# SPDX-License-Identifier: Apache-2.0
"""The seeded school."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta, timezone

import pytest

from lessonspace_provider.sandbox.school import make_world
from lessonspace_provider.sandbox.serializers import session_detail, space_session

DAY = timedelta(days=1)
MOMENTS = [
    datetime(2026, 11, 23, 15, 0, tzinfo=timezone.utc),
    datetime(2026, 11, 23, 0, 0, tzinfo=timezone.utc),
    datetime(2024, 2, 29, 23, 59, 59, tzinfo=timezone.utc),
]


def make(seed=1, now=MOMENTS[0], days=14, per_day=12):
    return make_world(seed, 20417, now, days, per_day)


def rendered(world):
    return repr(
        [
            (session_detail(world, s, "http://x"), space_session(world, s, "http://x"), world.transcript_file(s))
            for s in world.oldest_first
        ]
    )


def test_the_same_seed_and_moment_make_the_same_world_byte_for_byte():
    assert rendered(make(days=5)) == rendered(make(days=5))


def test_another_seed_makes_another_world():
    assert {s.uuid for s in make().oldest_first}.isdisjoint(s.uuid for s in make(seed=2).oldest_first)


def test_the_same_requests_get_the_same_bytes_after_a_reset(client, control):
    def ask():
        paths = [client.organisation(p) for p in ("/sessions/", "/spaces/", "/users/")]
        bodies = [client.get(path).content for path in paths]
        return [*bodies, client.launch("new", user={"name": "A"}).content]

    first = ask()
    control.reset()
    assert ask() == first


@pytest.mark.parametrize("now", MOMENTS)
@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("per_day", [1, 12, 50])
def test_every_past_day_has_exactly_so_many_sessions_that_ended(now, seed, per_day):
    world = make(seed, now, 6, per_day)
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    days = Counter(-((s.end - midnight) // DAY) for s in world.oldest_first if s.end and s.end < midnight)
    assert days == dict.fromkeys(range(1, 7), per_day)
    assert all(s.end <= now for s in world.oldest_first if s.end)


@pytest.mark.parametrize("now", MOMENTS)
def test_three_sessions_run_now_and_one_of_them_has_one_user(now):
    running = make(now=now).running
    assert len(running) == 3
    assert sorted(s.people for s in running)[0] == 1
    assert all(s.start < now < s.scheduled_end for s in running)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_space_never_holds_two_sessions_at_once(seed):
    for space in make(seed).spaces.values():
        for earlier, later in zip(space.sessions, space.sessions[1:]):
            assert earlier.end is not None
            assert earlier.end <= later.start


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_reality_is_messy_in_proportion(seed):
    world = make(seed)
    sessions = world.oldest_first
    share = Counter(world.transcript_state(s, MOMENTS[0] + 7 * DAY) for s in sessions)
    assert share["ready"] > len(sessions) / 2
    for state in ("single-user", "too-short", "not-recorded", "not-transcribed", "recording-removed"):
        assert 0 < share[state] < len(sessions) / 3, state
    names = [s.name for s in sessions] + [u.name for u in world.users.values()]
    assert None in names
    texts = [name for name in names if name]
    assert any("/" in name for name in texts)
    assert any("🔭" in name for name in texts)
    assert any("\u0590" <= letter <= "\u06ff" for name in texts for letter in name)
    assert any(s.guests for s in sessions)
    assert any(s.space.launch_id for s in sessions)
    assert any(s.space.launch_id is None for s in sessions)
    joined = [Counter(r.user_id for r in s.logs if r.log_type == "user-joined") for s in sessions]
    assert any(count.most_common(1)[0][1] > 1 for count in joined)


@pytest.mark.parametrize("seed", [1, 2])
def test_logs_fit_the_sessions(seed):
    for session in make(seed).oldest_first:
        dates = [row.date for row in session.logs]
        assert dates == sorted(dates)
        assert dates[0] == session.start
        joined = {row.user_id or row.guest_uuid for row in session.logs if row.log_type == "user-joined"}
        assert joined <= {*(u.id for u in session.users), *(g.uuid for g in session.guests)}
        if session.end is None:
            continue
        assert joined == {*(u.id for u in session.users), *(g.uuid for g in session.guests)}
        assert dates[-1] <= session.end
        last = session.logs[-1]
        ended_idle = last.log_type == "session-idled"
        assert ended_idle or session.end - last.date == timedelta(seconds=30)


def test_someone_waits_alone_before_the_lesson_in_the_same_space():
    waits = [
        (earlier, later)
        for space in make().spaces.values()
        for earlier, later in zip(space.sessions, space.sessions[1:])
        if earlier.people == 1 < later.people and later.start - earlier.end < timedelta(minutes=20)
    ]
    assert len(waits) > 5


def test_one_session_ends_at_midnight_sharp_and_others_cross_it():
    sessions = [s for s in make().oldest_first if s.end]
    assert sum(s.end.time().isoformat() == "00:00:00" for s in sessions) == 1
    assert sum(s.start.date() < s.end.date() for s in sessions) >= 3


def test_most_transcripts_are_ready_within_90_minutes_and_some_after_many_hours():
    world = make(days=60)
    eligible = [s for s in world.oldest_first if world.transcript_state(s, MOMENTS[0] + 7 * DAY) == "ready"]
    delays = [(world.transcript_ready_at(s, s.end) - s.end) / timedelta(minutes=1) for s in eligible]
    assert min(delays) >= 10
    assert 0.75 < sum(delay <= 90 for delay in delays) / len(delays) < 0.95
    assert 12 * 60 < max(delays) <= 40 * 60
