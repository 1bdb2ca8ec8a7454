# SPDX-License-Identifier: Apache-2.0
"""A task that is killed while it launches, again and again, with SIGKILL."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.integration.bulk.test_launches import account_of, texts_in

LAUNCHES, THREADS, KILLS, BATCH = 100, 4, 3, 10
ROOT = Path(__file__).parents[3]
LONG = 240.0


@pytest.fixture(autouse=True)
def slow_answers(control):
    """Answers that come slowly enough for a kill between them."""
    control.inject_fault("slow", seconds=0.05, path="/spaces/launch/")


def start(launches, folder, mailbox, batch_size=1):
    module = "tests.integration.bulk.launch_process"
    arguments = [str(launches), str(folder), str(mailbox), str(THREADS), str(batch_size)]
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM.format(module=module), *arguments],
        cwd=ROOT,
        env=dict(os.environ),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )


#: A lease that lasts for a few seconds only, so that the next process need not wait for long.
PROGRAM = """
import sys
from lessonspace_provider.bulk import account_lock
account_lock.LEASE_DURATION = 5.0
from {module} import main
main(*sys.argv[1:])
"""


def delivered(mailbox):
    return mailbox.read_text().splitlines() if mailbox.exists() else []


def wait_for_more(process, mailbox, number):
    deadline = time.monotonic() + LONG
    while len(delivered(mailbox)) < number:
        assert process.poll() is None, process.stderr.read().decode()[-2000:]
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture
def rows(tmp_path):
    """The launches, which are in a file, too."""
    rows = [{"launch_id": f"room-{number % 50}", "user": {"id": f"p{number}"}} for number in range(LAUNCHES)]
    (tmp_path / "launches.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return rows


def ended(process):
    _, errors = process.communicate(timeout=LONG)
    assert process.returncode == 0, errors.decode()[-2000:]


def test_two_runs_that_begin_at_once_deliver_each_link_once(folder, tmp_path, rows):
    processes = [start(tmp_path / "launches.jsonl", folder, tmp_path / "mailbox") for _ in range(2)]
    for process in processes:
        ended(process)
    assert Counter(delivered(tmp_path / "mailbox")) == Counter(row["user"]["id"] for row in rows)


@pytest.mark.parametrize("batch_size", [1, BATCH])
def test_nothing_is_lost_and_only_what_was_in_flight_is_repeated(folder, tmp_path, rows, batch_size):
    launches, mailbox = tmp_path / "launches.jsonl", tmp_path / "mailbox"
    for kill in range(1, KILLS + 1):
        process = start(launches, folder, mailbox, batch_size)
        wait_for_more(process, mailbox, kill * LAUNCHES // (KILLS + 2))
        process.kill()
        process.wait(LONG)
        process.stderr.close()
    ended(start(launches, folder, mailbox, batch_size))
    links = Counter(delivered(mailbox))
    assert set(links) == {row["user"]["id"] for row in rows}
    # One batch is delivered at a time, single links in all threads.
    assert sum(links.values()) - LAUNCHES <= KILLS * (THREADS if batch_size == 1 else batch_size)
    assert Counter(record["status"] for record in account_of(folder)) == {"done": LAUNCHES}
    assert "http" not in texts_in(folder)
    assert not [path for path in folder.iterdir() if path.name.startswith("journal")]
