# SPDX-License-Identifier: Apache-2.0
"""The page and the dashboard name the metrics that exist, all of them, and no others."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from lessonspace_provider.metrics import names
from lessonspace_provider.waiting.transcripts import STATUSES
from tests.metrics import METRICS

REFERENCE = Path(__file__).parent.parent.parent.parent / "docs" / "reference"
PAGE = (REFERENCE / "metrics.md").read_text()
DASHBOARD = json.loads((REFERENCE / "grafana-dashboard.json").read_text())
PANELS = DASHBOARD["panels"]

REQUEST_STATUSES = {name for status in range(100, 600) if (name := names.requests_with(status))}
SENT = {
    *REQUEST_STATUSES,
    names.requests_with(None),
    *map(names.sessions_with, STATUSES),
    *(metric.name for metric in METRICS if not metric.name.endswith("<status>")),
}


def in_prometheus(name):
    """What statsd_exporter makes of a metric."""
    series = "airflow_" + name.replace(".", "_")
    return [f"{series}_sum", f"{series}_count"] if name == names.RATE_LIMIT_WAIT else [series]


SERIES = {series for name in SENT for series in in_prometheus(name)}


def series_in(text):
    return set(re.findall(r"airflow_lessonspace_\w+", text))


def expressions():
    return " ".join(target["expr"] for panel in PANELS for target in panel["targets"])


def test_the_table_has_each_metric_with_kind_and_unit():
    rows = re.findall(r"^\| `(lessonspace\.[^`]+)` \| (\w+) \| (\w+) \|", PAGE, re.MULTILINE)
    assert rows == [tuple(metric) for metric in METRICS]


def test_the_page_has_each_status():
    statuses = {name.rpartition(".")[2] for name in SENT if name.startswith((names.REQUESTS, names.SESSIONS))}
    assert statuses <= set(re.findall(r"`(\w+)`", PAGE))


def test_the_page_names_no_series_that_does_not_exist():
    assert series_in(PAGE) <= SERIES


def test_the_pages_panel_is_json_with_an_expression_of_the_dashboard():
    (block,) = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    panel = json.loads(block)
    (same,) = [other for other in PANELS if other["title"] == panel["title"]]
    assert [target["expr"] for target in panel["targets"]] == [target["expr"] for target in same["targets"]]
    assert panel["fieldConfig"]["defaults"] == same["fieldConfig"]["defaults"]


def test_the_dashboard_shows_every_metric_and_no_other():
    assert series_in(expressions()) == SERIES


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel["title"])
def test_a_panel_is_complete(panel):
    assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
    assert panel["fieldConfig"]["defaults"]["unit"]
    assert panel["description"]
    references = [target["refId"] for target in panel["targets"]]
    assert len(set(references)) == len(references)
    for target in panel["targets"]:
        assert target["expr"].count("(") == target["expr"].count(")")


def test_panels_have_ids_of_their_own_and_do_not_overlap():
    cells = [
        (place["x"] + across, place["y"] + down)
        for place in (panel["gridPos"] for panel in PANELS)
        for across in range(place["w"])
        for down in range(place["h"])
    ]
    assert len(set(cells)) == len(cells)
    assert max(across for across, _ in cells) < 24
    assert len({panel["id"] for panel in PANELS}) == len(PANELS)
    (variable,) = DASHBOARD["templating"]["list"]
    assert variable["name"] == "datasource"
