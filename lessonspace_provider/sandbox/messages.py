# SPDX-License-Identifier: Apache-2.0
"""Requests and responses of the control endpoints, as dataclasses."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from typing_extensions import TypedDict

Target = Literal["api", "store"]
FaultKind = Literal["status", "reset", "slow", "truncated", "not_json"]
TranscriptMode = Literal["by-rule", "ready", "never"]
TranscriptState = Literal[
    "ready",
    "pending",
    "running",
    "too-short",
    "single-user",
    "not-recorded",
    "not-transcribed",
    "recording-removed",
    "never",
]
"""The state of a session's transcript. ``pending`` becomes ready; the states after it never do."""


class Speaker(TypedDict):
    """The speaker of a segment: the Lessonspace user id, and the name (null for a user without one)."""

    id: int
    name: str | None


class Segment(TypedDict):
    """One piece of a transcript. Times are seconds since the session's start."""

    start_time: float
    end_time: float
    user: Speaker
    breakout_id: str
    text: str


@dataclass(frozen=True)
class Fault:
    """A fault: some calls go wrong on purpose.

    :param kind: ``status``: a response with ``status`` and ``body``. ``reset``: the TCP connection is reset
        without a response. ``slow``: the right response, ``seconds`` late. ``truncated``: half of the right
        response with its full Content-Length, then the connection is closed. ``not_json``: an HTML page, or
        ``body``, with ``status`` (default 200).
    :param status: HTTP status; 503 for ``status``, 200 for ``not_json`` when None.
    :param seconds: delay of ``slow``, in real seconds.
    :param retry_after: text of a ``Retry-After`` header (seconds or HTTP date), for ``status``.
    :param body: text to send instead of the default one.
    :param count: number of calls that go wrong; None = until the fault is cleared.
    :param target: calls to the ``api`` or to the ``store``.
    :param method: only calls with this method.
    :param path: only calls whose path (with ``/v2``, without query) matches this regular expression.
    :param every: only every n-th matching call.
    :param probability: only this share of the matching calls, chosen at random.
    :param seed: of the random choice.
    :param after: the call takes effect, and only its response is lost (always so with ``truncated``).
    :raises ValueError: for an invalid value.
    """

    kind: FaultKind
    status: int | None = None
    seconds: float = 0.0
    retry_after: str | None = None
    body: str | None = None
    count: int | None = None
    target: Target = "api"
    method: str | None = None
    path: str | None = None
    every: int | None = None
    probability: float | None = None
    seed: int = 1
    after: bool = False

    def __post_init__(self) -> None:
        if self.every is not None and self.every < 1:
            raise ValueError(f"every must be at least 1, got {self.every}")
        if self.probability is not None and not 0 <= self.probability <= 1:
            raise ValueError(f"probability must be from 0 to 1, got {self.probability}")
        if self.path is not None:
            try:
                re.compile(self.path)
            except re.error as error:
                raise ValueError(f"path is not a regular expression: {error}") from None


@dataclass(frozen=True)
class FaultReport:
    """An active or used-up fault, with the number of calls that matched, and of calls that went wrong."""

    fault: Fault
    matched: int
    injected: int


@dataclass(frozen=True)
class Visit:
    """The time between a person's join and leave.

    :param user: as in ``NewSession.users``.
    :param joined: aware.
    :param left: aware.
    """

    user: int | str
    joined: datetime
    left: datetime


@dataclass(frozen=True)
class NewSession:
    """A session to add to the sandbox.

    :param start: when it began (aware).
    :param end: when it ended; None = it is running.
    :param users: people in the session: ids (int) of existing users, or names (str) to find or create.
    :param guests: number of guests.
    :param visits: when people of ``users`` joined and left, several times if they came back. People without a
        visit stayed from start to end. Only for a session that has ended.
    :param name: the session's name; None = null, as in most sessions.
    :param space: id, room_id or launch id of an existing space; None = a new space.
    :param launch_id: launch id of the new space; None = none.
    :param recorded: whether audio and video were recorded.
    :param transcribe: whether it was launched with ``transcribe``.
    :param tags: the session's tags.
    :param transcript: ``by-rule``: ready after a while if eligible. ``ready``: ready now, eligible or not.
        ``never``: never, although nothing shows it.
    :param transcript_delay: seconds from the end until it is ready, by rule; None = random, from the seed.
    :param segments: the transcript's segments; None = invented.
    :param transcript_bytes: least size of an invented transcript file; None = depends on the duration.
    :param spoken_names: whether people call each other by name in an invented transcript.
    :param summary: the session's summary; None = null, as in most sessions.
    """

    start: datetime
    end: datetime | None = None
    users: Sequence[int | str] = field(default_factory=lambda: ["Ada Teacher", "Ben Student"])
    guests: int = 0
    visits: Sequence[Visit] = ()
    name: str | None = None
    space: str | None = None
    launch_id: str | None = None
    recorded: bool = True
    transcribe: bool = True
    tags: dict[str, str] = field(default_factory=dict)
    transcript: TranscriptMode = "by-rule"
    transcript_delay: float | None = None
    segments: list[Segment] | None = None
    transcript_bytes: int | None = None
    spoken_names: bool = False
    summary: str | None = None


@dataclass(frozen=True)
class SessionTruth:
    """A session as the sandbox stores it, with fields that the API does not return. Times are aware."""

    session_id: str
    id: int
    space_id: str
    room_id: str
    launch_id: str | None
    name: str | None
    start_time: datetime
    end_time: datetime | None
    user_ids: list[int]
    guests: int
    recorded: bool
    transcribe: bool
    transcript: TranscriptState
    transcript_ready_at: datetime | None
    deleted: bool = False


@dataclass(frozen=True)
class SandboxState:
    """Counts, and the time of the sandbox's clock.

    ``accepted`` and ``refused`` are the rate limit's; ``api_calls`` and ``store_calls`` count every call.
    """

    now: datetime
    seed: int
    rate: int
    organisation_id: int
    users: int
    spaces: int
    sessions: int
    running: int
    reservations: int
    transcripts_ready: int
    transcripts_pending: int
    api_calls: int
    store_calls: int
    accepted: int
    refused: int
    faults: list[FaultReport]


@dataclass(frozen=True)
class RecordedCall:
    """A call to the API or the store.

    :param path: without query, as it came over the wire.
    :param query: pairs in their order, without a link's signature.
    :param status: None while the call is in progress, and after a reset connection.
    :param arrived: the machine's monotonic clock in seconds (``time.monotonic()`` of any process on it).
    :param headers: lower-case names and their values, Authorization left out.
    :param header_names: lower-case, in their order, with Authorization if it was sent.
    :param authorised: whether the key or the link's signature was right.
    :param fault: kind of the fault that the call met; None without a fault.
    """

    target: Target
    method: str
    path: str
    query: list[tuple[str, str]]
    status: int | None
    arrived: float
    milliseconds: float | None
    header_names: list[str]
    headers: dict[str, str]
    authorised: bool
    fault: str | None


@dataclass(frozen=True)
class RecordedLaunch:
    """A launch that took effect: its body and headers, its space and session, and the space's webhooks after it."""

    body: dict[str, object]
    headers: dict[str, str]
    created: bool
    space_id: str
    room_id: str
    session_id: str
    user_id: int
    webhooks: dict[str, object]


@dataclass(frozen=True)
class Joined:
    """A person who joined a session. For a guest, ``user_id`` is None and ``guest`` is the guest's uuid."""

    session_id: str
    user_id: int | None
    guest: str | None
