# SPDX-License-Identifier: Apache-2.0
"""What every benchmark's result has: tables, the machine and versions, and which targets were missed."""

from __future__ import annotations

import argparse
import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path
from textwrap import fill


@dataclass(frozen=True)
class Target:
    """Something that the provider promises, and whether this run saw it kept."""

    text: str
    met: bool


@dataclass(frozen=True)
class Options:
    """
    What every benchmark takes.

    :param quick: whether it is only to be seen to work.
    :param output: where the result is to be written, beside the standard output.
    """

    quick: bool
    output: Path | None


def options_of(program: str, quick: str) -> Options:
    """
    Read the command line.

    :param program: the benchmark's module.
    :param quick: what a quick run is, for the help.
    """
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks.{program}")
    parser.add_argument("--quick", action="store_true", help=f"{quick}, to see that it works")
    parser.add_argument("--output", type=Path, help="write the result there, as Markdown")
    given = parser.parse_args()
    return Options(given.quick, given.output)


def publish(result: str, output: Path | None) -> None:
    """Print the result, and write it if asked to."""
    print(result)
    if output:
        output.write_text(result)


def wrapped(text: str) -> str:
    """Wrap the lines of paragraphs."""
    return "\n\n".join(fill(paragraph, 120, break_on_hyphens=False) for paragraph in text.split("\n\n"))


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Write a Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def targets_list(targets: Sequence[Target]) -> str:
    """Write a Markdown list of what was promised and whether it was kept."""
    return "\n".join(f"- {'met' if target.met else '**MISSED**'}: {target.text}" for target in targets)


def machine(distributions: Sequence[str]) -> str:
    """
    Describe where and with what this ran, without the machine's name.

    :param distributions: names of the installed distributions whose versions matter.
    """
    versions = ", ".join(f"{name} {version(name)}" for name in distributions)
    return (
        f"{datetime.now(timezone.utc):%Y-%m-%d}, {_cpu_model()}, {os.cpu_count()} cores, {_memory()}, "
        f"{platform.system()}, Python {platform.python_version()}, {versions}. "
        f"Load average before the run: {os.getloadavg()[0]:.1f}."
    )


def _cpu_model() -> str:
    return _field("/proc/cpuinfo", "model name") or platform.processor() or platform.machine()


def _memory() -> str:
    kilobytes = _field("/proc/meminfo", "MemTotal")
    return f"{int(kilobytes.split()[0]) / 2**20:.0f} GB memory" if kilobytes else "memory unknown"


def _field(file: str, name: str) -> str | None:
    try:
        lines = Path(file).read_text().splitlines()
    except OSError:
        return None
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(name)), None)
