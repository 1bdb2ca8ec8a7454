# SPDX-License-Identifier: Apache-2.0
"""``python -m lessonspace_provider.sandbox``: serve until SIGTERM or SIGINT."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import tempfile
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from lessonspace_provider.sandbox.clock import parse_time
from lessonspace_provider.sandbox.server import Sandbox
from lessonspace_provider.sandbox.settings import SandboxSettings

DEFAULT_PORT = 8750
SWITCHES = {
    "retry_after": "send Retry-After with a 429",
    "include_single_user_default": "list one-user sessions by default (unknown of the real API)",
    "boundary_inclusive": "let *_after and *_before filters include the bound (unknown of the real API)",
    "transcript_list_form": "answer the transcript operation with a list of segments instead of a link",
    "nested_users": "list users with their id below user, as one client of the real API reads them",
    "summaries_in_lists": "have summaries in session lists, as one client of the real API reads them",
    "transcription_addon": "let launches turn transcripts and summaries on",
}
STOP_SIGNALS = {signal.SIGTERM, signal.SIGINT}


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve a sandbox.

    :param arguments: the command line; None = this process's.
    :return: exit status: 0 when it was stopped by a signal, 2 when it could not start.
    """
    parser = argparse.ArgumentParser(
        prog="python -m lessonspace_provider.sandbox",
        description="A local Lessonspace to try and test DAGs against.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add_options(parser)
    return serve(parser.parse_args(arguments))


def serve(options: argparse.Namespace) -> int:
    """Serve a sandbox.

    :param options: see ``add_options``.
    :return: exit status, as of ``main``.
    """
    ready_file: Path | None = options.ready_file
    try:
        settings = _settings(options)
    except ValueError as error:
        sys.stderr.write(f"Lessonspace sandbox: {error}\n")
        return 2
    if ready_file is not None:
        ready_file.unlink(missing_ok=True)
    # Blocked before the server's thread starts, so that only sigwait below sees them.
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    try:
        with Sandbox(settings, log=sys.stdout) as sandbox:
            sys.stdout.write(
                f"Lessonspace sandbox: host {sandbox.base_url}  password (API key) {sandbox.api_key}  "
                f"organisation_id {sandbox.organisation_id}\n"
            )
            sys.stdout.flush()
            if ready_file is not None:
                _write_ready_file(ready_file, sandbox)
            signal.sigwait(STOP_SIGNALS)
    except OSError as error:
        sys.stderr.write(f"Lessonspace sandbox: {error}\n")
        return 2
    finally:
        if ready_file is not None:
            ready_file.unlink(missing_ok=True)
    return 0


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the sandbox's options to a parser."""
    default = SandboxSettings()
    add = parser.add_argument
    add("--host", default=default.host, help="address to listen on")
    add("--port", type=int, default=DEFAULT_PORT, help="port of the API; 0 takes a free one")
    add("--store-port", type=int, default=0, help="port of the store behind the signed links; 0 takes a free one")
    add("--rate", type=int, default=default.rate, help="API calls accepted per second and key; 0 = unlimited")
    add("--page-size", type=int, default=default.page_size, help="results per page of every list")
    add("--seed", type=int, default=default.seed, help="what the world is made from")
    add("--speed", type=float, default=default.speed, help="how many times faster than real time its clock runs")
    add("--now", type=_time, default=None, help="ISO 8601 start of its clock; the real time if left out")
    add("--latency", type=float, default=default.latency, help="seconds added to each API answer")
    add("--days", type=int, default=default.days, help="days of history")
    add("--sessions-per-day", type=int, default=default.sessions_per_day, help="sessions of each past day")
    add("--link-lifetime", type=float, default=default.link_lifetime, help="seconds a signed link works")
    add("--api-key", default=None, help="lower-case UUID; one that depends on the seed alone if left out")
    for name, description in SWITCHES.items():
        add(
            f"--{name.replace('_', '-')}",
            action=argparse.BooleanOptionalAction,
            default=getattr(default, name),
            help=description,
        )
    add("--expired-link-status", type=int, default=default.expired_link_status, help="the store's: 403 or 400")
    add("--allow-remote", action="store_true", help="allow a host that is not loopback: its control needs no key")
    add("--log-file", type=Path, default=None, help="write the log there instead of to the standard output")
    add("--ready-file", type=Path, default=None, help="write a JSON file there when it is serving")


def _settings(options: argparse.Namespace) -> SandboxSettings:
    values = vars(options)
    return SandboxSettings(**{name: values[name] for name in SandboxSettings.__dataclass_fields__})


def _time(text: str) -> datetime:
    try:
        return parse_time(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not an ISO 8601 time") from None


def _write_ready_file(path: Path, sandbox: Sandbox) -> None:
    """Write the file whole or not at all; only its owner can read it."""
    content = {
        "base_url": sandbox.base_url,
        "store_url": sandbox.store_url,
        "api_key": sandbox.api_key,
        "organisation_id": sandbox.organisation_id,
        "pid": os.getpid(),
    }
    descriptor, part = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    with os.fdopen(descriptor, "w") as file:
        json.dump(content, file)
    Path(part).replace(path)


if __name__ == "__main__":
    sys.exit(main())
