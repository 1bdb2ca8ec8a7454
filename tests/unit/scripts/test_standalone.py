# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import importlib
import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.standalone import (
    airflow_settings,
    private_environment,
    reserve_loopback_port,
    write_airflow_launcher,
    write_password,
)
from tests.airflow_version import needs_airflow

HOME = Path("/checkout/.demo/demo/airflow")


def environment_for(**caller: str) -> dict[str, str]:
    return private_environment(caller, home=HOME, binaries=Path("/checkout/.venv/bin"))


@pytest.mark.parametrize(
    "name",
    ["AIRFLOW__CORE__EXECUTOR", "AIRFLOW_CONN_LESSONSPACE_DEFAULT", "_AIRFLOW__AS_LIBRARY", "PYTHONPATH"],
)
def test_the_callers_airflow_and_python_settings_are_left_out(name: str) -> None:
    assert name not in environment_for(**{name: "theirs"})


def test_the_callers_airflow_home_and_home_are_replaced() -> None:
    environment = environment_for(AIRFLOW_HOME="/theirs", HOME="/theirs", TMPDIR="/theirs")
    assert environment["AIRFLOW_HOME"] == environment["HOME"] == str(HOME)
    assert environment["TMPDIR"] == str(HOME / "tmp")


def test_other_variables_of_the_caller_are_kept() -> None:
    assert environment_for(LANG="de_DE.UTF-8")["LANG"] == "de_DE.UTF-8"


def test_the_virtual_environment_comes_first_on_the_path() -> None:
    assert environment_for(PATH="/usr/bin")["PATH"] == "/checkout/.venv/bin:/usr/bin"


def test_a_proxy_is_never_asked_for_loopback_addresses() -> None:
    environment = environment_for(http_proxy="http://proxy.example:3128", no_proxy="internal.example")
    assert environment["no_proxy"] == environment["NO_PROXY"] == "127.0.0.1,localhost"


def test_every_airflow_address_is_the_chosen_loopback_port() -> None:
    settings = airflow_settings(home=HOME, dags_folder=Path("/checkout/dags"), port=31234, jwt_secret="s" * 64)
    assert settings["AIRFLOW__API__HOST"] == "127.0.0.1"
    assert settings["AIRFLOW__API__PORT"] == "31234"
    assert settings["AIRFLOW__API__BASE_URL"] == "http://127.0.0.1:31234"
    assert settings["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"] == "http://127.0.0.1:31234/execution/"


def test_a_login_is_needed_and_its_password_is_for_this_user_only(tmp_path: Path) -> None:
    settings = airflow_settings(home=tmp_path, dags_folder=HOME, port=1, jwt_secret="s" * 64)
    password = write_password(tmp_path)
    assert settings["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS"] == "False"
    assert settings["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS"] == "admin:admin"
    file = Path(settings["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"])
    assert json.loads(file.read_text()) == {"admin": password}
    assert file.stat().st_mode & 0o777 == 0o600
    assert len(password) >= 16
    file.unlink()
    assert write_password(tmp_path) != password


def test_this_machine_is_known_by_its_loopback_address() -> None:
    settings = airflow_settings(home=HOME, dags_folder=HOME, port=1, jwt_secret="s" * 64)
    module, _, function = settings["AIRFLOW__CORE__HOSTNAME_CALLABLE"].rpartition(".")
    assert getattr(importlib.import_module(module), function)() == "127.0.0.1"


@needs_airflow("3.3", "make demo installs that")
def test_every_airflow_setting_exists() -> None:
    from airflow.configuration import conf

    settings = airflow_settings(home=HOME, dags_folder=HOME, port=1, jwt_secret="s" * 64)
    names = [name.removeprefix("AIRFLOW__").lower().split("__") for name in settings]
    known = conf.configuration_description
    assert [name for name in names if name[1] not in known.get(name[0], {}).get("options", {})] == []


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux shares a bound port with the server")
def test_a_reserved_port_serves_the_server_and_no_one_else() -> None:
    with reserve_loopback_port() as reserved, socket.socket() as server, reserve_loopback_port() as another:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind(reserved.getsockname())
        server.listen()
        socket.create_connection(reserved.getsockname(), timeout=5).close()
        assert another.getsockname() != reserved.getsockname()
        assert reserved.getsockname()[0] == "127.0.0.1"


@pytest.mark.parametrize(
    ("arguments", "started_with"),
    [
        (["scheduler"], "scheduler --skip-serve-logs"),
        (["triggerer"], "triggerer --skip-serve-logs"),
        (["api-server"], "api-server"),
        (["standalone"], "standalone"),
    ],
)
def test_the_launcher_starts_airflow_without_log_servers(
    arguments: list[str], started_with: str, tmp_path: Path
) -> None:
    airflow = tmp_path / "the real airflow"
    airflow.write_text('#!/bin/sh\necho "$@"\n')
    airflow.chmod(0o755)
    (tmp_path / "bin").mkdir()
    write_airflow_launcher(tmp_path / "bin", airflow)
    ran = subprocess.run([tmp_path / "bin" / "airflow", *arguments], capture_output=True, text=True, check=True)
    assert ran.stdout == f"{started_with}\n"
