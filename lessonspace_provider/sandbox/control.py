# SPDX-License-Identifier: Apache-2.0
"""The control endpoints: ``POST /sandbox/<command>/`` with a JSON object; no key, no rate limit, no faults."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

import pydantic_core
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from lessonspace_provider.sandbox.answers import json_answer, json_bytes
from lessonspace_provider.sandbox.codec import adapter
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
from lessonspace_provider.sandbox.state import State
from lessonspace_provider.sandbox.world import World, WorldError

Payload = dict[str, object]
Input = TypeVar("Input")


@dataclass(frozen=True)
class _Who:
    """A person in a space, a reservation or a session."""

    where: str
    user_id: int | None = None
    name: str | None = None
    role: str | None = None
    guest: str | None = None


def _is_from_here(request: Request) -> bool:
    """Whether no page of another origin has sent a request; programs send no origin."""
    origin = request.headers.get("origin")
    return origin is None or origin.partition("://")[2] == request.headers.get("host")


def _read(kind: type[Input], value: object) -> Input:
    return adapter(kind).validate_python(value)


class Control:
    """The ASGI application that answers under ``/sandbox/``; ``SandboxControl`` documents the commands.

    :param state: the sandbox.
    """

    def __init__(self, state: State) -> None:
        self._state = state
        self._commands: dict[str, Callable[[Payload], object]] = {
            "state": self.state,
            "sessions": self.sessions,
            "calls": self.calls,
            "launches": self.launches,
            "reset": self.reset,
            "join": self.join,
            "leave": self.leave,
            "idle": self.idle,
            "end-session": self.end_session,
            "advance-clock": self.advance_clock,
            "set-clock": self.set_clock,
            "add-sessions": self.add_sessions,
            "set-transcript": self.set_transcript,
            "correct-times": self.correct_times,
            "set-raw-fields": self.set_raw_fields,
            "delete-session": self.delete_session,
            "delete-recording": self.delete_recording,
            "inject-fault": self.inject_fault,
            "clear-faults": self.clear_faults,
            "set-rate": self.set_rate,
            "expire-links": self.expire_links,
        }

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
                response = json_bytes(pydantic_core.to_json(command(payload)))
        except (ValueError, TypeError, KeyError, WorldError) as error:
            response = json_answer({"detail": f"{type(error).__name__}: {error}"}, 400)
        await response(scope, receive, send)

    # Look

    def state(self, _payload: Payload) -> SandboxState:
        """Count, and tell the time."""
        now = self._state.settle()
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

    def sessions(self, _payload: Payload) -> list[SessionTruth]:
        """List all sessions, hidden facts included."""
        now = self._state.settle()
        world = self._state.world
        everything = sorted([*world.oldest_first, *world.deleted], key=lambda s: (s.start, s.id))
        return [_truth(world, session, now) for session in everything]

    def calls(self, _payload: Payload) -> list[RecordedCall]:
        """List the calls since the last reset."""
        return self._state.calls.records()

    def launches(self, _payload: Payload) -> list[RecordedLaunch]:
        """List the launches since the last reset."""
        return self._state.launches

    # Change

    def reset(self, payload: Payload) -> SandboxState:
        """Begin anew, with settings changed if any are given."""
        self._state.reset(payload)
        return self.state({})

    def join(self, payload: Payload) -> Joined:
        """Let a person join."""
        now = self._state.settle()
        world, wanted = self._state.world, _read(_Who, payload)
        space = find_space(world, wanted.where)
        who = _someone(world, wanted)
        session = space.running or world.start_session(space, now)
        world.join(session, who, now)
        if isinstance(who, Guest):
            return Joined(session.uuid, None, who.uuid)
        return Joined(session.uuid, who.id, None)

    def leave(self, payload: Payload) -> None:
        """Let a person or everybody leave."""
        now = self._state.settle()
        wanted = _read(_Who, payload)
        session = _find_running(self._state.world, wanted.where)
        for who in _connected(session, wanted):
            self._state.world.leave(session, who, now)

    def idle(self, payload: Payload) -> None:
        """Let a person or everybody go idle."""
        now = self._state.settle()
        wanted = _read(_Who, payload)
        session = _find_running(self._state.world, wanted.where)
        for who in _connected(session, wanted):
            self._state.world.idle(session, who, now)

    def end_session(self, payload: Payload) -> None:
        """End a running session."""
        now = self._state.settle()
        self._state.world.end_session(_find_running(self._state.world, str(payload["where"])), now)

    def advance_clock(self, payload: Payload) -> datetime:
        """Move the clock forward by seconds."""
        self._state.clock.advance(_read(float, payload["seconds"]))
        return self._state.settle()

    def set_clock(self, payload: Payload) -> datetime:
        """Move the clock forward to a moment."""
        self._state.clock.set(aware(_read(datetime, payload["now"])))
        return self._state.settle()

    def add_sessions(self, payload: Payload) -> list[str]:
        """Put sessions into the world."""
        self._state.settle()
        return [add_session(self._state.world, new).uuid for new in _read(list[NewSession], payload["sessions"])]

    def set_transcript(self, payload: Payload) -> None:
        """Overrule when a transcript is ready, and what is in it."""
        session = self._session(payload)
        session.transcript = _read(TranscriptMode, payload["transcript"])  # type: ignore[arg-type]  # a Literal is no type to mypy
        if payload.get("segments") is not None:
            session.segments = _read(list[Segment], payload["segments"])
        self._state.world.version += 1

    def correct_times(self, payload: Payload) -> None:
        """Change when a session started or ended."""
        start, end = (_read(datetime | None, payload.get(name)) for name in ("start", "end"))  # type: ignore[arg-type]  # a union is no type to mypy
        self._state.world.correct_times(
            self._session(payload), aware(start) if start else None, aware(end) if end else None
        )

    def set_raw_fields(self, payload: Payload) -> None:
        """Serve JSON text in place of fields."""
        self._session(payload).raw_fields = _read(dict[str, str], payload["fields"])
        self._state.world.version += 1

    def delete_session(self, payload: Payload) -> None:
        """Delete a session, now or between two pages of a list."""
        self._session(payload)
        after_page = payload.get("after_page")
        self._state.delete_session(str(payload["session_id"]), None if after_page is None else _read(int, after_page))

    def delete_recording(self, payload: Payload) -> None:
        """Delete the recording of a session, and its transcript."""
        self._session(payload).recording_deleted = True
        self._state.world.version += 1

    def _session(self, payload: Payload) -> Session:
        self._state.settle()
        return self._state.world.sessions[str(payload["session_id"])]

    def inject_fault(self, payload: Payload) -> None:
        """Set up a fault."""
        self._state.faults.add(_read(Fault, payload))

    def clear_faults(self, _payload: Payload) -> None:
        """Forget all faults."""
        self._state.faults.clear()

    def set_rate(self, payload: Payload) -> None:
        """Change the rate limit."""
        rate = _read(int, payload["rate"])
        if rate < 0:
            raise ValueError(f"rate must not be negative, got {rate}")
        self._state.rate.rate = rate

    def expire_links(self, _payload: Payload) -> None:
        """Let all signed links expire."""
        self._state.signer.expire_all()


def _find_running(world: World, where: str) -> Session:
    session = find_space(world, where).running
    if session is None:
        raise WorldError(f"no session runs in {where!r}")
    return session


def _someone(world: World, wanted: _Who) -> User | Guest:
    """Return the user with this id or name, a new one of this name, or without either a guest."""
    if wanted.user_id is not None and wanted.user_id not in world.guest_links:
        user = world.users.get(wanted.user_id)
        if user is None:
            raise WorldError(f"there is no user {wanted.user_id}")
        return user
    if wanted.name is None or wanted.user_id is not None:
        return Guest(world.next_id("guest"), world.new_uuid())
    return named_user(world, wanted.name, wanted.role)


def _connected(session: Session, wanted: _Who) -> list[User | Guest]:
    """Return who is meant of those connected: all, unless a person is named."""
    if wanted.user_id is None and wanted.name is None and wanted.guest is None:
        return list(session.connected)
    found = [who for who in session.connected if _is_meant(who, wanted)]
    if not found:
        raise WorldError(f"who was named is not connected to session {session.uuid}")
    return found


def _is_meant(who: User | Guest, wanted: _Who) -> bool:
    if isinstance(who, Guest):
        return who.uuid == wanted.guest
    return who.id == wanted.user_id or (wanted.name is not None and who.name == wanted.name)


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
