# SPDX-License-Identifier: Apache-2.0
"""The space list and the user list with their filters, and removing users."""

from __future__ import annotations

import json
from datetime import datetime, timedelta

import pytest


def spaces(client, **filters):
    return {space["id"] for space in client.all_pages(client.organisation("/spaces/"), **filters)}


def users(client, **filters):
    return {user["user"]["id"] for user in client.all_pages(client.organisation("/users/"), **filters)}


def iso(moment):
    return moment.isoformat().replace("+00:00", "Z")


def truth(control, test):
    return {session.space_id for session in control.sessions() if test(session)}


def test_all_spaces_are_listed_once_newest_first(client, control):
    listed = client.all_pages(client.organisation("/spaces/"))
    assert len({space["id"] for space in listed}) == len(listed) == control.state().spaces
    created = [datetime.fromisoformat(space["created_at"].replace("Z", "+00:00")) for space in listed]
    assert created == sorted(created, reverse=True)


def test_spaces_by_several_sessions(client, control):
    first, second = control.sessions()[0], control.sessions()[9]
    wanted = {first.space_id, second.space_id}
    assert spaces(client, session=[first.session_id, second.session_id]) == wanted


def test_spaces_by_user_and_by_assignment(client, control):
    user = control.sessions()[0].user_ids[-1]
    assert spaces(client, user=user) == truth(control, lambda s: user in s.user_ids)
    teachers = users(client, role="teacher")
    assigned = {teacher: spaces(client, assigned_to=teacher) for teacher in teachers}
    assert sum(len(own) for own in assigned.values()) == len(set().union(*assigned.values())) == len(spaces(client))
    assert spaces(client, assigned_to=sorted(teachers)[:2]) == set().union(*(assigned[t] for t in sorted(teachers)[:2]))
    assert spaces(client, assigned_to=999) == set()


def test_spaces_by_tag_only_with_key_and_value(client):
    everything = client.all_pages(client.organisation("/spaces/"))
    wanted = {s["id"] for s in everything if json.loads(s["tags"]).get("Subject") == "german"}
    assert wanted
    assert spaces(client, tag_key="SUBJECT", tag_value="German") == wanted
    assert len(spaces(client, tag_key="Subject")) == len(everything)


def test_spaces_by_name_or_uuid(client):
    everything = client.all_pages(client.organisation("/spaces/"))
    wanted = {s["id"] for s in everything if "piano" in (s["name"] or "").lower()}
    assert wanted
    assert spaces(client, search="PIANO") == wanted
    assert spaces(client, search=everything[3]["slug"]) == {everything[3]["id"]}


def test_spaces_by_when_they_were_used(client, control, now):
    after, before = now - timedelta(days=3), now - timedelta(days=1)
    found = spaces(client, date_after=iso(after), date_before=iso(before))
    assert found == truth(control, lambda s: s.end_time and s.end_time >= after and s.start_time <= before)
    assert found < spaces(client)


def test_users_by_several_roles(client):
    listed = client.all_pages(client.organisation("/users/"))
    for roles in (["teacher"], ["teacher", "admin"]):
        assert users(client, role=roles) == {u["user"]["id"] for u in listed if u["role"] in roles}


def test_users_come_in_both_shapes(client, control):
    nested = client.all_pages(client.organisation("/users/"))
    assert {frozenset(user) for user in nested} == {frozenset({"user", "role", "active", "name", "external_id", "url"})}
    control.reset(nested_users=False)
    flat = client.all_pages(client.organisation("/users/"))
    assert [user["id"] for user in flat] == [user["user"] for user in flat] == [user["user"]["id"] for user in nested]


def test_users_by_attendance(client, control):
    first, second = control.sessions()[0], control.sessions()[9]
    both = [first.session_id, second.session_id]
    assert users(client, session=both) == {*first.user_ids, *second.user_ids}
    attended = {u for s in control.sessions() if s.space_id == first.space_id for u in s.user_ids}
    assert users(client, space=first.room_id) == attended == users(client, space=first.space_id)


def test_users_by_name_or_email(client):
    found = client.all_pages(client.organisation("/users/"), search="müller")
    assert [user["name"] for user in found] == ["Finn Müller"]
    assert len(users(client, search="teacher3@")) == 1


def test_a_removed_user_is_missing_from_the_list_but_not_from_past_sessions(client, control):
    session = control.sessions()[0]
    user = session.user_ids[0]
    path = client.organisation(f"/users/{user}/")
    answer = client.call("DELETE", path)
    assert (answer.status_code, answer.content) == (204, b"")
    assert client.call("DELETE", path).status_code == 404
    assert user not in users(client)
    assert user in {profile["user"] for profile in client.session(session.session_id).json()["profiles"]}


@pytest.mark.parametrize("user", ["999", "teacher-1", "-1"])
def test_a_user_who_is_not_there_cannot_be_removed(client, user):
    assert client.call("DELETE", client.organisation(f"/users/{user}/")).status_code == 404


def test_organisation_space_and_user_are_served_in_detail(client, control, sandbox):
    organisation = client.get(client.organisation("/")).json()
    assert organisation["id"] == sandbox.organisation_id
    assert organisation["usage"]["sessions"] == control.state().sessions
    session = control.sessions()[0]
    listed = client.all_pages(client.organisation("/spaces/"), search=session.room_id)
    for reference in (session.space_id, session.room_id):
        assert client.get(client.organisation(f"/spaces/{reference}/")).json() == listed[0]
    user = session.user_ids[0]
    path = client.organisation(f"/users/{user}/")
    listed = client.all_pages(client.organisation("/users/"))
    assert client.get(path).json() in listed
    client.call("DELETE", path)
    for unknown in (path, client.organisation("/users/x/"), client.organisation("/spaces/x/")):
        assert client.get(unknown).status_code == 404
