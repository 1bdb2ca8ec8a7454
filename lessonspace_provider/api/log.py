# SPDX-License-Identifier: Apache-2.0
"""What is used here of a logger: Airflow's differ by version and process, and commands print to standard error."""

from __future__ import annotations

from typing import Protocol


class Log(Protocol):
    """Takes lines for people who run a task, a trigger or a command."""

    def info(self, message: str, /, *values: object) -> object:
        """Log a line."""

    def warning(self, message: str, /, *values: object) -> object:
        """Log a line that a person should read."""


class TaskLog(Log, Protocol):
    """Takes more kinds of lines, as a task's log does."""

    def debug(self, message: str, /, *values: object) -> object:
        """Log a line for debugging."""

    def error(self, message: str, /, *values: object) -> object:
        """Log what failed."""
