# SPDX-License-Identifier: Apache-2.0
"""``POST /spaces/launch/``: check what came, find or make the space and the user, reserve a session."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import dataclass
from datetime import datetime, timedelta

from lessonspace_provider.sandbox.clock import parse_time
from lessonspace_provider.sandbox.entities import Space
from lessonspace_provider.sandbox.responses import ApiError, invalid
from lessonspace_provider.sandbox.serializers import Json
from lessonspace_provider.sandbox.world import World

LONGEST_LINK = timedelta(days=7)
"""How long a link works by default, and at most (vendor documented; that more gets 400 is assumed)."""

_BOOLEANS = ("allow_guests", "record_av", "record_content", "transcribe", "summarise")
WEBHOOKS: dict[str, tuple[str, ...]] = {
    "session": ("start", "end", "idle"),
    "user": ("join", "leave", "idle"),
    "chat": ("message",),
    "cobrowser": ("start", "stop"),
    "transcription": ("finish",),
    "summary": ("finish",),
    "knock": ("request", "admit", "deny"),
}
"""The groups of webhooks and their events."""

_OBJECTS = ("features", "theme", "session_tags", "space_tags", "holodeck_parameters", "timeouts", "auth_external")


@dataclass(frozen=True)
class Launched:
    """What a launch led to; ``answer`` holds the secret and the link."""

    created: bool
    space: Space
    session_id: str
    user_id: int
    answer: Json


def launch(world: World, body: Json, now: datetime, root_url: str, *, transcription_addon: bool) -> Launched:
    """Launch a space.

    :param body: the request's JSON object; keys that are not known are tolerated.
    :param transcription_addon: whether the organisation's plan includes transcripts and summaries. Without it,
        ``transcribe`` and ``summarise`` stay off without an error.
    :raises ApiError: 400 for what cannot be taken; nothing has changed then.
    """
    launch_id = _check(body, now)
    space = world.find_launched_space(launch_id)
    created = space is None
    if space is None:
        space = world.add_space(launch_id, now, launch_id)
    _apply(space, body, transcription_addon)
    user_id = _identify(world, _object(body, "user"))
    session_id = world.reserve(space)
    world.version += 1
    answer: Json = {
        "client_url": f"{root_url}/space/{space.slug}?user={_jwt(world, space, body, user_id, session_id, now)}",
        "api_base": f"{root_url}/room/{space.slug}/api/",
        "room_id": space.slug,
        "secret": space.secret,
        "session_id": session_id,
        "user_id": user_id,
        "room_settings": {
            "record_av": space.record_av,
            "record_content": space.record_content,
            "waiting_room": False,
            "transcribe": space.transcribe,
            "summarise": space.summarise,
        },
    }
    return Launched(created, space, session_id, user_id, answer)


def _check(body: Json, now: datetime) -> str:
    launch_id = _check_id(body)
    if not isinstance(body.get("name"), (str, type(None))):
        raise invalid("name", "Not a valid string.")
    for field in _BOOLEANS:
        if not isinstance(body.get(field), (bool, type(None))):
            raise invalid(field, "Must be a valid boolean.")
    for field in _OBJECTS:
        if not isinstance(body.get(field), (dict, type(None))):
            raise invalid(field, "Expected an object.")
    if body.get("webhooks") not in (None, "") and not isinstance(body["webhooks"], dict):
        raise invalid("webhooks", "Expected an object.")
    if body.get("user") is not None and not isinstance(body["user"], dict):
        raise invalid("user", "Expected an object.")
    email = _object(body, "user").get("email")
    if email and (not isinstance(email, str) or "@" not in email):
        raise ApiError(400, {"user": {"email": ["Enter a valid email address."]}})
    if body.get("summarise") and not (body.get("transcribe") and body.get("record_av") is not False):
        raise invalid("summarise", "A summary needs record_av and transcribe.")
    _link_window(body, now)
    return launch_id


def _check_id(body: Json) -> str:
    if "id" not in body:
        raise invalid("id", "This field is required.")
    launch_id = body["id"]
    if launch_id is None:
        raise invalid("id", "This field may not be null.")
    if isinstance(launch_id, bool) or not isinstance(launch_id, (str, int)):
        raise invalid("id", "Not a valid string.")
    if not str(launch_id).strip():
        raise invalid("id", "This field may not be blank.")
    if len(str(launch_id)) > 64:
        raise invalid("id", "Ensure this field has no more than 64 characters.")
    return str(launch_id)


def _link_window(body: Json, now: datetime) -> tuple[datetime, datetime]:
    """Return from when until when the link works."""
    timeouts = _object(body, "timeouts")
    opens = _timeout(timeouts, "not_before") or now
    closes = _timeout(timeouts, "not_after") or opens + LONGEST_LINK
    if closes <= opens:
        raise ApiError(400, {"timeouts": {"not_after": ["The link would never work."]}})
    if closes - opens > LONGEST_LINK:
        raise ApiError(400, {"timeouts": {"not_after": ["A link works for at most 7 days."]}})
    return opens, closes


def _timeout(timeouts: Json, field: str) -> datetime | None:
    value = timeouts.get(field)
    if value is None:
        return None
    try:
        return parse_time(str(value))
    except ValueError:
        raise ApiError(400, {"timeouts": {field: ["Enter a valid date/time."]}}) from None


def _apply(space: Space, body: Json, transcription_addon: bool) -> None:
    """Set up the space. Left out, ``transcribe`` turns off and recording returns to the default (on)."""
    if "name" in body:
        space.name = None if body["name"] is None else str(body["name"])
    space.record_av = body.get("record_av") is not False
    space.record_content = body.get("record_content") is not False
    space.transcribe = transcription_addon and body.get("transcribe") is True
    space.summarise = transcription_addon and body.get("summarise") is True
    if "webhooks" in body:
        space.webhooks = _known_webhooks(_object(body, "webhooks"))
    if "space_tags" in body:
        space.tags = _object(body, "space_tags")
    space.session_tags = _object(body, "session_tags")
    if isinstance(body.get("server"), str):
        space.region = str(body["server"])


def _known_webhooks(webhooks: Json) -> Json:
    """Return the webhooks, or none at all if one of them does not exist (seen, cause inferred)."""
    for group in webhooks:
        known = WEBHOOKS.get(group)
        if known is None or any(event not in known for event in _object(webhooks, group)):
            return {}
    return webhooks


def _identify(world: World, user: Json) -> int:
    """Return the Lessonspace id of who was launched: by id, else by name, else a guest's link."""
    name = str(user["name"]) if user.get("name") else None
    external_id = str(user["id"]) if user.get("id") else name
    if external_id is None:
        user_id = world.next_id("user")
        world.guest_links.add(user_id)
        return user_id
    found = world.find_user(external_id)
    if found is None:
        found = world.add_user(name or "Guest", "student", external_id)
    found.name = name or found.name
    if user.get("email"):
        found.email = str(user["email"])
    if user.get("role") in ("teacher", "student", "admin"):
        found.role = str(user["role"])
    return found.id


def _jwt(world: World, space: Space, body: Json, user_id: int, session_id: str, now: datetime) -> str:
    """Return an imitation of the link's token; it opens nothing."""
    opens, closes = _link_window(body, now)
    user = _object(body, "user")
    payload: Json = {
        "user": {"id": user_id, "name": user.get("name", "Guest"), "role": user.get("role")},
        "meta": _object(user, "custom_jwt_parameters"),
        "session": session_id if user.get("session_limit") else None,
        "nbf": int(opens.timestamp()),
        "exp": int(closes.timestamp()),
        "jti": world.new_uuid(),
    }
    head = f"{_base64({'alg': 'HS256', 'typ': 'JWT'})}.{_base64(payload)}"
    signature = hmac.new(space.secret.encode(), head.encode(), hashlib.sha256).digest()
    return f"{head}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"


def _base64(value: Json) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def _object(body: Json, field: str) -> Json:
    value = body.get(field)
    return value if isinstance(value, dict) else {}
