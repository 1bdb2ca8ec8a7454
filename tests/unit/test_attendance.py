# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given

from lessonspace_provider.attendance import attendance, billable_minutes, lateness, profiles_by_user, teacher_lateness
from lessonspace_provider.exceptions import LessonspaceInputError
from tests.odd_items import session_fields

NINE = datetime(2026, 11, 22, 9, 0, tzinfo=timezone.utc)
TEACHER, PUPIL = 1, 2


def at(minute):
    """Write the time so many minutes after nine."""
    return (NINE + timedelta(minutes=minute)).isoformat().replace("+00:00", "Z")


def row(kind, minute, person=PUPIL, socket="a"):
    """Make a row; ``minute`` may be text, to stand as it is; a person that is text is a guest."""
    return {
        "log_type": kind if kind.startswith(("session", "user", "cobrowser")) else f"user-{kind}",
        "date": at(minute) if isinstance(minute, (int, float)) else minute,
        "profile": None if isinstance(person, str) else person,
        "guest_uuid": person if isinstance(person, str) else None,
        "user_socket_id": socket,
    }


def a_session(*logs, start=0, end=60, **fields):
    return {
        "uuid": "5b5f1a2c-3d4e-4f5a-8b9c-0d1e2f3a4b5c",
        "start_time": at(start),
        "end_time": None if end is None else at(end),
        "profiles": [{"user": TEACHER, "role": "teacher"}, {"user": PUPIL, "role": "student"}],
        "guests": [],
        "logs": list(logs),
        **fields,
    }


def of(person, *sessions, **parameters):
    """Work out the attendance of one person."""
    present = attendance(sessions, **parameters)
    (found,) = [p for p in present.people if person in (p.user_id, p.guest_uuid)]
    return found


def stays_of(presence):
    """Give the stays in minutes after nine."""
    return [((s.start - NINE) / timedelta(minutes=1), (s.end - NINE) / timedelta(minutes=1)) for s in presence.stays]


TABLE = {
    "came and left": ([("joined", 5), ("left", 50)], [(5, 50)], set()),
    "rows in any order": ([("left", 50), ("joined", 5)], [(5, 50)], set()),
    "came back": ([("joined", 0), ("left", 10), ("joined", 20), ("left", 50)], [(0, 10), (20, 50)], set()),
    "came back on another connection": (
        [("joined", 0, "a"), ("left", 10, "a"), ("joined", 20, "b"), ("left", 50, "b")],
        [(0, 10), (20, 50)],
        set(),
    ),
    "two devices at once": (
        [("joined", 0, "a"), ("joined", 10, "b"), ("left", 30, "a"), ("left", 50, "b")],
        [(0, 50)],
        set(),
    ),
    "two devices without connections' ids": (
        [("joined", 0, None), ("joined", 10, None), ("left", 30, None), ("left", 50, None)],
        [(0, 50)],
        set(),
    ),
    "changed the device at one moment": (
        [("joined", 0, "a"), ("left", 20, "a"), ("joined", 20, "b"), ("left", 50, "b")],
        [(0, 50)],
        set(),
    ),
    "joined twice on one connection": ([("joined", 0, "a"), ("joined", 10, "a"), ("left", 30, "a")], [(0, 30)], set()),
    "left on an unknown connection": ([("joined", 0, "a"), ("left", 30, "b")], [(0, 30)], set()),
    "two devices, one never left": (
        [("joined", 0, "a"), ("joined", 10, "b"), ("left", 30, "b")],
        [(0, 60)],
        {"leave_missing"},
    ),
    "never left": ([("joined", 20)], [(20, 60)], {"leave_missing"}),
    "left without joining": ([("left", 20)], [], {"join_missing"}),
    "left without joining, then came": ([("left", 5), ("joined", 20), ("left", 50)], [(20, 50)], {"join_missing"}),
    "left twice": ([("joined", 0), ("left", 20), ("left", 30)], [(0, 20)], {"join_missing"}),
    "a join that can't be read": ([("joined", "soon"), ("left", 20)], [], {"time_unreadable", "join_missing"}),
    "a leave that can't be read": ([("joined", 20), ("left", None)], [(20, 60)], {"time_unreadable", "leave_missing"}),
    "a time without a zone": ([("joined", "2026-11-22T09:05:00")], [], {"time_unreadable"}),
    "an offset": ([("joined", "2026-11-22T10:05:00+01:00"), ("left", 50)], [(5, 50)], set()),
    "came before the start, left after the end": ([("joined", -5), ("left", 70)], [(0, 60)], set()),
    "only outside of the session": ([("joined", 61), ("left", 70)], [], set()),
    "came and left at one moment": ([("left", 5), ("joined", 5)], [], set()),
    "idle in between": ([("joined", 0), ("idled", 10), ("left", 50)], [(0, 50)], set()),
    "rows of other kinds": (
        [("cobrowser-start", 1), ("joined", 5), ("user-danced", 9), ("left", 50)],
        [(5, 50)],
        set(),
    ),
    "no rows": ([], [], {"no_rows"}),
    "idle and no other rows": ([("idled", 10)], [], {"no_rows"}),
}


@pytest.mark.parametrize(("rows", "stays", "doubts"), TABLE.values(), ids=list(TABLE))
def test_when_someone_was_there(rows, stays, doubts):
    logs = [row(kind, minute, socket=(more or ["a"])[0]) for kind, minute, *more in rows]
    pupil = of(PUPIL, a_session(*logs))
    assert stays_of(pupil) == stays
    assert pupil.doubts == doubts
    assert pupil.minutes == sum(end - start for start, end in stays)


def test_rows_of_the_same_moment_happened_in_the_order_of_their_ids():
    rows = [row("joined", 0), row("left", 20), row("joined", 20), row("left", 50)]
    numbered = [{**given, "id": number} for number, given in enumerate(rows, 1)]
    assert stays_of(of(PUPIL, a_session(*reversed(numbered)))) == [(0, 50)]


def test_minutes_are_not_rounded():
    assert of(PUPIL, a_session(row("joined", 0), row("left", 10.5))).minutes == 10.5


def test_guests_are_people_and_users_are_found_whether_their_id_is_text_or_a_number():
    session = a_session(
        row("joined", 0, "guest-1"),
        row("left", 30, "guest-1"),
        {**row("joined", 0), "profile": str(PUPIL)},
        row("left", 20),
        guests=[{"uuid": "guest-1"}, {"uuid": "guest-2"}],
    )
    assert of("guest-1", session).minutes == 30
    assert of("guest-2", session).doubts == {"no_rows"}
    assert of(PUPIL, session).minutes == 20


def test_someone_in_the_logs_only_is_there_without_a_role():
    stranger = of(99, a_session(row("joined", 0, 99), row("left", 30, 99)))
    assert (stranger.role, stranger.minutes) == (None, 30)


def test_rows_of_no_one_are_counted():
    nobody = {**row("joined", 0), "profile": None}
    assert attendance([a_session(nobody, row("session-idled", 50, "x"))]).rows_of_nobody == 1


def test_one_lessons_sessions_are_taken_together():
    first = a_session(row("joined", 0), row("left", 10), end=11)
    second = a_session(row("joined", 15), row("left", 50), start=15)
    assert stays_of(of(PUPIL, first, second)) == [(0, 10), (15, 50)]


def test_overlapping_sessions_count_once():
    first = a_session(row("joined", 0), row("left", 30))
    second = a_session(row("joined", 20), row("left", 50))
    assert stays_of(of(PUPIL, first, second)) == [(0, 50)]


def test_who_came_first_is_first():
    session = a_session(row("joined", 5), row("left", 9), row("joined", 2, TEACHER), row("left", 9, TEACHER))
    assert [person.user_id for person in attendance([session]).people] == [TEACHER, PUPIL]


def test_in_a_running_session_people_are_there_up_to_now():
    pupil = of(PUPIL, a_session(row("joined", 5), end=None), now=NINE + timedelta(minutes=25))
    assert (pupil.minutes, pupil.doubts) == (20, frozenset())


@pytest.mark.parametrize(
    ("sessions", "parameters", "message"),
    [
        ([a_session(end=None)], {}, "5b5f1a2c.*still runs"),
        ([{**a_session(), "logs": None}], {}, "5b5f1a2c.*no logs.*list_space_sessions"),
        (a_session(), {}, "sessions="),
        ([a_session()], {"now": datetime(2026, 11, 22)}, "now="),
    ],
)
def test_what_nothing_can_be_worked_out_of_is_refused(sessions, parameters, message):
    with pytest.raises(LessonspaceInputError, match=message):
        attendance(sessions, **parameters)


@pytest.mark.parametrize(
    ("times", "stays"),
    [
        ({"start_time": "soon"}, [(0, 20), (30, 60)]),
        ({"end_time": "10:"}, [(0, 20)]),
        ({"end_time": ["2026"]}, [(0, 20)]),
    ],
)
def test_unreadable_session_times_leave_rows_and_a_doubt(times, stays):
    found = of(PUPIL, a_session(row("joined", 0), row("left", 20), row("joined", 30), **times))
    assert stays_of(found) == stays
    assert "time_unreadable" in found.doubts


def test_a_session_without_logs_stops_no_other():
    good, odd = a_session(row("joined", 5), row("left", 50)), {"uuid": "x", "end_time": at(60), "logs": {"0": "joined"}}
    assert stays_of(of(PUPIL, odd, good)) == [(5, 50)]


@given(fields=session_fields)
def test_no_shape_of_one_session_stops_the_attendance_of_others(fields):
    good = a_session(row("joined", 5, TEACHER), row("left", 50, TEACHER))
    there = attendance([fields, good], now=NINE + timedelta(hours=3))
    (teacher,) = [person for person in there.people if person.user_id == TEACHER]
    assert (5, 50) in stays_of(teacher) or stays_of(teacher)[0][0] <= 5
    assert teacher_lateness(there, NINE, at(60), teacher_ids={TEACHER}).late_by is not None
    assert all(isinstance(person.role, (str, type(None))) for person in there.people)


@given(fields=session_fields)
def test_billed_minutes_are_a_finite_number_or_none(fields):
    minutes = billable_minutes(fields)
    assert minutes is None or 0 <= minutes < 2**63


def of_teacher(*logs, sessions=None, **parameters):
    found = teacher_lateness(attendance(sessions or [a_session(*logs, start=-30, end=90)]), NINE, at(60), **parameters)
    return (None if found.late_by is None else found.late_by / timedelta(minutes=1)), found.doubts


LATENESS = {
    "in time": ([("joined", 0), ("left", 60)], 0, set()),
    "early and stayed": ([("joined", -10), ("left", 60)], 0, set()),
    "late": ([("joined", 7), ("left", 60)], 7, set()),
    "early, left, came back late": ([("joined", -10), ("left", -1), ("joined", 5), ("left", 60)], 5, set()),
    "left as the lesson began": ([("joined", -10), ("left", 0)], None, set()),
    "came for the next lesson": ([("joined", 60), ("left", 80)], None, set()),
    "late and never left": ([("joined", 7)], 7, {"leave_missing"}),
    "only a leave": ([("left", 50)], None, {"join_missing"}),
    "no rows": ([], None, {"no_rows"}),
}


@pytest.mark.parametrize(("rows", "late_by", "doubts"), LATENESS.values(), ids=list(LATENESS))
def test_how_late_the_teacher_came(rows, late_by, doubts):
    assert of_teacher(*(row(kind, minute, TEACHER) for kind, minute in rows)) == (late_by, doubts)


def test_how_late_someone_came_is_found_in_all_sessions_and_for_guests_too():
    sessions = [a_session(row("joined", 40), row("left", 50)), a_session(row("joined", 5, "g"), row("joined", 30))]
    there = [person for session in sessions for person in attendance([session]).people]
    first = lateness(there, NINE, at(60))
    assert (first.late_by, first.user_id) == (timedelta(minutes=5), None)
    pupil = lateness((person for person in there if person.user_id == PUPIL), NINE, at(60))
    assert (pupil.late_by, pupil.user_id, pupil.doubts) == (timedelta(minutes=30), PUPIL, {"leave_missing"})
    assert lateness([], NINE, at(60)).late_by is None


@pytest.mark.parametrize("user", [PUPIL, str(PUPIL)])
def test_profiles_are_found_by_the_ids_of_those_who_were_there(user):
    profiles = [{"user": user, "name": "Ben"}, {"user": None, "name": "Nobody"}, {"name": "Nobody"}]
    assert profiles_by_user(a_session(profiles=profiles)) == {PUPIL: profiles[0]}
    assert profiles_by_user(a_session(profiles=None)) == {}


def test_the_first_of_several_teachers_counts():
    profiles = [{"user": TEACHER, "role": "teacher"}, {"user": 3, "role": "teacher"}]
    logs = [row("joined", 9, TEACHER), row("left", 60, TEACHER), row("joined", 4, 3), row("left", 60, 3)]
    found = teacher_lateness(attendance([a_session(*logs, profiles=profiles)]), NINE, at(60))
    assert (found.user_id, found.late_by) == (3, timedelta(minutes=4))


def test_teachers_can_be_named_where_no_one_has_a_role():
    logs = [row("joined", 3, TEACHER), row("left", 60, TEACHER)]
    session = a_session(*logs, profiles=[{"user": TEACHER, "role": None}])
    assert of_teacher(sessions=[session]) == (None, {"role_unknown"})
    assert of_teacher(sessions=[session], teacher_ids={TEACHER}) == (3, set())


def test_that_no_teacher_came_is_not_sure_when_rows_are_nobodys():
    session = a_session({**row("joined", 3), "profile": None}, profiles=[])
    assert of_teacher(sessions=[session]) == (None, {"rows_of_nobody"})
    assert of_teacher(sessions=[a_session(profiles=[])]) == (None, set())


@pytest.mark.parametrize(("start", "end"), [(datetime(2026, 11, 22), NINE), (NINE, NINE), (NINE, "soon")])
def test_a_timetable_that_can_not_be_is_refused(start, end):
    with pytest.raises(LessonspaceInputError, match="lesson_"):
        teacher_lateness(attendance([]), start, end)


@pytest.mark.parametrize(
    ("fields", "minutes"),
    [
        ({"billable_seconds": 2700}, 45),
        ({"billable_seconds": 90}, 1.5),
        ({"billable_seconds": 0}, 0),
        ({"billable_seconds": None}, None),
        ({}, None),
        ({"billable_seconds": -1}, None),
        ({"billable_seconds": True}, None),
        ({"billable_seconds": "2700"}, None),
        ({"billable_seconds": 10**400}, None),
        ({"billable_seconds": float("inf")}, None),
        ({"billable_seconds": float("nan")}, None),
        ({"billable_seconds": 2700, "end_time": "10:"}, None),
        ({"billable_seconds": 2700, "end_time": None}, None),
    ],
)
def test_what_is_billed(fields, minutes):
    assert billable_minutes(a_session(**fields)) == minutes


@pytest.mark.parametrize("odd", ["Ann", 7, {"user": TEACHER}, ["Ann", None, 7]])
def test_people_of_another_shape_are_left_out_and_the_rows_still_count(odd):
    found = of(PUPIL, a_session(row("joined", 5), row("left", 50), profiles=odd, guests=odd))
    assert stays_of(found) == [(5, 50)]


def test_a_row_of_a_number_of_thousands_of_digits_is_nobodys():
    present = attendance([a_session({**row("joined", 5), "profile": "9" * 5000})])
    assert present.rows_of_nobody == 1
