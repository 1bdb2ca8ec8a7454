# SPDX-License-Identifier: Apache-2.0
"""The page of an archive's health in a real browser: on a screen and a phone, light and dark, by keyboard, printed."""

from __future__ import annotations

from datetime import timedelta

import pytest
from playwright.sync_api import Page

from lessonspace_provider.archive.health.figures import Health, Schedule, assembled, figures_of
from lessonspace_provider.archive.health.page import health_page
from tests.integration.browser import SCREENSHOTS, open_browser
from tests.unit.archive.health_kit import FIRST, a_manifest, a_run, night_window

NIGHTS, MISSING, GIVEN_UP, FAILED = 90, (60, 61), 80, 88

#: The ratio of two colours' brightness as WCAG 2 computes it, of each night's text to its background.
CONTRASTS = """() => {
  const light = text => {
    const [r, g, b] = text.match(/[0-9.]+/g).map(Number).map(part => part / 255)
      .map(part => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  return [...document.querySelectorAll('.day')].map(day => {
    const pair = [getComputedStyle(day.firstElementChild).color, getComputedStyle(day).backgroundColor].map(light);
    return (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05);
  });
}"""


@pytest.fixture(scope="module")
def health() -> Health:
    """A term with something of everything."""
    nights, items = [], []
    numbers = [number for number in range(NIGHTS) if number not in MISSING]
    for number in numbers:
        special = {GIVEN_UP: {"given_up": 2}, FAILED: {"failed": 1}, NIGHTS - 1: {"pending": 3}}
        manifest = a_manifest(number, archived=150, not_eligible=48, **special.get(number, {}))
        figures, named = figures_of((FIRST + timedelta(days=number)).date().isoformat(), [manifest], "0123456789abcdef")
        nights.append(figures)
        items += named
    return assembled(
        night_window(NIGHTS - 1).end + timedelta(minutes=5),
        [night_window(number) for number in numbers],
        nights,
        items,
        erasures=["20261201T020000Z"],
        runs=[a_run(number, has_failed=number == FAILED) for number in numbers],
        schedule=Schedule("nightly_transcript_archive", 86_400),
    )


@pytest.fixture(scope="module")
def file(health, tmp_path_factory) -> str:
    path = tmp_path_factory.mktemp("health") / "health.html"
    path.write_text(health_page(health, place="s3://aws_default@my-bucket/transcripts"))
    return path.as_uri()


@pytest.fixture(scope="module")
def browser(chromium) -> Page:
    with open_browser(chromium) as page:
        yield page


@pytest.fixture
def page(browser, file) -> Page:
    """The page, which must ask for nothing else and has nothing to complain of."""
    asked, complaints = [], []
    browser.on("request", lambda request: asked.append(request.url))
    browser.on("console", lambda message: complaints.append(message.text))
    browser.set_viewport_size({"width": 1366, "height": 900})
    browser.emulate_media(color_scheme="light", media="screen")
    browser.goto(file)
    yield browser
    assert {url.partition("#")[0] for url in asked} == {file}
    assert complaints == []


#: The words, of letters only, that are broken over two lines in a table.
BROKEN_WORDS = """[...document.querySelectorAll("td")].filter(cell => /^[a-z]+$/i.test(cell.innerText)).filter(cell => {
    const range = document.createRange()
    range.selectNodeContents(cell)
    return new Set([...range.getClientRects()].map(box => box.top)).size > 1
}).map(cell => cell.innerText)"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1366, 390])
def test_it_fits_the_screen_and_can_be_read(page, width, scheme):
    page.set_viewport_size({"width": width, "height": 844})
    page.emulate_media(color_scheme=scheme)
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"health_{width}_{scheme}.png", full_page=True, animations="disabled")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert not page.evaluate(BROKEN_WORDS)
    verdict = page.get_by_role("heading", name="things need attention")
    box = verdict.bounding_box()
    assert box["y"] + box["height"] < 844 / 2, "whether everything is there is seen without scrolling"
    contrasts = page.evaluate(CONTRASTS)
    assert len(contrasts) == NIGHTS
    assert min(contrasts) > 4.5
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (background == "rgb(255, 255, 255)") is (scheme == "light")


def test_a_keyboard_reaches_every_night_that_needs_attention(page):
    reached = []
    for _ in range(12):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.getAttribute('href')"))
    assert reached[0] == "#open"
    nights = [link.removeprefix("#figures-") for link in reached if link and link.startswith("#figures-")]
    assert set(nights) == {"2026-12-31", "2027-01-01", "2027-01-20", "2027-01-28", "2027-01-29"}
    page.locator("a[href='#figures-2027-01-28']").press("Enter")
    row = page.locator("#figures-2027-01-28")
    row.wait_for(state="visible")
    assert "1 failed" in row.inner_text()


def test_a_screen_reader_gets_tables_headings_and_words_for_marks(page):
    tree = page.locator("main").aria_snapshot()
    assert '- heading "Archive of transcripts" [level=1]' in tree
    for heading in ("Why transcripts are missing", "Nights", "Last runs"):
        assert f'- heading "{heading}" [level=2]' in tree
    assert 'img "13,200 archived, 4,224 not eligible' in tree
    assert '- table "January 2027"' in tree
    assert "28 : 1 failed, 150 archived, 48 not eligible" in tree
    assert 'columnheader "What is next"' in tree


def test_it_is_printed_on_white_whatever_the_screen_is(page):
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.evaluate("getComputedStyle(document.body).color") == "rgb(0, 0, 0)"
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.pdf(path=SCREENSHOTS / "health.pdf", format="A4", print_background=True)
