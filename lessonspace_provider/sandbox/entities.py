# SPDX-License-Identifier: Apache-2.0
"""The users, spaces and sessions of a world."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from lessonspace_provider.sandbox.messages import Segment, TranscriptMode

LogType = Literal["user-joined", "user-left", "user-idled", "session-idled"]


@dataclass(eq=False)
class User:
    """A person of the school; ``external_id`` is the caller's own id, or the name where none was given."""

    id: int
    name: str | None
    role: str
    external_id: str | None = None
    email: str | None = None
    picture_id: int | None = None
    removed: bool = False


@dataclass(eq=False)
class Guest:
    """A person who came by a link without a user."""

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

    ``scheduled_end`` is when a session of the seeded school ends by itself, unless a person touches it.
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
    spoken_names: bool = False
    scheduled_end: datetime | None = None
    raw_fields: dict[str, str] = field(default_factory=dict)
    """JSON text that is served in place of a field's value."""
    connected: dict[User | Guest, datetime | None] = field(default_factory=dict)
    """Who is there, and since when they have been idle (None = they are not)."""
    empty_since: datetime | None = None

    @property
    def attendants(self) -> list[User | Guest]:
        """All who were there."""
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
