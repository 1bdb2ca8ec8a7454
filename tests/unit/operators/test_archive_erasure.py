# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace

import pytest
from airflow.sdk import ObjectStoragePath
from airflow.serialization.helpers import serialize_template_field

from lessonspace_provider.archive.entry import by_session
from lessonspace_provider.archive.health.store import read_health, update_health
from lessonspace_provider.archive.manifest import Manifest
from lessonspace_provider.exceptions import LessonspaceDestinationError, LessonspaceError, LessonspaceInputError
from lessonspace_provider.operators.archive import LessonspaceEraseOperator, LessonspaceExpireArchiveOperator
from tests.tables import all_rows, rows_of
from tests.unit.archive.erased import BEN, TRACES, archived, traces_in
from tests.unit.archive.health_kit import an_entry, night_window, write_manifest
from tests.unit.archive.kit import good, tree

ARCHIVE = "file:///nowhere/archive"


def erase(folder, **parameters):
    parameters = {"user_ids": [BEN], "names": ["Ben Okafor"], **parameters}
    return LessonspaceEraseOperator(task_id="erase", destination=f"file://{folder}", **parameters).execute({})


def expire(folder, **parameters):
    parameters = {"keep": timedelta(days=30), **parameters}
    return LessonspaceExpireArchiveOperator(task_id="expire", destination=f"file://{folder}", **parameters).execute({})


@pytest.mark.parametrize("mode", ["redact", "delete"])
def test_rows_of_an_erased_person_are_in_no_table(archiver, source, tmp_path, mode):
    archived(archiver, source, tables=True)
    before = all_rows(tree(tmp_path))
    assert TRACES.search(repr(before).encode())
    result = erase(tmp_path, mode=mode)
    after = tree(tmp_path)
    assert not TRACES.search(repr(all_rows(after)).encode())
    assert traces_in(after) == []
    assert len(rows_of(after, "sessions")) == 3
    speakers = [(row["session_id"], row["user_id"], row["speaker"]) for row in rows_of(after, "segments")]
    assert ((good(1), None, "[erased]") in speakers) == (mode == "redact")
    assert any(session_id == good(1) for session_id, _, _ in speakers) == (mode == "redact")
    assert result["counts"]["tables_rebuilt"] == 3


def test_the_result_has_counts_and_the_receipt(archiver, source, tmp_path):
    archived(archiver, source)
    result = erase(tmp_path, user_ids=[str(BEN), 99_999], reference="request 17")
    assert (result["status"], result["not_found"], result["notes"]) == ("done", ["user_ids[1]"], [])
    assert result["counts"]["sessions_redacted"] == 2
    receipt = json.loads((tmp_path / "erasures" / result["receipt"].rpartition("/")[2]).read_text())
    assert receipt["parameters"]["reference"] == "request 17"
    assert erase(tmp_path)["status"] == "nothing_found"


def test_a_receipt_answers_who_ran_it_where_what_is_kept_and_what_was_not_searched(archiver, source, tmp_path):
    archived(archiver, source)
    ti = SimpleNamespace(dag_id="requests", run_id="manual__of_ben", task_id="erase")
    operator = LessonspaceEraseOperator(
        task_id="erase", destination=f"file://{tmp_path}", user_ids=[BEN], reference="request 17"
    )
    path = operator.execute({"ti": ti})["receipt"]
    receipt = json.loads(ObjectStoragePath(path).read_text())
    assert receipt["run"] == "dag requests, run manual__of_[erased], task erase"
    assert (receipt["destination"], receipt["parameters"]["reference"]) == (f"file://{tmp_path}", "request 17")
    assert any("hashes" in kept for kept in receipt["kept"])
    for place in ("copies", "backups", "Airflow's database", "Lessonspace", "nickname"):
        assert any(place in unsearched for unsearched in receipt["not_searched"])


def test_a_dry_run_returns_no_receipt_and_logs_that_it_is_one(archiver, source, tmp_path, capsys):
    archived(archiver, source)
    before = tree(tmp_path)
    result = erase(tmp_path, dry_run="True")
    assert "Dry run, nothing was changed. Would be: done" in capsys.readouterr().out
    assert (result["receipt"], result["counts"]["sessions_redacted"]) == (None, 2)
    assert tree(tmp_path) == before


def test_the_task_fails_when_a_file_cannot_be_read_and_names_it(archiver, source, tmp_path):
    archived(archiver, source)
    unreadable = next(tmp_path.rglob(f"{good(2)}.txt"))
    unreadable.unlink()
    unreadable.symlink_to("/dev/zero")
    with pytest.raises(LessonspaceError, match=rf"could not be searched or changed.*The receipt file:.*{good(2)}"):
        erase(tmp_path)
    assert not [path for path in traces_in(tree(tmp_path)) if good(1) in path]


@pytest.mark.parametrize(
    ("parameters", "why"),
    [
        ({"user_ids": [], "names": []}, "user_ids"),
        ({"user_ids": "48151"}, "user_ids"),
        ({"user_ids": ["x"]}, "user_ids"),
        ({"user_ids": [0]}, "user_ids"),
        ({"user_ids": [True]}, "user_ids"),
        ({"user_ids": [2**63]}, "user_ids"),
        ({"names": "Ben"}, "names"),
        ({"names": ["B"]}, "no single letter"),
        ({"names": ["may"]}, "common word"),
        ({"names": ["17"]}, "number"),
        ({"names": ["\u738b"]}, "no single letter"),
        ({"names": [""]}, "names"),
        ({"names": ["a b c d e f g h i"]}, "names"),
        ({"names": [None]}, "names"),
        ({"mode": "hide"}, "mode"),
        ({"dry_run": "yes"}, "dry_run"),
        ({"reference": "Ben asked"}, "without the ids and names"),
        ({"reference": f"user {BEN}"}, "without the ids and names"),
        ({"reference": "a\nb"}, "reference"),
        ({"destination": "archive"}, "destination"),
    ],
)
def test_bad_input_is_refused_without_repeating_names(parameters, why):
    operator = LessonspaceEraseOperator(
        task_id="erase", **{"destination": ARCHIVE, "user_ids": [BEN], "names": ["Ben"], **parameters}
    )
    with pytest.raises(LessonspaceInputError, match=why) as refused:
        operator.execute({})
    assert "Ben" not in str(refused.value)


def test_a_common_word_is_erased_when_it_is_forced(archiver, source, tmp_path):
    archived(archiver, source)
    erase(tmp_path, user_ids=[], names=["Fine"], force=True)
    assert b"Fine" not in next(tmp_path.rglob(f"{good(3)}.txt")).read_bytes()


def test_old_sessions_expire_and_their_account_stays_without_people(archiver, source, tmp_path):
    archived(archiver, source, tables=True)
    ended = datetime(2026, 11, 23, 1, tzinfo=timezone.utc)
    age = datetime.now(timezone.utc) - ended
    assert expire(tmp_path, keep=age + timedelta(days=1))["status"] == "nothing_found"
    before = tree(tmp_path)
    planned = expire(tmp_path, keep=timedelta(minutes=1), dry_run=True)
    assert tree(tmp_path) == before
    result = expire(tmp_path, keep=timedelta(minutes=1))
    assert (result["status"], result["counts"]["sessions_erased"]) == ("done", 3)
    assert planned["counts"]["files_deleted"] == result["counts"]["files_deleted"] == 3 * 7
    files = tree(tmp_path)
    assert not [path for path in files if path.startswith("2026")]
    (manifest,) = (tmp_path / "manifests").iterdir()
    for entry in json.loads(manifest.read_text())["sessions"]:
        assert (entry["status"], entry["roles"], entry["name"]) == ("erased", {}, None)
        assert entry["reason"].startswith("expired")
    assert (len(rows_of(files, "sessions")), rows_of(files, "segments"), rows_of(files, "people")) == (3, [], [])
    assert not TRACES.search(repr(all_rows(files)).encode())
    source.asked.clear()
    archived(archiver, source, tables=True)
    assert source.asked == []
    assert expire(tmp_path, keep=timedelta(minutes=1))["status"] == "nothing_found"


@pytest.mark.parametrize("keep", [0, -1, "30", None, True, 30, 365, 3650])
def test_a_bad_keep_is_refused(tmp_path, keep):
    with pytest.raises(LessonspaceInputError, match="keep"):
        expire(tmp_path, keep=keep)


@pytest.fixture
def open_session(tmp_path):
    """An archive whose health names an open session of Ben's; gives the session's id."""
    entry = an_entry(0, 0, "pending", roles={str(BEN): "student"})
    write_manifest(tmp_path, Manifest(night_window(0), by_session([entry])))
    update_health(ObjectStoragePath(f"file://{tmp_path}"))
    assert health_with(tmp_path, entry.session_id) == ["health.html", "health.json"]
    return entry.session_id


def health_with(folder, session_id):
    return [path.name for path in sorted(folder.glob("health.*")) if session_id in path.read_text()]


ERASURES = pytest.mark.parametrize(
    "act",
    [lambda folder: erase(folder, mode="delete"), lambda folder: expire(folder, keep=timedelta(minutes=1))],
    ids=["erase", "expire"],
)


@ERASURES
def test_an_erased_open_session_is_no_longer_in_the_health(open_session, tmp_path, act):
    assert act(tmp_path)["counts"]["sessions_erased"] == 1
    assert health_with(tmp_path, open_session) == []
    health = read_health(f"file://{tmp_path}")
    assert (health.counts, health.erasures) == ({"erased": 1}, 1)


@ERASURES
def test_a_health_that_could_not_be_written_fails_the_task_and_is_written_by_the_next(
    open_session, tmp_path, monkeypatch, act
):
    def refuse(_):
        raise LessonspaceDestinationError("the store is full")

    monkeypatch.setattr("lessonspace_provider.operators.archive_erasure.refresh_health", refuse)
    with pytest.raises(LessonspaceError, match=r"^health\.json was not brought up to date.*the store is full"):
        act(tmp_path)
    monkeypatch.undo()
    assert act(tmp_path)["status"] == "nothing_found"
    assert health_with(tmp_path, open_session) == []


def test_a_dry_run_leaves_the_health_and_an_archive_without_one_gets_none(open_session, tmp_path):
    erase(tmp_path, mode="delete", dry_run=True)
    assert health_with(tmp_path, open_session) == ["health.html", "health.json"]
    for path in tmp_path.glob("health.*"):
        path.unlink()
    erase(tmp_path)
    assert not list(tmp_path.glob("health.*"))


def test_templates_give_ids_and_names_and_rendered_fields_only_their_number(open_session, tmp_path):
    task = LessonspaceEraseOperator(
        task_id="erase",
        destination=f"file://{tmp_path}",
        user_ids=["{{ params.ben }}"],
        names=["{{ params.name }}", "Benny"],
        mode="delete",
    )
    context = {"params": {"ben": BEN, "name": "Ben Okafor"}}
    for _ in range(2):
        task.render_template_fields(context)
    stored = repr([serialize_template_field(getattr(task, name), name) for name in task.template_fields])
    assert not [trace for trace in (str(BEN), "Okafor", "Benny") if trace in stored]
    assert ("<1 rows>" in stored, "<2 rows>" in stored) == (True, True)
    assert task.execute({})["counts"]["sessions_erased"] == 1


def test_a_rendered_text_in_place_of_a_list_is_refused_and_not_stored():
    task = LessonspaceEraseOperator(task_id="erase", destination=ARCHIVE, names="{{ params.names }}")
    task.render_template_fields({"params": {"names": ["Okafor"]}})
    assert "Okafor" not in repr([getattr(task, name) for name in task.template_fields])
    with pytest.raises(LessonspaceInputError, match="names") as refused:
        task.execute({})
    assert "Okafor" not in str(refused.value)
