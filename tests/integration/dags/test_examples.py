# SPDX-License-Identifier: Apache-2.0
"""What holds for every example DAG."""

from __future__ import annotations

import ast
import importlib
import json
import os
import re
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from airflow.cli.cli_parser import get_parser
from airflow.sdk import DAG

from scripts.examples import example_dags
from tests.airflow_version import needs_airflow, older_than
from tests.integration.conftest import EXAMPLES, load_dag
from tests.public_names import EXPORTING_PACKAGES

NAMES = example_dags()
TOO_NEW = {"leavers", "data_subject_request"} if older_than("3.1") else set()
BUNDLE = "airflow.dag_processing.bundles.local.LocalDagBundle"
ROOT = Path(__file__).parent.parent.parent.parent

#: What talks to servers, and what comes with it: tasks need it, and parsing does not.
NOT_TO_PARSE = {"requests", "urllib3", "fsspec", "httpx", "redis", "lessonspace_provider.hooks.lessonspace"}

#: What an example may import: these modules, all modules of these packages, and what these packages export.
PUBLIC_MODULES = {"exceptions", "retry_policy", "links", "attendance", "spreadsheets", "hooks.lessonspace"}
PACKAGES_OF_PUBLIC_MODULES = {"operators", "sensors", "triggers"}

#: The archive's folders are days of UTC.
IN_UTC = ("nightly_transcript_archive", "organisations_archived")


def test_there_are_examples():
    assert {"nightly_transcript_archive", "on_session_end", "class_launch", "session_housekeeping"} <= set(NAMES)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(
            name,
            marks=needs_airflow("3.1", "it waits for an approval")
            if name in ("leavers", "data_subject_request")
            else (),
        )
        for name in NAMES
    ],
)
# Airflow 3.1's own operator for approvals imports from a module that it deprecates.
@pytest.mark.filterwarnings("error", "ignore:The .airflow.operators.branch")
def test_an_example_loads_without_a_warning_and_names_what_it_is_for(name):
    dag = load_dag(name)
    assert dag.dag_id == name
    assert dag.doc_md
    assert "lessonspace" in dag.tags
    assert all(task.owner == "data-team" for task in dag.tasks)


def test_airflow_lists_no_import_error_but_for_what_it_is_too_old_for(airflow_home, capsys):
    arguments = get_parser().parse_args(["dags", "list-import-errors", "--local", "--output", "json"])
    with suppress(SystemExit):  # it exits when there are any
        arguments.func(arguments)
    errors = {Path(error["filepath"]).stem: error["error"] for error in json.loads(capsys.readouterr().out)}
    assert set(errors) == TOO_NEW, errors


def listed(command, folder, airflow_home):
    """Run a command of Airflow's that lists DAGs, where the bundle is this folder and nothing else is on the path."""
    bundle = {"name": "school", "classpath": BUNDLE, "kwargs": {"path": str(folder)}}
    environment = {
        **{name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        "AIRFLOW_HOME": str(airflow_home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(folder),
        "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": json.dumps([bundle]),
    }
    program = [sys.executable, "-m", "airflow", "dags", command, "--local", "--output", "json"]
    ended = subprocess.run(program, env=environment, cwd=folder, capture_output=True, text=True, check=False)
    lines = [line for line in ended.stdout.splitlines() if line.startswith(("[{", "[]"))]
    assert lines, ended.stdout + ended.stderr
    return json.loads(lines[-1])


@pytest.mark.parametrize("place", ["lessonspace"])
def test_examples_load_from_a_subfolder_of_the_dags_folder(airflow_home, tmp_path, place):
    shutil.copytree(EXAMPLES, tmp_path / place, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    errors = listed("list-import-errors", tmp_path, airflow_home)
    assert {Path(error["filepath"]).stem for error in errors} == TOO_NEW, errors
    assert {dag["dag_id"] for dag in listed("list", tmp_path, airflow_home)} == set(NAMES) - TOO_NEW


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.stem)
def test_an_example_that_imports_its_neighbours_adds_its_folder_to_the_path(path):
    # Airflow parses each file by itself, and only the DAGs folder is on the path.
    neighbours = {file.stem for file in EXAMPLES.iterdir()}
    lines = path.read_text().splitlines()
    imports = [
        n
        for n, line in enumerate(lines)
        if (m := re.match(r"from (\w+)|import (\w+)", line)) and neighbours & {*m.groups()}
    ]
    added = [n for n, line in enumerate(lines) if line == "sys.path.append(str(Path(__file__).parent))"]
    assert path.stem not in NAMES or not imports or (added and added[0] < imports[0])


def private_names_in(source):
    """The names of the provider that a DAG imports and may not rely on."""
    imported = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            imported |= {(node.module, alias.name) for alias in node.names}
        elif isinstance(node, ast.Import):
            imported |= {(alias.name, None) for alias in node.names}
    return {
        f"{module}.{name}" if name else module
        for module, name in imported
        if module.partition(".")[0] == "lessonspace_provider" and not is_public(module, name)
    }


def is_public(module, name):
    path = module.partition(".")[2]
    package, _, rest = path.partition(".")
    if path in EXPORTING_PACKAGES:
        return name in importlib.import_module(module).__all__
    if name is None or name.startswith("_"):
        return False
    return path in PUBLIC_MODULES or (package in PACKAGES_OF_PUBLIC_MODULES and bool(rest))


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.stem)
def test_an_example_imports_public_names_only(path):
    assert private_names_in(path.read_text()) == set()


@pytest.mark.parametrize(
    ("source", "private"),
    [
        ("from lessonspace_provider.api.times import read_time", {"lessonspace_provider.api.times.read_time"}),
        ("def f():\n  from lessonspace_provider.output.files import a", {"lessonspace_provider.output.files.a"}),
        ("from lessonspace_provider.output import files", {"lessonspace_provider.output.files"}),
        ("from lessonspace_provider import bulk", {"lessonspace_provider.bulk"}),
        ("import lessonspace_provider.bulk", {"lessonspace_provider.bulk"}),
        ("from lessonspace_provider.attendance import _Record", {"lessonspace_provider.attendance._Record"}),
        ("from lessonspace_provider.output import write_whole", set()),
        ("from lessonspace_provider.operators.spaces import LessonspaceLaunchSpacesOperator", set()),
    ],
)
def test_private_names_are_found(source, private):
    assert private_names_in(source) == private


@needs_airflow("3.3", "the DAG processor of older ones has imported less")
def test_parsing_an_example_imports_nothing_that_talks_to_servers():
    command = [sys.executable, "-m", "benchmarks.parse_time", "--json", "--repeat", "1"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    modules = json.loads(listed)
    assert set(modules) == set(NAMES)
    assert {name: found for name in NAMES if (found := NOT_TO_PARSE.intersection(modules[name]))} == {}


def test_all_examples_have_one_school_time():
    zones = {name: zone for name in NAMES if name not in TOO_NEW and (zone := zone_of(load_dag(name)))}
    assert {zones.pop(name) for name in IN_UTC} == {"UTC"}
    assert len(zones) > 3
    assert set(zones.values()) == {"Europe/London"}


def zone_of(dag: DAG) -> str | None:
    """The time zone of a DAG that runs by the clock."""
    return dag.timetable.serialize().get("timezone") if hasattr(dag.timetable, "serialize") else None
