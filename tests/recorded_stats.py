# SPDX-License-Identifier: Apache-2.0
"""Stands in for Airflow's Stats, and keeps what it is sent."""

from __future__ import annotations

from collections import defaultdict


class RecordedStats:
    def __init__(self):
        self.counters = defaultdict(int)
        self.timers = defaultdict(list)
        self.gauges = defaultdict(list)

    def incr(self, name, count):
        self.counters[name] += count

    def timing(self, name, milliseconds):
        self.timers[name].append(milliseconds)

    def gauge(self, name, value):
        self.gauges[name].append(value)


def record_stats(monkeypatch) -> RecordedStats:
    """Have metrics recorded instead of sent."""
    recorded = RecordedStats()
    monkeypatch.setattr("lessonspace_provider.metrics.sending._stats", lambda: recorded)
    return recorded
