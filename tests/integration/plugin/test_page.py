# SPDX-License-Identifier: Apache-2.0
"""The page of the archives in a real Airflow whose base URL has a path: from the grid to the night, in a browser."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import boto3
import pytest
import requests
from playwright.sync_api import Locator, Page

from lessonspace_provider.archive.health.figures import Health
from lessonspace_provider.links import health_query
from lessonspace_provider.sandbox import Sandbox, SandboxSettings
from scripts.standalone import USER
from tests.airflow_version import needs_airflow
from tests.integration.archive.conftest import CREDENTIALS, s3
from tests.integration.browser import SCREENSHOTS, open_browser
from tests.integration.services import AirflowServices
from tests.unit.archive.health_kit import a_health, an_item

__all__ = ["s3"]

pytestmark = needs_airflow("3.1", "older ones have no place for the page")

#: Milliseconds that a busy machine may take to show something.
LONGEST_WAIT = 60_000

DAG, ON_S3 = "first_archive", "s3://aws_in_database@health-page/transcripts"
FILES = Path(__file__).parent.parent / "dags" / "files"


@pytest.fixture(scope="module")
def archive(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("archive")


@pytest.fixture(scope="module")
def on_s3(s3) -> Iterator[Health]:
    """An archive's health in a bucket that only a connection of the metadata database leads to."""
    bucket = boto3.resource("s3", endpoint_url=s3, **CREDENTIALS).Bucket("health-page")
    bucket.create()
    health = a_health(items=(an_item("failed", reason="http_503"),))
    bucket.put_object(Key="transcripts/health.json", Body=health.to_json())
    yield health
    bucket.objects.delete()
    bucket.delete()


@pytest.fixture(scope="module")
def airflow(chromium, archive, on_s3, s3, tmp_path_factory) -> Iterator[AirflowServices]:
    """An Airflow that has run the archive of one night."""
    folder = tmp_path_factory.mktemp("airflow")
    (folder / "dags").mkdir()
    shutil.copy(FILES / f"{DAG}.py", folder / "dags")
    with Sandbox(SandboxSettings(rate=0)) as sandbox:
        connection = {"conn_type": "lessonspace", "host": sandbox.base_url, "password": sandbox.api_key}
        settings = {
            "AIRFLOW_CONN_LESSONSPACE_DEFAULT": json.dumps({**connection, "extra": {"rate_limit_per_second": 0}}),
            "AIRFLOW_VAR_LESSONSPACE_ARCHIVE": f"file://{archive}",
            "AIRFLOW__LESSONSPACE__ARCHIVES": f"file://{archive}, {ON_S3}",
        }
        with AirflowServices(folder, folder / "dags", settings, path="/air") as services:
            store = {"endpoint_url": s3, "region_name": CREDENTIALS["region_name"]}
            services.api.add_connection(
                {
                    "connection_id": "aws_in_database",
                    "conn_type": "aws",
                    "login": CREDENTIALS["aws_access_key_id"],
                    "password": CREDENTIALS["aws_secret_access_key"],
                    "extra": json.dumps(store),
                }
            )
            services.wait_for("the archive", lambda: (services.api.latest_run(DAG) or {}).get("state") == "success")
            yield services


@pytest.fixture(scope="module")
def page(airflow, chromium) -> Iterator[Page]:
    """A window that is logged in."""
    with open_browser(chromium, width=1366) as page:
        page.set_default_timeout(LONGEST_WAIT)
        page.goto(f"{airflow.url}/")
        page.get_by_label("Username").fill(USER)
        page.get_by_label("Password").fill(airflow.password)
        page.get_by_role("button", name="Sign in").click()
        page.get_by_role("button", name="Admin").wait_for()
        yield page


def take_picture(page: Page, name: str) -> None:
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"{name}.png", animations="disabled")


def follow(link: Locator) -> Page:
    """Click a link, and give the page that it leads to: older versions of Airflow open a window for it."""
    if link.get_attribute("target") != "_blank":
        link.click()
        return link.page
    with link.page.context.expect_page() as opened:
        link.click()
    opened.value.set_default_timeout(LONGEST_WAIT)
    return opened.value


def manifest_in(archive: Path) -> dict:
    (path,) = (archive / "manifests").iterdir()
    return json.loads(path.read_text())


def test_from_the_grid_to_the_night_on_the_page(airflow, page, archive):
    page.goto(f"{airflow.url}/dags/{DAG}")
    page.locator("a[href*='/runs/'][href*='/tasks/archive']").first.click()
    page.get_by_role("link", name="Details").last.click()
    link = page.get_by_role("link", name="Archive health")
    link.wait_for()
    take_picture(page, "health_task")
    page = follow(link)
    page.get_by_role("heading", name="Night of").wait_for()
    manifest = manifest_in(archive)
    address = urlsplit(page.url)
    assert address.path == "/air/lessonspace/"
    assert parse_qs(address.query)["archive"] == [f"file://{archive}"]
    assert parse_qs(address.query)["night"] == [manifest["window_start"][:10]]
    section = page.locator("section", has=page.get_by_role("heading", name="Night of"))
    for status, number in manifest["counts"].items():
        words = f"{number:,} {status.replace('_', ' ')}"
        assert (words in section.inner_text()) is (number > 0), words
    take_picture(page, "health_night")
    page.get_by_role("link", name="Back to Airflow").click()
    page.get_by_role("button", name="Admin").wait_for()


def test_the_navigation_leads_to_the_page_and_both_archives(airflow, page, on_s3):
    complaints = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.goto(f"{airflow.url}/")
    page.get_by_role("link", name="Lessonspace").first.click()
    frame = page.frame_locator("iframe[title='Lessonspace']")
    frame.get_by_role("heading", name="Archive of transcripts").wait_for()
    assert frame.get_by_role("link", name="Back to Airflow").count() == 0
    take_picture(page, "health_in_airflow")
    frame.get_by_role("link", name=ON_S3).click()
    frame.get_by_text(on_s3.items[0].session_id).first.wait_for()
    assert "Lessonspace returned the status 503" in frame.locator("main").inner_text()
    take_picture(page, "health_in_airflow_s3")
    assert [text for text in complaints if "lessonspace" in text.lower()] == []


ROUTES = [
    "lessonspace/",
    "lessonspace/health.json",
    f"lessonspace/{health_query(ON_S3)}",
    f"lessonspace/health.json{health_query(ON_S3)}",
]


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("how", ["no login", "wrong token", "wrong cookie"])
def test_without_a_login_there_is_no_byte_of_data(airflow, on_s3, route, how):
    headers = {"wrong token": {"Authorization": "Bearer x.y.z"}, "wrong cookie": {"Cookie": "_token=x.y.z"}}.get(how)
    answer = requests.get(f"{airflow.url}/{route}", headers=headers, timeout=30)
    assert answer.status_code in (401, 403)
    assert not re.search("archive|transcript|s3:|file:|session", answer.text)


def test_with_a_login_the_data_are_those_of_the_file(airflow, on_s3):
    headers = {"Authorization": f"Bearer {airflow.api.log_in()}"}
    url = f"{airflow.url}/lessonspace/health.json{health_query(ON_S3)}"
    answer = requests.get(url, headers=headers, timeout=30)
    assert Health.from_json(answer.content) == on_s3
    for method in (requests.post, requests.put, requests.delete):
        assert method(url, headers=headers, timeout=30).status_code == 405
    shown = requests.get(f"{airflow.url}/lessonspace/", headers=headers, timeout=30)
    assert "default-src 'none'" in shown.headers["Content-Security-Policy"]
    assert CREDENTIALS["aws_secret_access_key"] not in shown.text
