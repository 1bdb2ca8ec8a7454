# SPDX-License-Identifier: Apache-2.0
"""The connection form of Airflow's own UI, in a real browser: what it shows, and what its Test says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from urllib.parse import urlsplit
from uuid import UUID

import pytest
import requests
from playwright.sync_api import Locator, Page

from scripts.standalone import USER, reserve_loopback_port
from tests.airflow_version import needs_airflow
from tests.integration.browser import SCREENSHOTS, open_browser
from tests.integration.services import AirflowServices

pytestmark = needs_airflow("3.3", "its form and its words are tested here")

#: Milliseconds that a busy machine may take to show something.
LONGEST_WAIT = 60_000


@pytest.fixture(scope="module")
def airflow(chromium, tmp_path_factory) -> Iterator[AirflowServices]:
    folder = tmp_path_factory.mktemp("airflow")
    (folder / "dags").mkdir()
    with AirflowServices(folder, folder / "dags", {}, ui_only=True) as services:
        yield services


@pytest.fixture(scope="module")
def browser(chromium, airflow) -> Iterator[Page]:
    """One window for all tests, logged in, which then reads Airflow's scripts from its cache."""
    with open_browser(chromium, height=1500) as page:
        page.set_default_timeout(LONGEST_WAIT)
        page.goto(airflow.url)
        page.get_by_label("Username").fill(USER)
        page.get_by_label("Password").fill(airflow.password)
        page.get_by_role("button", name="Sign in").click()
        page.get_by_role("button", name="Admin").wait_for()
        yield page


@pytest.fixture
def page(airflow, browser) -> Page:
    """The list of connections."""
    browser.goto(f"{airflow.url}/connections")
    return browser


@pytest.fixture
def entries(lessonspace_sandbox) -> dict[str, str]:
    """What somebody types who has the sandbox for a Lessonspace."""
    url = lessonspace_sandbox.base_url
    return {"Base URL": url, "Port of the base URL": str(urlsplit(url).port), "API key": lessonspace_sandbox.api_key}


@pytest.fixture(autouse=True)
def _the_key_is_nowhere(airflow, browser, lessonspace_sandbox) -> Iterator[None]:
    yield
    assert lessonspace_sandbox.api_key not in browser.content()
    assert lessonspace_sandbox.api_key not in airflow.log("api-server")


def open_form(page: Page, connection_id: str) -> Locator:
    page.get_by_role("button", name="Add Connection").click()
    form = page.get_by_role("dialog")
    form.get_by_label("Connection ID").fill(connection_id)
    form.get_by_role("combobox", name="Connection Type").fill("Lessons")
    page.get_by_role("option", name="Lessonspace", exact=True).click()
    return form


def open_section(form: Locator, title: str) -> Locator:
    """Open one section of the form."""
    heading = form.get_by_role("button", name=title, exact=True)
    if heading.get_attribute("aria-expanded") != "true":
        heading.click()
    section = form.locator(f'[id="{heading.get_attribute("aria-controls")}"]')
    section.get_by_role("textbox").first.wait_for()
    return section


def fill(form: Locator, entries: dict[str, str]) -> None:
    for label, text in entries.items():
        form.get_by_label(label, exact=True).fill(text)


def field(section: Locator, label: str, role: str) -> Locator:
    """Find a field by its label, which Airflow does not tie to those of text."""
    return section.get_by_role("group").filter(has_text=label).get_by_role(role)


def save(page: Page, form: Locator) -> dict:
    with page.expect_response("**/api/v2/connections*") as saved:
        form.get_by_role("button", name="Save").click()
    assert saved.value.ok, saved.value.text()
    form.wait_for(state="detached")
    return saved.value.json()


def row_of(page: Page, connection_id: str) -> Locator:
    return page.get_by_role("row").filter(has=page.get_by_role("cell", name=connection_id, exact=True))


def press_test(page: Page, connection_id: str, picture: str | None = None) -> tuple[bool, str]:
    """
    Press Test in the connection's row, and wait until the page shows what came of it.

    :param picture: the screenshot's name; the connection's by default.
    :return: success, and the sentence that is shown.
    """
    row = row_of(page, connection_id)
    with page.expect_response("**/api/v2/connections/test") as tested:
        row.get_by_role("button", name="Test Connection").click()
    assert tested.value.ok, tested.value.text()
    result = tested.value.json()
    title = "Test Connection Successful" if result["status"] else "Test Connection Failed"
    page.get_by_role("status").filter(has_text=title).filter(has_text=result["message"]).wait_for()
    take_picture(page, f"connection_{picture or connection_id}")
    return result["status"], result["message"]


def take_picture(page: Page, name: str) -> None:
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"{name}.png", animations="disabled")


@pytest.mark.parametrize("host", ["127.0.0.1", "evil.example"])
@pytest.mark.parametrize("path", ["/api/v2/connections", "/api/v2/dags", "/ui/config", "/auth/token"])
def test_no_one_gets_in_without_the_password(airflow, host, path):
    answer = requests.get(f"{airflow.url}{path}", headers={"Host": host}, timeout=30)
    assert answer.status_code in (401, 403)
    for password in ("", "admin"):
        login = {"username": USER, "password": password}
        refused = requests.post(f"{airflow.url}/auth/token", json=login, headers={"Host": host}, timeout=30)
        assert refused.status_code in (400, 401)
    assert airflow.password not in airflow.log("api-server")


def test_the_form_asks_for_what_lessonspace_needs_and_for_nothing_else(airflow, browser):
    page = browser
    page.goto(airflow.url)
    page.get_by_role("button", name="Admin").click()
    page.get_by_role("menuitem", name="Connections").click()
    form = open_form(page, "school")
    standard = open_section(form, "Standard Fields")
    assert standard.locator("label").all_inner_texts() == ["Description", "Base URL", "API key", "Port of the base URL"]
    assert (
        standard.get_by_label("Base URL", exact=True).get_attribute("placeholder")
        == "https://api.thelessonspace.com/v2"
    )
    assert standard.get_by_label("API key").get_attribute("type") == "password"
    assert standard.get_by_label("Port of the base URL").get_attribute("placeholder").startswith("443")
    take_picture(page, "connection_form_standard")

    extra = open_section(form, "Extra Fields")
    assert extra.locator("label").all_inner_texts() == [
        "Organisation id",
        "Read timeout (s)",
        "Connect timeout (s)",
        "Requests per second",
        "Longest wait for the rate limit (s)",
        "Rate limit kept in",
        "Redis for the rate limit",
        "Folder for the rate limit",
    ]
    take_picture(page, "connection_form_extra")
    extra.get_by_role("combobox", name="Rate limit kept in").click()
    page.get_by_role("option").first.wait_for()
    assert page.get_by_role("option").all_inner_texts() == ["local", "redis"]


def test_a_connection_saved_from_the_form_tests_well_and_keeps_its_types(page, entries, lessonspace_sandbox, tmp_path):
    form = open_form(page, "good")
    fill(form, entries)
    extra = open_section(form, "Extra Fields")
    field(extra, "Organisation id", "textbox").fill(str(lessonspace_sandbox.organisation_id))
    numbers = {"Read timeout (s)": "30", "Connect timeout (s)": "2.5", "Requests per second": "4.5"}
    fill(extra, {**numbers, "Longest wait for the rate limit (s)": "60"})
    extra.get_by_role("combobox", name="Rate limit kept in").click()
    page.get_by_role("option", name="local").click()
    field(extra, "Folder for the rate limit", "textbox").fill(str(tmp_path))
    saved = save(page, form)
    assert (saved["conn_type"], saved["host"], saved["login"], saved["schema"]) == (
        "lessonspace",
        lessonspace_sandbox.base_url,
        None,
        None,
    )
    assert json.loads(saved["extra"]) == {
        "organisation_id": str(lessonspace_sandbox.organisation_id),
        "timeout": 30,
        "connect_timeout": 2.5,
        "rate_limit_per_second": 4.5,
        "rate_limit_max_wait": 60,
        "rate_limit_backend": "local",
        "rate_limit_redis_conn_id": None,
        "rate_limit_dir": str(tmp_path),
    }
    good, message = press_test(page, "good")
    assert good
    assert message.startswith(
        f"Connected to organisation {lessonspace_sandbox.organisation_id}. Lessonspace replied: The sun"
    )
    assert any(tmp_path.iterdir())


def test_fields_left_blank_have_their_defaults(page, entries):
    form = open_form(page, "short")
    fill(form, entries)
    extra = json.loads(save(page, form)["extra"])
    assert {name: value for name, value in extra.items() if value is not None} == {"rate_limit_backend": "local"}
    assert press_test(page, "short")[0]


@pytest.fixture
def dead_host() -> Iterator[str]:
    with reserve_loopback_port() as nobody_listens:
        yield f"http://127.0.0.1:{nobody_listens.getsockname()[1]}/v2"


def test_a_wrong_key_is_reported(page, entries):
    form = open_form(page, "wrong_key")
    fill(form, {**entries, "API key": str(UUID(int=0))})
    save(page, form)
    good, message = press_test(page, "wrong_key")
    assert not good
    assert "401: the API key was refused, check the API key of this connection." in message


def test_a_host_out_of_reach_is_reported(page, entries, dead_host):
    form = open_form(page, "out_of_reach")
    fill(form, {**entries, "Base URL": dead_host, "Port of the base URL": str(urlsplit(dead_host).port)})
    save(page, form)
    good, message = press_test(page, "out_of_reach")
    assert not good
    assert "no response (NewConnectionError). Check that this machine reaches the host of this connection" in message


def test_a_wrong_organisation_is_reported_and_can_be_fixed(page, entries, lessonspace_sandbox):
    own = lessonspace_sandbox.organisation_id
    form = open_form(page, "wrong_organisation")
    fill(form, entries)
    field(open_section(form, "Extra Fields"), "Organisation id", "textbox").fill("987654")
    save(page, form)
    good, message = press_test(page, "wrong_organisation")
    assert not good
    assert f"belongs to organisation {own} and not to 987654: correct organisation_id, or leave it blank." in message

    row_of(page, "wrong_organisation").get_by_role("button", name="Edit Connection").click()
    form = page.get_by_role("dialog")
    field(open_section(form, "Extra Fields"), "Organisation id", "textbox").fill("")
    save(page, form)
    assert press_test(page, "wrong_organisation", "mended_organisation")[0]
