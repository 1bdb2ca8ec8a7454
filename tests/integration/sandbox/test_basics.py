# SPDX-License-Identifier: Apache-2.0
"""Keys, organisations, URLs and methods."""

import uuid

import pytest
import requests


@pytest.mark.parametrize(
    "scheme", ["Bearer {key}", "{key}", "organisation {key}", "Organisation {key}x", "Organisation", ""]
)
def test_any_other_authorization_gets_401(sandbox, scheme):
    headers = {"Authorization": scheme.format(key=sandbox.api_key)}
    for path in ("/hello/", "/my-organisation/", f"/organisations/{sandbox.organisation_id}/sessions/"):
        answer = requests.get(sandbox.base_url + path, headers=headers, timeout=30)
        assert answer.status_code == 401
        assert list(answer.json()) == ["detail"]


def test_hello_greets_by_the_organisations_name(client):
    assert client.get("/hello/").json() == {"response": "The sun is shining and so are you, Sandbox School"}


def test_my_organisation_shows_the_integer_id(client, sandbox):
    assert client.get("/my-organisation/").json()["id"] == sandbox.organisation_id


@pytest.mark.parametrize("path", ["/sessions/", "/spaces/", "/users/", f"/sessions/{uuid.UUID(int=1)}/"])
def test_another_organisation_in_the_path_gets_403(client, path):
    answer = client.get(f"/organisations/99{path}")
    assert answer.status_code == 403
    assert list(answer.json()) == ["detail"]


def test_a_get_without_the_slash_is_redirected_on_the_same_host_with_its_query(client, sandbox):
    url = sandbox.base_url + client.organisation("/sessions")
    answer = client.call("GET", url, params={"search": "maths"}, allow_redirects=False)
    assert answer.status_code == 301
    assert answer.headers["Location"] == f"{url}/?search=maths"


def test_a_launch_without_the_slash_finds_nothing_and_launches_nothing(client, control):
    answer = client.call("POST", "/spaces/launch", json={"id": "a"}, allow_redirects=False)
    assert answer.status_code == 404
    assert "json" not in answer.headers["Content-Type"]
    assert control.launches() == []


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
def test_a_change_without_the_slash_changes_nothing(client, control, method):
    user_id = control.sessions()[0].user_ids[0]
    before = control.state().users
    assert client.call(method, client.organisation(f"/users/{user_id}"), json={}).status_code == 404
    assert control.state().users == before


def test_a_method_an_operation_does_not_have_gets_405(client):
    answer = client.call("PUT", client.organisation("/sessions/"), json={})
    assert (answer.status_code, answer.json()) == (405, {"detail": 'Method "PUT" not allowed.'})


def test_an_unknown_path_is_no_json(client):
    answer = client.get("/no/such/thing/")
    assert answer.status_code == 404
    assert "json" not in answer.headers["Content-Type"]


def test_sessions_are_found_by_uuid_and_not_by_integer_id(client):
    session = client.sessions()[0]
    assert client.session(session["uuid"]).json() == session
    for rest in ("", "transcript/", "playback/"):
        answer = client.session(str(session["id"]), rest)
        assert (answer.status_code, answer.json()) == (404, {"detail": "Not found."})
    assert client.session(str(uuid.uuid4())).status_code == 404
