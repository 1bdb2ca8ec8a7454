# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math
from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lessonspace_provider.transcripts.talk_time import LATEST_SECOND, known_role, measure_talk_time

ROLES = {1: "teacher", 2: "student", 3: "student", 4: "admin"}


def said(start, end, user=1, text="one two", room="main", name="Ann"):
    return {"start_time": start, "end_time": end, "user": {"id": user, "name": name}, "breakout_id": room, "text": text}


def seconds(*segments, **more):
    return {speaker.user_id: speaker.seconds for speaker in measure_talk_time(segments, ROLES, **more).speakers}


def test_overlapping_segments_of_one_person_count_once():
    assert seconds(said(0, 10), said(5, 12), said(6, 7), said(20, 21)) == {1: 13.0}


def test_two_people_at_the_same_time_both_count():
    talk = measure_talk_time([said(0, 10), said(5, 15, 2)], ROLES, duration=60)
    assert (talk.seconds, talk.spoken_seconds, talk.silence_seconds) == (20.0, 15.0, 45.0)
    assert [talk.seconds_of(role) for role in ("teacher", "student", "admin", None)] == [10.0, 10.0, 0.0, 0.0]


def test_breakout_rooms_have_their_own_turns():
    rooms = [said(0, 10, 1, room="a"), said(2, 4, 2, room="b"), said(10, 20, 1, room="a"), said(4, 5, 3, room="b")]
    talk = measure_talk_time(rooms, ROLES, duration=30)
    assert (talk.turns, talk.longest_turn_seconds, talk.silence_seconds) == (3, 20.0, 10.0)


def test_order_of_segments_makes_no_difference():
    ordered = [said(0, 5), said(6, 7, 2), said(8, 20), said(21, 30), said(40, 41, 3)]
    forwards, backwards = (
        measure_talk_time(ordered, ROLES, duration=60),
        measure_talk_time(ordered[::-1], ROLES, duration=60),
    )
    assert forwards.turns == backwards.turns == 4
    assert forwards.longest_turn_seconds == backwards.longest_turn_seconds == 21.0
    assert {who.user_id: who.seconds for who in backwards.speakers} == {1: 26.0, 2: 1.0, 3: 1.0}


def test_pauses_within_a_turn_are_not_talk_time():
    assert measure_talk_time([said(0, 5), said(50, 55)], ROLES).longest_turn_seconds == 10.0


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (10, 5, 0.0),
        (-5, 5, 5.0),
        (-9, -5, 0.0),
        (0, 1e9, 0.0),
        (1e9, 1e9 + 1, 0.0),
        (math.nan, 5, 0.0),
        (0, math.inf, 0.0),
        (0, 10**400, 0.0),
        ("0", 5, 0.0),
        (None, None, 0.0),
        (True, 5, 0.0),
        (3590, 3700, 10.0),
    ],
)
def test_times_that_make_no_sense_are_clipped_or_take_no_time(start, end, expected):
    talk = measure_talk_time([said(start, end)], ROLES, duration=3600)
    assert talk.seconds == expected
    assert (talk.words, talk.segments, talk.turns) == (2, 1, 1)


def test_a_segment_without_a_start_keeps_its_place():
    assert measure_talk_time([said(5, 6), said(None, None, 2), said(7, 8)], ROLES).turns == 3


def test_a_segment_with_neither_words_nor_length_ends_no_turn():
    assert measure_talk_time([said(0, 1), said(2, 2, 2, text=" "), said(3, 4)], ROLES).turns == 1


def test_duration_that_is_not_known_leaves_silence_unknown():
    for duration in (None, 0, -5.0):
        talk = measure_talk_time([said(0, 1)], ROLES, duration=duration)
        assert (talk.silence_seconds, talk.seconds) == (None, 1.0)


def test_one_id_with_two_names_is_one_person_with_the_first():
    (speaker,) = measure_talk_time(
        [said(0, 1, name=" "), said(1, 2, name="A\0nn\n B"), said(2, 3, name="Ben")], ROLES
    ).speakers
    assert (speaker.name, speaker.seconds, speaker.role) == ("Ann B", 3.0, "teacher")


@pytest.mark.parametrize("user", [None, {}, "Ann", {"id": "1"}, {"id": True}, {"id": 2**64}, {"id": None}])
def test_segments_without_a_readable_user_are_one_unknown_speaker(user):
    talk = measure_talk_time([{**said(0, 1), "user": user}, {**said(1, 3), "user": user}], ROLES)
    assert [(who.user_id, who.role, who.seconds) for who in talk.speakers] == [(None, None, 3.0)]
    assert (talk.seconds_of(None), talk.words_of(None), talk.turns) == (3.0, 4, 1)


def test_roles_are_the_documented_ones_in_any_case():
    assert [known_role(role) for role in ("Teacher", "STUDENT", "admin")] == ["teacher", "student", "admin"]
    assert [known_role(role) for role in ("Ben Student", "", None, ["teacher"])] == [None] * 4
    assert measure_talk_time([said(0, 1, 9)], {9: "observer"}).seconds_of(None) == 1.0


def test_no_segments_are_no_talk():
    talk = measure_talk_time([], ROLES, duration=60)
    assert (talk.seconds, talk.words, talk.turns, talk.longest_turn_seconds, talk.silence_seconds) == (0, 0, 0, 0, 60)


def test_strange_text_is_counted_by_its_words():
    assert measure_talk_time([said(0, 1, text="a\0b \ud800 c"), {**said(1, 2), "text": None}], ROLES).words == 3


# A second computation, over a grid of time: it shares neither code nor method with the first.
times = st.integers(-30, 400) | st.sampled_from([None, math.nan, 10**9, "5", LATEST_SECOND + 1])
segment = st.builds(
    said, times, times, st.sampled_from([1, 2, 3, 9, None]), st.sampled_from(["", "a", "a b"]), st.sampled_from("xy")
)


def grid(segments, duration):
    spoken, everyone = defaultdict(set), set()
    for one in segments:
        start, end = one["start_time"], one["end_time"]
        if all(isinstance(time, int) and time <= LATEST_SECOND for time in (start, end)):
            cells = set(range(max(start, 0), min(max(end, 0), duration)))
            spoken[one["user"]["id"]] |= cells
            everyone |= cells
    return {user: len(cells) for user, cells in spoken.items()}, len(everyone)


def turns_in(segments, duration):
    """Count turns from a sorted list for each room."""
    placed, start = [], 0
    for number, one in enumerate(segments):
        given, end = one["start_time"], one["end_time"]
        is_start = isinstance(given, int) and given <= LATEST_SECOND
        at = min(max(given, 0), duration) if is_start else start
        is_timed = is_start and isinstance(end, int) and end <= LATEST_SECOND
        if one["text"].split() or (is_timed and min(max(end, 0), duration) > at):
            placed.append((at, number, one))
            start = at
    speakers = defaultdict(list)
    for _, _, one in sorted(placed, key=lambda item: item[:2]):
        speakers[one["breakout_id"]].append(one["user"]["id"])
    return sum(
        sum(1 for before, now in zip([object(), *ids], ids, strict=False) if before != now) for ids in speakers.values()
    )


@given(st.lists(segment, max_size=25), st.integers(1, 500))
def test_an_independent_computation_agrees(segments, duration):
    by_user, anyone = grid(segments, duration)
    talk = measure_talk_time(segments, ROLES, duration=duration)
    assert {who.user_id: who.seconds for who in talk.speakers if who.seconds} == {
        user: count for user, count in by_user.items() if count
    }
    assert talk.spoken_seconds == anyone
    assert talk.silence_seconds == duration - anyone
    assert talk.seconds == sum(by_user.values())
    assert talk.seconds == sum(talk.seconds_of(role) for role in ("teacher", "student", "admin", None))
    assert talk.words == sum(len(one["text"].split()) for one in segments)
    assert talk.turns == turns_in(segments, duration)
    assert talk.longest_turn_seconds <= talk.spoken_seconds
