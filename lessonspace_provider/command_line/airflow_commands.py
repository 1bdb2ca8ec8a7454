# SPDX-License-Identifier: Apache-2.0
"""The commands as ``airflow lessonspace ...``: Airflow 3.2 and newer read them from provider info."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable

from airflow.cli.cli_config import ActionCommand, Arg, CLICommand, GroupCommand

from lessonspace_provider.command_line.commands import COMMANDS, Command


class _Options(Arg):
    """All options of a command: Airflow calls ``add_to_parser`` only."""

    def __init__(self, command: Command) -> None:
        super().__init__(flags=(command.name,))  # type: ignore[no-untyped-call]
        self._add = command.add_options

    def add_to_parser(self, parser: argparse.ArgumentParser) -> None:
        """Add the options."""
        self._add(parser)


def get_commands() -> list[CLICommand]:
    """Give Airflow the group of this provider's commands."""
    actions = [
        ActionCommand(command.name, command.help, _runner(command), (_Options(command),)) for command in COMMANDS
    ]
    return [GroupCommand("lessonspace", "Archive and check sessions of Lessonspace", actions)]


def _runner(command: Command) -> Callable[[argparse.Namespace], None]:
    def run(options: argparse.Namespace) -> None:
        # As Airflow's own commands for connections do: it allows the connections of the database.
        os.environ["_AIRFLOW_PROCESS_CONTEXT"] = "server"
        sys.exit(command.run(options))

    return run
