# SPDX-License-Identifier: Apache-2.0
"""The settings of a sandbox."""

from __future__ import annotations

import ipaddress
import re
import uuid
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

ORGANISATION_ID = 20417
"""The integer id of the sandbox's one school, whatever the seed."""

_KEY_NAMESPACE = uuid.UUID("6f1f4a52-7f0e-4c0a-9a53-2d1d0c6b8e11")
_KEY = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True, kw_only=True)
class SandboxSettings:
    """How a sandbox behaves; every field has a default.

    :param host: address to listen on. Anything but a loopback address needs ``allow_remote``.
    :param port: port of the API and of the control endpoints; 0 takes a free one.
    :param store_port: port of the store behind the signed links; 0 takes a free one.
    :param rate: accepted API calls per second and key, in a sliding window of one real second; 0 = unlimited.
    :param page_size: results per page of every list (the real size is unknown).
    :param seed: of the invented data. The same seed and the same ``now`` give the same data, byte for byte.
    :param speed: how many times faster than real time the sandbox's clock runs; 0 = the clock is stopped.
    :param now: where the sandbox's clock starts (aware); None = the real time.
    :param latency: seconds added to each response of the API.
    :param days: whole UTC days of history before today.
    :param sessions_per_day: sessions that ended on each of these days, exactly.
    :param link_lifetime: seconds (of the sandbox's clock) a signed link works.
    :param api_key: lower-case UUID; None = ``key`` derives one from the seed.
    :param retry_after: whether a 429 of the rate limit carries ``Retry-After`` (the vendor documents none).
    :param log_file: file with one line per call; None = no file.
    :param allow_remote: allow a host that is not loopback, although the control endpoints need no key.
    :param include_single_user_default: whether session lists include sessions of one person if the caller does
        not send ``include_single_user`` (the API's default is not known).
    :param boundary_inclusive: whether ``*_after`` and ``*_before`` filters include the bound (unknown).
    :param transcript_list_form: return a paged list of segments for a transcript instead of a signed link. The
        reference suggests this form; it was never seen.
    :param nested_users: list users as ``{user: {id, username}, role, ...}``, as one client of the API reads them;
        False: with the integer at the top, in ``id`` and ``user``.
    :param summaries_in_lists: whether session lists have ``summary``, as one client of the API reads them; False:
        only a session's detail has it.
    :param transcription_addon: whether the organisation's plan includes transcripts and summaries. Without it, a
        launch that asks for them succeeds and leaves them off.
    :param expired_link_status: status of the store for an expired link: 403, or 400 as in other stores.
    :raises ValueError: for an invalid value, with the name of the field.
    """

    host: str = "127.0.0.1"
    port: int = 0
    store_port: int = 0
    rate: int = 5
    page_size: int = 20
    seed: int = 1
    speed: float = 1.0
    now: datetime | None = None
    latency: float = 0.0
    days: int = 21
    sessions_per_day: int = 12
    link_lifetime: float = 43200.0
    api_key: str | None = None
    retry_after: bool = True
    log_file: Path | None = None
    allow_remote: bool = False
    include_single_user_default: bool = False
    boundary_inclusive: bool = True
    transcript_list_form: bool = False
    nested_users: bool = True
    summaries_in_lists: bool = True
    transcription_addon: bool = True
    expired_link_status: int = 403

    def __post_init__(self) -> None:
        for field in ("port", "store_port", "rate", "speed", "latency", "days", "sessions_per_day"):
            if getattr(self, field) < 0:
                raise ValueError(f"{field} must not be negative, got {getattr(self, field)!r}")
        if self.page_size < 1:
            raise ValueError(f"page_size must be at least 1, got {self.page_size!r}")
        if self.expired_link_status not in (400, 403):
            raise ValueError(f"expired_link_status must be 400 or 403, got {self.expired_link_status!r}")
        if self.now is not None and self.now.tzinfo is None:
            raise ValueError(f"now must be an aware datetime, got {self.now.isoformat()}")
        if self.api_key is not None and not _KEY.fullmatch(self.api_key):
            raise ValueError("api_key must be a lower-case UUID")
        if not self.allow_remote and not _is_loopback(self.host):
            raise ValueError(
                f"host {self.host!r} is not a loopback address: the control endpoints ask for no key, "
                "so listening there needs allow_remote"
            )

    @property
    def key(self) -> str:
        """The API key: the chosen one, or one that depends on the seed alone."""
        return self.api_key or str(uuid.uuid5(_KEY_NAMESPACE, f"seed {self.seed}"))


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
