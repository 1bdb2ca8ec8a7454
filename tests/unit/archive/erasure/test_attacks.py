# SPDX-License-Identifier: Apache-2.0
"""Erasures of archives whose paths, keys and files are unusual, and beside an expiry."""

from __future__ import annotations

import json
import os
from datetime import timedelta

import pytest
from airflow.sdk import ObjectStoragePath

from lessonspace_provider.archive.erasure import session_files as erasure_files
from lessonspace_provider.archive.erasure.expiry import Expirer
from tests.unit.archive.erased import (
    ADA,
    ANN,
    BEN,
    BEN_PROFILE,
    FORMATS,
    SESSIONS,
    archived,
    erase,
    is_complete,
    said,
    traces_in,
)
from tests.unit.archive.kit import NOT_READY, NOW, a_session, good, tree

BY_NAME = "{name}/{session_id}"


def expire(folder, keep):
    return Expirer(ObjectStoragePath(f"file://{folder}"), keep).run()


def test_a_pending_session_has_no_name_in_its_path_before_and_after_its_transcript(archiver, source, tmp_path):
    source.outcomes[good(4)] = NOT_READY
    sessions = [*SESSIONS, a_session(4, name="Ben Okafor", profiles=[ANN, ADA])]
    archived(archiver, source, sessions, path_template=BY_NAME)
    erase(tmp_path)
    assert traces_in(tree(tmp_path)) == []
    source.outcomes[good(4)] = [said(0.0, BEN, "Ben Okafor", "Hi"), said(1.0, 1, "Ann", "Hi Ben")]
    archiver(NOW.replace(day=24), formats=FORMATS, path_template=BY_NAME).update_earlier(NOW)
    archived(archiver, source, sessions, path_template=BY_NAME)
    files = tree(tmp_path)
    assert (traces_in(files), len([path for path in files if good(4) in path])) == ([], len(FORMATS))


def test_a_new_session_has_no_name_in_its_path(archiver, source, tmp_path):
    archived(archiver, source, SESSIONS[2:], path_template=BY_NAME)
    erase(tmp_path, for_future=True)
    archived(archiver, source, path_template=BY_NAME)
    assert traces_in(tree(tmp_path)) == []


def test_a_new_session_that_cannot_be_filed_is_redacted(archiver, source, tmp_path):
    archived(archiver, source, SESSIONS[2:])
    erase(tmp_path, for_future=True)
    archived(archiver, source, [*SESSIONS, {**SESSIONS[0], "uuid": "none", "id": 5}])
    assert traces_in(tree(tmp_path)) == []


def test_an_id_in_a_path_is_erased_and_a_date_is_not(archiver, source, tmp_path):
    session = a_session(1, name="Lesson 48151", profiles=[ANN, BEN_PROFILE])
    archived(archiver, source, [session], path_template="{end:%Y}/{name}/{session_id}")
    erase(tmp_path, user_ids=(BEN, 2026))
    files = tree(tmp_path)
    assert traces_in(files) == []
    assert f"2026/Lesson erased/{good(1)}.json" in files


def test_an_expired_session_has_no_name_in_its_path_nor_in_the_receipt(archiver, source, tmp_path):
    archived(archiver, source, path_template=BY_NAME)
    receipt = expire(tmp_path, timedelta(0))
    assert traces_in(tree(tmp_path)) == []
    files = len(SESSIONS) * (len(FORMATS) + 1)
    assert receipt.figures["files_deleted"] == files
    archived(archiver, source, path_template=BY_NAME)
    assert (traces_in(tree(tmp_path)), source.asked[len(SESSIONS) :]) == ([], [])


def test_an_expiry_does_not_close_an_interrupted_erasure(archiver, source, tmp_path, monkeypatch):
    archived(archiver, source)

    def full(path, data):
        raise OSError(28, os.strerror(28))

    with monkeypatch.context() as patched:
        patched.setattr(erasure_files, "write_whole", full)
        assert erase(tmp_path).status == "incomplete"
    expire(tmp_path, timedelta(days=9999))
    assert not is_complete(tmp_path)
    erase(tmp_path, user_ids=(99_999,), names=())
    assert (traces_in(tree(tmp_path)), is_complete(tmp_path)) == ([], True)


@pytest.mark.parametrize("formats", [["csv"], ["csv", "txt"]])
def test_a_csv_file_with_a_long_text_is_searched(archiver, source, tmp_path, formats):
    long = said(0.0, 1, "Ann", "Hello Ben " + "x y " * 50_000)
    source.outcomes[good(4)] = [long, said(1.0, BEN, "Ben Okafor", "Hi")]
    archived(archiver, source, [a_session(4, name="Maths", profiles=[ANN, ADA])], formats=formats)
    assert erase(tmp_path).left == []
    assert traces_in(tree(tmp_path)) == []


def test_names_in_keys_are_erased_and_names_of_fields_are_not(archiver, source, tmp_path):
    archived(archiver, source)
    (manifest,) = (tmp_path / "manifests").iterdir()
    content = json.loads(manifest.read_text())
    content["sessions"][0]["notes"] = {"Ben Okafor": "late", "okafor": 1}
    manifest.write_text(json.dumps(content))
    erase(tmp_path)
    assert json.loads(manifest.read_text())["sessions"][0]["notes"] == {"[erased]": "late", "okafor": 1}
