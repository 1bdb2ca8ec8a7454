# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import re

import pytest

from lessonspace_provider.metrics import names
from tests.metrics import METRICS


@pytest.mark.parametrize(
    ("status", "end"),
    [
        (200, "200"),
        (201, "201"),
        (204, "2xx"),
        (302, "3xx"),
        (404, "404"),
        (409, "4xx"),
        (429, "429"),
        (503, "5xx"),
        (599, "5xx"),
        (None, "no_reply"),
        (0, "no_reply"),
        (999, "no_reply"),
        (-1, "no_reply"),
    ],
)
def test_requests_are_counted_by_status(status, end):
    assert names.requests_with(status) == f"lessonspace.api.requests.{end}"


def test_a_server_can_not_make_up_names_without_end():
    counted = {names.requests_with(status) for status in range(-1000, 70_000)}
    assert len(counted) == len(names.STATUSES_BY_NAME) + len(names.STATUS_CLASSES) + 1


def test_every_name_is_one_that_airflow_sends_as_it_is():
    for metric in METRICS:
        assert re.fullmatch(r"lessonspace(\.[a-z_]+)+(\.<status>)?", metric.name)
