# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import re
from html import unescape
from html.parser import HTMLParser

from lessonspace_provider.archive.health.figures import Night
from lessonspace_provider.archive.health.page import Link, health_page, message_page
from lessonspace_provider.archive.health.problems import next_run_due
from tests.unit.archive.health_kit import a_health, a_run, an_item, night_window

EVIL = "<script>alert(1)</script>\"'&"
GAP = ("2026-11-02T02:00:00Z", "2026-11-03T02:00:00Z")
VOID = {"meta", "path", "rect", "br"}


class Outline(HTMLParser):
    """Checks that elements are closed, and collects ids, links, text and the names of elements."""

    def __init__(self, page):
        super().__init__()
        self.open, self.ids, self.links, self.names, self.words = [], [], [], set(), []
        self.feed(page)
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        self.names.add(tag)
        self.ids += [found["id"]] if "id" in found else []
        self.links += [found["href"]] if "href" in found else []
        assert not any(name.startswith("on") or name == "style" for name in found)
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())


def page(health=None, **options):
    return Outline(health_page(health or a_health(), place="s3://aws_default@school/transcripts", **options))


def everything():
    return a_health(
        nights=(
            Night("2026-11-01", {"archived": 3, "given_up": 1}, {"given_up": 1}),
            Night("2026-11-03", {"archived": 2, "pending": 1, "failed": 1}, {"not_ready": 1, "http_503": 1}),
        ),
        items=(an_item("failed", reason="http_503"), an_item("pending", 2, until="2026-11-10T10:00:00Z")),
        gaps=(GAP,),
        runs=(a_run(1), a_run(2, has_failed=True)),
        erasures=1,
        last_erasure="20261102T030000Z",
    )


def test_the_page_shows_first_whether_everything_is_archived():
    assert "✓ All is well" in page().text
    waiting = a_health(nights=(Night("2026-11-03", {"archived": 1, "pending": 2}),))
    assert "All is well, 2 transcripts are still pending" in page(waiting).text
    assert "! 2 things need attention" in page(everything()).text
    assert "Nothing is archived yet" in page(a_health(nights=())).text


def test_what_is_not_there_is_named_with_what_to_do():
    text = page(everything()).text
    assert "Failed or not attempted: 1 session. Read the log" in text
    assert "00000000-0000-4000-8000-000003000001" in text
    assert "airflow backfill create --dag-id nightly --from-date 2026-11-01T02:00:00Z" in text
    assert "Lessonspace returned the status 503" in text
    assert "6 days left" in text
    assert "1 receipt of erasures, the last 20261102T030000Z" in text


def test_nights_have_a_mark_and_words_besides_their_colour():
    shown = page(everything())
    assert {"night-2026-11-01", "night-2026-11-02", "night-2026-11-03"} <= set(shown.ids)
    for words in ("1 … 1 given up, 3 archived", "2 ∅ : no manifest accounts for it", "3 ! : 1 failed, 1 pending"):
        assert words.replace("1 … 1 given up", "1 × : 1 given up") in shown.text


def test_links_lead_to_ids_that_are_there():
    shown = page(everything())
    fragments = {link.removeprefix("#") for link in shown.links if link.startswith("#")}
    assert fragments
    assert fragments <= set(shown.ids)
    assert len(shown.ids) == len(set(shown.ids))


def test_it_loads_nothing_and_runs_nothing():
    html = health_page(everything(), place="x")
    assert not {"script", "img", "link", "iframe", "object", "form", "base"} & Outline(html).names
    assert "url(" not in html.replace("url(#", "")
    assert "http" not in re.sub(r'http-equiv="|http_', "", html)
    assert "default-src 'none'; style-src 'sha256-" in unescape(html)


def test_foreign_words_are_text():
    items = (an_item("failed", name=EVIL),)
    health = a_health(items=items, erasures=1, last_erasure=EVIL)
    shown = Outline(health_page(health, place=EVIL, links=[Link(EVIL, f"?archive={EVIL}")]))
    assert "script" not in shown.names
    assert shown.text.count("<script>alert(1)</script>") >= 4
    assert "script" not in Outline(message_page(EVIL, EVIL, place=EVIL)).names


def test_names_have_a_column_only_where_they_are():
    assert "Name" not in page(everything()).text
    assert "Algebra" in page(a_health(items=(an_item("failed", name="Algebra"),))).text


def test_a_night_is_shown_in_detail():
    shown = page(everything(), night="2026-11-03", night_address="?night={}".format)
    assert "Night of 3 November 2026" in shown.text
    assert "?night=2026-11-01" in shown.links
    empty = page(everything(), night="2026-11-02")
    assert "Night of 2 November 2026 no manifest accounts for it." in empty.text
    assert "Night of 7 March 2027 no manifest of its own" in page(everything(), night="2027-03-07").text


def test_a_file_has_the_time_until_which_it_is_current():
    due = next_run_due(a_health())
    assert f"later than 5 Nov {due:%Y, %H:%M} UTC, this page is out of date" in page().text
    live = page(now=night_window(9).end)
    assert "out of date" not in live.text
    assert "No run of the archive has ended since" in live.text


def test_times_are_relative_to_the_present():
    items = (an_item("pending", until="2026-11-10T10:00:00Z"), an_item("pending", 2, until="2026-11-01T10:00:00Z"))
    text = page(a_health(items=items), now=night_window(8).end).text
    assert "8 hours left" in text
    assert "given up by the next run" in text


def test_years_are_short():
    nights = tuple(Night(f"20{year}-11-{day:02}", {"archived": 9}) for year in range(20, 27) for day in range(1, 31))
    shown = page(a_health(nights=nights))
    assert "Earlier nights are in the list" in shown.text
    assert sum(name.startswith("night-") for name in shown.ids) < 420
    assert sum(name.startswith("figures-") for name in shown.ids) == len(nights)
