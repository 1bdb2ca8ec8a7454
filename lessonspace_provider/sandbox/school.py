# SPDX-License-Identifier: Apache-2.0
"""Make the world a sandbox starts with: one school, and some weeks of its lessons.

Times of day are UTC. A lesson slot recurs weekly in the same space. What makes reality messy is here in
sensible proportions: a person waits alone before the lesson, a connection test of a minute, no one else
comes, a lesson in two halves, people who drop out and come back, guests, null names, removed recordings.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from lessonspace_provider.sandbox.dialogue import LANGUAGES, WORDS
from lessonspace_provider.sandbox.entities import Guest, LogType, Session, Space, User
from lessonspace_provider.sandbox.world import END_AFTER_ALL_IDLE, END_AFTER_LAST_LEFT, World

RUNNING = 3
"""How many sessions run when the world begins; the last of them has one user only."""

_TEACHER_LANGUAGES = ("en", "de", "fr", "es", "pl", "ar", "ja", "he")
_LAUNCH_IDS = ("lesson-{n}", "course/{n}:algebra", "Müller & Söhne {n}", "{n}", "klasse 7 📐 {n}")


@dataclass(frozen=True)
class _Slot:
    """A weekly lesson: its space, who takes part (teacher first), minute of the day, length in minutes."""

    space: Space
    people: list[User]
    minute: int
    minutes: int


@dataclass
class _Draft:
    """A session before it has its ids."""

    slot: _Slot
    users: list[User]
    start: datetime
    end: datetime
    idled_out: bool = False


def make_world(seed: int, organisation_id: int, now: datetime, days: int, sessions_per_day: int) -> World:
    """Make the school and its history.

    :param seed: same seed and same ``now`` give the same world.
    :param organisation_id: of the school.
    :param now: present moment (aware, UTC).
    :param days: whole UTC days of history before today.
    :param sessions_per_day: sessions that ended on each of these days, exactly. Today's are those of the same
        timetable that have ended by now; besides, :data:`RUNNING` sessions run.
    """
    world = World(seed, organisation_id)
    random = world.random
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    opened = midnight - timedelta(days=days + 30)
    people = _make_people(world)
    slots = _make_spaces(world, people, opened, pool=max(24, sessions_per_day + RUNNING + 3))
    timetable = [random.sample(slots, sessions_per_day) for _ in range(7)]
    drafts: list[_Draft] = []
    for back in range(days, 0, -1):
        drafts += _make_day(random, timetable, midnight - timedelta(days=back), back, sessions_per_day)
    today = _make_day(random, timetable, midnight, 0, sessions_per_day)
    drafts += [draft for draft in today if draft.end <= now]
    busy = {draft.slot.space for draft in today}
    running = [_make_running(random, slot, now) for slot in slots if slot.space not in busy][:RUNNING]
    if running:
        del running[-1].users[1:]
    for draft in sorted(drafts + running, key=lambda d: d.start):
        _add(world, draft, running=draft in running, old=draft.end < now - timedelta(days=7))
    return world


def _make_people(world: World) -> tuple[list[User], list[User]]:
    teachers = [
        world.add_user(name, "teacher", f"teacher-{n}", f"teacher{n}@school.example")
        for n, name in enumerate(WORDS["teachers"], 1)
    ]
    students = [
        world.add_user(name, "student", f"student-{n}" if n % 5 else f"Student:{n}/ext", _student_email(n))
        for n, name in enumerate(WORDS["students"], 1)
    ]
    world.add_user("Office", "admin", None, "office@school.example")
    for user in teachers + students[::6]:
        user.picture_id = user.id - 300_000
    return teachers, students


def _student_email(number: int) -> str | None:
    return f"student{number}@families.example" if number % 3 else None


def _make_spaces(world: World, people: tuple[list[User], list[User]], opened: datetime, pool: int) -> list[_Slot]:
    teachers, students = people
    slots = []
    for number in range(pool):
        teacher = number % len(teachers)
        launch_id = _LAUNCH_IDS[number % len(_LAUNCH_IDS)].format(n=100 + number) if number % 3 else None
        created = opened + timedelta(hours=number, seconds=world.random.uniform(0, 3000))
        names = WORDS["space_names"]
        space = world.add_space(names[number % len(names)], created, launch_id)
        space.language = "zh" if number % 13 == 6 else _TEACHER_LANGUAGES[teacher % len(LANGUAGES)]
        space.alias = f"room-{number}" if number % 4 == 0 else None
        space.record_av = space.record_content = number % 12 != 7
        space.transcribe = number % 8 != 5
        space.tags = {"Subject": WORDS["subjects"][teacher], "cohort": str(2024 + number % 3)} if number % 2 else {}
        space.assigned_to = [teachers[teacher].id]
        class_size = 1 if world.random.random() < 0.6 else world.random.randint(2, 4)
        pupils = world.random.sample(students, class_size)
        minute = world.random.randrange(6 * 60, 21 * 60, 15)
        minutes = world.random.choice((25, 30, 45, 50, 60, 90))
        slots.append(_Slot(space, [teachers[teacher], *pupils], minute, minutes))
    return slots


def _make_day(random: Random, timetable: list[list[_Slot]], day: datetime, back: int, count: int) -> list[_Draft]:
    """Draft the sessions that end on a day, exactly so many.

    Three days back, one ends at midnight sharp; on every seventh day from two days back, one crosses it.
    """
    drafts: list[_Draft] = []
    for number, slot in enumerate(timetable[day.weekday()]):
        if len(drafts) >= count:
            break
        if number == 0 and (back == 3 or back % 7 == 2):
            end = day if back == 3 else day + timedelta(minutes=random.uniform(5, 25))
            drafts.append(_Draft(slot, slot.people, day - timedelta(minutes=random.uniform(25, 40)), end))
            continue
        drafts += _make_lesson(random, slot, day)[: count - len(drafts)]
    return drafts


def _make_lesson(random: Random, slot: _Slot, day: datetime) -> list[_Draft]:
    """Draft the one to two sessions a lesson slot yields, the lesson itself first."""
    start = day + timedelta(minutes=slot.minute + random.uniform(-4, 6))
    end = start + timedelta(minutes=slot.minutes + random.uniform(-3, 8))
    draw = random.random()
    if draw < 0.18:
        alone = start - timedelta(minutes=random.uniform(14, 25))
        waiter = random.choice(slot.people)
        waited = alone + timedelta(minutes=random.uniform(6, 12))
        return [_Draft(slot, slot.people, start, end), _Draft(slot, [waiter], alone, waited, idled_out=True)]
    if draw < 0.28:
        test = start - timedelta(minutes=random.uniform(8, 15))
        tested = test + timedelta(seconds=random.uniform(60, 280))
        return [_Draft(slot, slot.people, start, end), _Draft(slot, slot.people[:2], test, tested)]
    if draw < 0.34:
        gave_up = start + timedelta(minutes=random.uniform(11, 25))
        return [_Draft(slot, slot.people[:1], start, gave_up, idled_out=True)]
    if draw < 0.40:
        cut = start + (end - start) * random.uniform(0.35, 0.65)
        again = cut + timedelta(seconds=random.uniform(40, 200))
        return [_Draft(slot, slot.people, start, cut), _Draft(slot, slot.people, again, end)]
    return [_Draft(slot, slot.people, start, end)]


def _make_running(random: Random, slot: _Slot, now: datetime) -> _Draft:
    start = now - timedelta(minutes=random.uniform(5, 45))
    return _Draft(slot, list(slot.people), start, now + timedelta(minutes=random.uniform(5, 40)))


def _add(world: World, draft: _Draft, running: bool, old: bool) -> None:
    random, space = world.random, draft.slot.space
    name = random.choices((space.name, None, f"{space.name or 'Lesson'} ({draft.start:%d/%m})"), (6, 2, 2))[0]
    end = None if running else draft.end
    session = Session(world.next_id("session"), world.new_uuid(), space, name, draft.start, end)
    session.users = list(draft.users)
    session.record_av, session.record_content = space.record_av, space.record_content
    session.transcribe = space.transcribe
    session.recording_deleted = old and random.random() < 0.04
    session.recording_access_policy = random.choices(([], ["participant"], ["admin", "teacher"]), (8, 1, 1))[0]
    if random.random() < 0.5:
        session.tags = {"term": "Autumn", "unit": random.randint(1, 9), **space.tags}
    if len(draft.users) > 1 and random.random() < 0.08:
        session.guests = [Guest(world.next_id("guest"), world.new_uuid())]
    if len(draft.users) > 1 and random.random() < 0.2:
        session.summary = f"The class worked on unit {random.randint(1, 9)} and revised last week's homework."
    session.playback_password = f"{random.getrandbits(40):010x}" if random.random() < 0.05 else None
    _write_logs(world, session, draft, running)
    if running:
        session.scheduled_end = draft.end
        session.connected = dict.fromkeys(session.attendants)
    world.add_session(session)


def _write_logs(world: World, session: Session, draft: _Draft, running: bool) -> None:
    """Write who joined and left when; the last leaves 30 s before the end, or all have idled since 5 min."""
    random = world.random
    rows: list[tuple[datetime, LogType, User | Guest | None]] = []
    last = draft.end - (END_AFTER_ALL_IDLE if draft.idled_out else END_AFTER_LAST_LEFT)
    span = last - draft.start
    for number, who in enumerate(session.attendants):
        late, early = (random.uniform(0.0, 0.08), random.uniform(0.0, 0.04)) if number else (0.0, 0.0)
        rows.append((draft.start + span * late, "user-joined", who))
        for drop in range(random.choices((0, 1, 3), (7, 2, 1))[0]):
            dropped = draft.start + span * (0.15 + 0.25 * drop + random.uniform(0.0, 0.1))
            rows.append((dropped, "user-left", who))
            rows.append((dropped + span * random.uniform(0.005, 0.1), "user-joined", who))
        if draft.idled_out:
            rows.append((last, "user-idled", who))
        rows.append((last - span * early, "user-left", who))
    if draft.idled_out:
        rows = [row for row in rows if row[1] != "user-left" or row[0] < last]
        rows.append((draft.end, "session-idled", None))
    if running:
        rows = [row for row in rows if row[1] == "user-joined" and row[0] <= draft.start + span * 0.08]
    for date, log_type, person in sorted(rows, key=lambda row: row[0]):
        world.log(session, log_type, date, person)
