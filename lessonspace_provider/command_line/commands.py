# SPDX-License-Identifier: Apache-2.0
"""
The commands and their options. Cheap to import: every ``airflow`` command reads them.

Exit statuses: 0 when all is well, 1 when the command found something, 2 when it could not do its work.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from importlib import import_module
from typing import NamedTuple, cast


class Command(NamedTuple):
    """
    A command.

    :param options: ``module:name`` of what adds its options to a parser.
    :param function: ``module:name`` of what runs it; it gets the options and returns the exit status.
    """

    name: str
    help: str
    options: str
    function: str

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        """Add its options to a parser."""
        _imported(self.options)(parser)

    def run(self, options: argparse.Namespace) -> int:
        """Run it."""
        return cast("int", _imported(self.function)(options))


def _imported(place: str) -> Callable[..., object]:
    module, _, name = place.partition(":")
    return cast("Callable[..., object]", getattr(import_module(module), name))


COMMANDS = (
    Command(
        "archive-status",
        "show what an archive has, and what needs attention",
        "lessonspace_provider.command_line.options:add_destination",
        "lessonspace_provider.command_line.archive:archive_status",
    ),
    Command(
        "build-tables",
        "build the tables of an existing archive",
        "lessonspace_provider.command_line.options:add_build_tables",
        "lessonspace_provider.command_line.changes:build_tables",
    ),
    Command(
        "erase",
        "search an archive for what an erasure of a person would change",
        "lessonspace_provider.command_line.options:add_erase",
        "lessonspace_provider.command_line.changes:erase",
    ),
    Command(
        "gaps",
        "list the times that no manifest of an archive accounts for",
        "lessonspace_provider.command_line.options:add_gaps",
        "lessonspace_provider.command_line.archive:gaps",
    ),
    Command(
        "live-check",
        "test this provider's assumptions about the API with your account",
        "lessonspace_provider.command_line.options:add_live_check",
        "lessonspace_provider.live_check.__main__:run",
    ),
    Command(
        "sandbox",
        "serve a local Lessonspace to try and test DAGs against",
        "lessonspace_provider.sandbox.__main__:add_options",
        "lessonspace_provider.sandbox.__main__:serve",
    ),
)
