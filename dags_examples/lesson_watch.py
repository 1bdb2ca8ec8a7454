# SPDX-License-Identifier: Apache-2.0
"""Finds the lessons that need attention now, for the DAG `lesson_alerts`. Pure, and not a DAG: keep it beside that."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from hashlib import sha256
from typing import Any, Literal, NamedTuple

from attendance.lessons import STUDENT, TEACHER, Person, PlannedLesson, lesson_label

from lessonspace_provider.attendance import Stay, attendance, profiles_by_user
from lessonspace_provider.exceptions import LessonspaceError
from lessonspace_provider.waiting import end_time, known_start

#: A session as the API sends it.
Session = dict[str, Any]

#: Running sessions by the launch id of their lesson.
Rooms = Mapping[str, Sequence[Session]]

#: How long a lesson may be without its tutor or without anyone, and how soon an alert is repeated.
TOLERATED, REPEAT_AFTER = timedelta(minutes=5), timedelta(minutes=15)

#: Runs are so far apart, give or take some seconds.
BETWEEN_RUNS = timedelta(minutes=1)

#: How long before and after its time people may be in a lesson's room.
MARGIN = timedelta(minutes=30)

#: Rooms of which a run reads the logs.
MOST_ROOMS = 10

#: Fields of ``Memory`` that hold times.
TIMES = ("alone", "checked", "reported")

Kind = Literal["empty", "tutor_late", "student_alone"]

TEXTS: Mapping[Kind, str] = {
    "empty": "the room is empty",
    "tutor_late": "a student waits, and the tutor has not come",
    "student_alone": "a student is without the tutor",
}


class Alert(NamedTuple):
    """
    A lesson that needs attention.

    :param since: since when, aware.
    """

    kind: Kind
    lesson: PlannedLesson
    since: datetime

    @property
    def key(self) -> str:
        """Name it; it holds no person."""
        return f"{self.kind} {self.lesson.launch_id}"

    def text(self, now: datetime) -> str:
        """Write it for people, without any of their names."""
        minutes = int((now - self.since) / timedelta(minutes=1))
        return f"{lesson_label(self.lesson)}: for {minutes} minutes, {TEXTS[self.kind]}"


class Report(NamedTuple):
    """
    Something to report.

    :param key: shows whether it was reported before; it holds no person.
    """

    key: str
    text: str


@dataclass
class Memory:
    """
    What is kept from run to run. It holds no person.

    :param came: by a lesson's launch id, whether its tutor and its students have ever come.
    :param alone: by a session's id, since when its students are without a tutor, as its logs had it.
    :param checked: by a session's id, when its logs were read last.
    :param reported: by its key, when something was reported last.
    """

    came: dict[str, set[str]] = field(default_factory=dict)
    alone: dict[str, datetime] = field(default_factory=dict)
    checked: dict[str, datetime] = field(default_factory=dict)
    reported: dict[str, datetime] = field(default_factory=dict)

    @classmethod
    def from_json(cls, data: bytes) -> Memory:
        """
        Read a file.

        :raises ValueError: when it can't be used.
        """
        try:
            read = json.loads(data)
            times = (
                {key: _moment(text) for key, text in read[name].items()} for name in ("alone", "checked", "reported")
            )
            return cls({key: set(kinds) & {TEACHER, STUDENT} for key, kinds in read["came"].items()}, *times)
        except (ValueError, RecursionError, LookupError, TypeError, AttributeError):
            raise ValueError("it is not as this DAG has written it") from None

    def to_json(self) -> bytes:
        """Write a file."""
        times = {
            name: {key: moment.isoformat() for key, moment in getattr(self, name).items()}
            for name in ("alone", "checked", "reported")
        }
        return json.dumps(
            {"came": {key: sorted(kinds) for key, kinds in self.came.items()}, **times}, indent=1
        ).encode()

    def forget(self, lessons: Iterable[PlannedLesson], rooms: Rooms) -> None:
        """Keep what is known of these lessons and of sessions that run."""
        ids = {lesson.launch_id for lesson in lessons}
        running = {session["uuid"] for sessions in rooms.values() for session in sessions}
        self.came = {key: kinds for key, kinds in self.came.items() if key in ids}
        self.alone = {key: since for key, since in self.alone.items() if key in running}
        self.checked = {key: at for key, at in self.checked.items() if key in running}


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(text)
    return moment


def assigned(lessons: Iterable[PlannedLesson], sessions: Iterable[Session], now: datetime) -> dict[str, list[Session]]:
    """
    Find the lesson of each running session: the one that most of its people have at that time.

    :param sessions: those in progress of the whole organisation.
    :param now: aware.
    :return: by launch id; a session without anyone of a timetable is left out.
    """
    near = [lesson for lesson in lessons if lesson.start - MARGIN <= now < lesson.end + MARGIN]
    rooms: dict[str, list[Session]] = {}
    for session in sessions:
        ranked = [(_people_in(lesson, session), is_on(lesson, now), lesson.start, lesson.launch_id) for lesson in near]
        if ranked and (best := max(ranked))[0]:
            rooms.setdefault(best[-1], []).append(session)
    return rooms


def is_on(lesson: PlannedLesson, now: datetime) -> bool:
    """Whether it is a lesson's time."""
    return lesson.start <= now < lesson.end


def _people_in(lesson: PlannedLesson, session: Session) -> int:
    return sum(_on_timetable(lesson, profile) is not None for profile in _profiles(session))


def _profiles(session: Session) -> list[dict[str, Any]]:
    profiles = session.get("profiles")
    return [profile for profile in profiles if isinstance(profile, dict)] if isinstance(profiles, list) else []


def _on_timetable(lesson: PlannedLesson, profile: Mapping[str, Any]) -> str | None:
    person = Person(str(profile.get("name") or ""), str(profile.get("email") or ""))
    if person.key[1]:
        return lesson.kind_of(person)
    # Lessonspace may have no address: then the name counts.
    namesakes = [other for other in (lesson.teacher, *lesson.students) if other.key[0] == person.key[0]]
    return lesson.kind_of(namesakes[0]) if namesakes else None


def kind_of(lesson: PlannedLesson, profile: Mapping[str, Any]) -> str | None:
    """
    Decide what a person is in a lesson: by the timetable, or else by the role at Lessonspace.

    :return: a substitute tutor and an admin count as tutors; None for anyone else, who is no tutor.
    """
    role = profile.get("role")
    by_role = {"teacher": TEACHER, "admin": TEACHER, "student": STUDENT}.get(role) if isinstance(role, str) else None
    return _on_timetable(lesson, profile) or by_role


def kinds_in(lesson: PlannedLesson, sessions: Iterable[Session]) -> set[str]:
    """List what people are who have come to these sessions: tutors, students, or both."""
    return {kind for session in sessions for profile in _profiles(session) if (kind := kind_of(lesson, profile))}


def note_arrivals(memory: Memory, lessons: Iterable[PlannedLesson], rooms: Rooms) -> None:
    """Remember who has come during a lesson, also when they leave and their session ends."""
    for lesson in lessons:
        sessions = [session for session in rooms.get(lesson.launch_id, ()) if lesson.overlaps(session)]
        memory.came.setdefault(lesson.launch_id, set()).update(kinds_in(lesson, sessions))


def rooms_to_read(
    lessons: Iterable[PlannedLesson], rooms: Rooms, memory: Memory, now: datetime
) -> list[tuple[PlannedLesson, Session]]:
    """
    Choose the sessions whose logs are read in this run: profiles show who has come, and not who has left.

    :return: at most ``MOST_ROOMS``; first those whose students were without a tutor, then those not read for longest.
    """
    mixed = [
        (lesson, session)
        for lesson in lessons
        if is_on(lesson, now)
        for session in rooms.get(lesson.launch_id, ())
        if kinds_in(lesson, [session]) == {TEACHER, STUDENT}
    ]
    never = datetime.min.replace(tzinfo=timezone.utc)
    mixed.sort(key=lambda room: (room[1]["uuid"] not in memory.alone, memory.checked.get(room[1]["uuid"], never)))
    return mixed[:MOST_ROOMS]


def alone_since(lesson: PlannedLesson, session: Session, now: datetime) -> datetime | None:
    """
    Find out from a session's logs since when its students have been without a tutor.

    :param session: with ``logs``.
    :param now: aware.
    :return: None when a tutor is there, or no student is, and when the logs do not show it.
    """
    try:
        people = attendance([session], now=now).people
    except LessonspaceError:  # there are no logs
        return None
    profiles = profiles_by_user(session)
    stays: dict[str | None, list[Stay]] = {TEACHER: [], STUDENT: []}
    for person in people:
        profile = profiles.get(person.user_id) if person.user_id is not None else None
        kind = kind_of(lesson, profile or {})
        stays.setdefault(kind, []).extend(person.stays)
    there = [stay.start for stay in stays[STUDENT] if stay.end >= now]
    if not there or any(stay.end >= now for stay in stays[TEACHER]):
        return None
    return max([min(there), lesson.start, *(stay.end for stay in stays[TEACHER])])


def note_logs(memory: Memory, lesson: PlannedLesson, session: Session, now: datetime) -> None:
    """Remember what the logs of a session have."""
    memory.checked[session["uuid"]] = now
    since = alone_since(lesson, session, now)
    if since is None:
        memory.alone.pop(session["uuid"], None)
    else:
        memory.alone[session["uuid"]] = since


def alerts(lessons: Iterable[PlannedLesson], rooms: Rooms, memory: Memory, now: datetime) -> list[Alert]:
    """List the lessons that need attention now, each with one alert at most."""
    found = []
    for lesson in lessons:
        if is_on(lesson, now):
            alert = _alert(lesson, rooms.get(lesson.launch_id, ()), memory)
            if alert is not None and now - alert.since >= TOLERATED:
                found.append(alert)
    return found


def _alert(lesson: PlannedLesson, sessions: Sequence[Session], memory: Memory) -> Alert | None:
    came = memory.came.get(lesson.launch_id, set())
    if not sessions:
        # Who has been taught may leave before the lesson's end.
        return None if came >= {TEACHER, STUDENT} else Alert("empty", lesson, lesson.start)
    if STUDENT not in kinds_in(lesson, sessions):
        return None
    if TEACHER not in came:
        return Alert("tutor_late", lesson, lesson.start)
    since = [_without_tutor_since(lesson, session, memory) for session in sessions]
    known = [moment for moment in since if moment is not None]
    return Alert("student_alone", lesson, max(known)) if len(known) == len(since) else None


def _without_tutor_since(lesson: PlannedLesson, session: Session, memory: Memory) -> datetime | None:
    """Compute since when a session is without a tutor; None when one is there, as far as is known."""
    if TEACHER in kinds_in(lesson, [session]):
        return memory.alone.get(session["uuid"])
    return max(lesson.start, known_start(session) or lesson.start)


def reports_of(found: Iterable[Alert], refused: Iterable[str], now: datetime) -> list[Report]:
    """Write alerts for people, and the rows of the timetable that can't be read."""
    rows = [Report(f"row {sha256(row.encode()).hexdigest()[:16]}", f"Not watched: {row}") for row in refused]
    return [*(Report(alert.key, alert.text(now)) for alert in found), *rows]


def is_due(key: str, memory: Memory, now: datetime) -> bool:
    """Whether something is to be reported: it is new, or was reported ``REPEAT_AFTER`` ago."""
    return key not in memory.reported or now - memory.reported[key] > REPEAT_AFTER - BETWEEN_RUNS / 2


def to_confirm(found: Iterable[Alert], memory: Memory, now: datetime) -> list[PlannedLesson]:
    """List the lessons whose rooms seem empty and which are to be reported: these rooms are asked first."""
    return [alert.lesson for alert in found if alert.kind == "empty" and is_due(alert.key, memory, now)]


def note_reported(memory: Memory, reports: Iterable[Report], now: datetime) -> None:
    """Remember what was reported in this run, and forget what is over."""
    memory.reported = {key: now if is_due(key, memory, now) else memory.reported[key] for key, _ in reports}


def is_running(session: Session) -> bool:
    """Whether a session has not ended, as far as it can be read."""
    try:
        return end_time(session) is None
    except LessonspaceError:
        return True
