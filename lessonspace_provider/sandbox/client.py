# SPDX-License-Identifier: Apache-2.0
"""The client of the control endpoints.

It uses the standard library's HTTP client, so that it works while a test has ``requests`` mocked.
"""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any, Concatenate, ParamSpec, TypeVar

from lessonspace_provider.sandbox.messages import (
    Fault,
    Joined,
    NewSession,
    RecordedCall,
    RecordedLaunch,
    SandboxState,
    Segment,
    SessionTruth,
    Target,
    TranscriptMode,
)
from lessonspace_provider.sandbox.settings import SandboxSettings

Output = TypeVar("Output")
Parameters = ParamSpec("Parameters")


def _takes(
    kind: Callable[Parameters, object],
) -> Callable[[Callable[..., Output]], Callable[Concatenate[SandboxControl, Parameters], Output]]:
    """Give a method the parameters of a dataclass, for editors and type checkers."""
    del kind
    return lambda method: method


class SandboxControlError(Exception):
    """The sandbox could not do what was asked, and why."""


class SandboxControl:
    """Reads a sandbox and changes it, from this process or another.

    :param root_url: where its API server is, with or without ``/v2``.

    Wherever a method takes ``where``, it is a space's id, room_id or launch id, or the uuid of the session
    that runs or is reserved in it. Every method raises ``SandboxControlError`` when the sandbox refuses.
    """

    def __init__(self, root_url: str) -> None:
        if not root_url.startswith("http://"):
            raise ValueError(f"A sandbox's root URL starts with http://, got {root_url!r}")
        self._root_url = root_url.rstrip("/").removesuffix("/v2")
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    # Read

    def state(self) -> SandboxState:
        """Return counts, and the time of the sandbox's clock."""
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

    # Reset

    @_takes(SandboxSettings)
    def reset(self, **settings: object) -> SandboxState:
        """Restore the initial world and forget calls, launches and faults.

        :param settings: fields of ``SandboxSettings``; they replace those the sandbox was started with, until the
            next reset. Addresses and the API key stay.
        """
        return self._ask(SandboxState, "reset", **settings)

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
        """Let a person leave, or all; the session ends 30 s after the last one left.

        :param guest: the guest's uuid, as ``join`` returns it.
        """
        self._do("leave", where=where, user_id=user_id, name=name, guest=guest)

    def idle(
        self, where: str, *, user_id: int | None = None, name: str | None = None, guest: str | None = None
    ) -> None:
        """Let a person go idle, or all; joining again ends it. All idle for 5 minutes end the session."""
        self._do("idle", where=where, user_id=user_id, name=name, guest=guest)

    def end_session(self, where: str) -> None:
        """End a running session now."""
        self._do("end-session", where=where)

    @_takes(NewSession)
    def add_session(self, *arguments: Any, **fields: Any) -> str:
        """Add a session to the world; see ``NewSession`` for the parameters.

        :return: its uuid.
        """
        return self.add_sessions([NewSession(*arguments, **fields)])[0]

    def add_sessions(self, sessions: Sequence[NewSession]) -> list[str]:
        """Add many sessions to the world.

        :return: their uuids, in the same order.
        """
        return self._ask(list[str], "add-sessions", sessions=[asdict(session) for session in sessions])

    def set_transcript(
        self, session_id: str, transcript: TranscriptMode, *, segments: list[Segment] | None = None
    ) -> None:
        """Make a session's transcript ready now, or never, or return it to the rules.

        :param segments: what is in it from now on, an empty list too; None = what was.
        """
        self._do("set-transcript", session_id=session_id, transcript=transcript, segments=segments)

    def correct_times(self, session_id: str, *, start: datetime | None = None, end: datetime | None = None) -> None:
        """Change the times of a session, also to what cannot be, such as a start after the end.

        :param end: a running session ends, at this moment; None = the end stays.
        """
        self._do("correct-times", session_id=session_id, start=start, end=end)

    def set_raw_fields(self, session_id: str, fields: dict[str, str]) -> None:
        r"""Serve fields of a session, in lists and detail, in shapes that the API should not send.

        :param fields: field -> JSON text, sent as it is: ``{"billable_seconds": "1e999", "name": '"\ud800"'}``.
            They replace those of an earlier call; filters go by the true values.
        """
        self._do("set-raw-fields", session_id=session_id, fields=fields)

    def delete_session(self, session_id: str, *, after_page: int | None = None) -> None:
        """Delete a session, its recording and its transcript.

        :param after_page: delete it between two pages: once this page of any session list has been served and
            another one follows. None = now.
        """
        self._do("delete-session", session_id=session_id, after_page=after_page)

    def delete_recording(self, session_id: str) -> None:
        """Delete the recording of a session, and with it its transcript."""
        self._do("delete-recording", session_id=session_id)

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

    @_takes(Fault)
    def inject_fault(self, *arguments: Any, **fields: Any) -> None:
        """Let calls go wrong from now on; see ``Fault`` for the parameters.

        Faults form a queue: for each call the first that fires counts.
        """
        self._do("inject-fault", fault=asdict(Fault(*arguments, **fields)))

    def clear_faults(self) -> None:
        """Let nothing go wrong any more."""
        self._do("clear-faults")

    def set_rate(self, rate: int) -> None:
        """Change the rate limit, in calls per second; 0 = unlimited."""
        self._do("set-rate", rate=rate)

    def expire_links(self) -> None:
        """Let every signed link made so far have expired."""
        self._do("expire-links")

    def _ask(self, kind: type[Output], command: str, **payload: object) -> Output:
        from lessonspace_provider.sandbox.codec import adapter

        return adapter(kind).validate_json(self._send(command, payload))

    def _do(self, command: str, **payload: object) -> None:
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
