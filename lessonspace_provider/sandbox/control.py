# SPDX-License-Identifier: Apache-2.0
"""The control endpoints: ``POST /sandbox/<command>/`` with a JSON object; no key, no rate limit, no faults."""

from __future__ import annotations

import json
from datetime import datetime

import pydantic_core
from pydantic import validate_call
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from lessonspace_provider.sandbox.entities import Guest, Session, User
from lessonspace_provider.sandbox.messages import (
    Fault,
    Joined,
    NewSession,
    RecordedCall,
    RecordedLaunch,
    SandboxState,
    Segment,
    SessionTruth,
    TranscriptMode,
)
from lessonspace_provider.sandbox.new_sessions import add_session, aware, find_space, named_user
from lessonspace_provider.sandbox.responses import json_answer, json_bytes
from lessonspace_provider.sandbox.state import State
from lessonspace_provider.sandbox.world import World, WorldError


def _is_from_here(request: Request) -> bool:
    """Whether no page of another origin has sent a request; programs send no origin."""
    origin = request.headers.get("origin")
    return origin is None or origin.partition("://")[2] == request.headers.get("host")


class Control:
    """The ASGI application that answers under ``/sandbox/``; ``SandboxControl`` documents the commands.

    :param state: the sandbox.
    """

    def __init__(self, state: State) -> None:
        self._state = state
        # Each public method is a command, and its parameters are the fields of the JSON object.
        names = [name for name in vars(Control) if not name.startswith("_")]
        self._commands = {name.replace("_", "-"): validate_call(getattr(self, name)) for name in names}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Carry out one command."""
        request = Request(scope, receive)
        command = self._commands.get(scope["path"].removeprefix("/sandbox/").rstrip("/"))
        try:
            if command is None:
                response = json_answer({"detail": f"Commands: {', '.join(self._commands)}"}, 404)
            elif request.method != "POST":
                response = json_answer({"detail": "Commands are sent with POST."}, 405, {"Allow": "POST"})
            elif request.headers.get("content-type", "").split(";")[0].strip().lower() != "application/json":
                # A page of another origin can send other types without asking.
                response = json_answer({"detail": "Commands are sent as application/json."}, 415)
            elif not _is_from_here(request):
                response = json_answer({"detail": "Commands are not taken from pages of other origins."}, 403)
            else:
                payload = json.loads(await request.body() or b"{}")
                response = json_bytes(pydantic_core.to_json(command(**payload)))
        except (ValueError, TypeError, KeyError, WorldError) as error:
            response = json_answer({"detail": f"{type(error).__name__}: {error}"}, 400)
        await response(scope, receive, send)

    # Read

    def state(self) -> SandboxState:
        """Count, and give the time."""
        now = self._state.advance()
        world, rate, calls = self._state.world, self._state.rate, self._state.calls
        transcripts = [world.transcript_state(session, now) for session in world.oldest_first]
        return SandboxState(
            now=now,
            seed=world.seed,
            rate=rate.rate,
            organisation_id=world.organisation_id,
            users=sum(not user.removed for user in world.users.values()),
            spaces=len(world.spaces),
            sessions=len(world.sessions),
            running=len(world.running),
            reservations=sum(space.reservation is not None for space in world.spaces.values()),
            transcripts_ready=transcripts.count("ready"),
            transcripts_pending=transcripts.count("pending"),
            api_calls=calls.counts["api"],
            store_calls=calls.counts["store"],
            accepted=rate.accepted,
            refused=rate.refused,
            faults=self._state.faults.report(),
        )

    def sessions(self) -> list[SessionTruth]:
        """List all sessions, hidden facts included."""
        now = self._state.advance()
        world = self._state.world
        everything = sorted([*world.oldest_first, *world.deleted], key=lambda s: (s.start, s.id))
        return [_truth(world, session, now) for session in everything]

    def calls(self) -> list[RecordedCall]:
        """List the calls since the last reset."""
        return self._state.calls.records()

    def launches(self) -> list[RecordedLaunch]:
        """List the launches since the last reset."""
        return self._state.launches

    # Change

    def reset(self, **changes: object) -> SandboxState:
        """Restore the initial world, with settings changed if any are given."""
        self._state.reset({name: value for name, value in changes.items() if value is not None})
        return self.state()

    def join(self, where: str, user_id: int | None = None, name: str | None = None, role: str | None = None) -> Joined:
        """Let a person join."""
        now = self._state.advance()
        world = self._state.world
        space = find_space(world, where)
        person = _someone(world, user_id, name, role)
        session = space.running or world.start_session(space, now)
        world.join(session, person, now)
        if isinstance(person, Guest):
            return Joined(session.uuid, None, person.uuid)
        return Joined(session.uuid, person.id, None)

    def leave(self, where: str, user_id: int | None = None, name: str | None = None, guest: str | None = None) -> None:
        """Let a person or all people leave."""
        now = self._state.advance()
        session = _find_running(self._state.world, where)
        for person in _connected(session, user_id, name, guest):
            self._state.world.leave(session, person, now)

    def idle(self, where: str, user_id: int | None = None, name: str | None = None, guest: str | None = None) -> None:
        """Let a person or all people go idle."""
        now = self._state.advance()
        session = _find_running(self._state.world, where)
        for person in _connected(session, user_id, name, guest):
            self._state.world.idle(session, person, now)

    def end_session(self, where: str) -> None:
        """End a running session."""
        now = self._state.advance()
        self._state.world.end_session(_find_running(self._state.world, where), now)

    def advance_clock(self, seconds: float) -> datetime:
        """Move the clock forward by seconds."""
        self._state.clock.advance(seconds)
        return self._state.advance()

    def set_clock(self, now: datetime) -> datetime:
        """Move the clock forward to a moment."""
        self._state.clock.set(aware(now))
        return self._state.advance()

    def add_sessions(self, sessions: list[NewSession]) -> list[str]:
        """Add sessions to the world."""
        self._state.advance()
        return [add_session(self._state.world, new).uuid for new in sessions]

    def set_transcript(
        self, session_id: str, transcript: TranscriptMode, segments: list[Segment] | None = None
    ) -> None:
        """Overrule when a transcript is ready, and its text."""
        session = self._session(session_id)
        session.transcript = transcript
        if segments is not None:
            session.segments = segments
        self._state.world.version += 1

    def correct_times(self, session_id: str, start: datetime | None = None, end: datetime | None = None) -> None:
        """Change when a session started or ended."""
        session = self._session(session_id)
        self._state.world.correct_times(session, aware(start) if start else None, aware(end) if end else None)

    def set_raw_fields(self, session_id: str, fields: dict[str, str]) -> None:
        """Serve JSON text in place of fields."""
        self._session(session_id).raw_fields = fields
        self._state.world.version += 1

    def delete_session(self, session_id: str, after_page: int | None = None) -> None:
        """Delete a session, now or between two pages of a list."""
        self._state.delete_session(self._session(session_id).uuid, after_page)

    def delete_recording(self, session_id: str) -> None:
        """Delete the recording of a session, and its transcript."""
        self._session(session_id).recording_deleted = True
        self._state.world.version += 1

    def _session(self, session_id: str) -> Session:
        self._state.advance()
        return self._state.world.sessions[session_id]

    def inject_fault(self, fault: Fault) -> None:
        """Add a fault."""
        self._state.faults.add(fault)

    def clear_faults(self) -> None:
        """Forget all faults."""
        self._state.faults.clear()

    def set_rate(self, rate: int) -> None:
        """Change the rate limit."""
        if rate < 0:
            raise ValueError(f"rate must not be negative, got {rate}")
        self._state.rate.rate = rate

    def expire_links(self) -> None:
        """Let all signed links expire."""
        self._state.signer.expire_all()


def _find_running(world: World, where: str) -> Session:
    session = find_space(world, where).running
    if session is None:
        raise WorldError(f"no session runs in {where!r}")
    return session


def _someone(world: World, user_id: int | None, name: str | None, role: str | None) -> User | Guest:
    """Return the user with this id or name, a new one of this name, or without either a guest."""
    if user_id is not None and user_id not in world.guest_links:
        user = world.users.get(user_id)
        if user is None:
            raise WorldError(f"there is no user {user_id}")
        return user
    if name is None or user_id is not None:
        return Guest(world.next_id("guest"), world.new_uuid())
    return named_user(world, name, role)


def _connected(session: Session, user_id: int | None, name: str | None, guest: str | None) -> list[User | Guest]:
    """Return the connected people who are meant: all, unless a person is named."""
    if user_id is None and name is None and guest is None:
        return list(session.connected)
    found = [person for person in session.connected if _is_named(person, user_id, name, guest)]
    if not found:
        raise WorldError(f"who was named is not connected to session {session.uuid}")
    return found


def _is_named(person: User | Guest, user_id: int | None, name: str | None, guest: str | None) -> bool:
    if isinstance(person, Guest):
        return person.uuid == guest
    return person.id == user_id or (name is not None and person.name == name)


def _truth(world: World, session: Session, now: datetime) -> SessionTruth:
    state = world.transcript_state(session, now)
    ready_at = None
    if session.end is not None and session.transcript == "by-rule" and state in ("ready", "pending"):
        ready_at = world.transcript_ready_at(session, session.end)
    return SessionTruth(
        session_id=session.uuid,
        id=session.id,
        space_id=session.space.id,
        room_id=session.space.slug,
        launch_id=session.space.launch_id,
        name=session.name,
        start_time=session.start,
        end_time=session.end,
        user_ids=[user.id for user in session.users],
        guests=len(session.guests),
        recorded=session.recorded,
        transcribe=session.transcribe,
        transcript=state,
        transcript_ready_at=ready_at,
        deleted=session in world.deleted,
    )
