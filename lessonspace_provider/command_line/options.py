# SPDX-License-Identifier: Apache-2.0
"""The options of the commands that read an archive, and of the live check."""

from __future__ import annotations

import argparse
from datetime import datetime

from lessonspace_provider.api.times import read_time


def add_destination(parser: argparse.ArgumentParser) -> None:
    """Add what all commands take that read an archive."""
    parser.add_argument("destination", help="the archive's folder, such as s3://aws_default@bucket/transcripts")
    parser.add_argument(
        "-o", "--output", choices=("table", "json"), default="table", help="how to print; the default is table"
    )


def add_gaps(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``gaps``."""
    add_destination(parser)
    parser.add_argument(
        "--until",
        type=_iso_time,
        default=None,
        help="ISO 8601 with an offset: count what is missing until then; until the last manifest if left out",
    )
    parser.add_argument("--dag-id", default=None, help="the archive's DAG, for the commands that fill the gaps")


def add_build_tables(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``build-tables``."""
    add_destination(parser)
    for name, which in (("--window-start", "end after"), ("--window-end", "start before")):
        parser.add_argument(
            name, type=_iso_time, default=None, help=f"ISO 8601 with an offset: only windows that {which} it"
        )


def add_erase(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``erase``."""
    add_destination(parser)
    parser.add_argument(
        "--dry-run",
        action="store_true",
        required=True,
        help="search only; required, since LessonspaceEraseOperator erases, in a task with a log and retries",
    )
    parser.add_argument(
        "--user-id", action="append", default=[], help="a Lessonspace user id of the person; may be repeated"
    )
    parser.add_argument(
        "--names-file",
        default=None,
        help="a UTF-8 file with a name of the person per line, - for standard input: names in a command would be kept "
        "in the shell's history",
    )
    parser.add_argument("--mode", default="redact", help="redact or delete, as in the operator; the default is redact")
    parser.add_argument(
        "--force", action="store_true", help="search names of one letter and common words, too, as in the operator"
    )


def add_live_check(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``live-check``."""
    parser.add_argument("--conn-id", default="lessonspace_default", help="the Airflow connection to use")
    parser.add_argument("--write", action="store_true", help="launch a space too")


def _iso_time(text: str) -> datetime:
    moment = read_time(text)
    if moment is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no ISO 8601 time")
    return moment
