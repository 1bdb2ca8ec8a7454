# SPDX-License-Identifier: Apache-2.0
"""The options of the live check, apart from what it imports."""

from __future__ import annotations

import argparse


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the live check's options to a parser."""
    parser.add_argument("--conn-id", default="lessonspace_default", help="the Airflow connection to use")
    parser.add_argument("--write", action="store_true", help="launch a space too")
