# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from types import SimpleNamespace
from urllib.parse import parse_qs, urlsplit

import pytest
from airflow.api_fastapi.core_api import security

from lessonspace_provider.archive.health.figures import Health
from lessonspace_provider.exceptions import LessonspaceError
from lessonspace_provider.links import health_query
from tests.airflow_version import needs_airflow
from tests.unit.archive.health_kit import a_health, an_item

pytestmark = needs_airflow("3.1", "older ones have no place for the page")

SCHOOL, OTHER = "s3://aws_default@school/transcripts", "file:///var/other <b>"
ROUTES = ["/", "/health.json", f"/{health_query(SCHOOL)}", f"/health.json{health_query(SCHOOL)}"]


@pytest.fixture
def reads():
    return []


@pytest.fixture
def client(reads, monkeypatch):
    """The application, mounted as Airflow does it, for a user who may see plugins."""
    from fastapi import FastAPI
    from fastapi.testclient import TestClient

    from lessonspace_provider.plugin.app import create_app
    from lessonspace_provider.plugin.archives import Archive, HealthCache

    def read(place):
        reads.append(place)
        if place == OTHER:
            raise LessonspaceError("There is no health.json: the next run of the archive writes it.")
        return a_health(items=(an_item("failed"),))

    allowed = SimpleNamespace(is_authorized_view=lambda **view: view["access_view"].name == "PLUGINS")
    monkeypatch.setattr(security, "get_auth_manager", lambda: allowed)
    app = create_app(lambda: [Archive(SCHOOL), Archive(OTHER)], HealthCache(read))
    app.dependency_overrides[security.get_user] = lambda: "head"
    root = FastAPI()
    root.mount("/lessonspace", app)
    client = TestClient(root)
    client.plugin, client.allowed = app, allowed
    return client


def get(client, path, **headers):
    return client.get(f"/lessonspace{path}", headers=headers)


@pytest.mark.parametrize("route", ROUTES)
def test_without_a_login_there_is_no_byte_of_data(client, reads, route):
    client.plugin.dependency_overrides.clear()
    response = get(client, route)
    assert response.status_code == 401
    assert response.json() == {"detail": "Not authenticated"}
    assert reads == []


@pytest.mark.parametrize("route", ROUTES)
def test_without_permission_there_is_no_byte_of_data(client, reads, route):
    client.allowed.is_authorized_view = lambda **_: False
    response = get(client, route)
    assert (response.status_code, response.json()) == (403, {"detail": "Forbidden"})
    assert reads == []


@pytest.mark.parametrize("route", ROUTES)
def test_a_check_that_fails_lets_no_one_in(client, reads, route):
    def fail(**_):
        raise RuntimeError("no auth manager")

    client.allowed.is_authorized_view = fail
    with pytest.raises(RuntimeError):
        get(client, route)
    assert reads == []


def test_every_route_is_guarded_and_only_reads(client):
    routes = client.plugin.routes
    assert {(route.path, *route.methods) for route in routes} == {("/", "GET"), ("/health.json", "GET")}
    for method in ("post", "put", "patch", "delete"):
        assert getattr(client, method)("/lessonspace/").status_code == 405


def test_the_first_archive_is_shown_and_the_others_are_linked(client):
    page = get(client, "/")
    assert page.status_code == 200
    assert "! 2 things need attention" in page.text
    assert SCHOOL in page.text
    assert "file:///var/other &lt;b&gt;" in page.text
    assert "default-src 'none'; style-src 'sha256-" in page.headers["Content-Security-Policy"]
    assert "frame-ancestors 'self'" in page.headers["Content-Security-Policy"]
    assert page.headers["Cache-Control"] == "no-store"


def test_a_night_is_shown_in_detail(client):
    page = get(client, f"/{health_query(SCHOOL, '2026-11-03')}")
    assert "Night of 3 November 2026" in page.text
    assert parse_qs(urlsplit(health_query(SCHOOL, "2026-11-03")).query) == {
        "archive": [SCHOOL],
        "night": ["2026-11-03"],
    }


def test_links_are_relative_and_in_a_frame_there_is_no_way_back(client):
    assert '<a href="../">Back to Airflow</a>' in get(client, "/").text
    framed = get(client, "/", **{"Sec-Fetch-Dest": "iframe"}).text
    assert "Back to Airflow" not in framed
    assert 'href="/' not in framed


def test_the_data_is_that_of_the_file(client):
    response = get(client, f"/health.json{health_query(SCHOOL)}")
    assert response.headers["Content-Type"] == "application/json"
    assert Health.from_json(response.content) == a_health(items=(an_item("failed"),))


@pytest.mark.parametrize("place", ["file:///etc", "s3://aws_default@school/transcripts/..", "<script>"])
def test_only_archives_of_the_configuration_are_read(client, reads, place):
    page, data = get(client, f"/{health_query(place)}"), get(client, f"/health.json{health_query(place)}")
    assert (page.status_code, data.status_code) == (404, 404)
    assert "<script>" not in page.text
    assert reads == []


def test_what_cannot_be_read_is_explained(client):
    page, data = get(client, f"/{health_query(OTHER)}"), get(client, f"/health.json{health_query(OTHER)}")
    assert (page.status_code, data.status_code) == (503, 503)
    assert "the next run of the archive writes it" in page.text


@pytest.mark.parametrize("night", ["tonight", "2026-13-01", "<b>"])
def test_a_night_that_is_none_is_refused(client, night):
    assert get(client, f"/{health_query(SCHOOL, night)}").status_code == 422


def test_a_minute_of_requests_reads_the_store_once(client, reads):
    for _ in range(5):
        get(client, "/")
        get(client, "/health.json")
    assert reads == [SCHOOL]


def test_the_configuration_may_have_no_archive(client):
    from fastapi.testclient import TestClient

    from lessonspace_provider.plugin.app import create_app
    from lessonspace_provider.plugin.archives import Archive

    for archives, words in ([], "No archive is listed yet"), ([Archive("", "It was refused.")], "It was refused."):
        app = create_app(lambda archives=archives: archives)
        app.dependency_overrides[security.get_user] = lambda: "head"
        assert words in TestClient(app).get("/").text
