# SPDX-License-Identifier: Apache-2.0
"""The school's users, spaces and sessions, and what happens to them.

Nothing here knows of HTTP. Every moment is handed in, so that the sandbox's clock rules.
"""

from __future__ import annotations

import json
import uuid
from bisect import insort
from datetime import datetime, timedelta
from random import Random
from typing import Literal

from lessonspace_provider.sandbox.dialogue import make_segments
from lessonspace_provider.sandbox.entities import Guest, LogRow, LogType, Session, Space, User
from lessonspace_provider.sandbox.messages import Segment, Speaker, TranscriptState

END_AFTER_LAST_LEFT = timedelta(seconds=30)
"""A session ends so long after the last connection left (vendor documented)."""

END_AFTER_ALL_IDLE = timedelta(minutes=5)
"""A session ends when all have been idle for longer than this (vendor documented)."""

TRANSCRIPT_MINIMUM = timedelta(seconds=300)
"""Only longer sessions are transcribed (vendor documented; an older guide has 150 s)."""


class WorldError(Exception):
    """What was asked cannot happen in this world, and why."""


class World:
    """One organisation and all that belongs to it.

    :param seed: where every chance and every id comes from.
    :param organisation_id: its integer id.
    """

    organisation_name = "Sandbox School"

    def __init__(self, seed: int, organisation_id: int) -> None:
        self.seed = seed
        self.organisation_id = organisation_id
        self.random = Random(f"lessonspace sandbox world {seed}")
        self.version = 0
        """Rises with every change, so that what was rendered before is known to be stale."""
        self.users: dict[int, User] = {}
        self.spaces: dict[str, Space] = {}
        self.sessions: dict[str, Session] = {}
        self.oldest_first: list[Session] = []
        self.deleted: list[Session] = []
        self.guest_links: set[int] = set()
        self._by_slug: dict[str, Space] = {}
        self._by_launch_id: dict[str, Space] = {}
        self._running: list[Session] = []
        self._last_ids: dict[str, int] = {"user": 310_000, "session": 8_200_000, "log": 91_000_000, "guest": 55_000}

    def new_uuid(self) -> str:
        """Return a fresh version 4 UUID drawn from the seed."""
        return str(uuid.UUID(int=self.random.getrandbits(128), version=4))

    def next_id(self, kind: Literal["user", "session", "log", "guest"]) -> int:
        """Return the next integer id of a kind."""
        self._last_ids[kind] += 1
        return self._last_ids[kind]

    # Who and where

    def add_user(self, name: str | None, role: str, external_id: str | None, email: str | None = None) -> User:
        """Add a person to the school."""
        user = User(self.next_id("user"), name, role, external_id, email)
        self.users[user.id] = user
        self.version += 1
        return user

    def find_user(self, external_id: str) -> User | None:
        """Return who was launched under this id (or, without one, this name), unless removed."""
        return next((u for u in self.users.values() if u.external_id == external_id and not u.removed), None)

    def remove_user(self, user_id: int) -> bool:
        """Remove a person from the school, not from past sessions; return whether they were in it."""
        user = self.users.get(user_id)
        if user is None or user.removed:
            return False
        user.removed = True
        self.version += 1
        return True

    def add_space(self, name: str | None, created_at: datetime, launch_id: str | None = None) -> Space:
        """Add a space with fresh ids."""
        secret = f"{self.random.getrandbits(256):064x}"
        space = Space(self.new_uuid(), self.new_uuid(), name, created_at, secret, launch_id=launch_id)
        self.spaces[space.id] = space
        self._by_slug[space.slug] = space
        if launch_id is not None:
            self._by_launch_id[launch_id] = space
        self.version += 1
        return space

    def find_space(self, reference: str) -> Space | None:
        """Return the space with this id or slug (= launch's ``room_id``)."""
        return self.spaces.get(reference) or self._by_slug.get(reference)

    def find_launched_space(self, launch_id: str) -> Space | None:
        """Return the space that was launched under this id."""
        return self._by_launch_id.get(launch_id)

    # The life of a session

    def reserve(self, space: Space) -> str:
        """Return the uuid the space's next session will have, or its running session's."""
        if space.running is not None:
            return space.running.uuid
        if space.reservation is None:
            space.reservation = self.new_uuid()
        return space.reservation

    def add_session(self, session: Session) -> None:
        """Add a session to the world, running if it has no end."""
        self.sessions[session.uuid] = session
        insort(self.oldest_first, session, key=lambda s: (s.start, s.id))
        insort(session.space.sessions, session, key=lambda s: (s.start, s.id))
        if session.end is None:
            session.space.running = session
            self._running.append(session)
        self.version += 1

    def start_session(self, space: Space, now: datetime) -> Session:
        """Begin the space's next session, under the reserved uuid if there is one."""
        session = Session(self.next_id("session"), self.reserve(space), space, space.name, now, None)
        session.tags = dict(space.session_tags)
        space.reservation = None
        self.add_session(session)
        return session

    def join(self, session: Session, who: User | Guest, now: datetime) -> None:
        """A person joins, comes back, or is no longer idle."""
        session.scheduled_end = None
        if who not in session.connected:
            self.log(session, "user-joined", now, who)
        if isinstance(who, User) and who not in session.users:
            session.users.append(who)
        if isinstance(who, Guest) and who not in session.guests:
            session.guests.append(who)
        session.connected[who] = None
        session.empty_since = None
        self.version += 1

    def write_visit(self, session: Session, who: User | Guest, joined: datetime, left: datetime | None) -> None:
        """Log that a person came and left; without a time of leaving they are still there."""
        self.log(session, "user-joined", joined, who)
        if left is None:
            session.connected[who] = None
        else:
            self.log(session, "user-left", left, who)

    def log(self, session: Session, log_type: LogType, date: datetime, who: User | Guest | None) -> None:
        """Write a row into a session's logs; ``who`` is None for what concerns no one in particular."""
        row = LogRow(
            self.next_id("log"),
            log_type,
            date,
            user_id=who.id if isinstance(who, User) else None,
            guest_uuid=who.uuid if isinstance(who, Guest) else None,
            socket=f"{self.random.getrandbits(64):016x}" if who is not None else None,
        )
        session.logs.append(row)

    def leave(self, session: Session, who: User | Guest, now: datetime) -> None:
        """A person leaves; the session ends 30 s after the last one did.

        :raises WorldError: when they are not there.
        """
        self._check_connected(session, who)
        session.scheduled_end = None
        del session.connected[who]
        self.log(session, "user-left", now, who)
        if not session.connected:
            session.empty_since = now
        self.version += 1

    def idle(self, session: Session, who: User | Guest, now: datetime) -> None:
        """A person goes idle; the session ends when all have been for over five minutes.

        :raises WorldError: when they are not there.
        """
        self._check_connected(session, who)
        session.scheduled_end = None
        if session.connected[who] is None:
            session.connected[who] = now
            self.log(session, "user-idled", now, who)
        self.version += 1

    def end_session(self, session: Session, moment: datetime) -> None:
        """End a running session; what the space was launched with last decides about its transcript."""
        for who in session.connected:
            self.log(session, "user-left", moment, who)
        session.connected = {}
        session.end = moment
        session.scheduled_end = None
        session.space.running = None
        self._running.remove(session)
        self.version += 1

    def correct_times(self, session: Session, start: datetime | None, end: datetime | None) -> None:
        """Change when a session started or ended, whatever the times then are; a running one ends."""
        if start is not None:
            session.start = start
        if end is not None and session.end is None:
            self.end_session(session, end)
        session.end = end or session.end
        for sessions in (self.oldest_first, session.space.sessions):
            sessions.sort(key=lambda s: (s.start, s.id))
        self.version += 1

    def delete_session(self, session: Session) -> None:
        """Remove a session and its recording from everything that the API serves."""
        if session.end is None:
            session.space.running = None
            self._running.remove(session)
        session.recording_deleted = True
        self.oldest_first.remove(session)
        session.space.sessions.remove(session)
        self.deleted.append(self.sessions.pop(session.uuid))
        self.version += 1

    def advance(self, now: datetime) -> None:
        """Apply what was due by now: sessions end."""
        for session in list(self._running):
            self._follow_space(session)
            due = _due_end(session)
            if due is not None and due <= now:
                if session.connected and session.scheduled_end is None:
                    self.log(session, "session-idled", due, None)
                self.end_session(session, due)

    @property
    def running(self) -> list[Session]:
        """The sessions that run now."""
        return self._running

    def _follow_space(self, session: Session) -> None:
        space = session.space
        session.record_av, session.record_content = space.record_av, space.record_content
        session.transcribe = space.transcribe

    def _check_connected(self, session: Session, who: User | Guest) -> None:
        if who not in session.connected:
            raise WorldError(f"{who.id} is not connected to session {session.uuid}")

    # Transcripts

    def transcript_state(self, session: Session, now: datetime) -> TranscriptState:
        """Return the state of a session's transcript, with the reason where there will never be one."""
        if session.end is None:
            return "running"
        if session.recording_deleted:
            return "recording-removed"
        if session.transcript == "ready":
            return "ready"
        if session.transcript == "never":
            return "never"
        if session.people < 2:
            return "single-user"
        if session.end - session.start <= TRANSCRIPT_MINIMUM:
            return "too-short"
        if not session.record_av:
            return "not-recorded"
        if not session.transcribe:
            return "not-transcribed"
        return "ready" if self.transcript_ready_at(session, session.end) <= now else "pending"

    def transcript_ready_at(self, session: Session, end: datetime) -> datetime:
        """Return when an eligible session's transcript is ready.

        The vendor gives no figure. Here: 10 to 90 minutes for most, some hours for a few, up to two days
        for some.
        """
        if session.transcript_delay is None:
            session.transcript_delay = _draw_delay(self._random_of(session))
        return end + timedelta(seconds=session.transcript_delay)

    def transcript_file(self, session: Session) -> bytes:
        """Return the file behind a signed link: UTF-8 JSON, the same at every call."""
        return json.dumps(self.transcript_segments(session), ensure_ascii=False).encode()

    def transcript_segments(self, session: Session) -> list[Segment]:
        """Return the dialogue of an ended session."""
        if session.segments is not None:
            return session.segments
        speakers: list[Speaker] = [{"id": user.id, "name": user.name} for user in session.users]
        if not speakers:
            return []
        seconds = ((session.end or session.start) - session.start).total_seconds()
        random = self._random_of(session)
        return make_segments(
            random,
            session.space.language,
            speakers,
            seconds,
            session.transcript_bytes,
            spoken_names=session.spoken_names,
        )

    def _random_of(self, session: Session) -> Random:
        return Random(f"{self.seed} {session.uuid}")


def _due_end(session: Session) -> datetime | None:
    if session.scheduled_end is not None:
        return session.scheduled_end
    if session.empty_since is not None:
        return session.empty_since + END_AFTER_LAST_LEFT
    idle_since = [since for since in session.connected.values() if since is not None]
    if session.connected and len(idle_since) == len(session.connected):
        return max(idle_since) + END_AFTER_ALL_IDLE
    return None


def _draw_delay(random: Random) -> float:
    draw = random.random()
    if draw < 0.85:
        return random.uniform(600, 5400)
    if draw < 0.95:
        return random.uniform(2 * 3600, 6 * 3600)
    return random.uniform(12 * 3600, 40 * 3600)
