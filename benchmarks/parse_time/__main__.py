# SPDX-License-Identifier: Apache-2.0
"""
How much CPU time the example DAGs take to parse beyond Airflow's own modules, and which modules they add.

Like Airflow's DAG processor, a process that has imported Airflow forks, and parses the file. What the file itself takes
from `airflow.*` is imported before the clock starts.

Usage: python -m benchmarks.parse_time [--repeat N] [--json]
"""

from __future__ import annotations

import argparse
import ast
import gc
import importlib
import importlib.util
import json
import multiprocessing
import statistics
import sys
import time
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path

EXAMPLES = Path(__file__).parent.parent.parent / "dags_examples"


def main() -> int:
    """Print a row per example: least and median CPU time in milliseconds, and what was imported."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.parse_time")
    parser.add_argument("--repeat", type=int, default=5, help="how often each file is parsed")
    parser.add_argument("--json", action="store_true", help="the modules of each example, as JSON, and no times")
    options = parser.parse_args()

    importlib.import_module("airflow.dag_processing.processor")
    sys.path.insert(0, str(EXAMPLES))
    paths = [path for path in sorted(EXAMPLES.glob("*.py")) if "with DAG(" in path.read_text()]
    parsed = {path.stem: [parse_in_a_fork(path) for _ in range(options.repeat)] for path in paths}
    if options.json:
        print(json.dumps({name: runs[0][1] for name, runs in parsed.items()}))
        return 0
    print(f"{'example':30} {'least ms':>8} {'median':>8} {'modules':>8}  of which not Airflow's or this package's")
    for name, runs in parsed.items():
        times, modules = [milliseconds for milliseconds, _ in runs], runs[0][1]
        others = {module.partition(".")[0] for module in modules} - {"airflow", "lessonspace_provider", name}
        figures = f"{min(times):8.1f} {statistics.median(times):8.1f} {len(modules):8}"
        print(f"{name:30} {figures}  {', '.join(sorted(others))}")
    return 0


def parse_in_a_fork(path: Path) -> tuple[float, list[str]]:
    """Give the milliseconds of CPU time that a file takes, and the names of the modules that it adds."""
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_parse, args=(path, theirs))
    process.start()
    theirs.close()
    result: tuple[float, list[str]] = ours.recv()
    process.join()
    return result


def _parse(path: Path, answer: Connection) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and str(node.module).partition(".")[0] == "airflow":
            with suppress(ModuleNotFoundError):  # a provider that only a task imports
                module = importlib.import_module(str(node.module))
                for imported in node.names:
                    getattr(module, imported.name)
    gc.freeze()  # or some file, always the same, would have to search all that Airflow has made
    before = set(sys.modules)
    began = time.process_time()
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} can't be loaded as a module")
    spec.loader.exec_module(importlib.util.module_from_spec(spec))
    milliseconds = (time.process_time() - began) * 1000
    answer.send((milliseconds, sorted(set(sys.modules) - before)))


if __name__ == "__main__":
    raise SystemExit(main())
