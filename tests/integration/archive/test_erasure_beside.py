# SPDX-License-Identifier: Apache-2.0
"""Erasures and expiries beside each other, and beside the objects that tools of S3 write in place of folders."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from airflow.sdk import ObjectStoragePath

from lessonspace_provider.api.times import read_time
from lessonspace_provider.operators.archive import LessonspaceExpireArchiveOperator
from tests.integration.archive.erasures import DAY, School, archive, erase, traces_in
from tests.integration.archive.runs import END, tree

FOLDERS = [
    "",
    "erasures/",
    "manifests/",
    "tables/",
    "tables/people/",
    "inbox/",
    "00000000-0000-4000-8000-000000000001/",
]


def expire(destination, keep=DAY * 1.5):
    return LessonspaceExpireArchiveOperator(task_id="expire", destination=str(destination), keep=keep).execute({})


def statuses_in(destination):
    manifests = [json.loads(data) for path, data in tree(destination).items() if path.startswith("manifests/")]
    return {entry["session_id"]: entry["status"] for manifest in manifests for entry in manifest["sessions"]}


@pytest.fixture
def placed(bucket):
    """Write placeholders of folders into an archive of S3."""

    def place(*folders):
        paths = {key.key.rpartition("/")[0] + "/" for key in bucket.objects.all()}
        for key in {*paths, *(f"transcripts/{folder}" for folder in folders)}:
            bucket.put_object(Key=key, Body=b"")
        return ObjectStoragePath("s3://aws_default@school/transcripts")

    return place


def test_placeholders_of_folders_disturb_no_erasure_and_no_run(control, placed):
    school = School(control, nights=2, lessons=3)
    school.open()
    destination = placed(*FOLDERS)
    for window in school.windows():
        archive(destination, window)
        placed()
    result = erase(destination, school.user_id)
    assert (result["status"], result["counts"]["left"]) == ("done", 0)
    for window in school.windows():
        archive(destination, window)
    assert traces_in(destination, school.traces) == []
    assert erase(destination, school.user_id)["status"] == "nothing_found"
    assert expire(destination)["status"] == "done"
    assert expire(destination)["status"] == "nothing_found"


def test_a_placeholder_named_after_the_person_or_with_content_is_reported(control, bucket, placed):
    school = School(control, nights=1, lessons=3)
    school.open()
    destination = placed()
    archive(destination, *school.windows(), path_template="{name}/{session_id}")
    placed()
    bucket.put_object(Key="transcripts/letter/", Body=b"Quentin called")
    result = erase(destination, school.user_id)
    receipt = json.loads(ObjectStoragePath(result["receipt"]).read_text())
    left = {left["path"]: left["reason"] for left in receipt["left"] if not left["failed"]}
    assert left == {
        "letter/": "it was not searched: its name ends in a slash",
        "Maths with erased/": "it is the placeholder of a folder, and its path has the person: delete it",
    }


def test_an_expiry_and_an_erasure_at_once_undo_nothing_of_each_other(control, destination):
    school = School(control, nights=2, lessons=3)
    school.open()
    for window in school.windows():
        archive(destination, window)
    before = statuses_in(destination)
    begin = threading.Barrier(2)

    def at_once(act):
        begin.wait()
        return act()

    with ThreadPoolExecutor(2) as pool:
        expiry = pool.submit(at_once, lambda: expire(destination))
        erasure = pool.submit(at_once, lambda: erase(destination, school.user_id, mode="delete"))
        assert {expiry.result()["status"], erasure.result()["status"]} == {"done"}
    assert traces_in(destination, school.traces) == []
    expired = {session_id for session_id in before if session_id in _ended_before(destination, END - DAY * 1.5)}
    after = statuses_in(destination)
    assert {session_id for session_id in expired if after[session_id] != "erased"} == set()
    assert {session_id for session_id, status in after.items() if status == "erased"} == expired | school.took_part
    assert not [path for path in tree(destination) if any(session_id in path for session_id in expired)]
    assert expire(destination)["status"] == erase(destination, school.user_id)["status"] == "nothing_found"


def _ended_before(destination, moment):
    manifests = [json.loads(data) for path, data in tree(destination).items() if path.startswith("manifests/")]
    entries = [entry for manifest in manifests for entry in manifest["sessions"]]
    return {entry["session_id"] for entry in entries if read_time(entry["end_time"]) < moment}
