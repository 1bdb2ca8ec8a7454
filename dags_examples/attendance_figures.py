# SPDX-License-Identifier: Apache-2.0
"""What the DAG `attendance_report` counts. Pure, and no DAG itself: keep it beside the DAG files."""

from __future__ import annotations

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from class_timetable import read_launches

from lessonspace_provider.attendance import Attendance, Presence, attendance, billable_minutes, teacher_lateness
from lessonspace_provider.sessions import Lesson, end_time, has_ended, space_of, start_time

#: A session as the API sends it, with its ``logs``.
Session = dict[str, Any]

TEACHER, STUDENT, STRANGER, GUEST = "teacher", "student", "not in the timetable", "guest"

#: What is not sure about somebody's times (``lessonspace_provider.attendance``), in words.
DOUBTS = {
    "join_missing": "a leave without a join, which counts no time",
    "leave_missing": "a join without a leave, which counts up to the session's end",
    "time_unreadable": "a join or leave at a time that can't be read, which counts nothing",
    "no_rows": "among the participants, but without a join or leave, which counts no time",
    "role_unknown": "somebody was there who may have been a teacher: no role is given",
    "rows_of_nobody": "a join or leave says neither user nor guest",
}


class Person(NamedTuple):
    """Somebody as the timetable writes them."""

    name: str
    email: str


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
        """Whether a session of this lesson's room has to do with it: in part, it lies within its time."""
        window = Lesson(self.start, self.end, min_participants=1, give_up_at=None)
        return window.overlap(session) > timedelta(0)


@dataclass
class Row:
    """
    One person's week; times in minutes, not rounded.

    :param kind: ``TEACHER``, ``STUDENT``, ``STRANGER`` or ``GUEST``.
    :param planned: lessons by the timetable.
    :param held: of a student: those of them that a teacher came to.
    :param attended: those of them that this person came to.
    :param lateness: for each of those.
    :param late: how often that was more than is allowed.
    :param minutes: in all sessions of the week.
    :param billable: of the sessions they were in, all of each.
    :param unsure: in how many sessions their times are not sure.
    """

    kind: str
    name: str
    email: str = ""
    planned: int = 0
    held: int = 0
    attended: int = 0
    lateness: list[float] = field(default_factory=list)
    late: int = 0
    minutes: float = 0.0
    billable: float = 0.0
    unsure: int = 0

    @property
    def percent(self) -> float | None:
        """Lessons that a student attended, of those held; None when none was."""
        return 100 * self.attended / self.held if self.held else None

    @property
    def average_lateness(self) -> float | None:
        """Over the lessons attended; None without one."""
        return fmean(self.lateness) if self.lateness else None

    @property
    def worst_lateness(self) -> float | None:
        """Likewise the longest."""
        return max(self.lateness, default=None)


@dataclass
class OtherSession:
    """A session that belongs to no lesson; ``people`` are in words, ``billable`` is None when unknown."""

    room: str
    start: datetime | None
    end: datetime | None
    people: list[str]
    billable: float | None


@dataclass
class Report:
    """All that the page and the CSV say of a week; ``problems`` and ``notes`` name people."""

    begin: datetime
    end: datetime
    late_after: float
    lessons: list[PlannedLesson]
    rows: list[Row]
    missed: list[tuple[PlannedLesson, str]] = field(default_factory=list)
    unclear: list[tuple[PlannedLesson, str]] = field(default_factory=list)
    late: list[tuple[PlannedLesson, str, float]] = field(default_factory=list)
    substituted: list[tuple[PlannedLesson, str]] = field(default_factory=list)
    absent: dict[Person, list[tuple[PlannedLesson, bool]]] = field(default_factory=dict)
    others: list[OtherSession] = field(default_factory=list)
    running: list[str] = field(default_factory=list)
    doubts: list[tuple[str, str, str]] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    billable: float = 0.0
    unbilled: int = 0
    sessions: int = 0

    @property
    def held(self) -> int:
        """How many lessons a teacher came to."""
        return len(self.lessons) - len(self.missed) - len(self.unclear)

    def people(self, *kinds: str) -> list[Row]:
        """Give the rows of some kinds by name."""
        return sorted((row for row in self.rows if row.kind in kinds), key=lambda row: (_plain(row.name), row.email))


def planned_lessons(
    timetable: Path, begin: datetime, end: datetime, zone: ZoneInfo
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


def make_report(
    lessons: list[PlannedLesson],
    sessions: Mapping[str, list[Session]],
    others: Iterable[Session],
    *,
    begin: datetime,
    end: datetime,
    now: datetime,
    late_after: float,
) -> Report:
    """
    Count a week.

    :param lessons: those of the week.
    :param sessions: of each lesson, by its launch id.
    :param others: sessions of the week without a lesson; those that still run are noted, not counted.
    :param begin: of the week, aware, in the school's zone; ``end`` likewise.
    :param now: aware; up to when a session of a lesson that still runs counts.
    :param late_after: how many minutes after its start one may come to a lesson.
    """
    return _Count(lessons, begin, end, now, late_after).all(sessions, others)


class _Count:
    """A week being counted."""

    def __init__(
        self, lessons: list[PlannedLesson], begin: datetime, end: datetime, now: datetime, late_after: float
    ) -> None:
        self.now = now
        self.rows: dict[tuple[str, object], Row] = {}
        for lesson in lessons:
            for kind, person in ((TEACHER, lesson.teacher), *((STUDENT, student) for student in lesson.students)):
                self.rows.setdefault((kind, person), Row(kind, *person)).planned += 1
        self.report = Report(begin, end, late_after, lessons, [])
        self.known: dict[str, list[Person]] = defaultdict(list)
        for person in {person for _, person in self.rows if isinstance(person, Person)}:
            self.known[_plain(person.name)].append(person)

    def all(self, sessions: Mapping[str, list[Session]], others: Iterable[Session]) -> Report:
        for lesson in self.report.lessons:
            self._add_lesson(lesson, sessions.get(lesson.launch_id, []))
        for session in sorted(others, key=lambda session: str(session.get("start_time"))):
            self._add_other(session)
        self.report.rows = list(self.rows.values())
        return self.report

    def _add_lesson(self, lesson: PlannedLesson, sessions: list[Session]) -> None:
        for session in sessions:
            self._add_minutes(session, lesson_label(lesson))
            if not has_ended(session):
                self.report.running.append(f"{lesson_label(lesson)}: counted up to now")
        present = attendance(sessions, now=self.now)
        profiles = _profiles(sessions)
        users: dict[Person | None, list[int]] = defaultdict(list)
        for user_id, profile in profiles.items():
            users[self._person(profile)].append(user_id)
        if not self._add_teacher(lesson, present, profiles, users[lesson.teacher]):
            return
        for student in lesson.students:
            self._add_student(lesson, student, present, users[student])

    def _add_teacher(
        self, lesson: PlannedLesson, present: Attendance, profiles: dict[int, dict[str, Any]], user_ids: list[int]
    ) -> bool:
        """Return whether the lesson was held."""
        row, report = self.rows[TEACHER, lesson.teacher], self.report
        own = teacher_lateness(present, lesson.start, lesson.end, teacher_ids=user_ids)
        anyone = teacher_lateness(present, lesson.start, lesson.end)
        late_by, name = own.late_by, lesson.teacher.name
        if late_by is not None:
            self._add_coming(row, late_by)
        elif anyone.late_by is not None and anyone.user_id is not None:
            late_by, name = anyone.late_by, _name(profiles.get(anyone.user_id), anyone.user_id)
            report.substituted.append((lesson, name))
        elif doubts := own.doubts | anyone.doubts:
            report.unclear.append((lesson, "; ".join(sorted(DOUBTS[doubt] for doubt in doubts))))
            return False
        else:
            there = sum(1 for person in present.people if person.stays)
            report.missed.append((lesson, _came(there)))
            return False
        if _minutes(late_by) > report.late_after:
            report.late.append((lesson, name, _minutes(late_by)))
        return True

    def _add_student(self, lesson: PlannedLesson, student: Person, present: Attendance, user_ids: list[int]) -> None:
        row = self.rows[STUDENT, student]
        row.held += 1
        came = teacher_lateness(present, lesson.start, lesson.end, teacher_ids=user_ids)
        if came.late_by is None:
            self.report.absent.setdefault(student, []).append((lesson, not came.doubts))
        else:
            self._add_coming(row, came.late_by)

    def _add_coming(self, row: Row, late_by: timedelta) -> None:
        row.attended += 1
        row.lateness.append(_minutes(late_by))
        row.late += _minutes(late_by) > self.report.late_after

    def _add_minutes(self, session: Session, where: str) -> list[str]:
        """Count a session's minutes for all who were in it, and return them in words."""
        billable = billable_minutes(session)
        self.report.sessions += 1
        self.report.billable += billable or 0
        self.report.unbilled += billable is None
        present = attendance([session], now=self.now)
        profiles = _profiles([session])
        said = []
        for presence in present.people:
            rows = self._rows_of(presence, profiles)
            for row in rows:
                row.minutes += presence.minutes
                row.billable += billable or 0
                row.unsure += bool(presence.doubts)
            said.append(f"{rows[0].name}, {presence.minutes:.0f} min")
            self.report.doubts += [(rows[0].name, where, DOUBTS[doubt]) for doubt in sorted(presence.doubts)]
        if present.rows_of_nobody:
            self.report.doubts.append((f"{present.rows_of_nobody} joins or leaves", where, DOUBTS["rows_of_nobody"]))
        return said

    def _rows_of(self, presence: Presence, profiles: dict[int, dict[str, Any]]) -> list[Row]:
        """Find whose presence it is; one who teaches one lesson and is taught in another has two rows."""
        if presence.user_id is None:
            number = sum(row.kind == GUEST for row in self.rows.values()) + 1
            return [self.rows.setdefault((GUEST, presence.guest_uuid), Row(GUEST, f"Guest {number}"))]
        profile = profiles.get(presence.user_id)
        person = self._person(profile)
        if person is not None:
            return [self.rows[kind, person] for kind in (TEACHER, STUDENT) if (kind, person) in self.rows]
        row = Row(STRANGER, _name(profile, presence.user_id), str((profile or {}).get("email") or ""))
        return [self.rows.setdefault((STRANGER, presence.user_id), row)]

    def _person(self, profile: dict[str, Any] | None) -> Person | None:
        """Find a user in the timetable: by name and address, or by a name alone when the API gives no address."""
        name, email = (_plain(str((profile or {}).get(part) or "")) for part in ("name", "email"))
        found = [person for person in self.known.get(name, []) if not email or _plain(person.email) == email]
        return found[0] if len(found) == 1 else None

    def _add_other(self, session: Session) -> None:
        room = str(space_of(session).get("name") or session.get("name") or session.get("uuid"))
        start, end = start_time(session), end_time(session)
        if end is None:
            self.report.running.append(f"{room}: counts in the week in which it ends")
            return
        people = self._add_minutes(session, room)
        self.report.others.append(OtherSession(room, start, end, people, billable_minutes(session)))


def lesson_label(lesson: PlannedLesson) -> str:
    """Name a lesson on a day."""
    return f"{lesson.subject}, {lesson.start:%a} {lesson.start.day} {lesson.start:%b, %H:%M}"


def week_name(report: Report) -> str:
    """Name a week as ISO 8601 does, such as 2026-W47."""
    year, week, _ = report.begin.isocalendar()
    return f"{year}-W{week:02}"


def namesakes(rows: Collection[Row]) -> set[str]:
    """Say which names several people have."""
    return {name for name, times in Counter(row.name for row in rows).items() if times > 1}


def _as_person(user: dict[str, str]) -> Person:
    return Person(user["name"], user["email"])


def _profiles(sessions: list[Session]) -> dict[int, dict[str, Any]]:
    return {profile["user"]: profile for session in sessions for profile in session.get("profiles") or []}


def _name(profile: dict[str, Any] | None, user_id: int) -> str:
    return str((profile or {}).get("name") or f"User {user_id}")


def _plain(text: str) -> str:
    """Make names comparable: one letter can be written in several ways."""
    return " ".join(unicodedata.normalize("NFC", text).casefold().split())


def _came(people: int) -> str:
    if people == 0:
        return "nobody came"
    return "1 person came, but no teacher" if people == 1 else f"{people} people came, but no teacher"


def _minutes(duration: timedelta) -> float:
    return duration / timedelta(minutes=1)
