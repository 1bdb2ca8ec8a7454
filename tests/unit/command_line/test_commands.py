# SPDX-License-Identifier: Apache-2.0
"""The commands as Python's and as Airflow's."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import lessonspace_provider.__main__ as program
from lessonspace_provider.command_line.commands import COMMANDS, Command
from tests.airflow_version import needs_airflow

#: Arguments that a command can not do without, where it takes more or less than an archive.
WORDS = {"sandbox": [], "live-check": [], "erase": ["/archive", "--dry-run"]}
NAMES = [command.name for command in COMMANDS]


@pytest.mark.parametrize("command", COMMANDS, ids=NAMES)
def test_what_runs_a_command_is_there(command):
    for place in (command.options, command.function):
        module, _, name = place.partition(":")
        assert callable(getattr(import_module(module), name))


@pytest.mark.parametrize("name", NAMES)
def test_each_command_has_help(name, capsys):
    with pytest.raises(SystemExit) as ended:
        program.main([name, "--help"])
    assert ended.value.code == 0
    assert f"python -m lessonspace_provider {name}" in capsys.readouterr().out


def test_without_a_command_the_program_ends_with_its_usage(capsys):
    with pytest.raises(SystemExit) as ended:
        program.main([])
    assert ended.value.code == 2
    assert "COMMAND" in capsys.readouterr().err


def test_the_definitions_import_no_http_client_and_no_tables():
    loaded = "print([name for name in ('requests', 'rich', 'pyarrow', 'airflow', 'fastapi') if name in sys.modules])"
    program = f"import sys; import lessonspace_provider.command_line.commands; {loaded}"
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"


@pytest.fixture
def airflow_parser():
    from airflow.cli.cli_parser import get_parser

    return get_parser()


@needs_airflow("3.2", "older ones read no commands of providers")
def test_airflow_has_the_same_commands(airflow_parser, monkeypatch):
    monkeypatch.setenv("_AIRFLOW_PROCESS_CONTEXT", "")
    run = []
    monkeypatch.setattr(Command, "run", lambda command, options: run.append((command.name, options)) or 1)
    for command in COMMANDS:
        words = WORDS.get(command.name, ["/archive"])
        options = airflow_parser.parse_args(["lessonspace", command.name, *words])
        with pytest.raises(SystemExit) as ended:
            options.func(options)
        assert ended.value.code == 1
        assert run.pop() == (command.name, options)


@needs_airflow("3.2", "older ones read no commands of providers")
def test_airflow_runs_a_command_and_gives_its_exit_status(tmp_path):
    (tmp_path / "manifests").mkdir()
    (tmp_path / "manifests" / "20261121T020000Z_20261122T020000Z.json").touch()
    command = [sys.executable, "-m", "airflow", "lessonspace", "gaps", str(tmp_path)]
    environment = {**os.environ, "AIRFLOW_HOME": str(tmp_path / "home")}
    later = ["--until", "2026-11-23T00:00:00Z", "--output", "json"]
    done = subprocess.run([*command, *later], capture_output=True, text=True, env=environment)
    assert done.returncode == 1, done.stderr
    assert done.stdout.startswith("{")
    assert subprocess.run(command, capture_output=True, env=environment).returncode == 0
    assert not Path(tmp_path / "tables").exists()
