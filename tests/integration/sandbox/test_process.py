# SPDX-License-Identifier: Apache-2.0
"""The sandbox as a process, as a context manager, and as a pytest plugin."""

from __future__ import annotations

import ast
import json
import logging
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

import lessonspace_provider.sandbox as package
from lessonspace_provider.sandbox import Sandbox, SandboxControl, SandboxSettings
from lessonspace_provider.sandbox.__main__ import main

COMMAND = [sys.executable, "-m", "lessonspace_provider.sandbox", "--port", "0", "--days", "1"]
ROOT = Path(package.__file__).parents[2]
KEY = "0d5f3f1e-5f0c-4f63-9a3c-0a2c1f7d9e11"


def wait_for(path, process):
    while not path.exists():
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)
    return json.loads(path.read_text())


@pytest.fixture
def process(tmp_path):
    """A sandbox process whose log goes to a file, and what its ready file says."""
    options = ["--ready-file", str(tmp_path / "ready"), "--log-file", str(tmp_path / "log"), "--rate", "0"]
    running = subprocess.Popen(
        [*COMMAND, *options, "--api-key", KEY], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    yield running, wait_for(tmp_path / "ready", running)
    if running.poll() is None:
        running.kill()
    running.communicate()


def test_the_ready_file_names_how_to_reach_it_and_only_its_owner_may_read_it(process, tmp_path):
    running, ready = process
    assert set(ready) == {"base_url", "store_url", "api_key", "organisation_id", "pid"}
    assert ready["pid"] == running.pid
    assert stat.S_IMODE((tmp_path / "ready").stat().st_mode) == 0o600
    headers = {"Authorization": f"Organisation {ready['api_key']}"}
    assert (
        requests.get(f"{ready['base_url']}/my-organisation/", headers=headers, timeout=30).json()["id"]
        == (ready["organisation_id"])
    )
    assert SandboxControl(ready["base_url"]).state().api_calls == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it_cleanly_with_calls_under_way(process, tmp_path, number):
    running, ready = process
    control = SandboxControl(ready["base_url"])
    control.inject_fault("slow", seconds=600)
    with ThreadPoolExecutor() as pool:
        calls = [pool.submit(requests.get, ready["base_url"] + "/hello/", timeout=60) for _ in range(3)]
        while control.state().api_calls < 3:
            time.sleep(0.01)
        running.send_signal(number)
        output, errors = running.communicate(timeout=20)
        assert all(isinstance(call.exception(20), requests.ConnectionError) for call in calls)
    assert running.returncode == 0
    assert errors == ""
    assert f"host {ready['base_url']}  password (API key) {KEY}  organisation_id 20417\n" in output
    assert len(output.splitlines()) == 1
    assert not (tmp_path / "ready").exists()


def test_the_log_has_a_line_per_call_without_query_key_or_signature(process, tmp_path):
    _, ready = process
    control = SandboxControl(ready["base_url"])
    session = next(s for s in control.sessions() if s.end_time)
    control.set_transcript(session.session_id, "ready")
    headers = {"Authorization": f"Organisation {KEY}"}
    path = f"/v2/organisations/20417/sessions/{session.session_id}/transcript/"
    url = ready["base_url"].removesuffix("/v2") + path
    link = requests.get(url, params={"search": "private"}, headers=headers, timeout=30).json()["transcriptionUrl"]
    requests.get(link, timeout=30)
    control.inject_fault("status", status=418)
    requests.get(ready["base_url"] + "/hello/", headers=headers, timeout=30)
    log = tmp_path / "log"
    while len(log.read_text().splitlines()) < 3:
        time.sleep(0.01)
    first, second, third = (line.split() for line in log.read_text().splitlines())
    assert first[1:5] == ["api", "GET", path, "200"]
    assert second[1:5] == ["store", "GET", f"/transcripts/{session.session_id}.json", "200"]
    assert third[1:5] == ["api", "GET", "/v2/hello/", "418"]
    assert third[6] == "fault=status"
    for secret in (KEY, "Signature", "private"):
        assert secret not in log.read_text()


def test_without_a_log_file_the_lines_go_to_the_standard_output(tmp_path):
    ready_file = tmp_path / "ready"
    ready_file.write_text("{}")
    command = [*COMMAND, "--ready-file", str(ready_file), "--now", "2026-11-23T15:00:00Z", "--speed", "0"]
    running = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        first = running.stdout.readline()
        base_url = first.split("host ")[1].split()[0]
        assert requests.get(f"{base_url}/hello/", timeout=30).status_code == 401
        assert "GET /v2/hello/ 401" in running.stdout.readline()
        assert SandboxControl(base_url).state().now.isoformat() == "2026-11-23T15:00:00+00:00"
    finally:
        running.terminate()
        running.communicate()


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--host", "192.0.2.1"], "allow_remote"),
        (["--api-key", "NOT-A-KEY"], "lower-case UUID"),
        (["--page-size", "0"], "page_size"),
        (["--now", "tomorrow"], "ISO 8601"),
    ],
)
def test_bad_options_are_refused_with_the_reason(capsys, options, reason):
    try:
        status = main(options)
    except SystemExit as argparse_exit:
        status = argparse_exit.code
    assert status == 2
    assert reason in capsys.readouterr().err


def test_a_taken_port_is_refused_with_the_reason():
    with Sandbox(SandboxSettings(days=0)) as sandbox:
        port = int(sandbox.root_url.rsplit(":", 1)[1])
        with pytest.raises(OSError, match=f"port {port}"):
            Sandbox(SandboxSettings(port=port, days=0)).start()


# As a context manager


def test_it_starts_and_stops_again_and_again_with_calls_under_way():
    sandbox = Sandbox(SandboxSettings(days=0))
    threads = threading.active_count()
    for _ in range(3):
        with ThreadPoolExecutor() as pool:
            with sandbox:
                sandbox.control.inject_fault("slow", seconds=600)
                call = pool.submit(requests.get, sandbox.base_url + "/hello/", timeout=60)
                while not sandbox.control.calls():
                    time.sleep(0.01)
            assert isinstance(call.exception(20), requests.ConnectionError)
        with socket.socket() as probe:
            port = int(sandbox.root_url.rsplit(":", 1)[1])
            assert probe.connect_ex(("127.0.0.1", port)) != 0
    assert threading.active_count() == threads


def test_nothing_of_a_call_reaches_logging_however_it_is_configured(caplog, monkeypatch):
    caplog.set_level(0)
    with Sandbox(SandboxSettings(days=0)) as sandbox:
        for name in ("uvicorn", "uvicorn.access", "uvicorn.error"):
            monkeypatch.setattr(logging.getLogger(name), "propagate", True)
            monkeypatch.setattr(logging.getLogger(name), "disabled", False)
            logging.getLogger(name).setLevel(1)
        requests.get(f"{sandbox.store_url}/transcripts/x.json?X-Amz-Signature=secret", timeout=30)
        assert len(sandbox.control.calls()) == 1
    assert not any("secret" in record.getMessage() for record in caplog.records if record.name.startswith("uvicorn"))
    assert not any(record.name == "uvicorn.access" for record in caplog.records)


def test_two_at_once_are_two_worlds():
    with Sandbox(SandboxSettings(days=0, seed=1)) as one, Sandbox(SandboxSettings(days=0, seed=2)) as two:
        assert one.api_key != two.api_key
        assert one.base_url != two.base_url
        headers = {"Authorization": f"Organisation {one.api_key}"}
        assert requests.get(f"{two.base_url}/hello/", headers=headers, timeout=30).status_code == 401
        assert two.control.calls()
        assert one.control.calls() == []


def test_the_default_key_depends_on_the_seed_alone():
    assert SandboxSettings(seed=1, days=3).key == SandboxSettings(seed=1).key == "dbda865f-1371-5a97-855a-e83831f59ea3"


def test_importing_loads_no_web_library():
    heavy = ["fastapi", "starlette", "uvicorn", "pydantic", "httpx", "requests", "airflow", "sqlalchemy"]
    code = f"import sys, lessonspace_provider.sandbox; print([m for m in {heavy!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_it_shares_no_code_with_the_provider_and_uses_nothing_of_airflow():
    modules = list(Path(package.__file__).parent.rglob("*.py"))
    assert len(modules) > 10
    for module in modules:
        for node in ast.walk(ast.parse(module.read_text())):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            if isinstance(node, ast.ImportFrom):
                assert node.level == 0
                names = [f"{node.module}.{alias.name}" for alias in node.names]
            for name in names:
                assert not name.startswith("airflow"), module
                assert name.startswith("lessonspace_provider.sandbox") or not name.startswith("lessonspace_provider")


# As a pytest plugin

PLUGIN_TESTS = """
import json, os
import pytest, requests
from lessonspace_provider.sandbox import SandboxSettings

pytest_plugins = ["lessonspace_provider.sandbox.pytest_plugin"]
{settings}
seen = []

@pytest.mark.parametrize("round", [1, 2])
def test_is_reset_before_each_test(lessonspace_sandbox, round):
    assert lessonspace_sandbox.control.calls() == []
    assert lessonspace_sandbox.control.state().faults == []
    lessonspace_sandbox.control.inject_fault("status")
    assert requests.get(lessonspace_sandbox.base_url + "/hello/").status_code == 503
    seen.append(lessonspace_sandbox.base_url)

def test_is_one_server(lessonspace_sandbox):
    assert {{lessonspace_sandbox.base_url}} == set(seen)

def test_connection(lessonspace_connection, lessonspace_sandbox):
    assert lessonspace_connection == "lessonspace_default"
    connection = json.loads(os.environ["AIRFLOW_CONN_LESSONSPACE_DEFAULT"])
    assert connection == {{"conn_type": "lessonspace", "password": lessonspace_sandbox.api_key,
        "host": lessonspace_sandbox.base_url, "extra": {extra}}}

def test_ready_file_is_removed_afterwards():
    assert "AIRFLOW_CONN_LESSONSPACE_DEFAULT" not in os.environ

def test_rate(lessonspace_sandbox):
    assert lessonspace_sandbox.control.state().rate == {rate}
"""
OVERRIDE = """
@pytest.fixture(scope="session")
def lessonspace_sandbox_settings():
    return SandboxSettings(rate=3)
"""


@pytest.mark.parametrize(("settings", "extra", "rate"), [("", '{"rate_limit_per_second": 0}', 0), (OVERRIDE, "{}", 3)])
def test_the_fixtures_do_what_dag_authors_need(tmp_path, settings, extra, rate):
    (tmp_path / "test_plugin.py").write_text(PLUGIN_TESTS.format(settings=settings, extra=extra, rate=rate))
    environment = {k: v for k, v in os.environ.items() if not k.startswith("AIRFLOW_CONN")}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=tmp_path,
        env={**environment, "PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert "6 passed" in done.stdout, done.stdout + done.stderr
