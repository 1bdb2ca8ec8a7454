# SPDX-License-Identifier: Apache-2.0
"""The options of the commands that read an archive."""

from __future__ import annotations

import argparse
from datetime import datetime

from lessonspace_provider.api.times import read_time


def add_destination(parser: argparse.ArgumentParser) -> None:
    """Add what all of these commands take."""
    parser.add_argument("destination", help="the archive's folder, such as s3://aws_default@bucket/transcripts")
    parser.add_argument(
        "-o", "--output", choices=("table", "json"), default="table", help="how to print; the default is table"
    )


def add_gaps(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``gaps``."""
    add_destination(parser)
    parser.add_argument(
        "--until",
        type=_moment,
        default=None,
        help="ISO 8601 with an offset: count what is missing until then; until the last manifest if left out",
    )
    parser.add_argument("--dag-id", default=None, help="the archive's DAG, for the commands that fill the gaps")


def _moment(text: str) -> datetime:
    moment = read_time(text)
    if moment is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no ISO 8601 time")
    return moment
