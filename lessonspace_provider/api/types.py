# SPDX-License-Identifier: Apache-2.0
"""
The shapes of the API's objects, for editors and type checkers.

Dictionaries keep fields that are not listed here. A listed field may be missing or null, unless the reference requires
it. Times are ISO 8601 text, as the API sends them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Annotated, Literal, TypedDict
from uuid import UUID

#: Text, numbers, flags, times and lists or mappings of them: what a filter keyword takes.
FilterValue = str | int | bool | date | datetime | UUID | Sequence[str | int | UUID] | Mapping[str, str]

Role = Literal["teacher", "student", "admin"]

#: Marks of texts that are checked as more than text.
URL, EMAIL, USER_ID = "url", "email", "user id"

#: ``https://`` or ``http://``.
Url = Annotated[str, URL]

#: An e-mail address.
Email = Annotated[str, EMAIL]

#: The caller's own id of a user.
UserId = Annotated[str, USER_ID]


class Profile(TypedDict, total=False):
    """A person in a session: ``user`` is the integer that transcripts and logs refer to."""

    user: int
    name: str | None
    email: str | None
    role: str | None


class LogRow(TypedDict, total=False):
    """A row of a session's logs. ``profile`` is the integer of ``profiles[].user``."""

    id: int
    log_type: str
    date: str
    profile: int | str | None
    guest_uuid: str | None
    user_socket_id: str | None


class Guest(TypedDict, total=False):
    """A person who joined without a user account."""

    id: int
    uuid: str
    session: int


class SpaceRef(TypedDict, total=False):
    """The space as it is inside a session. ``slug`` equals launch's ``room_id``."""

    id: str
    slug: str
    alias: str | None
    name: str | None
    organisation: int
    url: str | None


class Session(TypedDict, total=False):
    """A meeting in a space. ``uuid`` is what URLs need; the integer ``id`` gives 404 there."""

    id: int
    uuid: str
    name: str | None
    space: SpaceRef
    region: str | None
    record_av: bool | None
    playback_url: str | None
    start_time: str | None
    end_time: str | None
    profiles: list[Profile]
    guests: list[Guest]
    logs: list[LogRow]
    billable_seconds: int | None
    tags: str | None
    recording_access_policy: list[str] | None
    summary: str | None
    recording_available: bool | None


class SessionUpdate(TypedDict, total=False):
    """The fields of an update and of its response."""

    name: str | None
    recording_access_policy: list[str] | None


class Speaker(TypedDict, total=False):
    """The speaker of a segment: ``id`` equals ``profiles[].user``."""

    id: int
    name: str | None


class Recording(TypedDict):
    """The argument of ``deliver`` for a recording. Anyone with the link can watch for about 3 hours."""

    session_id: str
    recording_url: str


class Segment(TypedDict, total=False):
    """One utterance. Times are seconds from the start of the recording, as floats."""

    start_time: float
    end_time: float
    user: Speaker
    breakout_id: str
    text: str


class Space(TypedDict, total=False):
    """An entry of the space list. Its fields are assumed to be those of a session's space (``space-list``)."""

    id: str
    slug: str
    name: str | None
    created_at: str | None


class UserAccount(TypedDict, total=False):
    """The user of an entry of the user list. ``id`` is the integer of ``profiles[].user``."""

    id: int
    username: str | None


class User(TypedDict, total=False):
    """
    An entry of the user list. Its fields are not in the reference.

    The user's id is in ``user.id``, or in ``user`` or ``id`` itself (assumption ``user-list``). ``ids.user_id_of``
    reads all three.
    """

    id: int
    user: UserAccount | int
    name: str | None
    email: str | None
    role: str | None
    active: bool
    external_id: str | None
    url: str | None


class Launch(TypedDict, total=False):
    """
    The response to a launch, and ``created``: True for 201 (a new space), False for 200.

    Anyone with ``secret`` or ``client_url`` can enter the space. ``deliver`` also gets ``request``: the parameters of
    the launch, such as ``launch_id`` and ``user``.
    """

    client_url: str
    api_base: str
    room_id: str
    secret: str
    session_id: str
    user_id: int
    room_settings: dict[str, object]
    created: bool
    request: Mapping[str, object]


class LaunchUser(TypedDict, total=False):
    """The person whom a join link is for. ``role`` is in Lessonspace's guides, not in its reference."""

    name: str
    id: UserId
    email: Email
    leader: bool
    profile_picture: Url
    camera_background_url: Url
    single_use: bool
    session_limit: bool
    custom_jwt_parameters: dict[str, object]
    record: bool
    ghost: bool
    role: Role


class SessionWebhooks(TypedDict, total=False):
    """URLs to call when a session starts, idles or ends."""

    start: Url | None
    idle: Url | None
    end: Url | None


class UserWebhooks(TypedDict, total=False):
    """URLs to call when a user joins, idles or leaves."""

    join: Url | None
    idle: Url | None
    leave: Url | None


class TranscriptionWebhooks(TypedDict, total=False):
    """URL to call when a transcription is ready."""

    finish: Url | None


class CobrowserWebhooks(TypedDict, total=False):
    """URLs to call around a cobrowser session."""

    start: Url | None
    stop: Url | None


class ChatWebhooks(TypedDict, total=False):
    """URL to call on each chat message."""

    message: Url | None


class KnockWebhooks(TypedDict, total=False):
    """URLs to call when a person asks to be let in."""

    request: Url | None
    admit: Url | None
    deny: Url | None


class SummaryWebhooks(TypedDict, total=False):
    """URL to call when a summary is ready."""

    finish: Url | None


class Webhooks(TypedDict, total=False):
    """All webhooks of a space. A launch that sends them replaces all; None and ``""`` remove them."""

    session: SessionWebhooks | None
    user: UserWebhooks | None
    transcription: TranscriptionWebhooks | None
    cobrowser: CobrowserWebhooks | None
    chat: ChatWebhooks | None
    knock: KnockWebhooks | None
    summary: SummaryWebhooks | None


class Timeouts(TypedDict, total=False):
    """The time in which the link works, at most 7 days: aware datetimes or ISO 8601 text."""

    not_before: datetime | str
    not_after: datetime | str


class _AuthExternalRequired(TypedDict):
    method: Literal["child", "redirect"]
    url: Url
    token: str


class AuthExternal(_AuthExternalRequired, total=False):
    """An external check before a person may join. The first three fields are required (reference)."""

    ephemeral: bool


class LaunchOptions(TypedDict, total=False):
    """
    Every body field of a launch except ``id``. Fields that are left out are not sent; None is sent as null.

    The checks, the operators' parameters and their templates are derived from this list.
    """

    name: str | None
    allow_guests: bool | None
    record_av: bool | None
    record_content: bool | None
    transcribe: bool | None
    summarise: bool | None
    user: LaunchUser | None
    webhooks: Webhooks | Literal[""] | None
    timeouts: Timeouts | None
    features: Mapping[str, object] | None
    theme: Mapping[str, object] | None
    video_layout_mode: Literal["grid", "sidebar", "floating"] | None
    locale: str | None
    server: str | None
    session_tags: Mapping[str, str] | None
    space_tags: Mapping[str, str] | None
    invite_url: Url | None
    resource_url: Url | None
    holodeck_parameters: Mapping[str, object] | None
    auth_external: AuthExternal | None
