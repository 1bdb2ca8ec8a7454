# SPDX-License-Identifier: Apache-2.0
"""Add sessions to a world, as the control endpoints describe them."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from lessonspace_provider.sandbox.entities import Guest, Session, Space, User
from lessonspace_provider.sandbox.messages import NewSession
from lessonspace_provider.sandbox.world import END_AFTER_LAST_LEFT, World, WorldError


def add_session(world: World, new: NewSession) -> Session:
    """Add a session.

    :raises WorldError: when it cannot be.
    """
    start, end = aware(new.start), aware(new.end) if new.end else None
    if end is not None and end < start:
        raise WorldError(f"a session cannot end at {end} before it starts at {start}")
    _check_visits(new, start, end)
    space = _space_for(world, new, start)
    session = Session(world.next_id("session"), world.new_uuid(), space, new.name, start, end)
    session.users = [_member(world, user, number) for number, user in enumerate(new.users)]
    session.guests = [Guest(world.next_id("guest"), world.new_uuid()) for _ in range(new.guests)]
    session.record_av = session.record_content = new.recorded
    session.transcribe = new.transcribe
    session.tags = dict(new.tags)
    session.transcript = new.transcript
    session.transcript_delay = new.transcript_delay
    session.segments = new.segments
    session.transcript_bytes = new.transcript_bytes
    session.spoken_names = new.spoken_names
    session.summary = new.summary
    left = max(start, end - END_AFTER_LAST_LEFT) if end else None
    visits = [(visit.joined, visit.left, session.users[new.users.index(visit.user)]) for visit in new.visits]
    visitors = [who for _, _, who in visits]
    for who in session.attendants:
        if who not in visitors:
            world.write_visit(session, who, start, left)
    for joined, left, who in sorted(visits, key=lambda visit: visit[0]):
        world.write_visit(session, who, aware(joined), aware(left))
    world.add_session(session)
    return session


def _check_visits(new: NewSession, start: datetime, end: datetime | None) -> None:
    for visit in new.visits:
        if visit.user not in new.users:
            raise WorldError(f"the visitor {visit.user!r} is not among the users")
        if end is None or not start <= aware(visit.joined) <= aware(visit.left) <= end:
            raise WorldError(f"the visit of {visit.user!r} is not within a session that has ended")


def _space_for(world: World, new: NewSession, start: datetime) -> Space:
    """Find or make the space; one that is made, or that the session runs in, is set up as the session was."""
    space = find_space(world, new.space) if new.space is not None else None
    if space is None:
        if new.launch_id is not None and world.find_launched_space(new.launch_id):
            raise WorldError(
                f"a space is already launched as {new.launch_id!r}: give space={new.launch_id!r} instead of launch_id"
            )
        space = world.add_space(new.launch_id or new.name, start - timedelta(days=1), new.launch_id)
    elif new.end is not None:
        return space
    if space.running is not None:
        raise WorldError(f"session {space.running.uuid} already runs in space {space.id}")
    space.record_av = space.record_content = new.recorded
    space.transcribe = new.transcribe
    return space


def _member(world: World, user: int | str, number: int) -> User:
    if isinstance(user, int):
        return world.users[user]
    return named_user(world, user, "student" if number else "teacher")


def named_user(world: World, name: str, role: str | None) -> User:
    """Return the user with this name, a new one if there is none."""
    known = (user for user in world.users.values() if user.name == name and not user.removed)
    return next(known, None) or world.add_user(name, role or "student", name)


def find_space(world: World, where: str) -> Space:
    """Find a space by its id, room_id or launch id, or by the session that runs or is reserved in it."""
    found = world.find_space(where) or world.find_launched_space(where)
    if found is None:
        for space in world.spaces.values():
            if where == space.reservation or (space.running and where == space.running.uuid):
                return space
        raise WorldError(f"no space, and no running or reserved session, is known as {where!r}")
    return found


def aware(moment: datetime) -> datetime:
    """Return a moment in UTC.

    :raises ValueError: when it has no offset.
    """
    if moment.tzinfo is None:
        raise ValueError(f"{moment.isoformat()} has no offset: give an aware datetime")
    return moment.astimezone(timezone.utc)
