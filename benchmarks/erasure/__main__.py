# SPDX-License-Identifier: Apache-2.0
"""
Erase one of 40 people from an archive of 20,000 files, and measure time and memory.

``python -m benchmarks.erasure`` runs all steps. With ``step <folder> <mode> <dry run: 0 or 1>`` it is the program that
runs one erasure in a process of its own, in which no connection can be opened.
"""

from __future__ import annotations

import json
import logging
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn
from unittest.mock import patch

from benchmarks.erasure.school import NAME, PERSON, Source, archive_nights, files_in, traces_in
from benchmarks.shared.report import Target, machine, options_of, publish, table, targets_list, wrapped
from scripts.processes import CHECKOUT

#: Nights, and lessons of each night: with seven files each, and manifests and tables, about 20,000 files.
FULL, QUICK = (90, 31), (8, 12)

#: What to write to a process's clear_refs to have its peak forgotten (proc(5)).
FORGET_PEAK = "5"

#: MB above the idle process that an erasure may take.
MOST_MEMORY = 200

_INTRODUCTION = (
    "{files} files of {nights} nights: six formats, summaries, manifests and tables, on a local disk. Each step is one "
    "task in a process of its own, in which every connection is refused. Memory is above the process that had imported "
    "all that is needed. The bytes of all files are searched for the id and the names, rows of Parquet files decoded."
)


@dataclass(frozen=True)
class Step:
    """
    What one erasure took.

    :param figures: see ``ErasureResult``.
    :param above_idle: bytes.
    """

    name: str
    status: str
    figures: dict[str, int]
    seconds: float
    above_idle: int
    traces: int


def run_step(folder: Path, mode: str, *, dry_run: bool) -> Any:
    """Erase in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.erasure", "step", str(folder), mode, str(int(dry_run))]
    output = subprocess.run(command, check=True, capture_output=True, text=True, cwd=CHECKOUT).stdout
    return json.loads(output.splitlines()[-1])


def step(folder: str, mode: str, dry_run: str) -> None:
    """Erase, and print the result, the seconds and the memory."""
    from lessonspace_provider.archive.tables.parquet import check_pyarrow
    from lessonspace_provider.operators.archive import LessonspaceEraseOperator

    logging.disable(logging.CRITICAL)
    check_pyarrow()

    def refused(*_: object) -> NoReturn:
        raise RuntimeError("an erasure makes no connection")

    operator = LessonspaceEraseOperator(
        task_id="erase",
        destination=f"file://{folder}",
        user_ids=[PERSON],
        names=[NAME],
        mode=mode,
        dry_run=dry_run == "1",
        for_future=True,
        reference="benchmark",
    )
    Path("/proc/self/clear_refs").write_text(FORGET_PEAK)
    idle, began = _memory("VmRSS"), time.monotonic()
    with patch.object(socket.socket, "connect", refused):
        result = operator.execute({})
    print(json.dumps({**result, "seconds": time.monotonic() - began, "above_idle": _memory("VmHWM") - idle}))


def _memory(field: str) -> int:
    """Read a figure of this process's memory, in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{field}:"))


def measured(name: str, folder: Path, mode: str, *, dry_run: bool = False) -> Step:
    """Run a step and search what it leaves."""
    done = run_step(folder, mode, dry_run=dry_run)
    return Step(name, done["status"], done["counts"], done["seconds"], done["above_idle"], traces_in(folder))


def main() -> int:
    """Run all steps; fail when a target was missed."""
    options = options_of("erasure", "an archive of 700 files")
    nights, lessons = QUICK if options.quick else FULL
    where = machine(["airflow-provider-lessonspace", "apache-airflow", "pyarrow"])
    logging.getLogger("benchmark").setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory(prefix="lessonspace-erasure-") as temporary:
        folder, source = Path(temporary), Source()
        archive_nights(folder, source, nights, lessons)
        before = files_in(folder)
        steps = [measured("dry run", folder, "redact", dry_run=True)]
        is_untouched = files_in(folder) == before
        steps += [measured("redact", folder, "redact"), measured("redact again", folder, "redact")]
        others = [path for path, data in before.items() if (folder / path).read_bytes() == data]
        asked = source.asked
        archive_nights(folder, source, nights, lessons)
        traces, fetched = traces_in(folder), source.asked - asked
    with tempfile.TemporaryDirectory(prefix="lessonspace-erasure-") as temporary:
        folder = Path(temporary)
        archive_nights(folder, source, nights, lessons)
        steps.append(measured("delete", folder, "delete"))
        asked = source.asked
        archive_nights(folder, source, nights, lessons)
        traces, fetched = traces + traces_in(folder), fetched + source.asked - asked
    targets = [
        Target("a dry run changes nothing", is_untouched),
        Target("the id and the names are in no byte", not any(done.traces for done in steps[1:])),
        Target("a second run finds nothing", steps[2].status == "nothing_found"),
        Target("a rerun of all windows brings nothing back", traces == 0),
        Target("a rerun of all windows asks for no transcript", fetched == 0),
        Target(f"at most {MOST_MEMORY} MB above idle", max(done.above_idle for done in steps) <= MOST_MEMORY * 2**20),
    ]
    header = ["step", "status", "s", "MB above idle", "files changed", "sessions", "names", "files with traces after"]
    rows = [
        [
            done.name,
            done.status,
            f"{done.seconds:.1f}",
            str(done.above_idle >> 20),
            str(sum(done.figures[name] for name in ("files_rewritten", "files_deleted", "tables_rebuilt"))),
            str(done.figures["sessions_erased"] + done.figures["sessions_redacted"]),
            str(done.figures["names"]),
            str(done.traces),
        ]
        for done in steps
    ]
    parts = [
        "# Erasure",
        where,
        wrapped(_INTRODUCTION.format(files=f"{len(before):,}", nights=nights)),
        table(header, rows),
        f"{len(others):,} files did not change by a byte.",
        "## Targets",
        targets_list(targets),
    ]
    publish("\n\n".join(parts) + "\n", options.output)
    return 0 if all(target.met for target in targets) else 1


if __name__ == "__main__":
    if sys.argv[1:2] == ["step"]:
        step(*sys.argv[2:])
    else:
        sys.exit(main())
