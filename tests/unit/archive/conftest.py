# SPDX-License-Identifier: Apache-2.0
"""An archive on a local disk, and what it is fed with."""

from __future__ import annotations

from datetime import timedelta

import pytest
from airflow.sdk import ObjectStoragePath

from lessonspace_provider.archive.files import ArchiveLayout
from lessonspace_provider.archive.runner import Archiver
from lessonspace_provider.output import files
from tests.unit.archive.kit import NOW, Log, Source


@pytest.fixture
def source():
    return Source()


@pytest.fixture
def log():
    return Log()


@pytest.fixture
def archiver(source, log, tmp_path):
    """Make an archiver; ``now`` moves its clock."""

    def make(now=NOW, *, dry_run=False, **layout):
        layout = {"destination": ObjectStoragePath(f"file://{tmp_path}"), "formats": ["json", "txt"], **layout}
        source.time = now
        return Archiver(
            source,
            ArchiveLayout(**layout),
            give_up_after=timedelta(days=7),
            log=log,
            dry_run=dry_run,
            now=lambda: now,
        )

    return make


@pytest.fixture
def reads(monkeypatch):
    """The names of the manifests that are read."""
    names, read_whole = [], files.read_whole

    def read(path):
        if path.parent.name == "manifests":
            names.append(path.name)
        return read_whole(path)

    monkeypatch.setattr("lessonspace_provider.archive.manifest_store.read_whole", read)
    return names
