# SPDX-License-Identifier: Apache-2.0
"""The two session lists: paging, shapes, and every filter, checked against what the sandbox knows itself."""

from __future__ import annotations

import json
from datetime import datetime, timedelta

import pytest


def parse(text):
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def iso(moment):
    return moment.isoformat().replace("+00:00", "Z")


def ids(sessions):
    return {session["uuid"] for session in sessions}


def truth(control, test):
    return {session.session_id for session in control.sessions() if test(session)}


def people(session):
    return len(session["profiles"]) + len(session["guests"])


# Paging


def test_pages_hold_all_sessions_once_newest_first(client, control):
    sessions = client.sessions()
    assert ids(sessions) == truth(control, lambda _: True)
    starts = [parse(session["start_time"]) for session in sessions]
    assert starts == sorted(starts, reverse=True)
    assert len(starts) == len(ids(sessions))


def test_next_and_previous_are_absolute_and_keep_the_filters(client, sandbox):
    url = sandbox.base_url + client.organisation("/sessions/")
    first = client.get(url, search="a", user_name=["ö", "n"]).json()
    assert list(first) == ["count", "next", "previous", "results"]
    assert first["previous"] is None
    assert first["next"] == f"{url}?search=a&user_name=%C3%B6&user_name=n&page=2"
    second = client.get(first["next"]).json()
    assert second["previous"] == f"{url}?search=a&user_name=%C3%B6&user_name=n"
    assert ids(second["results"]).isdisjoint(ids(first["results"]))


@pytest.mark.parametrize("page", ["999", "0", "-1", "two"])
def test_a_page_that_is_not_there_is_404(client, page):
    answer = client.get(client.organisation("/sessions/"), page=page)
    assert (answer.status_code, answer.json()) == (404, {"detail": "Invalid page."})


def test_the_server_alone_fixes_the_page_size(client, control):
    assert len(client.get(client.organisation("/sessions/"), page_size=3).json()["results"]) == 20
    control.reset(page_size=7)
    assert len(client.get(client.organisation("/sessions/")).json()["results"]) == 7


def test_an_empty_list_has_one_page(client):
    answer = client.get(client.organisation("/sessions/"), launch_id="nobody")
    assert answer.json() == {"count": 0, "next": None, "previous": None, "results": []}


# Shapes

DETAIL = {
    "id", "name", "space", "uuid", "playback_url", "start_time", "end_time", "profiles", "guests",
    "billable_seconds", "tags", "recording_access_policy", "summary", "recording_available",
    "recording_deleted", "playback_password", "is_password_set",
}  # fmt: skip
SPACE_LIST = {
    "id", "uuid", "name", "start_time", "end_time", "profiles", "guests", "billable_seconds", "logs",
    "connected_users", "recording_access_policy", "playback_url", "tags", "summary",
}  # fmt: skip
SPACE = {
    "id", "alias", "slug", "name", "organisation", "is_locked", "tags", "url", "created_at", "locks", "region",
    "record_av", "transcribe", "summarise",
}  # fmt: skip


def test_summaries_can_be_in_the_detail_alone(client, control):
    control.reset(summaries_in_lists=False)
    session = client.sessions()[0]
    assert set(session) == DETAIL - {"summary"}
    assert "summary" not in client.get(f"/spaces/{session['space']['id']}/sessions/").json()["results"][0]
    assert "summary" in client.session(session["uuid"]).json()


def test_the_organisations_list_has_the_details_fields_without_logs(client):
    session = client.sessions()[0]
    assert set(session) == DETAIL
    assert set(session["space"]) == SPACE
    assert set(session["profiles"][0]) == {"user", "name", "profile_picture", "email", "role"}


def test_logs_and_connected_users_come_with_the_spaces_list_only(client, control):
    running = next(s for s in control.sessions() if s.end_time is None and len(s.user_ids) > 1)
    item = client.get(f"/spaces/{running.space_id}/sessions/").json()["results"][0]
    assert set(item) == SPACE_LIST
    assert {row["profile"] for row in item["logs"]} <= {p["user"] for p in item["profiles"]} | {None}
    assert {u["profile"] for u in item["connected_users"]} - {None} == set(running.user_ids)
    assert set(item["logs"][0]) == {
        "id", "log_type", "date", "profile", "guest_uuid", "created_at", "user_socket_id"
    }  # fmt: skip


def test_tags_are_text_that_holds_json(client):
    sessions = client.sessions()
    assert all(isinstance(json.loads(session["tags"]), dict) for session in sessions)
    assert any(json.loads(session["tags"]) for session in sessions)


# The space's list


@pytest.mark.parametrize("reference", ["space_id", "room_id"])
def test_a_space_is_known_by_id_and_room_id(client, control, reference):
    session = control.sessions()[0]
    found = client.all_pages(f"/spaces/{getattr(session, reference)}/sessions/", include_single_user="true")
    assert ids(found) == truth(control, lambda s: s.space_id == session.space_id)


def test_a_space_is_not_known_by_its_launch_id(client, control):
    launch_id = client.launch("plain-id").json() and "plain-id"
    assert client.get(f"/spaces/{launch_id}/sessions/").status_code == 404


def test_the_spaces_list_filters_too(client, control, now):
    session = control.sessions()[0]
    found = client.all_pages(f"/spaces/{session.room_id}/sessions/", start_time_after=iso(now - timedelta(days=5)))
    assert ids(found) == truth(
        control,
        lambda s: (
            s.space_id == session.space_id and s.start_time > now - timedelta(days=5) and len(s.user_ids) + s.guests > 1
        ),
    )


# Filters


def test_unknown_filters_are_ignored(client):
    everything = client.get(client.organisation("/sessions/")).json()["count"]
    assert (
        client.get(client.organisation("/sessions/"), start_after="2026-11-22", lunch_id="x").json()["count"]
        == everything
    )


def test_one_user_sessions_are_listed_when_asked_for_or_by_the_chosen_default(client, control):
    path = client.organisation("/sessions/")
    several = truth(control, lambda s: len(s.user_ids) + s.guests > 1)
    everything = truth(control, lambda _: True)
    assert several < everything
    assert ids(client.all_pages(path)) == several
    assert ids(client.all_pages(path, include_single_user="false")) == several
    assert ids(client.all_pages(path, include_single_user="true")) == everything
    control.reset(include_single_user_default=True)
    assert ids(client.all_pages(path)) == everything
    assert ids(client.all_pages(path, include_single_user="false")) == several


@pytest.mark.parametrize("bound", ["duration_min", "duration_max"])
def test_duration_is_in_seconds_and_running_sessions_have_none(client, control, bound):
    wanted = truth(
        control,
        lambda s: (
            s.end_time is not None
            and ((s.end_time - s.start_time).total_seconds() >= 1800) == (bound == "duration_min")
        ),
    )
    assert wanted
    assert ids(client.sessions(**{bound: 1800})) == wanted


@pytest.mark.parametrize("field", ["start_time", "end_time"])
@pytest.mark.parametrize("side", ["after", "before"])
@pytest.mark.parametrize("inclusive", [True, False])
def test_time_filters_and_whether_they_include_the_bound(client, control, field, side, inclusive):
    control.reset(boundary_inclusive=inclusive)
    ended = [s for s in control.sessions() if s.end_time]
    bound = getattr(ended[len(ended) // 2], field)

    def matches(session):
        value = getattr(session, field)
        if value is None:
            return False
        return (inclusive and value == bound) or (value > bound if side == "after" else value < bound)

    wanted = truth(control, matches)
    assert wanted
    assert ids(client.sessions(**{f"{field}_{side}": iso(bound)})) == wanted


def test_date_filters_mean_the_start_alone_and_start_and_end_together(client, control, now):
    after, before = now - timedelta(days=8, hours=3), now - timedelta(days=2, hours=1)
    assert ids(client.sessions(date_after=iso(after))) == truth(control, lambda s: s.start_time >= after)
    assert ids(client.sessions(date_before=iso(before))) == truth(control, lambda s: s.start_time <= before)
    control.add_session(before - timedelta(minutes=30), before + timedelta(minutes=30))
    assert ids(client.sessions(date_after=iso(after), date_before=iso(before))) == truth(
        control, lambda s: s.start_time >= after and s.end_time is not None and s.end_time <= before
    )


def test_a_time_with_another_offset_is_the_same_moment(client, now):
    moment = now - timedelta(days=3)
    shifted = moment.isoformat().replace("15:00:00+00:00", "18:30:00+03:30")
    assert shifted.endswith("+03:30")
    assert ids(client.sessions(end_time_after=shifted)) == ids(client.sessions(end_time_after=iso(moment)))


def test_several_users_mean_any_of_them(client, control):
    first, second = control.sessions()[0].user_ids[0], control.sessions()[30].user_ids[-1]
    wanted = truth(control, lambda s: first in s.user_ids or second in s.user_ids)
    assert ids(client.sessions(user=[first, second])) == wanted
    assert ids(client.sessions(user=first)) < wanted


@pytest.mark.parametrize("reference", ["space_id", "room_id"])
def test_several_spaces_mean_any_of_them(client, control, reference):
    first, second = (getattr(control.sessions()[n], reference) for n in (0, 3))
    wanted = truth(control, lambda s: getattr(s, reference) in (first, second))
    assert ids(client.sessions(space=[first, second])) == wanted
    assert ids(client.sessions(space=first)) < wanted


def test_launch_id_is_compared_whole_and_with_case(client, control):
    launch_id = next(s.launch_id for s in control.sessions() if s.launch_id and s.launch_id.startswith("lesson-"))
    assert ids(client.sessions(launch_id=launch_id)) == truth(control, lambda s: s.launch_id == launch_id)
    assert client.sessions(launch_id=launch_id.upper()) == []
    assert client.sessions(launch_id=launch_id[:-1]) == []


def test_in_progress_only_lists_what_runs(client, control):
    running = truth(control, lambda s: s.end_time is None)
    assert len(running) == 3
    assert ids(client.sessions(in_progress_only="true")) == running
    assert all(session["end_time"] is None for session in client.sessions(in_progress_only="true"))


def test_search_for_a_uuid_finds_the_session_or_the_spaces(client, control):
    session = control.sessions()[0]
    assert ids(client.sessions(search=session.session_id)) == {session.session_id}
    assert ids(client.sessions(search=session.room_id)) == truth(control, lambda s: s.room_id == session.room_id)


def test_search_for_text_searches_session_and_space_names_without_case(client):
    found = client.sessions(search="ALGEBRA")
    assert found
    assert ids(found) == {
        s["uuid"]
        for s in client.sessions()
        if "algebra" in (s["name"] or "").lower() or "algebra" in (s["space"]["name"] or "").lower()
    }


@pytest.mark.parametrize("tags", [{"term": "AUTUMN"}, {"TERM": ""}, {"term": "autumn", "unit": "3"}, {"term": "autum"}])
def test_tags_match_whole_values_without_case_and_blank_asks_for_the_key(client, tags):
    def matches(session):
        own = {key.lower(): str(value).lower() for key, value in json.loads(session["tags"]).items()}
        return all(
            key.lower() in own and (value == "" or own[key.lower()] == value.lower()) for key, value in tags.items()
        )

    assert ids(client.sessions(tags=json.dumps(tags))) == {s["uuid"] for s in client.sessions() if matches(s)}


def test_user_external_id_is_whole_and_user_name_partial_both_without_case(client, control, now):
    launched = client.launch("filter", user={"id": "Pupil/77", "name": "Quentin Unusual"}).json()
    joined = control.join(launched["session_id"], user_id=launched["user_id"])
    assert ids(client.sessions(user_external_id="pupil/77")) == {joined.session_id}
    assert client.sessions(user_external_id="pupil/7") == []
    assert ids(client.sessions(user_name="UNUSUAL")) == {joined.session_id}


def test_filters_are_combined(client, control, now):
    wanted = truth(
        control,
        lambda s: (
            s.end_time is not None
            and s.end_time >= now - timedelta(days=7)
            and (s.end_time - s.start_time).total_seconds() >= 600
            and len(s.user_ids) + s.guests > 1
        ),
    )
    found = client.sessions(end_time_after=iso(now - timedelta(days=7)), duration_min=600, include_single_user="false")
    assert ids(found) == wanted
    assert all(people(session) > 1 for session in found)


@pytest.mark.parametrize(
    ("name", "value"),
    [("start_time_after", "yesterday"), ("end_time_before", "2026-11-23T00:00:00 01:00"), ("duration_min", "5m"),
     ("tags", "not json"), ("tags", "[1]")],
)  # fmt: skip
def test_a_value_of_the_wrong_type_gets_400_that_names_the_filter(client, name, value):
    answer = client.get(client.organisation("/sessions/"), **{name: value})
    assert answer.status_code == 400
    assert list(answer.json()) == [name]
