# SPDX-License-Identifier: Apache-2.0
"""
Sends metrics through Airflow's own Stats, to the place in ``[metrics]`` of Airflow's configuration.

Stats is imported with the first metric, never with this module. Whatever it raises is no failure of the caller's.
"""

from __future__ import annotations

import logging
import sys
from functools import lru_cache
from typing import Any

_log = logging.getLogger(__name__)

#: Only the triggerer's processes have this module.
_TRIGGERER = "airflow.jobs.triggerer_job_runner"


def count(name: str, number: int = 1) -> None:
    """Add to a counter."""
    if number:
        _send("incr", name, number)


def record_time(name: str, seconds: float) -> None:
    """Add a duration to a timer."""
    _send("timing", name, seconds * 1000)  # Stats takes milliseconds


def set_gauge(name: str, value: float) -> None:
    """Set a gauge."""
    _send("gauge", name, value)


def _send(operation: str, name: str, value: float) -> None:
    try:
        getattr(_stats(), operation)(name, value)
    except Exception as error:
        _warn(type(error).__name__)


def _stats() -> Any:
    if _TRIGGERER in sys.modules:
        # From 3.2 on, Airflow has two Stats, and each process configures one: the triggerer that of the core.
        try:
            from airflow.observability.stats import Stats as CoreStats
        except ImportError:
            pass
        else:
            return CoreStats
    from airflow.providers.common.compat.sdk import Stats

    return Stats


@lru_cache(maxsize=16)
def _warn(reason: str) -> None:
    """Warn once per process and reason: a metric is sent with every request."""
    _log.warning("Metrics can't be sent (%s). Check [metrics] in Airflow's configuration. Tasks continue.", reason)
