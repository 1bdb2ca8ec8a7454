# SPDX-License-Identifier: Apache-2.0
"""The week's lessons, from the timetable: who is to be where. Pure."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from class_timetable import read_launches

from lessonspace_provider.exceptions import LessonspaceError
from lessonspace_provider.waiting import end_time, start_time

#: A session as the API sends it, with its ``logs``.
Session = dict[str, Any]

TEACHER, STUDENT = "teacher", "student"


@dataclass(frozen=True)
class Person:
    """A person of the timetable: the same one, however the letters of name and address are written."""

    name: str = field(compare=False)
    email: str = field(compare=False)
    key: tuple[str, str] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "key", (folded(self.name), folded(self.email)))


@dataclass(frozen=True)
class PlannedLesson:
    """A lesson of the timetable on one day; times are aware, in the school's zone."""

    launch_id: str
    subject: str
    start: datetime
    end: datetime
    teacher: Person
    students: tuple[Person, ...]

    def overlaps(self, session: Session) -> bool:
        """Whether a session of this lesson's room belongs to it: in part, it is within its time."""
        if not has_times(session):
            return True
        start, end = start_time(session) or self.start, end_time(session) or self.end
        return max(start, self.start) < min(end, self.end)

    def kind_of(self, person: Person) -> str | None:
        """Give the role of a person of the timetable in this lesson; None: not part of it."""
        if person == self.teacher:
            return TEACHER
        return STUDENT if person in self.students else None


def week_before(moment: datetime, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """Give the midnights around the last whole week before a moment, Monday to Sunday, in a zone."""
    local = datetime.fromtimestamp(moment.timestamp(), zone)
    today = local.replace(hour=0, minute=0, second=0, microsecond=0)
    end = today - timedelta(days=today.weekday())  # a difference of local times, also when the clocks change
    return end - timedelta(days=7), end


def planned_lessons(
    timetable: Any, begin: datetime, end: datetime, zone: ZoneInfo
) -> tuple[list[PlannedLesson], list[str]]:
    """
    Read the lessons that begin within some days, and which rows can't be read and why.

    :param timetable: as `class_launch` reads it.
    :param begin: midnight of the first day, aware, in the school's zone.
    :param end: likewise after the last day.
    """
    lessons: list[PlannedLesson] = []
    refused: dict[str, None] = {}
    day = begin
    while day < end:
        launches = read_launches(timetable, day, day, zone)
        refused |= dict.fromkeys(launches["refused"])
        students = defaultdict(list)
        for launch in launches["students"]:
            students[launch["launch_id"]].append(_as_person(launch["user"]))
        lessons += [
            PlannedLesson(
                launch_id=launch["launch_id"],
                subject=launch["name"],
                start=datetime.fromisoformat(launch["lesson_start"]).astimezone(zone),
                end=datetime.fromisoformat(launch["lesson_end"]).astimezone(zone),
                teacher=_as_person(launch["user"]),
                students=tuple(dict.fromkeys(students[launch["launch_id"]])),
            )
            for launch in launches["teachers"]
        ]
        day += timedelta(days=1)  # a sum of local times, also when the clocks change
    return sorted(lessons, key=lambda lesson: (lesson.start, lesson.subject)), list(refused)


def lesson_label(lesson: PlannedLesson) -> str:
    """Name a lesson on a day."""
    return f"{lesson.subject}, {lesson.start:%a} {lesson.start.day} {lesson.start:%b, %H:%M}"


def has_times(session: Session) -> bool:
    """Whether it can be read when a session was."""
    try:
        start_time(session), end_time(session)
    except LessonspaceError:
        return False
    return True


def folded(text: str) -> str:
    """Make names and addresses comparable: capitals are small, and one letter can be written in several ways."""
    return " ".join(unicodedata.normalize("NFC", text.casefold()).split())


def _as_person(user: dict[str, str]) -> Person:
    return Person(user["name"], user["email"])
