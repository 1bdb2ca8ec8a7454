# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import logging
import subprocess
import sys
from types import SimpleNamespace

import pytest

from lessonspace_provider.metrics import sending
from tests.airflow_version import needs_airflow
from tests.recorded_stats import record_stats


def test_values_are_sent_in_the_units_of_stats(monkeypatch):
    recorded = record_stats(monkeypatch)
    sending.count("lessonspace.a", 3)
    sending.count("lessonspace.none", 0)
    sending.record_time("lessonspace.b", 1.5)
    sending.set_gauge("lessonspace.c", 4.25)
    assert recorded.counters == {"lessonspace.a": 3}
    assert recorded.timers == {"lessonspace.b": [1500.0]}
    assert recorded.gauges == {"lessonspace.c": [4.25]}


def broken(*_, **__):
    raise ValueError("the words of a metrics library, with a secret")


@pytest.mark.parametrize(
    "stats",
    [lambda: SimpleNamespace(incr=broken, timing=broken, gauge=broken), lambda: object(), broken],
    ids=["raises", "has no such method", "can't be imported"],
)
def test_a_failing_stats_fails_no_caller_and_warns_once(monkeypatch, caplog, stats):
    sending._warn.cache_clear()
    monkeypatch.setattr(sending, "_stats", stats)
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            sending.count("lessonspace.a")
            sending.record_time("lessonspace.b", 1)
            sending.set_gauge("lessonspace.c", 1)
    (line,) = caplog.messages
    assert line.startswith("Metrics can't be sent (")
    assert "secret" not in line
    sending._warn.cache_clear()


def test_importing_operators_and_the_module_itself_imports_no_stats():
    modules = "operators.archive, operators.spaces, sensors.sessions, metrics.sending"
    imports = "; ".join(f"import lessonspace_provider.{module}" for module in modules.split(", "))
    program = (
        "import sys, airflow.sdk, airflow.providers.common.compat.sdk as sdk; sdk.BaseOperator, sdk.BaseHook\n"
        "before = {name for name in sys.modules if 'stats' in name}\n"
        f"{imports}\n"
        "print(sorted({name for name in sys.modules if 'stats' in name} - before))"
    )
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "[]"


@needs_airflow("3.2", "older ones have one Stats for all processes")
def test_the_triggerer_sends_by_the_stats_that_it_configures(monkeypatch):
    from airflow.observability.stats import Stats as CoreStats
    from airflow.sdk.observability.stats import Stats as TaskStats

    monkeypatch.delitem(sys.modules, sending._TRIGGERER, raising=False)
    assert sending._stats() is TaskStats
    monkeypatch.setitem(sys.modules, sending._TRIGGERER, SimpleNamespace())
    assert sending._stats() is CoreStats


def test_a_worker_sends_by_airflows_own_stats(monkeypatch):
    monkeypatch.delitem(sys.modules, sending._TRIGGERER, raising=False)
    assert sending._stats().__module__.startswith("airflow.")
    assert all(callable(getattr(sending._stats(), operation)) for operation in ("incr", "timing", "gauge"))
