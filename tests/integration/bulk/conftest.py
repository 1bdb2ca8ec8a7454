# SPDX-License-Identifier: Apache-2.0
"""Where accounts are kept: a local disk, and the S3 API of a moto server on loopback."""

from __future__ import annotations

import pytest
from airflow.sdk import ObjectStoragePath

from tests.integration.archive.conftest import bucket, control, s3

__all__ = ["bucket", "control", "s3"]


@pytest.fixture(params=["disk", "s3"])
def folder(request, tmp_path):
    """An empty folder."""
    if request.param == "disk":
        return ObjectStoragePath(f"file://{tmp_path}/job")
    request.getfixturevalue("bucket")
    folder = ObjectStoragePath("s3://aws_default@school/job")
    folder.fs.invalidate_cache()  # other processes write it, and an earlier test may have listed it
    return folder
