# SPDX-License-Identifier: Apache-2.0
"""The commands that build an archive's tables, and that search what an erasure would change."""

from __future__ import annotations

import argparse
import sys
from contextlib import nullcontext
from pathlib import Path

from lessonspace_provider.archive.paths import as_archive
from lessonspace_provider.archive.tables import builds as table_builds
from lessonspace_provider.command_line.errors import reporting_errors
from lessonspace_provider.command_line.printing import (
    StandardError,
    Table,
    print_error,
    print_json,
    print_line,
    print_tables,
)
from lessonspace_provider.exceptions import LessonspaceInputError
from lessonspace_provider.operators.archive_erasure import as_order, fail_if_incomplete, result_of
from lessonspace_provider.operators.archive_tables import as_days, as_span

#: Bytes that are read of a file of names.
LONGEST_NAMES = 100_000


@reporting_errors
def build_tables(options: argparse.Namespace) -> int:
    """Build the tables; 1 when some could not be built."""
    destination, span = as_archive(options.destination), as_span(options.window_start, options.window_end)
    build = table_builds.build_tables(destination, *span, log=StandardError())
    days = as_days(build.days)
    if options.output == "json":
        print_json(
            {"days": days, "manifests": build.manifests, "sessions": build.sessions, "complaints": build.complaints}
        )
    else:
        print_line(f"{build.sessions} sessions of {build.manifests} manifests, {len(days)} days have changed")
        print_tables([Table("Days that have changed", ("day",), [(day,) for day in days])])
    for complaint in build.complaints:
        print_error(complaint)
    return int(bool(build.complaints))


@reporting_errors
def erase(options: argparse.Namespace) -> int:
    """Search what an erasure would change, and change nothing; 1 when it would change something."""
    from lessonspace_provider.archive.erasure.run import Eraser

    destination = as_archive(options.destination)
    names = [] if options.names_file is None else _names_in_file(options.names_file)
    order = as_order(options.user_id, names, mode=options.mode, force=options.force)
    receipt = Eraser(destination, order, log=StandardError(), dry_run=True).run()
    result = result_of(receipt, destination, dry_run=True)
    fail_if_incomplete(receipt, None)
    if options.output == "json":
        print_json({**result, "left": receipt.left})
    else:
        print_tables([Table("What an erasure would change", ("what", "number"), list(result["counts"].items()))])
        print_tables(
            [Table("Left as it is", ("path", "reason"), [(left["path"], left["reason"]) for left in receipt.left])]
        )
        for line in (*receipt.notes, *(f"Found nowhere: {given}" for given in result["not_found"])):
            print_line(line)
    return int(result["status"] != "nothing_found")


def _names_in_file(path: str) -> list[str]:
    """Read the names of a file, - for standard input."""
    try:
        with nullcontext(sys.stdin.buffer) if path == "-" else Path(path).open("rb") as file:
            data = file.read(LONGEST_NAMES + 1)
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise LessonspaceInputError("The file of names is no UTF-8 text: save it as such.") from None
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise LessonspaceInputError(f"The file of names can't be read ({reason}): give another.") from None
    if len(data) > LONGEST_NAMES:
        raise LessonspaceInputError(f"The file of names has more than {LONGEST_NAMES} bytes: give one name per line.")
    return [line.strip() for line in text.splitlines() if line.strip()]
