# SPDX-License-Identifier: Apache-2.0
"""The school's users, spaces and sessions, and what happens to them.

Nothing here knows of HTTP. Every moment is handed in, so that the sandbox's clock rules.
"""

from __future__ import annotations

import json
import uuid
from bisect import insort
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Literal

from lessonspace_provider.sandbox.dialogue import make_segments
from lessonspace_provider.sandbox.messages import Segment, Speaker, TranscriptMode, TranscriptState

END_AFTER_LAST_LEFT = timedelta(seconds=30)
"""A session ends so long after the last connection left (vendor documented)."""

END_AFTER_ALL_IDLE = timedelta(minutes=5)
"""A session ends when everybody has been idle for longer than this (vendor documented)."""

TRANSCRIPT_MINIMUM = timedelta(seconds=300)
"""Only longer sessions are transcribed (vendor documented; an older guide says 150 s)."""

LogType = Literal["user-joined", "user-left", "user-idled", "session-idled"]


class WorldError(Exception):
    """What was asked cannot happen in this world, and why."""


@dataclass(eq=False)
class User:
    """Somebody of the school; ``external_id`` is the caller's own id, or the name where none was given."""

    id: int
    name: str | None
    role: str
    external_id: str | None = None
    email: str | None = None
    picture_id: int | None = None
    removed: bool = False


@dataclass(eq=False)
class Guest:
    """Somebody who came by a link without a user."""

    id: int
    uuid: str


@dataclass(eq=False)
class LogRow:
    """Something that happened in a session."""

    id: int
    log_type: LogType
    date: datetime
    user_id: int | None = None
    guest_uuid: str | None = None
    socket: str | None = None


@dataclass(eq=False)
class Space:
    """A room; its settings are those of the last launch."""

    id: str
    slug: str
    name: str | None
    created_at: datetime
    secret: str
    alias: str | None = None
    launch_id: str | None = None
    language: str = "en"
    region: str = "eu-west-1"
    record_av: bool = True
    record_content: bool = True
    transcribe: bool = False
    summarise: bool = False
    tags: dict[str, object] = field(default_factory=dict)
    session_tags: dict[str, object] = field(default_factory=dict)
    webhooks: dict[str, object] = field(default_factory=dict)
    assigned_to: list[int] = field(default_factory=list)
    reservation: str | None = None
    running: Session | None = None
    sessions: list[Session] = field(default_factory=list)


@dataclass(eq=False)
class Session:
    """One meeting in a space; ``end`` is None while it runs.

    ``scheduled_end`` is when a session of the seeded school ends by itself, unless somebody touches it.
    """

    id: int
    uuid: str
    space: Space
    name: str | None
    start: datetime
    end: datetime | None
    users: list[User] = field(default_factory=list)
    guests: list[Guest] = field(default_factory=list)
    logs: list[LogRow] = field(default_factory=list)
    tags: dict[str, object] = field(default_factory=dict)
    recording_access_policy: list[str] = field(default_factory=list)
    record_av: bool = True
    record_content: bool = True
    transcribe: bool = True
    recording_deleted: bool = False
    summary: str | None = None
    playback_password: str | None = None
    transcript: TranscriptMode = "by-rule"
    transcript_delay: float | None = None
    segments: list[Segment] | None = None
    transcript_bytes: int | None = None
    scheduled_end: datetime | None = None
    connected: dict[User | Guest, datetime | None] = field(default_factory=dict)
    """Who is there, and since when they have been idle (None = they are not)."""
    empty_since: datetime | None = None

    @property
    def attendants(self) -> list[User | Guest]:
        """Everybody who was there."""
        return [*self.users, *self.guests]

    @property
    def people(self) -> int:
        """How many were there, guests included (that guests count as users is assumed)."""
        return len(self.users) + len(self.guests)

    @property
    def duration(self) -> timedelta | None:
        """Length of an ended session; None while it runs."""
        return self.end - self.start if self.end else None

    @property
    def recorded(self) -> bool:
        """Whether there was anything to play back, and still is."""
        return (self.record_av or self.record_content) and not self.recording_deleted


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
        """Add somebody to the school."""
        user = User(self.next_id("user"), name, role, external_id, email)
        self.users[user.id] = user
        self.version += 1
        return user

    def find_user(self, external_id: str) -> User | None:
        """Return who was launched under this id (or, without one, this name), unless removed."""
        return next((u for u in self.users.values() if u.external_id == external_id and not u.removed), None)

    def remove_user(self, user_id: int) -> bool:
        """Remove somebody from the school, not from past sessions; return whether they were in it."""
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
        """Put a session into the world, running if it has no end."""
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
        """Somebody joins, comes back, or is no longer idle."""
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
        """Log that somebody came and left; without a time of leaving they are still there."""
        self.log(session, "user-joined", joined, who)
        if left is None:
            session.connected[who] = None
        else:
            self.log(session, "user-left", left, who)

    def log(self, session: Session, log_type: LogType, date: datetime, who: User | Guest | None) -> None:
        """Write a row into a session's logs; ``who`` is None for what concerns nobody in particular."""
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
        """Somebody leaves; the session ends 30 s after the last one did.

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
        """Somebody goes idle; the session ends when all have been for over five minutes.

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

    def settle(self, now: datetime) -> None:
        """Let all that was due by now have happened."""
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
        """Say where a session's transcript stands, and if there will never be one, why."""
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
        """Return what was said in an ended session."""
        if session.segments is not None:
            return session.segments
        speakers: list[Speaker] = [{"id": user.id, "name": user.name} for user in session.users]
        if not speakers:
            return []
        seconds = ((session.end or session.start) - session.start).total_seconds()
        random = self._random_of(session)
        return make_segments(random, session.space.language, speakers, seconds, session.transcript_bytes)

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
