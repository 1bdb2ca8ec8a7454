# SPDX-License-Identifier: Apache-2.0
"""Runs that write one manifest, or the index, at the same time."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from airflow.sdk import ObjectStoragePath

from lessonspace_provider.archive.entry import Entry, by_session
from lessonspace_provider.archive.manifest import Manifest
from lessonspace_provider.archive.manifest_store import ManifestStore
from lessonspace_provider.archive.windows import Window, manifest_name
from lessonspace_provider.output import updates
from lessonspace_provider.output.files import write_whole
from tests.unit.archive.kit import END, START, a_session

RUNS, UPDATES = 6, 4
WINDOW = Window(START, END)


def at_once(work):
    """Call a function in as many threads as there are runs, all of which begin together."""
    start = Barrier(RUNS)

    def begun(run):
        start.wait()
        work(run)

    with ThreadPoolExecutor(RUNS) as pool:
        for done in [pool.submit(begun, run) for run in range(RUNS)]:
            done.result()


def test_runs_that_write_one_manifest_at_once_lose_no_entry(destination):
    def write(run):
        for update in range(UPDATES):
            entry = Entry.of(a_session(1 + run * UPDATES + update))
            ManifestStore(destination, dry_run=False).update(Manifest(WINDOW), by_session([entry]))

    at_once(write)
    written = ManifestStore(destination, dry_run=False).read(manifest_name(WINDOW))
    assert len(written.entries) == RUNS * UPDATES


def test_runs_that_write_the_index_at_once_lose_no_manifest(destination):
    def write(run):
        for update in range(UPDATES):
            ManifestStore(destination, dry_run=False).add_closed({f"{run}-{update}.json": "size=1"})

    at_once(write)
    assert len(ManifestStore(destination, dry_run=False).closed()) == RUNS * UPDATES


def test_a_store_that_refuses_conditional_writes_is_written_anyway(bucket, monkeypatch):
    path = ObjectStoragePath("s3://aws_default@school/file")
    monkeypatch.setattr(updates, "write_if_unchanged", lambda *_: False)
    updates.update_whole(path, lambda data: (data or b"") + b"x")
    updates.update_whole(path, lambda data: (data or b"") + b"x")
    assert path.read_bytes() == b"xx"


@pytest.mark.parametrize("there", [None, b"before"])
def test_an_object_written_meanwhile_is_read_again(bucket, there):
    path = ObjectStoragePath("s3://aws_default@school/file")
    if there is not None:
        write_whole(path, there)
    seen = []

    def change(data):
        seen.append(data)
        if len(seen) == 1:
            write_whole(path, b"another's")
        return b"mine, after " + (data or b"")

    updates.update_whole(path, change)
    assert seen == [there, b"another's"]
    assert path.read_bytes() == b"mine, after another's"
