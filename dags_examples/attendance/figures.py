# SPDX-License-Identifier: Apache-2.0
"""The figures of the report. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from operator import itemgetter
from statistics import fmean
from types import MappingProxyType
from typing import Any, NamedTuple

from attendance.lessons import STUDENT, TEACHER, Person, PlannedLesson, Session, folded, has_times, lesson_label
from attendance.talk import Talk
from lessonspace_provider.attendance import (
    Attendance,
    Presence,
    attendance,
    billable_minutes,
    lateness,
    profiles_by_user,
)
from lessonspace_provider.exceptions import LessonspaceError
from lessonspace_provider.waiting import end_time, ended_within, has_ended, space_of, start_time

STRANGER, GUEST = "not in the timetable", "guest"

#: What is not sure, in words: of a person's times (``lessonspace_provider.attendance``), of a session, of a lesson.
DOUBTS = {
    "join_missing": "left without having joined; the time before does not count",
    "leave_missing": "did not leave before the session ended; counted up to its end",
    "time_unreadable": "joined or left at a time that can't be read, which does not count",
    "no_rows": "took part, but Lessonspace has no times; no time counts",
    "nobody_known": "a person was there whom Lessonspace does not name",
    "unreadable": "Lessonspace's record of a session can't be read, so it is not known who was there",
    "role_unknown": "a person was there who may have taught: a guest, or a person without a role",
}


@dataclass(eq=False)
class Row:
    """
    One person's week, of those who teach and learn one for each; times in minutes, not rounded.

    :param kind: ``TEACHER``, ``STUDENT``, ``STRANGER`` or ``GUEST``.
    :param planned: lessons by the timetable.
    :param held: of a student: those of them that a teacher came to.
    :param attended: those of them that this person came to.
    :param absent: of a student: the others that were held, and whether that is sure.
    :param lateness: for each lesson attended.
    :param late: how often that was more than is allowed.
    :param minutes: in all sessions of the week.
    :param billable: of the sessions they were in, all of each.
    :param unsure: in how many sessions their times are not sure.
    :param talk: minutes in the sessions of which the archive has a transcript; None without such a session.
    """

    kind: str
    name: str
    email: str = ""
    planned: int = 0
    held: int = 0
    attended: int = 0
    absent: list[tuple[PlannedLesson, bool]] = field(default_factory=list)
    lateness: list[float] = field(default_factory=list)
    late: int = 0
    minutes: float = 0.0
    billable: float = 0.0
    unsure: int = 0
    talk: float | None = None

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


#: Who was in a lesson or another session, and when.
People = dict[Row, list[Presence]]


class OtherSession(NamedTuple):
    """A session that belongs to no lesson; ``people`` are in words, ``billable`` is None when unknown."""

    room: str
    start: datetime | None
    end: datetime | None
    people: list[str]
    billable: float | None


@dataclass
class Report:
    """
    All that the page and the CSV show of a week.

    :param late_after: how many minutes after its start one may come to a lesson.
    :param refused: which rows of the timetable can't be read, and why.
    :param rows: by kind and ``Person``, user id or guest's uuid.
    :param missed: lessons without a teacher, and who came instead.
    :param unclear: lessons that may have been taught, and what is not sure.
    :param late: who came how many minutes late to teach.
    :param substituted: who taught in place of the teacher.
    :param known: how to find the people of the timetable.
    :param notes: what is not sure or not counted: whom or what it is about, and last what it is.
    :param unbilled: of how many sessions the billable minutes are unknown.
    :param talk: how long people talked; empty where that is not known.
    """

    begin: datetime
    end: datetime
    late_after: float
    lessons: list[PlannedLesson]
    refused: list[str]
    talk: Talk
    rows: dict[tuple[str, object], Row] = field(default_factory=dict)
    missed: list[tuple[PlannedLesson, str]] = field(default_factory=list)
    unclear: list[tuple[PlannedLesson, str]] = field(default_factory=list)
    late: list[tuple[PlannedLesson, str, float]] = field(default_factory=list)
    substituted: list[tuple[PlannedLesson, str]] = field(default_factory=list)
    others: list[OtherSession] = field(default_factory=list)
    notes: list[tuple[str, ...]] = field(default_factory=list)
    known: dict[Person, Person] = field(default_factory=dict)
    billable: float = 0.0
    unbilled: int = 0
    sessions: int = 0

    @property
    def held(self) -> int:
        """How many lessons a teacher came to."""
        return len(self.lessons) - len(self.missed) - len(self.unclear)

    @property
    def percent(self) -> float | None:
        """How many students came to the lessons held, of those who should have; None when none should have."""
        rows = self.people(STUDENT)
        held = sum(row.held for row in rows)
        return 100 * sum(row.attended for row in rows) / held if held else None

    def people(self, *kinds: str) -> list[Row]:
        """Give the rows of some kinds by name."""
        return sorted(
            (row for row in self.rows.values() if row.kind in kinds), key=lambda row: (folded(row.name), row.email)
        )


def make_report(
    lessons: list[PlannedLesson],
    sessions: Mapping[str, list[Session]],
    others: Iterable[Session],
    *,
    begin: datetime,
    end: datetime,
    late_after: float,
    refused: Iterable[str] = (),
    talk: Talk = MappingProxyType({}),
) -> Report:
    """
    Count a week.

    A session counts for the lesson in whose room and time it was, and else in the week in which it ended.

    :param lessons: those of the week, and of the day before: their last sessions may have ended in this week.
    :param sessions: all of each lesson's room, by its launch id.
    :param others: sessions in other rooms that ended about this week, or still run.
    :param begin: of the week, aware, in the school's zone; ``end`` likewise.
    :param late_after: how many minutes after its start one may come to a lesson.
    :param refused: which rows of the timetable can't be read, and why.
    :param talk: how long people talked.
    """
    own = [lesson for lesson in lessons if lesson.start >= begin]
    report = Report(begin, end, late_after, own, list(refused), talk)
    for lesson in report.lessons:
        for kind, person in ((TEACHER, lesson.teacher), *((STUDENT, student) for student in lesson.students)):
            report.rows.setdefault((kind, person), Row(kind, person.name, person.email)).planned += 1
    report.known = _known_people({person for _, person in report.rows})
    outside = [(_room(session), session) for session in others]
    for lesson in lessons:
        room = sessions.get(lesson.launch_id, [])
        if lesson.start >= begin:
            _add_lesson(report, lesson, [session for session in room if lesson.overlaps(session)])
        label = f"in the room of {lesson_label(lesson)}, outside of its time"
        outside += [(label, session) for session in room if not lesson.overlaps(session)]
    for label, session in sorted(outside, key=lambda entry: _text(entry[1].get("start_time"))):
        _add_other(report, label, session)
    return report


def _add_lesson(report: Report, lesson: PlannedLesson, sessions: list[Session]) -> None:
    label = lesson_label(lesson)
    there: People = defaultdict(list)
    doubts: set[str] = set()
    for session in sessions:
        if has_times(session) and not has_ended(session):
            report.notes.append((label, "still running; counted up to the lesson's end, its billable minutes not yet"))
        found, unsure = _add_session(report, session, label, lesson)
        doubts |= unsure
        for row, people in found.items():
            there[row] += people
    if not _add_teacher(report, lesson, there, doubts):
        return
    # A person of another name or address may be one of the students.
    unknown = [people for row, people in there.items() if row.kind in (STRANGER, GUEST)]
    sure = not doubts and all(presence.role == TEACHER for people in unknown for presence in people)
    for student in lesson.students:
        row = report.rows[STUDENT, student]
        row.held += 1
        coming = lateness(there.get(row, ()), lesson.start, lesson.end)
        if coming.late_by is None:
            row.absent.append((lesson, sure and not coming.doubts))
        else:
            _add_coming(report, row, coming.late_by)


def _add_teacher(report: Report, lesson: PlannedLesson, there: People, doubts: set[str]) -> bool:
    """Return whether the lesson was held."""
    teacher = report.rows[TEACHER, lesson.teacher]
    students = [report.rows[STUDENT, student] for student in lesson.students]
    others = {row: people for row, people in there.items() if row is not teacher and row not in students}
    teachers = {row: people for row, people in others.items() if any(p.role == TEACHER for p in people)}
    comings = {
        row: lateness(people, lesson.start, lesson.end)
        for row, people in {teacher: there.get(teacher, []), **teachers}.items()
    }
    came = [(row is not teacher, coming.late_by, row) for row, coming in comings.items() if coming.late_by is not None]
    if not came:
        unsure = {f"{row.name} {DOUBTS[doubt]}" for row, coming in comings.items() for doubt in coming.doubts}
        unsure |= {DOUBTS[doubt] for doubt in doubts}
        if any(p.role not in (TEACHER, STUDENT) for people in others.values() for p in people):
            unsure.add(DOUBTS["role_unknown"])
        if unsure:
            report.unclear.append((lesson, "; ".join(sorted(unsure))))
        else:
            report.missed.append((lesson, _who_came(lesson, there)))
        return False
    is_substitute, late_by, row = min(came, key=itemgetter(0, 1))
    if is_substitute:
        report.substituted.append((lesson, row.name))
    else:
        _add_coming(report, row, late_by)
    if _minutes(late_by) > report.late_after:
        report.late.append((lesson, row.name, _minutes(late_by)))
    return True


def _who_came(lesson: PlannedLesson, there: People) -> str:
    arrivals = [lateness(people, lesson.start, lesson.end).late_by for people in there.values()]
    came = sum(late_by is not None for late_by in arrivals)
    return "no one came" if not came else f"{came} {'person' if came == 1 else 'people'} came, but no teacher"


def _add_coming(report: Report, row: Row, late_by: timedelta) -> None:
    row.attended += 1
    row.lateness.append(_minutes(late_by))
    row.late += _minutes(late_by) > report.late_after


def _add_other(report: Report, room: str, session: Session) -> None:
    readable = has_times(session)
    if readable and not has_ended(session):
        report.notes.append((room, "still running; counts in the week in which it ends"))
    elif not readable or ended_within(session, report.begin, report.end):
        there, _ = _add_session(report, session, room)
        times = (start_time(session), end_time(session)) if readable else (None, None)
        people = [f"{row.name}, {sum(p.minutes for p in stayed):.0f} min" for row, stayed in there.items()]
        report.others.append(OtherSession(room, *times, people, billable_minutes(session)))


def _add_session(
    report: Report, session: Session, where: str, lesson: PlannedLesson | None = None
) -> tuple[People, set[str]]:
    """Count a session for all who were in it; return them, and what is not sure about the session itself."""
    billable = billable_minutes(session)
    report.sessions += 1
    report.billable += billable or 0
    report.unbilled += billable is None
    there: People = defaultdict(list)
    present = _attendance(session, lesson)
    if present is None:
        report.notes.append((where, DOUBTS["unreadable"]))
        return there, {"unreadable"}
    profiles = profiles_by_user(session)
    for presence in present.people:
        there[_row_of(report, presence, profiles.get(presence.user_id, {}), lesson)].append(presence)
    for row, people in there.items():
        doubts = {doubt for presence in people for doubt in presence.doubts}
        row.minutes += sum(presence.minutes for presence in people)
        row.billable += billable or 0
        row.unsure += bool(doubts)
        keys = [(str(session.get("uuid")), presence.user_id) for presence in people]
        if talked := [report.talk[key] for key in keys if key in report.talk]:
            row.talk = (row.talk or 0) + sum(talked)
        report.notes += [(row.name, where, DOUBTS[doubt]) for doubt in sorted(doubts)]
    if there and not present.rows_of_nobody:
        return there, set()
    report.notes.append((where, DOUBTS["nobody_known"]))
    return there, {"nobody_known"}


def _attendance(session: Session, lesson: PlannedLesson | None) -> Attendance | None:
    """Work out who was there; None where that is unknown."""
    if not has_times(session):
        return None
    try:
        return attendance([session], now=lesson and lesson.end)
    except LessonspaceError:
        return None


def _row_of(report: Report, presence: Presence, profile: Mapping[str, Any], lesson: PlannedLesson | None) -> Row:
    """Find whose presence it is; of those who teach and learn, as what they were there."""
    if presence.user_id is None:
        number = 1 + sum(kind == GUEST for kind, _ in report.rows)
        return report.rows.setdefault((GUEST, presence.guest_uuid), Row(GUEST, f"Guest {number}"))
    name, email = _text(profile.get("name")), _text(profile.get("email"))
    person = report.known.get(Person(name, email))
    if person is None:
        row = Row(STRANGER, name or f"User {presence.user_id}", email)
        return report.rows.setdefault((STRANGER, presence.user_id), row)
    kind = (lesson and lesson.kind_of(person)) or presence.role
    return next(report.rows[k, person] for k in (kind, TEACHER, STUDENT) if (k, person) in report.rows)


def _known_people(people: set[Any]) -> dict[Person, Person]:
    """Give all people by name and address, and by a name alone if it is unique: the API may give no address."""
    names = Counter(folded(person.name) for person in people)
    alone = {Person(person.name, ""): person for person in people if names[folded(person.name)] == 1}
    return {**alone, **{person: person for person in people}}


def week_name(report: Report) -> str:
    """Name a week as ISO 8601 does, such as 2026-W47."""
    year, week, _ = report.begin.isocalendar()
    return f"{year}-W{week:02}"


def _room(session: Session) -> str:
    return _text(space_of(session).get("name")) or _text(session.get("name")) or _text(session.get("uuid"))


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _minutes(duration: timedelta) -> float:
    return duration / timedelta(minutes=1)
