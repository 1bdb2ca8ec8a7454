# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from scripts.logs import file_tail, newest_task_log, readable_log_line


def test_the_tail_is_the_last_lines(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("one\ntwo\nthree\n")
    assert file_tail(log, 2) == ["two", "three"]


def test_a_log_that_was_never_written_has_no_tail(tmp_path: Path) -> None:
    assert file_tail(tmp_path / "none", 2) == []


def test_the_newest_task_log_is_found_among_runs_and_attempts(tmp_path: Path) -> None:
    logs = [tmp_path / f"dag_id=nightly/run_id=r/task_id=t/attempt={number}.log" for number in (1, 2)]
    logs.append(tmp_path / "dag_id=other/run_id=r/task_id=t/attempt=1.log")
    for age, log in enumerate(logs):
        log.parent.mkdir(parents=True, exist_ok=True)
        log.touch()
        os.utime(log, (age, age))
    assert newest_task_log(tmp_path, "nightly") == logs[1]
    assert newest_task_log(tmp_path, "never_ran") is None


def test_a_json_log_line_shows_its_message_and_its_error() -> None:
    record = {
        "timestamp": "2026-11-22T02:00:01Z",
        "level": "error",
        "event": "Task failed",
        "error_detail": [{"exc_type": "ValueError", "exc_value": "no such folder", "frames": []}],
    }
    assert readable_log_line(json.dumps(record)) == (
        "2026-11-22T02:00:01Z error Task failed ValueError: no such folder"
    )


@pytest.mark.parametrize("line", ["plain text", "42", ""])
def test_other_log_lines_are_left_as_they_are(line: str) -> None:
    assert readable_log_line(line) == line
