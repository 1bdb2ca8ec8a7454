# SPDX-License-Identifier: Apache-2.0
"""The client of the control endpoints.

It uses the standard library's HTTP client, so that it works while a test has ``requests`` mocked.
"""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import TypeVar

from lessonspace_provider.sandbox.messages import (
    Fault,
    FaultKind,
    Joined,
    NewSession,
    RecordedCall,
    RecordedLaunch,
    SandboxState,
    Segment,
    SessionTruth,
    Target,
    TranscriptMode,
    Visit,
)

Output = TypeVar("Output")


class SandboxControlError(Exception):
    """The sandbox could not do what was asked, and why."""


class SandboxControl:
    """Looks into a sandbox and makes things happen in it, from this process or another.

    :param root_url: where its API server is, with or without ``/v2``.

    Wherever a method takes ``where``, it is a space's id, room_id or launch id, or the uuid of the session
    that runs or is reserved in it. Every method raises ``SandboxControlError`` when the sandbox refuses.
    """

    def __init__(self, root_url: str) -> None:
        if not root_url.startswith("http://"):
            raise ValueError(f"A sandbox's root URL starts with http://, got {root_url!r}")
        self._root_url = root_url.rstrip("/").removesuffix("/v2")
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    # Look

    def state(self) -> SandboxState:
        """Return counts, and where the clock stands."""
        return self._ask(SandboxState, "state")

    def sessions(self) -> list[SessionTruth]:
        """Return all sessions, deleted ones too, oldest first, as the sandbox knows them: hidden facts included."""
        return self._ask(list[SessionTruth], "sessions")

    def calls(self, *, target: Target | None = None, method: str | None = None, path: str = "") -> list[RecordedCall]:
        """Return the calls since the last reset (at most the newest 50,000) in the order of arrival.

        :param target: only those to the ``api`` or the ``store``.
        :param method: only those with this method.
        :param path: only those whose path this regular expression finds.
        """
        return [
            call
            for call in self._ask(list[RecordedCall], "calls")
            if target in (None, call.target) and method in (None, call.method) and re.search(path, call.path)
        ]

    def launches(self) -> list[RecordedLaunch]:
        """Return the launches that took effect since the last reset: bodies, headers, what they led to."""
        return self._ask(list[RecordedLaunch], "launches")

    # Begin anew

    def reset(
        self,
        *,
        seed: int | None = None,
        now: datetime | None = None,
        speed: float | None = None,
        rate: int | None = None,
        retry_after: bool | None = None,
        page_size: int | None = None,
        latency: float | None = None,
        days: int | None = None,
        sessions_per_day: int | None = None,
        link_lifetime: float | None = None,
        include_single_user_default: bool | None = None,
        boundary_inclusive: bool | None = None,
        transcript_list_form: bool | None = None,
        nested_users: bool | None = None,
        transcription_addon: bool | None = None,
        expired_link_status: int | None = None,
    ) -> SandboxState:
        """Make the world anew and forget calls, launches and faults.

        Settings that are given replace those the sandbox was started with, until the next reset; see
        ``SandboxSettings``. Addresses and the API key stay.
        """
        changes = {name: value for name, value in locals().items() if name != "self" and value is not None}
        return self._ask(SandboxState, "reset", **changes)

    # Sessions

    def join(
        self, where: str, *, user_id: int | None = None, name: str | None = None, role: str | None = None
    ) -> Joined:
        """Let a person join; a reservation, or a space in which none runs, becomes a running session.

        :param user_id: Lessonspace user id, as launch returns it (a guest link's makes a guest).
        :param name: instead, the name of a user, who is made (with ``role``) if there is none.
            With neither, a guest joins.
        """
        return self._ask(Joined, "join", where=where, user_id=user_id, name=name, role=role)

    def leave(
        self, where: str, *, user_id: int | None = None, name: str | None = None, guest: str | None = None
    ) -> None:
        """Let a person leave, or everybody; the session ends 30 s after the last one left.

        :param guest: the guest's uuid, as ``join`` returns it.
        """
        self._tell("leave", where=where, user_id=user_id, name=name, guest=guest)

    def idle(
        self, where: str, *, user_id: int | None = None, name: str | None = None, guest: str | None = None
    ) -> None:
        """Let a person go idle, or everybody; joining again ends it. All idle for 5 minutes end the session."""
        self._tell("idle", where=where, user_id=user_id, name=name, guest=guest)

    def end_session(self, where: str) -> None:
        """End a running session now."""
        self._tell("end-session", where=where)

    def add_session(
        self,
        start: datetime,
        end: datetime | None = None,
        *,
        users: Sequence[int | str] | None = None,
        guests: int = 0,
        visits: Sequence[Visit] = (),
        name: str | None = None,
        space: str | None = None,
        launch_id: str | None = None,
        recorded: bool = True,
        transcribe: bool = True,
        tags: dict[str, str] | None = None,
        transcript: TranscriptMode = "by-rule",
        transcript_delay: float | None = None,
        segments: list[Segment] | None = None,
        transcript_bytes: int | None = None,
        summary: str | None = None,
    ) -> str:
        """Put a session into the world; see ``NewSession`` for the parameters.

        :return: its uuid.
        """
        new = NewSession(
            start,
            end,
            guests=guests,
            visits=list(visits),
            name=name,
            space=space,
            launch_id=launch_id,
            recorded=recorded,
            transcribe=transcribe,
            tags=tags or {},
            transcript=transcript,
            transcript_delay=transcript_delay,
            segments=segments,
            transcript_bytes=transcript_bytes,
            summary=summary,
        )
        if users is not None:
            new.users[:] = users
        return self.add_sessions([new])[0]

    def add_sessions(self, sessions: Sequence[NewSession]) -> list[str]:
        """Put many sessions into the world.

        :return: their uuids, in the same order.
        """
        return self._ask(list[str], "add-sessions", sessions=[asdict(session) for session in sessions])

    def set_transcript(
        self, session_id: str, transcript: TranscriptMode, *, segments: list[Segment] | None = None
    ) -> None:
        """Make a session's transcript ready now, or never, or return it to the rules.

        :param segments: what is in it from now on, an empty list too; None = what was.
        """
        self._tell("set-transcript", session_id=session_id, transcript=transcript, segments=segments)

    def correct_times(self, session_id: str, *, start: datetime | None = None, end: datetime | None = None) -> None:
        """Change the times of a session, also to what cannot be, such as a start after the end.

        :param end: a running session ends, at this moment; None = the end stays.
        """
        self._tell("correct-times", session_id=session_id, start=start, end=end)

    def set_raw_fields(self, session_id: str, fields: dict[str, str]) -> None:
        r"""Serve fields of a session, in lists and detail, in shapes that the API should not send.

        :param fields: field -> JSON text, sent as it is: ``{"billable_seconds": "1e999", "name": '"\ud800"'}``.
            They replace those of an earlier call; filters go by the true values.
        """
        self._tell("set-raw-fields", session_id=session_id, fields=fields)

    def delete_session(self, session_id: str, *, after_page: int | None = None) -> None:
        """Delete a session, its recording and its transcript.

        :param after_page: delete it between two pages: once this page of any session list has been served and
            another one follows. None = now.
        """
        self._tell("delete-session", session_id=session_id, after_page=after_page)

    def delete_recording(self, session_id: str) -> None:
        """Delete the recording of a session, and with it its transcript."""
        self._tell("delete-recording", session_id=session_id)

    # Time

    def advance_clock(self, seconds: float) -> datetime:
        """Move the sandbox's clock forward.

        :return: its time now.
        """
        return self._ask(datetime, "advance-clock", seconds=seconds)

    def set_clock(self, now: datetime) -> datetime:
        """Move the sandbox's clock forward to a moment (aware)."""
        return self._ask(datetime, "set-clock", now=now)

    # What goes wrong

    def inject_fault(
        self,
        kind: FaultKind,
        *,
        status: int | None = None,
        seconds: float = 0.0,
        retry_after: str | None = None,
        body: str | None = None,
        count: int | None = None,
        target: Target = "api",
        method: str | None = None,
        path: str | None = None,
        every: int | None = None,
        probability: float | None = None,
        seed: int = 1,
        after: bool = False,
    ) -> None:
        """Let calls go wrong from now on; see ``Fault`` for the parameters.

        Several faults stand in line: for each call the first that fires counts.
        """
        fault = Fault(
            kind,
            status=status,
            seconds=seconds,
            retry_after=retry_after,
            body=body,
            count=count,
            target=target,
            method=method,
            path=path,
            every=every,
            probability=probability,
            seed=seed,
            after=after,
        )
        self._tell("inject-fault", **asdict(fault))

    def clear_faults(self) -> None:
        """Let nothing go wrong any more."""
        self._tell("clear-faults")

    def set_rate(self, rate: int) -> None:
        """Change the rate limit, in calls per second; 0 = unlimited."""
        self._tell("set-rate", rate=rate)

    def expire_links(self) -> None:
        """Let every signed link made so far have expired."""
        self._tell("expire-links")

    def _ask(self, kind: type[Output], command: str, **payload: object) -> Output:
        from lessonspace_provider.sandbox.codec import adapter

        return adapter(kind).validate_json(self._send(command, payload))

    def _tell(self, command: str, **payload: object) -> None:
        self._send(command, payload)

    def _send(self, command: str, payload: dict[str, object]) -> bytes:
        body = json.dumps(payload, default=_encode).encode()
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(f"{self._root_url}/sandbox/{command}/", body, headers)  # noqa: S310 - the caller's own sandbox
        try:
            with self._opener.open(request, timeout=60) as response:
                answer: bytes = response.read()
                return answer
        except urllib.error.HTTPError as error:
            raise SandboxControlError(f"{command}: {error.read().decode(errors='replace')}") from None


def _encode(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} cannot be sent to the sandbox")
