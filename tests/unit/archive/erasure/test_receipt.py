# SPDX-License-Identifier: Apache-2.0
"""What a data protection officer asks of a receipt, of the key, and of a request that is withdrawn."""

from __future__ import annotations

import hashlib
import hmac
import json
from contextlib import contextmanager
from datetime import timedelta
from types import SimpleNamespace

import pytest
from airflow.sdk import ObjectStoragePath

from lessonspace_provider.archive.erasure.expiry import MOST_NAMED, Expirer
from lessonspace_provider.archive.erasure.store import ErasureStore
from lessonspace_provider.exceptions import LessonspaceError
from lessonspace_provider.operators.archive import LessonspaceEraseOperator
from tests.unit.archive.erased import (
    ANN,
    BEN,
    BEN_PROFILE,
    SESSIONS,
    TRACES,
    archived,
    erase,
    receipt_in,
    said,
    traces_in,
)
from tests.unit.archive.kit import END, a_session, good, tree

NIGHT = timedelta(days=1)


def expire(folder, keep=timedelta(0)):
    return Expirer(ObjectStoragePath(f"file://{folder}"), keep).run()


def test_the_receipt_names_the_user_who_triggered_the_run(archiver, source, tmp_path):
    archived(archiver, source)
    context = {
        "ti": SimpleNamespace(dag_id="requests", run_id="manual__1", task_id="erase"),
        "dag_run": SimpleNamespace(triggering_user_name="head"),
    }
    operator = LessonspaceEraseOperator(task_id="erase", destination=f"file://{tmp_path}", user_ids=[BEN])
    receipt = json.loads(ObjectStoragePath(operator.execute(context)["receipt"]).read_text())
    assert receipt["run"] == "dag requests, run manual__1, task erase, triggered by head"


def test_a_user_who_triggered_an_erasure_can_be_erased_later(archiver, source, tmp_path):
    archived(archiver, source)
    context = {
        "ti": SimpleNamespace(dag_id="requests", run_id="manual__1", task_id="erase"),
        "dag_run": SimpleNamespace(triggering_user_name="ben.okafor"),
    }
    operator = LessonspaceEraseOperator(task_id="erase", destination=f"file://{tmp_path}", user_ids=[1])
    operator.execute(context)
    assert traces_in({path: data for path, data in tree(tmp_path).items() if path.startswith("erasures/")})
    erase(tmp_path)
    assert traces_in(tree(tmp_path)) == []


def test_the_receipt_lists_the_words_of_the_person_as_kept(archiver, source, tmp_path):
    archived(archiver, source)
    receipt = receipt_in(tmp_path, erase(tmp_path))
    kept, unsearched = " ".join(receipt["kept"]), " ".join(receipt["not_searched"])
    assert "words that the person spoke" in kept
    assert any(b"It's me, [erased]" in data for data in tree(tmp_path).values())
    for place in ("space id", "number of participants", "hashes", "summaries"):
        assert place in kept
    for place in ("OpenLineage", "audit log", "e-mail addresses", "access logs", "databases"):
        assert place in unsearched


def test_an_expiry_names_the_sessions_whose_files_it_kept(archiver, source, tmp_path):
    archived(archiver, source, path_template="{name}/{session_id}")
    strays = [good(number) for number in range(100, 100 + MOST_NAMED + 2)]
    for session_id in strays:
        (tmp_path / "of Ben Okafor").mkdir(exist_ok=True)
        (tmp_path / "of Ben Okafor" / f"{session_id}.json").write_text(json.dumps([said(0.0, BEN, "Ben", "Hi")]))
    receipt = expire(tmp_path)
    (note,) = receipt.notes
    assert note.startswith(f"{len(strays)} files of sessions that no manifest has were kept: {strays[0]}, {strays[1]}")
    assert note.endswith(f"{strays[MOST_NAMED - 1]} and 2 more")
    assert not TRACES.search(receipt.to_json())
    assert receipt.status == "done"


@pytest.mark.parametrize("act", [erase, expire])
def test_what_changes_while_it_waits_for_another_erasure_is_searched(archiver, source, tmp_path, monkeypatch, act):
    archived(archiver, source)
    stray = tmp_path / "old" / f"{good(7)}.json"

    @contextmanager
    def locked(self):
        stray.parent.mkdir()
        stray.write_text(json.dumps([said(0.0, BEN, "Ben Okafor", "Hi")]))
        yield

    monkeypatch.setattr(ErasureStore, "locked", locked)
    erase(tmp_path, user_ids=(1,), names=("Ann",), dry_run=True)
    before = len(tree(tmp_path))
    receipt = act(tmp_path)
    assert receipt.counts["files"] == before + 1
    assert act is expire or traces_in(tree(tmp_path)) == []


def test_the_hash_of_an_id_is_that_of_the_documentation(archiver, source, tmp_path):
    archived(archiver, source)
    first, second = (receipt_in(tmp_path, erase(tmp_path))["given"][0]["hash"] for _ in range(2))
    key = bytes.fromhex((tmp_path / "erasures" / "key").read_text())
    assert first == second == hmac.digest(key, b"id 48151", hashlib.sha256).hex()[:32]


def test_no_run_needs_a_receipt(archiver, source, tmp_path):
    archived(archiver, source)
    erase(tmp_path, for_future=True)
    for receipt in (tmp_path / "erasures").glob("2*.json"):
        receipt.unlink()
    source.asked.clear()
    archived(archiver, source)
    assert (source.asked, traces_in(tree(tmp_path))) == ([], [])


def test_a_person_who_returns_is_archived_again_after_the_request_is_withdrawn(archiver, source, tmp_path):
    archived(archiver, source)
    erase(tmp_path, for_future=True)
    source.outcomes.update({good(number): [said(0.0, BEN, "Ben Okafor", "Hi")] for number in (8, 9)})

    def next_night(number):
        end = (END + number * NIGHT - timedelta(hours=1)).isoformat()
        lesson = a_session(number, end_time=end, profiles=[ANN, BEN_PROFILE])
        night = archiver(END + number * NIGHT + timedelta(hours=1), formats=["json", "txt"])
        night.archive_window([lesson], END + (number - 1) * NIGHT, END + number * NIGHT)

    next_night(8)
    assert source.asked[-1] == good(8)
    assert traces_in(tree(tmp_path)) == []
    path = tmp_path / "erasures" / "tombstones.json"
    tombstones = json.loads(path.read_text())
    tombstones["requests"] = [request for request in tombstones["requests"] if not request["for_future"]]
    path.write_text(json.dumps(tombstones))
    next_night(9)
    assert {entry.rpartition("/")[2].partition(".")[0] for entry in traces_in(tree(tmp_path))} >= {good(9)}
    archived(archiver, source, SESSIONS)
    assert not [entry for entry in traces_in(tree(tmp_path)) if good(9) not in entry and "manifests/" not in entry]


@pytest.mark.parametrize("act", [erase, expire])
def test_an_erasure_beside_another_one_fails_and_changes_nothing(archiver, source, tmp_path, monkeypatch, act):
    archived(archiver, source)
    monkeypatch.setattr("lessonspace_provider.archive.erasure.store.LOCK_TIMEOUT", 0.1)
    with ErasureStore(ObjectStoragePath(f"file://{tmp_path}")).locked():
        before = tree(tmp_path)
        with pytest.raises(LessonspaceError, match=r"Another erasure or expiry .* Nothing was changed"):
            act(tmp_path)
        assert tree(tmp_path) == before
    assert act(tmp_path).status == "done"
