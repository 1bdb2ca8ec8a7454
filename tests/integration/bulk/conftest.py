# SPDX-License-Identifier: Apache-2.0
"""Where accounts are kept: a local disk, and the S3 API of a moto server on loopback."""

from __future__ import annotations

import pytest
from airflow.sdk import ObjectStoragePath

from tests.integration.archive.conftest import bucket, s3

__all__ = ["bucket", "s3"]


@pytest.fixture
def control(lessonspace_sandbox, lessonspace_connection, monkeypatch):
    """A sandbox with nothing in it, which is asked again at once."""
    monkeypatch.setattr("lessonspace_provider.api.retries._backoff", lambda _: 0.0)
    lessonspace_sandbox.control.reset(days=0, sessions_per_day=0)
    return lessonspace_sandbox.control


@pytest.fixture(params=["disk", "s3"])
def folder(request, tmp_path):
    """An empty folder."""
    if request.param == "disk":
        return ObjectStoragePath(f"file://{tmp_path}/job")
    request.getfixturevalue("bucket")
    folder = ObjectStoragePath("s3://aws_default@school/job")
    folder.fs.invalidate_cache()  # other processes write it, and an earlier test may have listed it
    return folder
