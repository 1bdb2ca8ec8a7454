# SPDX-License-Identifier: Apache-2.0
"""
Compute from sessions who was present, from when to when, and the billed minutes. Pure.

The functions read these fields of a session:

``logs[].log_type``, ``.date``
    ``user-joined`` or ``user-left``, and its time, ISO 8601 (reference). Only the session list of a space has logs:
    ``LessonspaceHook.list_space_sessions``.
``logs[].profile``, ``.guest_uuid``
    the person of the row: the integer of ``profiles[].user``, or the uuid of ``guests[]`` (reference).
``logs[].id``
    the order of rows with the same time (assumption ``rows-in-order``).
``logs[].user_socket_id``
    one connection: a person on two devices has two (assumption ``one-socket-a-connection``).
``profiles[].role``
    teacher, student or admin (reference); may be null.
``start_time``, ``end_time``
    of the session, ISO 8601; the end is null while the session runs.
``billable_seconds``
    an integer (reference). How Lessonspace counts them is not known.

Unusual data is read as follows. If it makes a person's times uncertain, the result has a doubt (see ``Doubt``).

- A leave without a join adds no time, because the time of the join is unknown.
- A join without a leave counts until the session's end, which is 30 s after the last person left. In a running session
  it counts until ``now``, without a doubt.
- A person on several devices counts once, from the first join to the last leave. A leave with an unknown connection
  closes one of the open connections. A second join of an open connection is ignored.
- If the start or the end of a session can't be read, joins without a leave add no time, and all its times are uncertain
  (``time_unreadable``). If the logs of a session are not a list, it counts as a session without rows, unless no session
  has logs.
- A row without a readable time is left out. A row without a person is left out and counted.
- Time before the session's start or after its end is cut off.
- Entries of ``profiles`` and ``guests`` that are not objects are left out.
- A person in ``profiles`` or ``guests`` without a row was present for 0 s.
- ``user-idled`` does not end a presence (assumption ``idle-is-present``). Rows of other kinds are left out.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal, cast

from lessonspace_provider.api.arguments import LARGEST_NUMBER, as_aware_datetime, refuse, whole_number
from lessonspace_provider.api.ids import named
from lessonspace_provider.api.plain_json import held
from lessonspace_provider.api.shapes import objects_in, text_or_none
from lessonspace_provider.api.times import read_time
from lessonspace_provider.exceptions import LessonspaceInputError
from lessonspace_provider.sessions import has_readable_times

if TYPE_CHECKING:
    from lessonspace_provider.api.types import LogRow, Profile, Session

#: Why a person's times are uncertain; the module's description has the rules.
Doubt = Literal["join_missing", "leave_missing", "time_unreadable", "no_rows"]

#: Why it is uncertain that no teacher came.
TeacherDoubt = Literal["role_unknown", "rows_of_nobody"]


@dataclass(frozen=True)
class Stay:
    """A time without a break in which a person was present, on one device or several; aware datetimes in UTC."""

    start: datetime
    end: datetime


@dataclass(frozen=True)
class Presence:
    """
    When one person was present. Either ``user_id`` or ``guest_uuid`` is set; names are in ``profiles`` only.

    :param user_id: the integer of ``profiles[].user``.
    :param guest_uuid: of a guest.
    :param role: of a user, if the API returns it.
    :param stays: in order of time, without overlaps. More than one if the person came back.
    :param doubts: why the times are uncertain; empty if they are certain.
    """

    user_id: int | None
    guest_uuid: str | None
    role: str | None
    stays: tuple[Stay, ...]
    doubts: frozenset[Doubt]

    @property
    def duration(self) -> timedelta:
        """The time present, without breaks."""
        return sum((stay.end - stay.start for stay in self.stays), timedelta(0))

    @property
    def minutes(self) -> float:
        """The same in minutes, not rounded."""
        return self.duration / timedelta(minutes=1)


@dataclass(frozen=True)
class Attendance:
    """
    Who was present.

    :param people: each person once, in the order of arrival; people without a time are last.
    :param rows_of_nobody: number of rows without a user or guest.
    """

    people: tuple[Presence, ...]
    rows_of_nobody: int


@dataclass(frozen=True)
class Lateness:
    """
    How late the first of some people came.

    :param late_by: 0 if the first person was on time. None if no one came; with ``doubts``, if it is unknown.
    :param user_id: the first person; None for a guest.
    :param doubts: why people's times are uncertain. If no teacher came, also why one may have come: a person has no
        role (``role_unknown``), or rows have no person (``rows_of_nobody``).
    """

    late_by: timedelta | None
    user_id: int | None
    doubts: frozenset[Doubt | TeacherDoubt]


def attendance(sessions: Iterable[Session], *, now: datetime | None = None) -> Attendance:
    """
    Compute who was present, from the logs of the sessions of one lesson.

    :param sessions: a list of sessions with ``logs``. Several sessions of a lesson are added up.
    :param now: aware; people who are still present are counted until then. Required if a session still runs.
    :raises LessonspaceInputError: for one session in place of a list, for sessions without logs, for a running session
        without ``now``, and for a ``now`` without a time zone.
    """
    if isinstance(sessions, Mapping):
        raise refuse("sessions", sessions.get("uuid"), "a list of sessions, or of one")
    present_moment = None if now is None else as_aware_datetime("now", now)
    people: dict[_Person, _Record] = {}
    rows_of_nobody = 0
    for session in _with_logs(sessions):
        rows_of_nobody += _add_session(people, session, present_moment)
    found = [_presence(person, record) for person, record in people.items()]
    found.sort(key=lambda presence: (not presence.stays, presence.stays[0].start if presence.stays else None))
    return Attendance(tuple(found), rows_of_nobody)


def lateness(people: Iterable[Presence], lesson_start: datetime | str, lesson_end: datetime | str) -> Lateness:
    """
    Compare the first arrival with the timetable.

    A person who came before the lesson and stayed is on time. A person who left before the lesson, or came after it,
    was there for another lesson.

    :param people: one or more people, such as the teachers.
    :param lesson_start: in the timetable; aware datetime or ISO 8601 text.
    :param lesson_end: likewise, after ``lesson_start``.
    :raises LessonspaceInputError: for wrong times.
    """
    begins, ends = as_aware_datetime("lesson_start", lesson_start), as_aware_datetime("lesson_end", lesson_end)
    if begins >= ends:
        raise refuse("lesson_end", ends.isoformat(), f"later than lesson_start={begins.isoformat()}")
    arrivals: list[tuple[datetime, int | None]] = []
    doubts: set[Doubt | TeacherDoubt] = set()
    for person in people:
        doubts |= person.doubts
        stays = (stay for stay in person.stays if stay.start < ends and stay.end > begins)
        arrivals += [(max(stay.start, begins), person.user_id) for stay in stays]
    if not arrivals:
        return Lateness(None, None, frozenset(doubts))
    arrived, user_id = min(arrivals, key=lambda arrival: arrival[0])
    return Lateness(arrived - begins, user_id, frozenset(doubts))


def teacher_lateness(
    present: Attendance,
    lesson_start: datetime | str,
    lesson_end: datetime | str,
    *,
    teacher_ids: Collection[int] | None = None,
) -> Lateness:
    """
    Compare the arrival of the first teacher with the timetable, as ``lateness`` does.

    :param present: the result of ``attendance``.
    :param lesson_start: in the timetable; aware datetime or ISO 8601 text.
    :param lesson_end: likewise, after ``lesson_start``.
    :param teacher_ids: Lessonspace user ids of the teachers; None: all people with the role ``teacher``.
    :raises LessonspaceInputError: for wrong times.
    """
    teachers = [person for person in present.people if _counts_as_teacher(person, teacher_ids)]
    found = lateness(teachers, lesson_start, lesson_end)
    if found.late_by is not None:
        return found
    doubts = set(found.doubts)
    if teacher_ids is None and any(person.user_id is not None and person.role is None for person in present.people):
        doubts.add("role_unknown")
    if present.rows_of_nobody:
        doubts.add("rows_of_nobody")
    return Lateness(None, None, frozenset(doubts))


def profiles_by_user(session: Session) -> dict[int, Profile]:
    """
    Return the profiles of a session by user id. Ids are numbers, as in ``Presence``, also if the API sends text.

    :param session: from a list or in detail.
    """
    profiles = {whole_number(profile.get("user")): profile for profile in objects_in(session.get("profiles"))}
    return {user_id: cast("Profile", profile) for user_id, profile in profiles.items() if user_id is not None}


def billable_minutes(session: Session) -> float | None:
    """
    Return the minutes of a session that Lessonspace bills: ``billable_seconds`` / 60, not rounded.

    :param session: from a list or in detail.
    :return: None while the session runs, if its end can't be read, and if ``billable_seconds`` is not a number from 0
        that fits into 64 bits.
    """
    seconds: object = session.get("billable_seconds")
    if read_time(session.get("end_time")) is None or not isinstance(seconds, (int, float)) or isinstance(seconds, bool):
        return None
    return seconds / 60 if 0 <= seconds < LARGEST_NUMBER else None


#: A user's id, or a guest's uuid.
_Person = int | str


@dataclass
class _Record:
    """What is known of one person while the logs are read."""

    role: str | None = None
    stays: list[Stay] = field(default_factory=list)
    doubts: set[Doubt] = field(default_factory=set)
    has_rows: bool = False


def _add_session(people: dict[_Person, _Record], session: Session, now: datetime | None) -> int:
    """Add one session to what is known of each person; return how many of its rows are no one's."""
    start, end = read_time(session.get("start_time")), read_time(session.get("end_time"))
    is_readable = has_readable_times(session)
    if is_readable and end is None and now is None:
        raise LessonspaceInputError(f"Session {named(session)} still runs: give now, or wait until it has ended.")
    _add_people(people, session)
    rows_of_nobody = 0
    rows: dict[_Person, list[tuple[datetime, LogRow]]] = {}
    for row in _joins_and_leaves(session):
        person = _person(row)
        if person is None:
            rows_of_nobody += 1
            continue
        record = people.setdefault(person, _Record())
        record.has_rows = True
        if not is_readable:
            record.doubts.add("time_unreadable")
        moment = read_time(row.get("date"))
        if moment is None:
            record.doubts.add("time_unreadable")
        else:
            rows.setdefault(person, []).append((moment, row))
    for person, of_person in rows.items():
        of_person.sort(key=_order)
        until = end or (now if is_readable else None)
        people[person].stays += _stays(of_person, start, end, until, people[person].doubts)
    return rows_of_nobody


def _add_people(people: dict[_Person, _Record], session: Session) -> None:
    for user_id, profile in profiles_by_user(session).items():
        record = people.setdefault(user_id, _Record())
        record.role = text_or_none(profile.get("role")) or record.role
    for guest in objects_in(session.get("guests")):
        guest_uuid = text_or_none(guest.get("uuid"))
        if guest_uuid:
            people.setdefault(guest_uuid, _Record())


def _with_logs(sessions: Iterable[Session]) -> list[Session]:
    """Refuse sessions of another list; one odd session among others stops none of them."""
    given = held(sessions, "sessions")
    if given and not any(isinstance(session.get("logs"), list) for session in given):
        raise LessonspaceInputError(
            f"Session {named(given[0])} has no logs: only LessonspaceHook.list_space_sessions gives them."
        )
    return given


def _joins_and_leaves(session: Session) -> list[LogRow]:
    """Give the rows about joining and leaving."""
    rows = cast("list[LogRow]", objects_in(session.get("logs")))
    return [row for row in rows if row.get("log_type") in ("user-joined", "user-left")]


def _order(timed: tuple[datetime, LogRow]) -> tuple[datetime, int, bool]:
    """Order rows by their times; at the same moment by their ids, and joins first where there are none."""
    moment, row = timed
    return moment, whole_number(row.get("id")) or 0, row.get("log_type") == "user-left"


def _person(row: LogRow) -> _Person | None:
    user_id = whole_number(row.get("profile"))  # the reference calls it a string, and an integer was seen
    return user_id if user_id is not None else text_or_none(row.get("guest_uuid")) or None


def _stays(
    rows: list[tuple[datetime, LogRow]],
    start: datetime | None,
    end: datetime | None,
    until: datetime | None,
    doubts: set[Doubt],
) -> list[Stay]:
    """
    Turn one person's rows, in the order of their times, into stays within the session.

    :param until: when those leave who are still there: the session's end, or the present; None when unknown.
    :param doubts: takes what is not sure.
    """
    stays: list[tuple[datetime, datetime]] = []
    connections: list[str | None] = []
    since = None
    for moment, row in rows:
        socket = row.get("user_socket_id")
        if row.get("log_type") == "user-joined":
            since = since or moment
            if socket is None or socket not in connections:
                connections.append(socket)
        elif since is None:
            doubts.add("join_missing")
        else:
            connections.remove(socket if socket in connections else connections[0])
            if not connections:
                stays.append((since, moment))
                since = None
    if since is not None and until is not None:
        stays.append((since, until))
        if end is not None:
            doubts.add("leave_missing")
    cut = [Stay(max(a, start) if start else a, min(b, until) if until else b) for a, b in stays]
    return [stay for stay in cut if stay.end > stay.start]


def _presence(person: _Person, record: _Record) -> Presence:
    if not record.has_rows:
        record.doubts.add("no_rows")
    return Presence(
        user_id=person if isinstance(person, int) else None,
        guest_uuid=person if isinstance(person, str) else None,
        role=record.role,
        stays=tuple(_joined(record.stays)),
        doubts=frozenset(record.doubts),
    )


def _joined(stays: list[Stay]) -> list[Stay]:
    """Sort stays, and make one of those that overlap or touch: sessions may overlap."""
    joined: list[Stay] = []
    for stay in sorted(stays, key=lambda stay: stay.start):
        if joined and stay.start <= joined[-1].end:
            joined[-1] = Stay(joined[-1].start, max(joined[-1].end, stay.end))
        else:
            joined.append(stay)
    return joined


def _counts_as_teacher(person: Presence, teacher_ids: Collection[int] | None) -> bool:
    return person.role == "teacher" if teacher_ids is None else person.user_id in teacher_ids
