# SPDX-License-Identifier: Apache-2.0
"""Which of a room's sessions was the lesson, and whether it is over."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from itertools import permutations
from zoneinfo import ZoneInfo

import pytest

from lessonspace_provider.waiting.lessons import MOST_LISTED, Lesson, lesson_verdict, session_verdict
from lessonspace_provider.waiting.parsed_session import ParsedSession

DAY = "2026-11-23"


def at(clock):
    return datetime.fromisoformat(f"{DAY}T{clock}+00:00")


def held(name, start, end, people=2, guests=0):
    """A session with so many users and guests; an end of None means that it runs."""
    return ParsedSession(name, ("room",), start and at(start), end and at(end), people + guests, summary={})


#: From nine to ten; given up at a quarter past ten.
LESSON = Lesson(at("09:00:00"), at("10:00:00"), min_participants=2, give_up_at=at("10:15:00"))
NEVER_GIVEN_UP = replace(LESSON, give_up_at=None)


def decide(sessions, now="10:00:00", lesson=LESSON):
    """Decide, and see to it that the order of the list changes nothing."""
    verdicts = [lesson_verdict(lesson, order, at(now)) for order in permutations(sessions)]
    outcomes = {(verdict.status, verdict.session.session_id if verdict.session else None) for verdict in verdicts}
    assert len(outcomes) == 1, f"the list's order matters: {outcomes}"
    assert len({verdict.message for verdict in verdicts}) == 1
    return verdicts[0]


ALONE = held("alone", "08:58:00", "09:08:00", people=1)
REAL = held("real", "09:10:00", "09:55:00")


@pytest.mark.parametrize(
    ("sessions", "lesson"),
    [
        pytest.param([REAL], "real", id="one session"),
        pytest.param([ALONE, REAL], "real", id="somebody waits alone, it idles out, the real lesson opens another"),
        pytest.param(
            [held("alone", "09:00:00", "09:50:00", people=1), held("real", "09:51:00", "09:59:00")],
            "real",
            id="who waits alone for long makes no lesson",
        ),
        pytest.param([held("over", "09:00:00", "10:00:00"), ALONE], "over", id="ended on time"),
        pytest.param(
            [held("before", "08:00:00", "09:06:00"), REAL], "real", id="the lesson before overruns into the window"
        ),
        pytest.param(
            [REAL, held("next", "09:56:00", None)], "real", id="the people of the next lesson join early and run on"
        ),
        pytest.param(
            [REAL, held("next", "09:56:00", "09:59:30")], "real", id="the people of the next lesson try the room"
        ),
        pytest.param(
            [held("first", "09:00:00", "09:40:00"), held("second", "09:41:00", "09:58:00")],
            "first",
            id="dropped out, and came back in a second session: the longer one",
        ),
        pytest.param(
            [held("first", "09:00:00", "09:05:00"), held("second", "09:06:00", "09:58:00")],
            "second",
            id="dropped out at once, and came back: the longer one",
        ),
        pytest.param([held("late", "09:30:00", "09:59:00")], "late", id="the student came late"),
        pytest.param(
            [held("first", "09:10:00", "09:30:00"), held("second", "09:35:00", "09:55:00")],
            "first",
            id="of equals, the one that began first",
        ),
        pytest.param(
            [held("a", "08:00:00", "09:20:00"), held("b", "09:30:00", "09:55:00")],
            "b",
            id="only what lies in the window counts, not the whole length",
        ),
        pytest.param([held("guest", "09:00:00", "09:50:00", people=1, guests=1)], "guest", id="a guest is a person"),
        pytest.param(
            [held("guests", "09:00:00", "09:50:00", people=0, guests=2)], "guests", id="guests alone are people too"
        ),
        pytest.param([held("undated", None, "09:50:00")], "undated", id="a session without a start"),
        pytest.param([held("undated", None, "09:20:00"), REAL], "real", id="no start, and it ended early"),
        pytest.param(
            [held("same", "09:10:00", "09:55:00"), held("alone", "09:10:00", "09:55:00", people=1)],
            "same",
            id="two at the same time, one of them somebody alone",
        ),
    ],
)
def test_the_lesson_is_the_session_with_enough_people_that_covers_most_of_the_window(sessions, lesson):
    verdict = decide(sessions)
    assert (verdict.status, verdict.session and verdict.session.session_id) == ("ended", lesson)
    assert lesson in verdict.message


@pytest.mark.parametrize(
    "sessions",
    [
        pytest.param([held("over", "09:00:00", None)], id="the lesson overruns"),
        pytest.param([held("undated", None, None)], id="one that runs, without a start"),
        pytest.param([held("one", "09:00:00", None, people=1)], id="a second person may still come"),
        pytest.param(
            [held("first", "09:00:00", "09:20:00"), held("second", "09:21:00", None)],
            id="they came back, and the second one has become the longer",
        ),
        pytest.param([ALONE, held("real", "09:10:00", None)], id="somebody waited alone, and the real lesson runs"),
    ],
)
def test_a_running_session_that_can_be_the_lesson_is_waited_for(sessions):
    verdict = decide(sessions, now="11:30:00")
    assert (verdict.status, verdict.session) == ("waiting", None)
    assert "is running" in verdict.message


@pytest.mark.parametrize(
    "running",
    [
        pytest.param(held("next", "10:00:00", None), id="it began when the window was over"),
        pytest.param(held("next", "09:50:00", None), id="it has less of the window left than another took"),
    ],
)
def test_a_running_session_that_can_not_be_the_lesson_is_not_waited_for(running):
    assert decide([REAL, running], now="10:30:00").session is REAL


@pytest.mark.parametrize(
    "sessions",
    [
        pytest.param([], id="no one came"),
        pytest.param([ALONE], id="one person came"),
        pytest.param([ALONE, held("again", "09:20:00", "09:40:00", people=1)], id="one person came twice"),
        pytest.param([held("before", "07:50:00", "08:59:59")], id="only the lesson before was held"),
        pytest.param([held("next", "10:00:00", "10:10:00")], id="only the next lesson was held"),
        pytest.param([held("next", "10:00:00", None)], id="only the next lesson runs"),
        pytest.param([held("none", "09:00:00", "09:30:00", people=0)], id="a session without people"),
    ],
)
def test_a_lesson_that_no_one_held_is_waited_for_until_it_is_given_up(sessions):
    assert decide(sessions, now="10:14:59").status == "waiting"
    assert decide(sessions, now="10:15:00").status == "no_session"
    assert decide(sessions, now="10:15:00").session is None


@pytest.mark.parametrize("sessions", [[], [ALONE]])
def test_a_lesson_that_is_never_given_up_is_waited_for_for_ever(sessions):
    assert decide(sessions, now="23:00:00", lesson=NEVER_GIVEN_UP).status == "waiting"


@pytest.mark.parametrize("lesson", [LESSON, NEVER_GIVEN_UP])
def test_the_lesson_before_that_ended_at_the_very_moment_when_this_one_begins_is_not_this_one(lesson):
    before = held("before", "08:00:00", "09:00:00")
    assert decide([before], now="10:15:00", lesson=lesson).session is None


def test_the_reason_for_no_session_distinguishes_none_from_too_few():
    assert "none at all" in decide([], now="11:00:00").message
    assert "1 people: too few people" in decide([ALONE], now="11:00:00").message


# Lessons that begin late

HALF_HOUR = Lesson(at("09:00:00"), at("09:30:00"), min_participants=2, give_up_at=at("09:45:00"))


def test_a_lesson_that_begins_late_and_overruns_is_the_lesson():
    late = held("late", "09:16:00", "10:30:00")
    assert decide([late], now="10:30:00", lesson=HALF_HOUR).session is late
    running = held("late", "09:16:00", None)
    assert "late is running" in decide([running], now="10:00:00", lesson=HALF_HOUR).message


@pytest.mark.parametrize(
    ("start", "max_delay", "may"),
    [
        pytest.param("09:20:00", None, True, id="two thirds of the window"),
        pytest.param("09:20:01", None, False, id="later, people may come early for the next lesson"),
        pytest.param("09:16:00", 16, True, id="as late as is allowed"),
        pytest.param("09:16:01", 16, False, id="later than is allowed"),
        pytest.param("09:14:00", 5, True, id="later, but it took up more than half of the window"),
        pytest.param("09:00:00", 0, True, id="on time"),
        pytest.param("09:35:00", 30, False, id="after the window"),
        pytest.param("09:35:00", 45, True, id="after the window, which is allowed"),
        pytest.param("09:45:01", 45, False, id="after the window and too late"),
    ],
)
def test_how_late_a_lesson_may_begin_is_the_callers(start, max_delay, may):
    lesson = replace(HALF_HOUR, max_delay=None if max_delay is None else timedelta(minutes=max_delay))
    session = held("s", start, "10:40:00")
    assert lesson.may_be(session, at("11:00:00")) is may
    assert decide([session], now="11:00:00", lesson=lesson).status == ("ended" if may else "no_session")


def test_of_lessons_back_to_back_each_gets_its_own_session():
    first, second = held("first", "09:02:00", "09:33:00"), held("second", "09:33:30", "10:05:00")
    next_lesson = replace(HALF_HOUR, window_start=at("09:30:00"), window_end=at("10:00:00"))
    assert decide([first, second], now="10:30:00", lesson=HALF_HOUR).session is first
    assert decide([first, second], now="10:30:00", lesson=next_lesson).session is second


@pytest.mark.parametrize("early", ["09:21:00", "09:25:00"])
def test_who_comes_early_for_the_next_lesson_is_not_taken_for_this_one(early):
    next_one = held("next", early, "10:05:00")
    next_lesson = replace(HALF_HOUR, window_start=at("09:30:00"), window_end=at("10:00:00"))
    assert decide([next_one], now="10:30:00", lesson=HALF_HOUR).status == "no_session"
    assert decide([next_one], now="10:30:00", lesson=next_lesson).session is next_one


def test_the_lesson_before_that_overruns_is_never_late():
    before = held("before", "08:30:00", "09:12:00")
    assert decide([before], now="10:30:00", lesson=HALF_HOUR).status == "no_session"


# What a message lists


def test_what_was_found_is_listed_with_why_it_does_not_count():
    sessions = [
        held("before", "08:00:00", "08:59:00"),
        held("overran", "08:00:00", "09:05:00"),
        ALONE,
        held("late", "09:55:00", "10:40:00"),
        held("after", "10:05:00", "10:40:00"),
    ]
    message = decide(sessions, now="11:00:00").message
    expected = [
        "alone from 2026-11-23T08:58:00Z to 2026-11-23T09:08:00Z, 1 people: too few people",
        "before from 2026-11-23T08:00:00Z to 2026-11-23T08:59:00Z, 2 people: it ended before the window",
        "overran from 2026-11-23T08:00:00Z to 2026-11-23T09:05:00Z, 2 people: most of it was before the window",
        "late from 2026-11-23T09:55:00Z to 2026-11-23T10:40:00Z, 2 people: it began after 2026-11-23T09:40:00Z",
        "after from 2026-11-23T10:05:00Z to 2026-11-23T10:40:00Z, 2 people: it began too late",
    ]
    assert [part for part in expected if part not in message] == []
    assert "Check the window" in message
    assert "Check the id" not in message


def test_without_a_session_the_id_is_to_be_checked():
    assert "none at all. Check the id first" in decide([], now="11:00:00").message


def test_of_many_sessions_the_nearest_are_listed():
    sessions = [held(f"s{hour}", f"0{hour}:00:00", f"0{hour}:30:00") for hour in range(9)]
    message = lesson_verdict(LESSON, sessions, at("11:00:00"), unreadable=["Odd. "] * 3).message
    assert [f"s{hour} " in message for hour in range(9)] == [False] * (9 - MOST_LISTED) + [True] * MOST_LISTED
    assert "and 7 more" in message


def test_a_session_that_cant_be_read_is_listed():
    message = lesson_verdict(LESSON, [], at("11:00:00"), unreadable=["Session x has the end_time '10:'."]).message
    assert "found Session x has the end_time '10:'. Check the window" in message


def test_before_the_window_ends_nothing_is_over_since_people_may_come_back():
    assert decide([REAL], now="09:59:59").status == "waiting"
    assert decide([REAL], now="10:00:00").status == "ended"
    assert decide([], now="08:00:00").status == "waiting"


def test_a_lesson_that_overran_has_ended_once_its_session_has():
    overran = held("over", "09:05:00", "11:20:00")
    assert decide([replace(overran, end=None)], now="11:00:00").status == "waiting"
    assert decide([overran], now="11:20:00").session is overran


def test_a_session_after_the_window_is_the_lesson_only_if_it_is_never_given_up():
    later = held("later", "12:00:00", "12:45:00")
    assert decide([later], now="13:00:00").status == "no_session"
    assert decide([later], now="13:00:00", lesson=NEVER_GIVEN_UP).session is later
    assert decide([replace(later, end=None)], now="12:30:00", lesson=NEVER_GIVEN_UP).status == "waiting"


def test_of_several_sessions_after_the_window_the_first_counts():
    later = [held("first", "12:00:00", "12:45:00"), held("second", "14:00:00", "14:45:00")]
    assert decide(later, now="15:00:00", lesson=NEVER_GIVEN_UP).session.session_id == "first"


def test_a_session_of_the_window_comes_before_one_after_it():
    later = held("later", "12:00:00", "12:45:00")
    assert decide([later, REAL], now="13:00:00", lesson=NEVER_GIVEN_UP).session is REAL


@pytest.mark.parametrize("people", [1, 2, 3])
def test_the_number_of_people_is_the_callers(people):
    lesson = replace(LESSON, min_participants=people)
    assert decide([held("s", "09:00:00", "09:50:00", people=people)], lesson=lesson).status == "ended"
    fewer = held("s", "09:00:00", "09:50:00", people=people - 1)
    assert decide([fewer], lesson=lesson, now="11:00:00").status == "no_session"


@pytest.mark.parametrize(
    ("start", "end", "may"),
    [
        pytest.param("08:00:00", "09:00:00", False, id="before"),
        pytest.param("08:00:00", "09:06:00", False, id="the lesson before, which overran"),
        pytest.param("08:50:00", "09:10:00", True, id="half inside"),
        pytest.param("08:00:00", "12:00:00", True, id="a room that is left open takes up all of the window"),
        pytest.param("09:05:00", "10:30:00", True, id="overran"),
        pytest.param("09:50:00", "10:45:00", False, id="early for the lesson after"),
        pytest.param("09:58:00", None, True, id="may still end in time"),
        pytest.param("10:00:00", "10:30:00", False, id="after"),
        pytest.param("10:00:00", None, False, id="after, and running"),
        pytest.param(None, None, True, id="running since nobody knows when"),
        pytest.param(None, "08:59:59", False, id="ended before, begun nobody knows when"),
        pytest.param(None, "09:30:00", True, id="ended inside, begun nobody knows when"),
    ],
)
def test_a_session_of_another_lesson_can_not_be_this_one(start, end, may):
    assert LESSON.may_be(held("s", start, end), at("10:00:00")) is may


def test_who_came_early_for_the_lesson_after_is_no_longer_waited_for_once_that_runs():
    early = held("early", "09:58:00", None)
    assert decide([early], now="10:00:00").status == "waiting"
    assert decide([early], now="10:15:00").status == "no_session"


def test_a_lesson_that_is_never_given_up_may_be_held_later_but_not_earlier():
    assert NEVER_GIVEN_UP.may_be(held("s", "10:00:00", None), at("10:30:00"))
    assert NEVER_GIVEN_UP.may_be(held("s", "20:00:00", "21:00:00"), at("22:00:00"))
    assert not NEVER_GIVEN_UP.may_be(held("s", "08:00:00", "08:59:00"), at("22:00:00"))


@pytest.mark.parametrize(
    ("start", "end", "minutes"),
    [
        ("09:00:00", "10:00:00", 60),
        ("08:00:00", "11:00:00", 60),
        ("09:10:00", "09:55:00", 45),
        ("08:30:00", "09:15:00", 15),
        ("09:50:00", "10:30:00", 10),
        ("09:50:00", None, 10),
        ("08:00:00", None, 60),
        (None, "09:20:00", 20),
        (None, None, 60),
        ("07:00:00", "08:00:00", 0),
        ("11:00:00", "12:00:00", 0),
        ("11:00:00", None, 0),
    ],
)
def test_the_overlap_is_the_part_of_the_window_that_a_session_covers_or_may_cover(start, end, minutes):
    assert LESSON.overlap(held("s", start, end)) == timedelta(minutes=minutes)


@pytest.mark.parametrize(
    ("start", "end", "certain"),
    [
        ("09:00:00", "09:30:00", False),
        ("09:00:00", "09:30:01", True),
        ("09:29:59", "10:30:00", True),
        ("08:00:00", "09:30:00", False),
    ],
)
def test_no_other_session_can_be_the_lesson_once_one_took_up_more_than_half(start, end, certain):
    session = held("s", start, end)
    assert LESSON.covers_most(session) is certain
    if certain:
        for other in (held("earlier", "09:00:00", start), held("later", end, "10:00:00")):
            assert decide([session, other]).session is session


@pytest.mark.parametrize(
    ("day", "hours"),
    [pytest.param("2026-10-25", 3, id="clocks go back"), pytest.param("2026-03-29", 1, id="clocks go forward")],
)
def test_a_lesson_on_the_day_when_clocks_change_is_as_long_as_it_really_is(day, hours):
    berlin = ZoneInfo("Europe/Berlin")
    start, end = (
        datetime.fromisoformat(f"{day}T{clock}").replace(tzinfo=berlin).astimezone(timezone.utc)
        for clock in ("01:30", "03:30")
    )
    lesson = Lesson(start, end, 2, end)
    assert end - start == timedelta(hours=hours)
    whole = replace(held("whole", None, None), start=start, end=end)
    assert lesson.overlap(whole) == end - start
    early = replace(whole, session_id="early", end=start + timedelta(minutes=20))
    late = replace(whole, session_id="late", start=start + timedelta(minutes=21))
    for order in permutations([early, late]):
        assert lesson_verdict(lesson, order, end).session is late
        assert lesson_verdict(lesson, order, end - timedelta(seconds=1)).status == "waiting"


def test_the_end_of_one_session():
    session = held("the-id", "09:00:00", "09:50:00")
    verdicts = [session_verdict("the-id", s) for s in (None, replace(session, end=None), session)]
    assert [(verdict.status, verdict.session) for verdict in verdicts] == [
        ("waiting", None),
        ("waiting", None),
        ("ended", session),
    ]
    assert "no one has joined" in verdicts[0].message
    assert "running" in verdicts[1].message
    assert all("the-id" in verdict.message for verdict in verdicts)


def test_one_session_counts_however_few_people_were_there():
    assert session_verdict("s", held("s", "09:00:00", "09:01:00", people=1)).status == "ended"
