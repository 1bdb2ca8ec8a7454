# SPDX-License-Identifier: Apache-2.0
"""What the control endpoints take and give, as dataclasses used on both sides of the wire."""

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
"""The state of a session's transcript. ``pending`` will be ready; the others after it never will."""


class Speaker(TypedDict):
    """Who speaks in a segment: the Lessonspace user id, and the name (null for a user without one)."""

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
    """Something that goes wrong on purpose.

    :param kind: ``status``: answer with ``status`` and ``body``. ``reset``: the TCP connection is reset
        without an answer. ``slow``: the right answer, ``seconds`` late. ``truncated``: the right answer, cut
        in half under its full Content-Length, then closed. ``not_json``: an HTML page, or ``body``, with
        ``status`` (200 unless given).
    :param status: HTTP status; 503 for ``status``, 200 for ``not_json`` when None.
    :param seconds: real seconds ``slow`` waits.
    :param retry_after: text of a ``Retry-After`` header (seconds or HTTP date), for ``status``.
    :param body: text to send instead of the default one.
    :param count: how many answers to spoil; None = until cleared.
    :param target: spoil calls to the ``api`` or to the ``store``.
    :param method: only calls with this method.
    :param path: only calls whose path (with ``/v2``, without query) this regular expression finds.
    :param every: only each n-th of the calls that match.
    :param probability: only so large a share of the calls that match, drawn with ``seed``.
    :param seed: of the draws.
    :param after: let the server do the work first, so that a call took effect although its answer was lost
        (``truncated`` always does).
    :raises ValueError: for a value that makes no sense.
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
    """An active or used-up fault, how many calls it matched, and how many of them it spoiled."""

    fault: Fault
    matched: int
    injected: int


@dataclass(frozen=True)
class Visit:
    """A person came to a session and went.

    :param user: as in ``NewSession.users``.
    :param joined: when they came (aware).
    :param left: when they went (aware).
    """

    user: int | str
    joined: datetime
    left: datetime


@dataclass(frozen=True)
class NewSession:
    """A session to add to the world.

    :param start: when it began (aware).
    :param end: when it ended; None = it is running.
    :param users: who was there: Lessonspace user ids (int) of the world, or names (str) to find or create.
    :param guests: how many guests were there besides.
    :param visits: when people of ``users`` came and went, several times if they came back; those without one
        were there from the beginning to the end. Only for a session that has ended.
    :param name: the session's name; null as in reality when None.
    :param space: id, room_id or launch id of an existing space; None = a new space.
    :param launch_id: launch id of that new space, if it is to have one.
    :param recorded: whether audio and video were recorded.
    :param transcribe: whether it was launched with ``transcribe``.
    :param tags: the session's tags.
    :param transcript: ``by-rule``: ready after a while if eligible. ``ready``: ready now, eligible or not.
        ``never``: never, although nothing shows it.
    :param transcript_delay: seconds from the end until it is ready, by rule; None = drawn from the seed.
    :param segments: the transcript's segments; None = made up.
    :param transcript_bytes: at least how large a made-up transcript file is; None = as the duration suggests.
    :param spoken_names: whether people speak of each other by name in a made-up transcript.
    :param summary: the session's summary; null as for most sessions when None.
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
    """A session as the sandbox knows it, hidden facts included (times are aware)."""

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
    :param query: pairs in their order; a link's signature is blanked.
    :param status: None while under way, and when the connection was reset without an answer.
    :param arrived: the machine's monotonic clock in seconds (``time.monotonic()`` of any process on it).
    :param headers: lower-case names and their values, Authorization left out.
    :param header_names: lower-case, in their order, Authorization included if it was sent.
    :param authorised: whether the key or the link's signature was right.
    :param fault: kind of the fault that spoiled it.
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
    """A launch that took effect: what came, which space and session it led to, and the space's webhooks now."""

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
    """Who joined which session. ``user_id`` is None for a guest, ``guest`` then holds the guest's uuid."""

    session_id: str
    user_id: int | None
    guest: str | None
