# SPDX-License-Identifier: Apache-2.0
"""Lessons and sessions of one week, for tests of what the attendance report counts and shows."""

from __future__ import annotations

import zlib
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from attendance.figures import make_report
from attendance.lessons import Person, PlannedLesson

LONDON = ZoneInfo("Europe/London")
MONDAY = datetime(2026, 11, 9, tzinfo=LONDON)
NEXT_MONDAY = MONDAY + timedelta(days=7)
ADA, EVE = Person("Ada Byron", "ada@s.example"), Person("Eve Marsh", "eve@s.example")
BEN, GUEL = Person("Ben Ito", "ben@h.example"), Person("Gül Öz", "guel@h.example")


def a_lesson(number=1, teacher=ADA, students=(BEN,), start=None):
    """Make a lesson of 45 minutes; number 1 is on Tuesday at 9."""
    start = start or MONDAY + timedelta(days=number % 5, hours=9 + number // 5 % 6)
    return PlannedLesson(f"l{number}", "Maths", start, start + timedelta(minutes=45), teacher, tuple(students))


def user_id(person):
    """Give everybody the same id in all sessions."""
    return zlib.crc32(f"{person.name} {person.email}".encode())


def a_session(lesson, *people, guests=(), start=0, end=45, **fields):
    """
    Make a session of a lesson's room.

    :param people: of each the person, the role, and the minutes after the lesson's start when they came and left.
    :param guests: of each the uuid, who was there all the time.
    :param start: minutes after the lesson's start, as ``end``.
    """

    def at(minute):
        return (lesson.start + timedelta(minutes=minute)).isoformat()

    rows = [({"profile": user_id(person)}, came, left) for person, _, came, left in people]
    rows += [({"guest_uuid": guest}, start, end) for guest in guests]
    joins = [{"log_type": "user-joined", "date": at(came), **who} for who, came, _ in rows if came is not None]
    leaves = [{"log_type": "user-left", "date": at(left), **who} for who, _, left in rows if left is not None]
    return {
        "uuid": f"{lesson.launch_id}-{start}",
        "start_time": at(start),
        "end_time": at(end),
        "billable_seconds": 60 * (end - start),
        "profiles": [
            {"user": user_id(person), "name": person.name, "email": person.email, "role": role}
            for person, role, _, _ in people
        ],
        "guests": [{"uuid": guest} for guest in guests],
        "logs": joins + leaves,
        **fields,
    }


def count(lessons, sessions=None, others=(), begin=MONDAY, end=NEXT_MONDAY, **options):
    """Count a week with a limit of 5 minutes; sessions by their lessons' launch ids."""
    return make_report(lessons, sessions or {}, others, begin=begin, end=end, late_after=5, **options)
