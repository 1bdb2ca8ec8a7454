# SPDX-License-Identifier: Apache-2.0
"""The threads of a run: a run that is interrupted does not wait for them."""

from __future__ import annotations

from threading import Event

import pytest
from airflow.providers.common.compat.sdk import AirflowTaskTimeout

from tests.unit.archive.kit import END, START, a_session


def test_a_run_that_is_timed_out_does_not_wait_for_calls_in_progress(archiver, source, log, monkeypatch):
    monkeypatch.setattr("lessonspace_provider.archive.fetching.PROGRESS_INTERVAL", 0.01)
    asked, released, finished = Event(), Event(), Event()

    def never_ends(session_id):
        source.asked.append(session_id)
        asked.set()
        released.wait(60)
        finished.set()
        return []

    def time_out(_message, *_arguments):
        if asked.is_set():
            raise AirflowTaskTimeout

    source.open_transcript = never_ends
    log.info = time_out
    with pytest.raises(AirflowTaskTimeout):
        archiver().archive_window([a_session(number) for number in range(100)], START, END)
    assert not finished.is_set()
    released.set()
    assert finished.wait(10)
    assert len(source.asked) <= 8, "those that had not begun are cancelled"
