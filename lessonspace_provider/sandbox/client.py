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
    """The sandbox refused a command; the message has the reason."""


class SandboxControl:
    """Reads and changes a sandbox, from the same process or another.

    :param root_url: address of the sandbox's API server, with or without ``/v2``.

    The parameter ``where`` of methods is a space's id, room_id or launch id, or the uuid of the running or
    reserved session in it. Every method raises ``SandboxControlError`` if the sandbox refuses.
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
        """Return all sessions, also deleted ones, oldest first, with fields that the API does not return."""
        return self._ask(list[SessionTruth], "sessions")

    def calls(self, *, target: Target | None = None, method: str | None = None, path: str = "") -> list[RecordedCall]:
        """Return the calls since the last reset, at most the newest 50,000, in the order of arrival.

        :param target: only calls to the ``api`` or the ``store``.
        :param method: only calls with this method.
        :param path: only calls whose path matches this regular expression.
        """
        return [
            call
            for call in self._ask(list[RecordedCall], "calls")
            if target in (None, call.target) and method in (None, call.method) and re.search(path, call.path)
        ]

    def launches(self) -> list[RecordedLaunch]:
        """Return the launches that took effect since the last reset."""
        return self._ask(list[RecordedLaunch], "launches")

    # Reset

    @_takes(SandboxSettings)
    def reset(self, **settings: object) -> SandboxState:
        """Restore the initial data, and delete the records of calls, launches and faults.

        :param settings: fields of ``SandboxSettings`` that hold until the next reset. Addresses and the API key
            stay.
        """
        return self._ask(SandboxState, "reset", **settings)

    # Sessions

    def join(
        self, where: str, *, user_id: int | None = None, name: str | None = None, role: str | None = None
    ) -> Joined:
        """Let a person join. A reserved session starts to run; without one, a new session starts.

        :param user_id: Lessonspace user id, as launch returns it. The id of a guest's link joins as a guest.
        :param name: in place of ``user_id``, the name of a user, who is created with ``role`` if there is none.
            Without ``user_id`` and ``name``, a guest joins.
        """
        return self._ask(Joined, "join", where=where, user_id=user_id, name=name, role=role)

    def leave(
        self, where: str, *, user_id: int | None = None, name: str | None = None, guest: str | None = None
    ) -> None:
        """Let one person leave, or all. The session ends 30 s after the last person left.

        :param guest: the guest's uuid, as ``join`` returns it.
        """
        self._do("leave", where=where, user_id=user_id, name=name, guest=guest)

    def idle(
        self, where: str, *, user_id: int | None = None, name: str | None = None, guest: str | None = None
    ) -> None:
        """Let one person go idle, or all, until they join again. If all are idle for 5 minutes, the session ends."""
        self._do("idle", where=where, user_id=user_id, name=name, guest=guest)

    def end_session(self, where: str) -> None:
        """End a running session now."""
        self._do("end-session", where=where)

    @_takes(NewSession)
    def add_session(self, *arguments: Any, **fields: Any) -> str:
        """Add a session to the sandbox; see ``NewSession`` for the parameters.

        :return: its uuid.
        """
        return self.add_sessions([NewSession(*arguments, **fields)])[0]

    def add_sessions(self, sessions: Sequence[NewSession]) -> list[str]:
        """Add many sessions to the sandbox.

        :return: their uuids, in the same order.
        """
        return self._ask(list[str], "add-sessions", sessions=[asdict(session) for session in sessions])

    def set_transcript(
        self, session_id: str, transcript: TranscriptMode, *, segments: list[Segment] | None = None
    ) -> None:
        """Make a session's transcript ready now (``ready``) or never (``never``), or follow the rules (``by-rule``).

        :param segments: its new segments, may be empty; None = the segments stay.
        """
        self._do("set-transcript", session_id=session_id, transcript=transcript, segments=segments)

    def correct_times(self, session_id: str, *, start: datetime | None = None, end: datetime | None = None) -> None:
        """Change the times of a session, also to impossible times, such as a start after the end.

        :param end: the new end, also of a running session; None = the end stays.
        """
        self._do("correct-times", session_id=session_id, start=start, end=end)

    def set_raw_fields(self, session_id: str, fields: dict[str, str]) -> None:
        r"""Return fields of a session, in lists and detail, in shapes that the API should not send.

        :param fields: JSON text by field, sent as it is: ``{"billable_seconds": "1e999", "name": '"\ud800"'}``.
            They replace the fields of an earlier call. Filters use the true values.
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
        """Let calls go wrong; see ``Fault`` for the parameters.

        For each call, faults are tried in the order in which they were added, and the first that fires applies.
        """
        self._do("inject-fault", fault=asdict(Fault(*arguments, **fields)))

    def clear_faults(self) -> None:
        """Remove all faults."""
        self._do("clear-faults")

    def set_rate(self, rate: int) -> None:
        """Change the rate limit, in calls per second; 0 = unlimited."""
        self._do("set-rate", rate=rate)

    def expire_links(self) -> None:
        """Expire all signed links that exist."""
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
