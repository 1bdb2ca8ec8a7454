# SPDX-License-Identifier: Apache-2.0
"""A Redis of the test's own."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import threading

import pytest


@pytest.fixture
def redis_server(tmp_path):
    program = shutil.which("redis-server")
    if program is None:
        if os.environ.get("CI"):
            pytest.fail("redis-server is not installed: .ci/run has to install it")
        pytest.skip("redis-server is not on PATH: install it to run the tests of the redis backend")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [program, "--bind", "127.0.0.1", "--port", str(port), "--save", "", "--dir", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        for line in server.stdout:
            if "eady to accept connections" in line:
                break
        threading.Thread(target=server.stdout.read, daemon=True).start()
        yield server, f"redis://127.0.0.1:{port}/0"
        server.kill()
