# SPDX-License-Identifier: Apache-2.0
"""Where archives are written to: a local disk, and the S3 API of a moto server on loopback."""

from __future__ import annotations

import json
import logging

import boto3
import pytest
from airflow.sdk import ObjectStoragePath
from moto.server import ThreadedMotoServer

CREDENTIALS = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing", "region_name": "us-east-1"}


@pytest.fixture
def control(lessonspace_sandbox, lessonspace_connection, monkeypatch):
    """A sandbox with nothing in it but what the test adds."""
    monkeypatch.setattr("lessonspace_provider.api.retries._backoff", lambda _: 0.0)
    lessonspace_sandbox.control.reset(days=0, sessions_per_day=0)
    return lessonspace_sandbox.control


@pytest.fixture(params=["disk", "s3"])
def destination(request, tmp_path):
    """An empty folder for archives."""
    if request.param == "disk":
        return ObjectStoragePath(f"file://{tmp_path}/transcripts")
    request.getfixturevalue("bucket")
    return ObjectStoragePath("s3://aws_default@school/transcripts")


@pytest.fixture(scope="session")
def s3():
    """The address of an S3 API, for the whole session: Airflow keeps a store that it has once connected to."""
    logging.getLogger("werkzeug").setLevel(logging.WARNING)  # which has a line for each request
    moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    moto.start()
    host, port = moto.get_host_and_port()
    yield f"http://{host}:{port}"
    moto.stop()


@pytest.fixture
def bucket(s3, monkeypatch):
    """An empty bucket that keeps all versions of its objects, and the connection ``aws_default`` to its store."""
    for proxy in ("HTTP_PROXY", "http_proxy"):
        monkeypatch.delenv(proxy, raising=False)
    connection = {
        "conn_type": "aws",
        "login": CREDENTIALS["aws_access_key_id"],
        "password": CREDENTIALS["aws_secret_access_key"],
        "extra": {"endpoint_url": s3, "region_name": CREDENTIALS["region_name"]},
    }
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", json.dumps(connection))
    store = boto3.resource("s3", endpoint_url=s3, **CREDENTIALS).Bucket("school")
    store.create()
    store.Versioning().enable()
    yield store
    store.object_versions.delete()
    store.delete()
