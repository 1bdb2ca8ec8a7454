# SPDX-License-Identifier: Apache-2.0
"""``python -m lessonspace_provider``: see docs/reference/command-line.md."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from lessonspace_provider.command_line.commands import COMMANDS


def main(arguments: Sequence[str] | None = None) -> int:
    """
    Run a command.

    :param arguments: the command line; None: this process's.
    :return: exit status, see ``commands``.
    """
    parser = argparse.ArgumentParser(
        prog="python -m lessonspace_provider", description="Commands of the Lessonspace provider for Apache Airflow."
    )
    subparsers = parser.add_subparsers(metavar="COMMAND", required=True)
    for command in COMMANDS:
        subparser = subparsers.add_parser(command.name, help=command.help, description=command.help)
        command.add_options(subparser)
        subparser.set_defaults(run=command.run)
    options = parser.parse_args(arguments)
    return int(options.run(options))


if __name__ == "__main__":
    sys.exit(main())
