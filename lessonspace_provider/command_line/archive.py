# SPDX-License-Identifier: Apache-2.0
"""The commands that read an archive."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Callable
from functools import wraps

from lessonspace_provider.api.times import write_time
from lessonspace_provider.archive.manifest_store import ManifestStore
from lessonspace_provider.archive.windows import Window, backfill_command, window_of
from lessonspace_provider.archive.windows import gaps as gaps_of
from lessonspace_provider.command_line.printing import Table, print_error, print_json, print_line, print_tables
from lessonspace_provider.exceptions import LessonspaceError
from lessonspace_provider.output.destinations import as_place

Run = Callable[[argparse.Namespace], int]


def reporting_errors(run: Run) -> Run:
    """Print the error of a command that could not do its work, and give its exit status."""

    @wraps(run)
    def wrapped(options: argparse.Namespace) -> int:
        try:
            return run(options)
        except LessonspaceError as error:
            print_error(str(error))
        except BrokenPipeError:
            raise
        except Exception as error:  # of a store's library: its text may hold a signed address
            print_error(f"{type(error).__name__} while reading {options.destination}: check its connection.")
        return 2

    return wrapped


@reporting_errors
def gaps(options: argparse.Namespace) -> int:
    """List the times that no manifest accounts for; 1 when there are some."""
    windows = _windows(options.destination)
    until = options.until or max(window.end for window in windows)
    found = gaps_of(windows, until)
    latest = max(windows, key=lambda window: window.end)
    rows = [(write_time(gap.start), write_time(gap.end), _command(gap, latest, options.dag_id)) for gap in found]
    if options.output == "json":
        fields = ("start", "end", "command")
        print_json({"until": write_time(until), "gaps": [dict(zip(fields, row)) for row in rows]})
    elif found:
        print_tables([Table("Times without a manifest", ("start", "end"), [row[:2] for row in rows])])
        for command in filter(None, (row[2] for row in rows)):
            print_line(command)  # outside of the table, which may break it
    else:
        print_line(f"No gaps from {write_time(min(windows).start)} until {write_time(until)}.")
    return int(bool(found))


def _windows(destination: str) -> list[Window]:
    folder = as_place(destination, "an archive's folder, such as 's3://aws_default@bucket/folder'")
    names = ManifestStore(folder, dry_run=True).listed()
    windows = [window for name in names if (window := window_of(name))]
    if not windows:
        raise LessonspaceError(f"There are no manifests below {folder}: give the destination of an archive.")
    return windows


def _command(gap: Window, latest: Window, dag_id: str | None) -> str | None:
    return None if dag_id is None else backfill_command(shlex.quote(dag_id), gap, latest.end - latest.start)
