# SPDX-License-Identifier: Apache-2.0
"""`airflow standalone` in a private home: nothing of the caller's Airflow goes in, nothing of ours goes out."""

from __future__ import annotations

import json
import os
import secrets
import shlex
import socket
import sys
from collections.abc import Mapping
from pathlib import Path

#: The one user of Airflow's UI and API.
USER = "admin"

NOT_INHERITED = ("AIRFLOW", "_AIRFLOW", "PYTHON", "LESSONSPACE", "VIRTUAL_ENV", "FORCE_COLOR")


def reserve_loopback_port() -> socket.socket:
    """A free port of 127.0.0.1, ours for as long as the returned socket is open.

    The socket is bound and never listens. Linux lets the API server, which sets SO_REUSEADDR as this does,
    bind the same port and listen, and gives the port to no one who asks for a free one meanwhile. Elsewhere
    the socket has to be closed before the server starts.
    """
    reserved = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    reserved.bind(("127.0.0.1", 0))
    if sys.platform != "linux":
        reserved.close()
    return reserved


def private_environment(caller: Mapping[str, str], *, home: Path, binaries: Path) -> dict[str, str]:
    """The caller's environment, less what would steer Airflow or Python, with every scratch place in `home`.

    :param caller: the environment of this process.
    :param home: the folder that becomes AIRFLOW_HOME; `tmp` must exist in it.
    :param binaries: the folder of the virtual environment's executables.
    """
    inherited = {name: value for name, value in caller.items() if not name.startswith(NOT_INHERITED)}
    return {
        **inherited,
        "AIRFLOW_HOME": str(home),
        "HOME": str(home),
        "TMPDIR": str(home / "tmp"),
        "PATH": f"{binaries}:{caller.get('PATH', '/usr/bin:/bin')}",
        "PYTHONUNBUFFERED": "1",
        "NO_COLOR": "1",
        "NO_PROXY": "127.0.0.1,localhost",
        "no_proxy": "127.0.0.1,localhost",
        # Airflow's processes rename themselves; this keeps them from overwriting their environment with it.
        "SPT_NOENV": "1",
    }


def airflow_settings(*, home: Path, dags_folder: Path, port: int, jwt_secret: str) -> dict[str, str]:
    """Airflow's configuration for one run on this machine, as environment variables.

    :param port: where the API server listens, on 127.0.0.1.
    :param jwt_secret: what Airflow's components sign their tokens with; 64 bytes or more.
    """
    url = f"http://127.0.0.1:{port}"
    return {
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(port),
        # The default of 3.0 is 4, and on a busy machine their parent ends those that take over 5 seconds to start.
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__API__BASE_URL": url,
        "AIRFLOW__API_AUTH__JWT_SECRET": jwt_secret,
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{url}/execution/",
        "AIRFLOW__CORE__DAGS_FOLDER": str(dags_folder),
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "True",
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__PARALLELISM": "4",
        # A login runs DAGs as this user: other users of this machine, and web pages whose name leads here (DNS
        # rebinding), must not. A browser sends the login to 127.0.0.1 only, whatever other name leads there.
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "False",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{USER}:admin",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(_passwords_file(home)),
        "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
        # A name of this machine would have to be resolved, which may mean waiting for a network.
        "AIRFLOW__CORE__HOSTNAME_CALLABLE": "urllib.request.localhost",
        # No log server runs (see write_airflow_launcher): the API server must not ask another Airflow's either.
        # Port 1 has no listener; 0 would not do, because it counts as "none given" and becomes 80.
        "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": "1",
        "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": "1",
        # A line per request, ours among them, would bury what else is in the log.
        "AIRFLOW__LOGGING__NAMESPACE_LEVELS": "http.access=WARNING",
        "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_STORAGE_PATH": str(home / "bundles"),
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "10",
        # The API server's first answer to a task takes it longer than the 5 seconds that are the default.
        "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "60",
    }


def write_password(home: Path) -> str:
    """Give the user of Airflow's UI and API a new password.

    :param home: the folder that becomes AIRFLOW_HOME.
    :return: the password.
    """
    password = secrets.token_urlsafe(12)
    descriptor = os.open(_passwords_file(home), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump({USER: password}, file)
    return password


def _passwords_file(home: Path) -> Path:
    return home / "passwords.json"


def write_airflow_launcher(folder: Path, airflow: Path) -> None:
    """Write an `airflow` into the folder that starts the real one without its log servers.

    The scheduler's and the triggerer's log server listen on every network interface, and no setting changes
    that. They are there for logs on other machines; here the API server reads the files itself.
    """
    launcher = folder / "airflow"
    launcher.write_text(
        "#!/bin/sh\n"
        'case "$1" in scheduler | triggerer) set -- "$@" --skip-serve-logs ;; esac\n'
        f'exec {shlex.quote(str(airflow))} "$@"\n'
    )
    launcher.chmod(0o755)
