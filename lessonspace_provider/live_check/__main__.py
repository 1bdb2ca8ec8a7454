# SPDX-License-Identifier: Apache-2.0
"""
Test the assumptions of this provider about the live API.

Usage: python -m lessonspace_provider.live_check [--conn-id lessonspace_default] [--write]

The connection is read from the environment (``AIRFLOW_CONN_LESSONSPACE_DEFAULT``). Makes at most one request a second.
Reads only, unless ``--write`` is given: then it launches one space, called ``live-check-`` and the time, which stays,
and with it perhaps a user called Live check. Prints a line per assumption, with counts and statuses, and nothing of
people, spaces, sessions, links or keys.
Exit status: 0 if no assumption is wrong, 1 if one is, 2 if nothing could be checked or the check was interrupted.
"""

from __future__ import annotations

import argparse
import logging
import os
import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from airflow.providers.common.compat.sdk import AirflowNotFoundException

from lessonspace_provider.command_line.options import add_live_check
from lessonspace_provider.exceptions import LessonspaceError

# Each of them registers its assumptions.
from lessonspace_provider.live_check import launches, lists, sessions, transcripts, untestable  # noqa: F401
from lessonspace_provider.live_check.account import Account, QuietHook
from lessonspace_provider.live_check.assumptions import ASSUMPTIONS, Assumption, Finding, Verdict, unknown

#: A connection as an environment variable.
EXAMPLE = '{"conn_type": "lessonspace", "password": "<API key>"}'


def check(account: Account, *, write: bool) -> Iterator[tuple[Assumption, Finding]]:
    """
    Check all assumptions, each when the result before it has been read.

    :param write: launch a space too.
    """
    for assumption in ASSUMPTIONS.values():
        is_skipped = assumption.writes and not write
        yield assumption, unknown("needs --write") if is_skipped else _finding_of(assumption, account)


def _finding_of(assumption: Assumption, account: Account) -> Finding:
    """Check; an answer that a check can't read is not as assumed."""
    try:
        return assumption.check(account)
    except LessonspaceError as error:
        return unknown(f"no response: {type(error).__name__}, status {error.status}")
    except Exception as error:
        return Finding("does not hold", f"{type(error).__name__} while checking")


@contextmanager
def _without_warnings() -> Iterator[None]:
    """Keep lines about retries, which name sessions, out of the output; ``QuietHook`` writes them here."""
    logger = logging.getLogger("lessonspace_provider")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


def no_connection(conn_id: str, environment: Mapping[str, str]) -> str:
    """
    Describe how to give the connection that was not found.

    :param conn_id: its id.
    :param environment: of this process.
    """
    variable = f"AIRFLOW_CONN_{conn_id.upper()}"
    if environment.get(variable):
        return (
            f"{variable} is set, but Airflow can't read it: it must be JSON, with single quotes around the "
            f"whole, such as {variable}='{EXAMPLE}'."
        )
    return (
        f"there is no connection {conn_id!r}. Outside of tasks, Airflow does not return the connections of its "
        f"database: set one in the environment, with your API key, and run this again.\n\n"
        f"  export {variable}='{EXAMPLE}'\n"
        f"  python -m lessonspace_provider.live_check --conn-id {shlex.quote(conn_id)}"
    )


def main(arguments: list[str] | None = None) -> int:
    """Check, and print a line for each assumption."""
    parser = argparse.ArgumentParser(
        prog="python -m lessonspace_provider.live_check",
        description="Tests the assumptions about the API with your account. Only reads, unless --write is given.",
        epilog=f"The connection is read from the environment: AIRFLOW_CONN_LESSONSPACE_DEFAULT='{EXAMPLE}'",
    )
    add_live_check(parser)
    return run(parser.parse_args(arguments))


def run(options: argparse.Namespace) -> int:
    """
    Check, and print a line for each assumption.

    :param options: see ``add_live_check``.
    :return: exit status, see above.
    """
    verdicts: list[Verdict] = []
    try:
        with _without_warnings():
            for assumption, finding in check(Account(QuietHook(options.conn_id)), write=options.write):
                verdicts.append(finding.verdict)
                note = f" ({finding.note})" if finding.note else ""
                print(f"{finding.verdict:17}  {assumption.name}: {assumption.claim}{note}", flush=True)
    except LessonspaceError as error:
        print(f"Nothing was checked: {error}")
        return 2
    except AirflowNotFoundException:
        print(f"Nothing was checked: {no_connection(options.conn_id, os.environ)}")
        return 2
    except KeyboardInterrupt:
        print(f"Stopped: {len(verdicts)} of {len(ASSUMPTIONS)} assumptions were checked.")
        return 2
    return int("does not hold" in verdicts)


if __name__ == "__main__":
    raise SystemExit(main())
