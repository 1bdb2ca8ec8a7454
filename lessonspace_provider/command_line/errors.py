# SPDX-License-Identifier: Apache-2.0
"""How commands report that they could not do their work."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import wraps

from lessonspace_provider.command_line.printing import print_error, results_apart
from lessonspace_provider.exceptions import LessonspaceError

Run = Callable[[argparse.Namespace], int]


def reporting_errors(run: Run) -> Run:
    """Print the error of a command that could not do its work, and give its exit status."""

    @wraps(run)
    def wrapped(options: argparse.Namespace) -> int:
        try:
            with results_apart():
                return run(options)
        except LessonspaceError as error:
            print_error(str(error))
        except BrokenPipeError:  # a reader such as head has stopped
            pass
        except Exception as error:  # of a store's library: its text may hold a signed address
            print_error(f"{type(error).__name__} while using {options.destination}: check its connection.")
        return 2

    return wrapped
