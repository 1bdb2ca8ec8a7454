# SPDX-License-Identifier: Apache-2.0
"""Reading the logs of a run, to show why it failed."""

from __future__ import annotations

import json
from pathlib import Path


def file_tail(path: Path, lines: int) -> list[str]:
    """The last lines of a log file; none if there is no such file."""
    if not path.is_file():
        return []
    return path.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:]


def newest_task_log(task_logs: Path, dag_id: str) -> Path | None:
    """The log of the DAG's latest task attempt, or None before the first."""
    logs = task_logs.glob(f"dag_id={dag_id}/**/attempt=*.log")
    return max(logs, key=lambda path: path.stat().st_mtime, default=None)


def readable_log_line(line: str) -> str:
    """A line of a task log, which Airflow writes as JSON: its time, level, message, and the error if it has one.

    A line that is not JSON is returned as it is.
    """
    try:
        record = json.loads(line)
    except ValueError:
        return line
    if not isinstance(record, dict):
        return line
    parts = [record.get("timestamp", ""), record.get("level", ""), record.get("event", "")]
    for error in record.get("error_detail") or ():
        parts.append(f"{error.get('exc_type')}: {error.get('exc_value')}")
    return " ".join(str(part) for part in parts)
