# SPDX-License-Identifier: Apache-2.0
"""A PostgreSQL of a benchmark's own: on loopback, on a free port, ended with the block or with this process."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.shared.servers import find_program, wait_until
from scripts.processes import GuardedProcess
from scripts.standalone import reserve_loopback_port

#: Debian's user for it: PostgreSQL refuses to run as root.
UNPRIVILEGED = "postgres"
USER, DATABASE = "airflow", "postgres"


@contextmanager
def postgres_server() -> Iterator[str]:
    """
    Serve an empty database.

    :return: its address without a scheme: ``user:password@127.0.0.1:port/database``.
    """
    initdb, postgres = find_program("initdb", "postgresql"), find_program("postgres", "postgresql")
    pg_isready = find_program("pg_isready", "postgresql")
    with TemporaryDirectory(prefix="lessonspace-benchmark-postgres-") as folder, reserve_loopback_port() as reserved:
        port: int = reserved.getsockname()[1]
        password = secrets.token_hex(16)
        data, password_file, log = (Path(folder) / name for name in ("data", "password", "log"))
        password_file.write_text(password)
        unprivileged = _own(folder, password_file) if os.geteuid() == 0 else []
        create = [*unprivileged, initdb, "-D", str(data), "-U", USER, "--pwfile", str(password_file)]
        create += ["--auth=scram-sha-256", "--encoding=UTF8", "--no-locale", "--no-sync"]
        subprocess.run(create, check=True, stdout=subprocess.DEVNULL)
        command = [*unprivileged, postgres, "-D", str(data), "-h", "127.0.0.1", "-p", str(port), "-k", folder]
        command += ["-c", "fsync=off", "-c", "max_connections=200"]
        with GuardedProcess("PostgreSQL", command, environment=os.environ, log=log) as process:
            ready = [pg_isready, "-q", "-h", "127.0.0.1", "-p", str(port)]  # it listens before it takes connections
            wait_until(lambda: subprocess.run(ready, check=False).returncode == 0, process)
            yield f"{USER}:{password}@127.0.0.1:{port}/{DATABASE}"


def _own(folder: str, password_file: Path) -> list[str]:
    """Give the files to the unprivileged user: what to write before a command so that it runs as that user."""
    for path in (Path(folder), password_file):
        shutil.chown(path, UNPRIVILEGED, UNPRIVILEGED)
    return ["runuser", "-u", UNPRIVILEGED, "--", "env", "-C", folder]
