# SPDX-License-Identifier: Apache-2.0
"""The servers of a benchmark: on loopback, on free ports, ended with the block or with this process."""

from __future__ import annotations

import json
import logging
import os
import shutil
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lessonspace_provider.sandbox.client import SandboxControl
from lessonspace_provider.sandbox.settings import ORGANISATION_ID
from scripts.processes import GuardedProcess
from scripts.standalone import reserve_loopback_port

START_SECONDS = 60.0

#: On a sandbox's command line: it begins without sessions of its own.
NO_SESSIONS = ("--days", "0", "--sessions-per-day", "0")


@dataclass(frozen=True)
class RunningSandbox:
    """A sandbox that serves."""

    base_url: str
    store_url: str
    api_key: str
    control: SandboxControl


@dataclass(frozen=True)
class RunningRedis:
    """A Redis that serves."""

    process: GuardedProcess
    port: int

    def url(self, database: int = 0) -> str:
        """Address of one of its databases."""
        return f"redis://127.0.0.1:{self.port}/{database}"


@contextmanager
def sandbox(folder: Path, rate: int, *arguments: str) -> Iterator[RunningSandbox]:
    """
    Serve a sandbox in a process of its own.

    :param folder: for its files; another one for each sandbox.
    :param rate: calls it accepts per second and key.
    :param arguments: more of its command line.
    """
    folder.mkdir(parents=True, exist_ok=True)
    ready = folder / "sandbox.json"
    command = [sys.executable, "-m", "lessonspace_provider.sandbox", "--port", "0", "--rate", str(rate), *arguments]
    command += ["--ready-file", str(ready), "--log-file", str(folder / "sandbox-calls.log")]
    with GuardedProcess("the sandbox", command, environment=os.environ, log=folder / "sandbox.log") as process:
        wait_until(ready.exists, process)
        served = json.loads(ready.read_text())
        control = SandboxControl(served["base_url"])
        yield RunningSandbox(served["base_url"], served["store_url"], served["api_key"], control)


def lessonspace_connection(server: RunningSandbox, rate: float, **extra: str) -> str:
    """
    Write the provider's connection to a sandbox as JSON.

    :param rate: requests per second.
    :param extra: more of the connection's extra fields.
    """
    fields = {"organisation_id": ORGANISATION_ID, "rate_limit_per_second": rate, **extra}
    return json.dumps(
        {"conn_type": "lessonspace", "host": server.base_url, "password": server.api_key, "extra": fields}
    )


@contextmanager
def redis_server(folder: Path) -> Iterator[RunningRedis]:
    """
    Serve a Redis that keeps nothing.

    :param folder: for its files.
    """
    folder.mkdir(parents=True, exist_ok=True)
    program = find_program("redis-server", "redis-server")
    with reserve_loopback_port() as reserved:
        port: int = reserved.getsockname()[1]
        command = [program, "--bind", "127.0.0.1", "--port", str(port), "--save", "", "--dir", str(folder)]
        with GuardedProcess("Redis", command, environment=os.environ, log=folder / "redis.log") as process:
            wait_until(lambda: answers(port), process)
            yield RunningRedis(process, port)


@contextmanager
def s3_bucket() -> Iterator[str]:
    """Serve an S3 API, and make the connection ``aws_default`` to it; give the address of a bucket in it."""
    import boto3
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.WARNING)  # which has a line for each request
    moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    moto.start()
    address = "http://{}:{}".format(*moto.get_host_and_port())
    key = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing", "region_name": "us-east-1"}
    boto3.resource("s3", endpoint_url=address, **key).Bucket("school").create()
    extra = {"endpoint_url": address, "region_name": key["region_name"]}
    connection = {"conn_type": "aws", "login": "testing", "password": "testing", "extra": extra}
    os.environ["AIRFLOW_CONN_AWS_DEFAULT"] = json.dumps(connection)
    try:
        yield "s3://aws_default@school"
    finally:
        moto.stop()


def answers(port: int) -> bool:
    """Whether a server listens on a port of loopback."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def find_program(name: str, package: str) -> str:
    """
    Find a server's program on PATH, or where Debian keeps PostgreSQL's.

    :param package: the Debian package to install when it is not there.
    :raises SystemExit: it is not there.
    """
    debian = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    if program := (str(debian[-1]) if debian else shutil.which(name)):
        return program
    raise SystemExit(f"{name} is not installed: apt-get install {package}")


def wait_until(reached: Callable[[], bool], process: GuardedProcess, seconds: float = START_SECONDS) -> None:
    """
    Wait for something that a process brings about.

    :raises RuntimeError: the process ended, or it took too long.
    """
    deadline = time.monotonic() + seconds
    while not reached():
        status = process.exit_status()
        if status is not None or time.monotonic() > deadline:
            raise RuntimeError(
                f"{process.name} did not start (exit status {status}): {process.log.read_text()[-2000:]}"
            )
        time.sleep(0.05)
