# SPDX-License-Identifier: Apache-2.0
"""Nothing that was started under a guard outlives whoever started it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from scripts.processes import GuardedProcess, end_leftovers, processes_with

CHECKOUT = Path(__file__).parents[3]
MARKER = "GUARD_TEST"
PATIENCE_SECONDS = 60.0

# A family as Airflow has them: a child, a grandchild in a session of its own whose parent is gone, and one
# that will not hear of SIGTERM. The file says that all are there.
FAMILY = """
import os, signal, subprocess, sys, time
sleeper = [sys.executable, "-c", "import time; time.sleep(600)"]
stubborn = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); time.sleep(600)"
subprocess.Popen(sleeper)
if os.fork() == 0:
    subprocess.Popen(sleeper, start_new_session=True)
    os._exit(0)
os.wait()
deaf = subprocess.Popen([sys.executable, "-c", stubborn], stdout=subprocess.PIPE, start_new_session=True)
deaf.stdout.readline()
open(sys.argv[1], "w").close()
time.sleep(600)
"""
FAMILY_SIZE = 5  # the four, and the guard

STARTER = """
import os, sys, time
from pathlib import Path
from scripts.processes import GuardedProcess
family, ready, log = sys.argv[1:]
GuardedProcess("family", [sys.executable, "-c", family, ready], environment=os.environ, log=Path(log))
time.sleep(600)
"""


def wait_until(what: str, is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not is_so():
        assert time.monotonic() < deadline, f"still not so: {what}"
        time.sleep(0.05)


@pytest.fixture
def mark() -> Iterator[str]:
    value = uuid.uuid4().hex
    yield value
    end_leftovers(MARKER, value)


@pytest.fixture
def ready(tmp_path: Path) -> Path:
    return tmp_path / "ready"


def start_family(mark: str, ready: Path) -> GuardedProcess:
    command = [sys.executable, "-c", FAMILY, str(ready)]
    family = GuardedProcess("family", command, environment={**os.environ, MARKER: mark}, log=ready.with_name("log"))
    wait_until("the family is there", ready.exists)
    assert len(processes_with(MARKER, mark)) == FAMILY_SIZE
    return family


def test_leaving_the_block_ends_orphans_and_the_deaf(mark: str, ready: Path) -> None:
    with start_family(mark, ready):
        pass
    assert processes_with(MARKER, mark) == set()


def test_when_the_starter_is_killed_outright_the_family_ends(mark: str, ready: Path, tmp_path: Path) -> None:
    environment = {**os.environ, MARKER: mark}
    command = [sys.executable, "-c", STARTER, FAMILY, str(ready), str(tmp_path / "log")]
    starter = subprocess.Popen(command, cwd=CHECKOUT, env=environment)
    wait_until("the family is there", ready.exists)
    starter.kill()
    starter.wait()
    wait_until("nothing is left", lambda: not processes_with(MARKER, mark))


def test_when_the_guard_is_killed_the_sweep_ends_the_family(mark: str, ready: Path) -> None:
    family = start_family(mark, ready)
    family._guard.kill()
    family._guard.wait()
    assert len(end_leftovers(MARKER, mark)) == FAMILY_SIZE - 1
    assert processes_with(MARKER, mark) == set()
    family.stop()


def test_a_command_that_ends_by_itself_takes_its_descendants_along(mark: str, tmp_path: Path) -> None:
    code = "import subprocess, sys; subprocess.Popen(['sleep', '600'], start_new_session=True); sys.exit(3)"
    environment = {**os.environ, MARKER: mark}
    with GuardedProcess("brief", [sys.executable, "-c", code], environment=environment, log=tmp_path / "log") as brief:
        wait_until("it ended", lambda: brief.exit_status() is not None)
        assert brief.exit_status() == 3
        assert processes_with(MARKER, mark) == set()


def test_what_a_command_prints_is_in_its_log(mark: str, tmp_path: Path) -> None:
    log = tmp_path / "log"
    command = [sys.executable, "-c", "import sys; print('out'); print('err', file=sys.stderr)"]
    with GuardedProcess("printer", command, environment={**os.environ, MARKER: mark}, log=log) as printer:
        wait_until("it ended", lambda: printer.exit_status() is not None)
    assert sorted(log.read_text().split()) == ["err", "out"]
