# SPDX-License-Identifier: Apache-2.0
"""
The sample timetable's lessons since Monday of last week, and two people who have left, as `make ui` shows them.

It needs the folder of the example DAGs on the path, since it reads the timetable as they do.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import requests
from class_timetable import WEEKDAYS, read_launches

from lessonspace_provider.sandbox import NewSession, SandboxControl, Visit

#: As in the example DAGs.
SCHOOL_TIME = ZoneInfo("Europe/London")

#: A session ends so long after the last one left.
END_AFTER_LAST_LEFT = timedelta(seconds=30)

REQUEST_SECONDS = 30.0

#: Who was in a session: by their place in the lesson, the teacher's 0, from which to which minute of the lesson.
Stays = dict[int, list[tuple[int, int]]]

#: What was not as planned, by lesson and weekday: a late teacher, an absent student, one who came back, a lesson
#: without a teacher, a late student.
ODD_STAYS: dict[tuple[str, str], Stays] = {
    ("7b-maths", "Monday"): {0: [(12, 45)]},
    ("7b-maths", "Tuesday"): {2: []},
    ("7b-english", "Wednesday"): {1: [(-2, 15), (19, 45)]},
    ("8a-history", "Wednesday"): {0: [], 1: [(-1, 14)], 2: []},
    ("7b-english", "Friday"): {3: [(9, 45)]},
}

#: Sessions before the lesson's: a person waited alone, and went.
WAITED: dict[tuple[str, str], Stays] = {("8a-music", "Thursday"): {1: [(-25, -12)]}}

LEAVERS = ("Lou Tanner", "Mia Roth")


@dataclass(frozen=True)
class Lesson:
    """A lesson on one day; ``people`` as class_launch launches them, the teacher first."""

    launch_id: str
    subject: str
    start: datetime
    end: datetime
    people: list[dict[str, str]]

    def sessions(self) -> list[Stays]:
        """List who was in which of its sessions."""
        length = int((self.end - self.start) / timedelta(minutes=1))
        planned: Stays = {who: [(-2, length)] for who in range(len(self.people))}
        lesson = (self.launch_id.removesuffix(f"-{self.start.date()}"), WEEKDAYS[self.start.weekday()])
        held = {**planned, **ODD_STAYS.get(lesson, {})}
        there = {who: stays for who, stays in held.items() if stays}
        return [WAITED[lesson], there] if lesson in WAITED else [there]


def last_monday(now: datetime) -> datetime:
    """Give the beginning of last week, in the school's time."""
    midnight = now.astimezone(SCHOOL_TIME).replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight - timedelta(days=midnight.weekday() + 7)


def lessons_until(now: datetime, timetable: Path) -> Iterator[Lesson]:
    """Read the lessons that began since Monday of last week and are over, those that are cancelled left out."""
    day = last_monday(now)
    while day < now:
        launches = read_launches(timetable, day, day, SCHOOL_TIME)
        for teacher in launches["teachers"]:
            students = [s["user"] for s in launches["students"] if s["launch_id"] == teacher["launch_id"]]
            start, end = (datetime.fromisoformat(teacher[time]) for time in ("lesson_start", "lesson_end"))
            if end + END_AFTER_LAST_LEFT < now:
                yield Lesson(teacher["launch_id"], teacher["name"], start, end, [teacher["user"], *students])
        day += timedelta(days=1)


class SampleSchool:
    """The sample timetable's school in a sandbox.

    :param base_url: the sandbox's, with ``/v2``.
    :param timetable: as class_launch reads it.
    """

    def __init__(self, base_url: str, api_key: str, timetable: Path) -> None:
        self._base_url = base_url
        self._session = requests.Session()
        self._session.trust_env = False  # no proxy leads to the sandbox
        self._session.headers["Authorization"] = f"Organisation {api_key}"
        self._timetable = timetable
        self._control = SandboxControl(base_url)

    def open(self, leavers: Path) -> int:
        """Add the lessons to the sandbox, a session without a lesson, and two who leave.

        :param leavers: is written: the list that the DAG leavers reads.
        :return: how many lessons there were.
        """
        state = self._control.state()
        self._control.set_rate(0)
        lessons = list(lessons_until(state.now, self._timetable))
        sessions = [session for lesson in lessons for session in self._sessions(lesson)]
        sessions.append(_chess_club(last_monday(state.now) + timedelta(days=3, hours=15)))
        self._control.add_sessions(sessions)
        leavers.write_text("\n".join(["user_id,name", *(f"{self._leaver(name)},{name}" for name in LEAVERS), ""]))
        self._control.set_rate(state.rate)
        return len(lessons)

    def busy_space(self) -> str:
        """Give the id of the space with the most transcripts of the last days, which are worth looking at."""
        since = self._control.state().now - timedelta(days=6)
        ready = [t for t in self._control.sessions() if t.transcript == "ready" and t.start_time > since]
        return Counter(truth.space_id for truth in ready).most_common(1)[0][0]

    def _sessions(self, lesson: Lesson) -> list[NewSession]:
        body = {"id": lesson.launch_id, "name": lesson.subject, "transcribe": True}
        ids = [self._launch({**body, "user": person}) for person in lesson.people]
        return [_session(lesson, stays, ids) for stays in lesson.sessions()]

    def _leaver(self, name: str) -> int:
        """Make a user who was in no session, and return their id."""
        email = f"{name.lower().replace(' ', '.')}@home.example"
        user = {"id": f"{name} <{email}>", "name": name, "email": email, "role": "student"}
        return self._launch({"id": "former-pupils", "user": user})

    def _launch(self, body: dict[str, Any]) -> int:
        """Launch a space for one person, as class_launch does, and return their Lessonspace user id."""
        url = f"{self._base_url}/spaces/launch/"
        answer = self._session.post(url, json=body, timeout=REQUEST_SECONDS)
        answer.raise_for_status()
        user_id: int = answer.json()["user_id"]
        return user_id


def _session(lesson: Lesson, stays: Stays, ids: list[int]) -> NewSession:
    visits = [
        Visit(ids[who], lesson.start + timedelta(minutes=joined), lesson.start + timedelta(minutes=left))
        for who, of_person in stays.items()
        for joined, left in of_person
    ]
    return NewSession(
        min(visit.joined for visit in visits),
        max(visit.left for visit in visits) + END_AFTER_LAST_LEFT,
        [ids[who] for who in stays],
        visits=visits,
        name=lesson.subject,
        space=lesson.launch_id,
    )


def _chess_club(start: datetime) -> NewSession:
    return NewSession(start, start + timedelta(hours=1), ["Ada Byron", "Ben Ito"], guests=1, name="Chess club")
