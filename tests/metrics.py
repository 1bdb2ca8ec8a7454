# SPDX-License-Identifier: Apache-2.0
"""All metrics with kind and unit, as the reference and Airflow's Stats have to have them."""

from __future__ import annotations

from typing import NamedTuple

from lessonspace_provider.metrics import names


class Metric(NamedTuple):
    """A metric, or several that differ in the status at the end of their name."""

    name: str
    kind: str
    unit: str


METRICS = (
    Metric(f"{names.REQUESTS}<status>", "counter", "requests"),
    Metric(names.RATE_LIMIT_WAIT, "timer", "milliseconds"),
    Metric(f"{names.SESSIONS}<status>", "counter", "sessions"),
    Metric(names.OLDEST_PENDING, "gauge", "seconds"),
    Metric(names.WAITERS, "gauge", "triggers"),
    Metric(names.POLL_LAG, "gauge", "seconds"),
)
