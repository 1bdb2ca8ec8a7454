# SPDX-License-Identifier: Apache-2.0
"""What was called: kept for tests, and one log line each."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from datetime import datetime, timezone
from urllib.parse import parse_qsl

from lessonspace_provider.sandbox.messages import RecordedCall, Target

KEPT = 50_000
"""How many calls are kept; older ones are dropped, the counts stay right."""


@dataclass(eq=False)
class Call:
    """A call under way. What costs time to decode stays as bytes until a person asks."""

    target: Target
    method: str
    raw_path: bytes
    query_string: bytes
    raw_headers: list[tuple[bytes, bytes]]
    arrived: float
    status: int | None = None
    milliseconds: float | None = None
    authorised: bool = False
    fault: str | None = None


class CallLog:
    """All calls to the API and the store since the last reset."""

    def __init__(self) -> None:
        self.counts: dict[Target, int] = {"api": 0, "store": 0}
        self._calls: deque[Call] = deque(maxlen=KEPT)

    def begin(self, call: Call) -> None:
        """Keep a call that has just arrived."""
        self.counts[call.target] += 1
        self._calls.append(call)

    def records(self) -> list[RecordedCall]:
        """Return the kept calls in the order of their arrival."""
        return [_record(call) for call in self._calls]


def log_line(call: Call) -> str:
    """Return a finished call's line: never its query or headers, which may hold a signature or the key."""
    moment = datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    path, fault = call.raw_path.decode("ascii", "backslashreplace"), f" fault={call.fault}" if call.fault else ""
    status, milliseconds = call.status or "-", call.milliseconds or 0.0
    return f"{moment} {call.target} {call.method} {path} {status} {milliseconds:.1f}ms{fault}\n"


def _record(call: Call) -> RecordedCall:
    headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in call.raw_headers]
    query = parse_qsl(call.query_string.decode("latin-1"), keep_blank_values=True)
    return RecordedCall(
        target=call.target,
        method=call.method,
        path=call.raw_path.decode("latin-1"),
        query=[(name, "" if name == "X-Amz-Signature" else value) for name, value in query],
        status=call.status,
        arrived=call.arrived,
        milliseconds=call.milliseconds,
        header_names=[name for name, _ in headers],
        headers={name: value for name, value in headers if name != "authorization"},
        authorised=call.authorised,
        fault=call.fault,
    )
