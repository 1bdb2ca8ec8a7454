# SPDX-License-Identifier: Apache-2.0
"""The JSON shapes of the API's answers.

Fields are those of the vendor's reference and the ones seen beyond it. The reference's text has lost its
indentation: that ``region`` and ``record_av`` belong to the space is assumed, and so are all fields of the
space list's and the user list's items, of which it shows none.
"""

from __future__ import annotations

import json
from collections.abc import Callable

from lessonspace_provider.sandbox.clock import format_time
from lessonspace_provider.sandbox.entities import Guest, LogRow, Session, Space, User
from lessonspace_provider.sandbox.world import World

Json = dict[str, object]


def session_detail(world: World, session: Session, root_url: str) -> Json:
    """Render the session detail, which is the organisation list's item too."""
    return {
        "id": session.id,
        "name": session.name,
        "space": space_item(world, session.space, root_url),
        "uuid": session.uuid,
        **_times(session),
        "profiles": [profile(user, root_url) for user in session.users],
        "guests": [_guest(session, guest) for guest in session.guests],
        **_outcome(session, root_url),
        "summary": session.summary,
        "recording_available": session.end is not None and session.recorded,
        "recording_deleted": session.recording_deleted,
        "playback_password": session.playback_password,
        "is_password_set": session.playback_password is not None,
    }


def space_session(world: World, session: Session, root_url: str) -> Json:
    """Render the item of a space's session list: logs and connected users, and no space."""
    del world
    return {
        "id": session.id,
        "uuid": session.uuid,
        "name": session.name,
        **_times(session),
        "profiles": [profile(user, root_url) for user in session.users],
        "guests": [_guest(session, guest) for guest in session.guests],
        "logs": [_log_row(row) for row in session.logs],
        "connected_users": [_connected(who) for who in session.connected],
        **_outcome(session, root_url),
        "summary": session.summary,
    }


def without_summary(render: Callable[[World, Session, str], Json]) -> Callable[[World, Session, str], Json]:
    """Render the item of a list that carries no summaries."""

    def rendered(world: World, session: Session, root_url: str) -> Json:
        item = render(world, session, root_url)
        del item["summary"]
        return item

    return rendered


def space_item(world: World, space: Space, root_url: str) -> Json:
    """Render a space."""
    return {
        "id": space.id,
        "alias": space.alias,
        "slug": space.slug,
        "name": space.name,
        "organisation": world.organisation_id,
        "is_locked": False,
        "tags": _tags(space.tags),
        "url": f"{root_url}/space/{space.slug}",
        "created_at": format_time(space.created_at),
        "locks": [],
        "region": space.region,
        "record_av": space.record_av,
        "transcribe": space.transcribe,
        "summarise": space.summarise,
    }


def profile(user: User, root_url: str) -> Json:
    """Render a person who was in a session."""
    return {
        "user": user.id,
        "name": user.name,
        "profile_picture": _picture(user, root_url),
        "email": user.email,
        "role": user.role,
    }


def user_item(user: User, root_url: str) -> Json:
    """Render the item of the user list, in the shape that one client reads."""
    return {
        "user": {"id": user.id, "username": user.email or f"user-{user.id}"},
        "role": user.role,
        "active": not user.removed,
        "name": user.name,
        "external_id": user.external_id,
        "url": f"{root_url}/users/{user.id}",
    }


def flat_user_item(user: User, root_url: str) -> Json:
    """Render the item of the user list as a profile with its id twice, as ``id`` and as ``user`` (assumed)."""
    return {"id": user.id, **profile(user, root_url)}


def _times(session: Session) -> Json:
    end = format_time(session.end) if session.end else None
    return {"start_time": format_time(session.start), "end_time": end}


def _outcome(session: Session, root_url: str) -> Json:
    seconds = int(session.duration.total_seconds()) if session.duration and session.people > 1 else 0
    playback = f"{root_url}/playback/{session.uuid}" if session.end and session.recorded else None
    return {
        "billable_seconds": seconds,
        "tags": _tags(session.tags),
        "recording_access_policy": session.recording_access_policy,
        "playback_url": playback,
    }


def _picture(user: User, root_url: str) -> Json | None:
    if user.picture_id is None:
        return None
    return {
        "id": user.picture_id,
        "uploaded_at": "2025-09-01T08:00:00Z",
        "admin_verified": "verified" if user.role == "teacher" else "not-verified",
        "image": f"{root_url}/media/{user.picture_id}.png",
    }


def _guest(session: Session, guest: Guest) -> Json:
    return {"id": guest.id, "uuid": guest.uuid, "session": session.id}


def _log_row(row: LogRow) -> Json:
    return {
        "id": row.id,
        "log_type": row.log_type,
        "date": format_time(row.date),
        "profile": row.user_id,
        "guest_uuid": row.guest_uuid,
        "created_at": format_time(row.date),
        "user_socket_id": row.socket,
    }


def _connected(who: User | Guest) -> Json:
    if isinstance(who, Guest):
        return {"profile": None, "guest_uuid": who.uuid}
    return {"profile": who.id, "guest_uuid": None}


def _tags(tags: dict[str, object]) -> str:
    return json.dumps(tags, ensure_ascii=False)
