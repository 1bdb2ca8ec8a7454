# SPDX-License-Identifier: Apache-2.0
"""Sends what a run of the archive found as metrics."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta

from lessonspace_provider.metrics import names, sending
from lessonspace_provider.waiting.transcripts import TranscriptStatus


def send_run(counts: Iterable[Mapping[TranscriptStatus, int]], oldest_pending: timedelta) -> None:
    """
    Send the metrics of a run.

    :param counts: sessions per status: those of the window, and those of earlier windows whose status has changed.
    :param oldest_pending: zero where no transcript is pending.
    """
    for counted in counts:
        for status, number in counted.items():
            sending.count(names.sessions_with(status), number)
    sending.set_gauge(names.OLDEST_PENDING, oldest_pending.total_seconds())
