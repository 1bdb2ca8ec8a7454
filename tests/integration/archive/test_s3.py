# SPDX-License-Identifier: Apache-2.0
"""The archive on an object store: the S3 API of a moto server on loopback, through an Airflow connection."""

from __future__ import annotations

import json
import os
import random

import boto3
import pytest
from moto.server import ThreadedMotoServer

from lessonspace_provider.exceptions import LessonspaceError
from tests.integration.archive.runs import start_run
from tests.integration.archive.test_archive import add_sessions, asked_for, control, parameters, run, tree

__all__ = ["control"]  # the fixture

CREDENTIALS = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing", "region_name": "us-east-1"}
DESTINATION = "s3://aws_default@school/transcripts"


@pytest.fixture(scope="module")
def server():
    moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    moto.start()
    host, port = moto.get_host_and_port()
    yield f"http://{host}:{port}"
    moto.stop()


@pytest.fixture
def bucket(server, monkeypatch):
    """An empty bucket, and the connection ``aws_default`` to its store."""
    for proxy in ("HTTP_PROXY", "http_proxy"):
        monkeypatch.delenv(proxy, raising=False)
    connection = {
        "conn_type": "aws",
        "login": CREDENTIALS["aws_access_key_id"],
        "password": CREDENTIALS["aws_secret_access_key"],
        "extra": {"endpoint_url": server, "region_name": CREDENTIALS["region_name"]},
    }
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", json.dumps(connection))
    store = boto3.resource("s3", endpoint_url=server, **CREDENTIALS).Bucket("school")
    store.create()
    yield store
    store.objects.delete()
    store.delete()


def objects(bucket):
    return {item.key.removeprefix("transcripts/"): item.get()["Body"].read() for item in bucket.objects.all()}


def test_an_archive_on_s3_equals_one_on_disk(control, bucket, tmp_path):
    add_sessions(control, 12)
    add_sessions(control, 3, users=["Ada Teacher"], transcript="by-rule")
    result = run(DESTINATION, formats=["json", "txt", "vtt"])
    run(tmp_path, formats=["json", "txt", "vtt"])
    assert objects(bucket) == tree(tmp_path)
    assert result["manifest"].startswith("s3://")


def test_run_again_it_fetches_nothing_and_writes_no_transcript_again(control, bucket):
    add_sessions(control, 5)
    run(DESTINATION)
    before = {item.key: item.last_modified for item in bucket.objects.all() if "manifests" not in item.key}
    asked = len(asked_for(control))
    run(DESTINATION)
    assert len(asked_for(control)) == asked
    assert {item.key: item.last_modified for item in bucket.objects.all() if "manifests" not in item.key} == before


def test_a_damaged_object_is_mended(control, bucket):
    (session_id,) = add_sessions(control, 1)
    run(DESTINATION)
    good = objects(bucket)
    (damaged,) = (item for item in bucket.objects.all() if item.key.endswith(f"{session_id}.json"))
    damaged.put(Body=b"[")
    run(DESTINATION)
    assert objects(bucket) == good


def test_with_faulty_answers_nothing_is_lost(control, bucket):
    add_sessions(control, 40)
    for number, kind in enumerate(["reset", "status", "not_json", "truncated"]):
        for target in ("api", "store"):
            control.inject_fault(kind, target=target, probability=0.05, seed=number)
    for _ in range(4):  # as many tries as a task with three retries has
        try:
            result = run(DESTINATION)
            break
        except LessonspaceError:
            continue
    assert result["counts"]["archived"] == 40


def test_killed_runs_leave_whole_objects_and_the_next_one_completes_the_archive(control, bucket, tmp_path):
    add_sessions(control, 15)
    run(tmp_path)
    chance = random.Random(2)
    environment = {"AIRFLOW_CONN_AWS_DEFAULT": os.environ["AIRFLOW_CONN_AWS_DEFAULT"]}
    for _ in range(6):
        process = start_run(parameters(DESTINATION), environment)
        process.join(chance.uniform(0.5, 2.5))
        process.kill()
        process.join()
        for key, data in objects(bucket).items():
            if key.endswith(".json"):
                json.loads(data)
    run(DESTINATION)
    assert objects(bucket) == tree(tmp_path)


def test_a_store_that_refuses_is_named_and_nothing_looks_archived(control, bucket):
    add_sessions(control, 1)
    with pytest.raises(Exception, match=r"(?i)bucket"):
        run("s3://aws_default@nowhere/transcripts")
