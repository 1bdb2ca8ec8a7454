# SPDX-License-Identifier: Apache-2.0
"""Accounts on a disk and in a store in memory. S3, kills and many items: see the integration tests."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from types import SimpleNamespace
from uuid import uuid4

import pytest
from airflow.sdk import ObjectStoragePath

from lessonspace_provider.bulk import account_lock, journal
from lessonspace_provider.bulk.account import Account, _read_account, open_account
from lessonspace_provider.exceptions import LessonspaceDestinationError, LessonspaceError
from tests.airflow_version import needs_airflow
from tests.unit.bulk.test_items import a_record


@pytest.fixture(autouse=True)
def hurried(monkeypatch):
    monkeypatch.setattr(account_lock, "RETRY_INTERVAL", 0.01)


@pytest.fixture(
    params=[
        "disk",
        pytest.param("memory", marks=needs_airflow("3.2", "ObjectStoragePath of older ones reads no memory:// file")),
    ]
)
def folder(request, tmp_path):
    places = {"disk": f"file://{tmp_path}/account", "memory": f"memory:///{uuid4().hex}"}
    return ObjectStoragePath(places[request.param])


def records(*keys, status="done"):
    return [a_record(status, key=key) for key in keys]


def lines_of(folder):
    return [json.loads(line) for line in (folder / "account.jsonl").read_bytes().splitlines()]


def names(folder):
    return sorted(entry.name for entry in folder.iterdir())


def abandoned(folder, *written):
    """Write as a process that is killed does: nothing is closed and nothing is freed."""
    account = open_account(folder, "launches")
    opened = account.__enter__()
    for record in written:
        opened.write([record])
    return account, opened


def test_an_account_has_a_line_for_each_item_and_the_newest_counts(folder):
    with open_account(folder, "launches") as account:
        account.write(records("a", "b", status="not_attempted"))
        account.write(records("a"))
    header, *lines = lines_of(folder)
    assert (header["lessonspace_account"], header["job"]) == (1, "launches")
    assert [(line["key"], line["status"]) for line in lines] == [("a", "done"), ("b", "not_attempted")]
    assert [name for name in names(folder) if name not in ("account.jsonl", "account.lock")] == []


def test_a_later_run_continues_with_what_was_recorded(folder):
    with open_account(folder, "launches") as account:
        key = account.key_of("maths", "ann")
        account.write(records(key))
    with open_account(folder, "launches") as account:
        assert account.key_of("maths", "ann") == key
        assert account.record_of(key)["status"] == "done"
        assert account.record_of("another") is None


def test_keys_reveal_nothing_and_differ_between_accounts(tmp_path):
    keys = []
    for name in ("x", "y"):
        with open_account(ObjectStoragePath(f"file://{tmp_path}/{name}"), "launches") as account:
            keys.append(account.key_of("maths", "ann"))
            assert account.key_of("maths", "an", "n") != account.key_of("maths", "ann")
    assert keys[0] != keys[1]


def test_what_was_recorded_is_durable_before_the_account_is_closed(folder, monkeypatch):
    monkeypatch.setattr(account_lock, "LEASE_DURATION", 0.05)
    _, first = abandoned(folder, *records("a"), *records("b", status="failed"))
    first._is_lost = lambda: False
    header, left = _read_account(folder, "launches")
    assert {key: record["status"] for key, record in left.items()} == {"a": "done", "b": "failed"}
    assert header["merged"] >= 1


def test_a_line_that_a_killed_process_left_unfinished_is_left_out(tmp_path):
    folder = ObjectStoragePath(f"file://{tmp_path}")
    with open_account(folder, "launches") as account:
        account.write(records("a"))
    whole = (tmp_path / "account.jsonl").read_bytes().splitlines()[1]
    torn = b'{"key": "c", "item": "mat'
    (tmp_path / "journal-000007-0123abcd.jsonl").write_bytes(whole.replace(b'"a"', b'"b"') + b"\n" + torn)
    with open_account(folder, "launches") as account:
        assert account.record_of("b")["status"] == "done"
        assert account.record_of("c") is None
        account.write(records("c"))
    assert [line["key"] for line in lines_of(folder)[1:]] == ["a", "b", "c"]


def test_journals_that_are_merged_and_still_there_are_ignored(folder, monkeypatch):
    with open_account(folder, "launches") as account:
        account.write(records("a", status="failed"))
        old = next(name for name in names(folder) if name.startswith("journal"))
        stale = (folder / old).read_bytes()
        account.write(records("a"))
    (folder / old).write_bytes(stale)
    with open_account(folder, "launches") as account:
        assert account.record_of("a")["status"] == "done"


@needs_airflow("3.2", "ObjectStoragePath of older ones reads no memory:// file")
def test_many_small_files_of_a_store_are_merged_meanwhile(monkeypatch):
    monkeypatch.setattr(journal, "MOST_SEGMENTS", 5)
    folder = ObjectStoragePath(f"memory:///{uuid4().hex}")
    with open_account(folder, "launches") as account:
        for number in range(23):
            account.write(records(str(number)))
            assert len(names(folder)) <= 5 + 2
    assert [line["key"] for line in lines_of(folder)[1:]] == [str(number) for number in range(23)]


def test_threads_write_together(folder, monkeypatch):
    with open_account(folder, "launches") as account:
        appended, first_is_in, release = [], threading.Event(), threading.Event()
        append = account._journal.append

        def slow(data):
            appended.append(len(data.splitlines()))
            if len(appended) == 1:
                first_is_in.set()
                assert release.wait(30)
            append(data)

        monkeypatch.setattr(account._journal, "append", slow)
        with ThreadPoolExecutor(8) as pool:
            first = pool.submit(account.write, records("0"))
            assert first_is_in.wait(30)
            others = [pool.submit(account.write, records(str(number))) for number in range(1, 8)]
            while account._appended < 8:
                threading.Event().wait(0.001)
            assert not any(future.done() for future in (first, *others))
            release.set()
            for future in (first, *others):
                future.result(30)
    assert appended == [1, 7]
    assert len(lines_of(folder)) == 9


def test_an_unwritable_account_fails_all_writers(folder, monkeypatch):
    with open_account(folder, "launches") as account:
        account.write(records("a"))

        def refuses(data):
            raise OSError("no space left")

        monkeypatch.setattr(account._journal, "append", refuses)
        with pytest.raises(OSError, match="no space"):
            account.write(records("b"))
        with pytest.raises(LessonspaceError, match="could not be written"):
            account.write(records("c"))
    with open_account(folder, "launches") as account:
        assert account.record_of("a") is not None
        assert account.record_of("b") is account.record_of("c") is None


def test_a_closed_account_takes_nothing(folder):
    with open_account(folder, "launches") as account:
        pass
    with pytest.raises(LessonspaceError, match="is closed"):
        account.write(records("a"))
    with pytest.raises(LessonspaceError, match="is closed"):
        account.check_open()


@pytest.mark.parametrize(
    "content",
    [b"", b"x\n", b"[]\n", b'{"lessonspace_account": 2, "salt": "x", "job": "launches"}\n'],
)
def test_an_unreadable_account_is_not_replaced(folder, content):
    (folder / "account.jsonl").parent.mkdir(parents=True, exist_ok=True)
    (folder / "account.jsonl").write_bytes(content)
    with pytest.raises(LessonspaceError, match="can't be read at line 1"), open_account(folder, "launches"):
        pass
    assert (folder / "account.jsonl").read_bytes() == content


def test_a_damaged_line_is_named(folder):
    with open_account(folder, "launches") as account:
        account.write(records("a"))
    path = folder / "account.jsonl"
    path.write_bytes(path.read_bytes() + b'{"key": "b"}\n')
    with (
        pytest.raises(LessonspaceError, match=r"can't be read at line 3.*restore it"),
        open_account(folder, "launches"),
    ):
        pass


HEADER = {"lessonspace_account": 1, "job": "launches", "salt": "x", "merged": 0}


@pytest.mark.parametrize(
    ("line", "content"),
    [
        (1, b"[" * 200_000),
        (1, json.dumps({**HEADER, "merged": "7"}).encode()),
        (1, json.dumps({**HEADER, "salt": 7}).encode()),
        (1, json.dumps({name: HEADER[name] for name in ("lessonspace_account", "job", "salt")}).encode()),
        (2, b"[" * 200_000),
        *((2, json.dumps(a_record(key=key)).encode()) for key in ([], None, 7)),
        (2, json.dumps(a_record("seen")).encode()),
        (2, json.dumps(a_record(tries="7")).encode()),
        (2, json.dumps(a_record(reason={})).encode()),
    ],
)
def test_an_account_of_another_program_is_named_with_its_line(folder, line, content):
    (folder / "account.jsonl").parent.mkdir(parents=True, exist_ok=True)
    before = [json.dumps(HEADER).encode()] * (line - 1)
    (folder / "account.jsonl").write_bytes(b"\n".join([*before, content, b""]))
    with (
        pytest.raises(LessonspaceError, match=f"can't be read at line {line}.*restore it"),
        open_account(folder, "launches"),
    ):
        pass


def test_an_account_of_another_job_is_refused(folder):
    with open_account(folder, "launches"):
        pass
    with pytest.raises(LessonspaceError, match="is one of launches, not of updates"), open_account(folder, "updates"):
        pass


def test_two_runs_do_not_share_an_account(folder):
    with open_account(folder, "launches") as account:
        account.write(records("a"))
        with (
            pytest.raises(LessonspaceError, match="Another run has used the account"),
            open_account(folder, "launches", timeout=0.05),
        ):
            pass
        account.write(records("b"))
    with open_account(folder, "launches", timeout=0.05) as account:
        assert account.record_of("b") is not None


def test_a_run_waits_for_the_one_before_it(folder):
    opened, closed, order = threading.Event(), threading.Event(), []

    def first():
        with open_account(folder, "launches") as account:
            opened.set()
            assert closed.wait(30)
            order.append("first")
            account.write(records("a"))

    def second():
        with open_account(folder, "launches", timeout=30) as account:
            order.append("second")
            assert account.record_of("a") is not None

    with ThreadPoolExecutor(2) as pool:
        one = pool.submit(first)
        assert opened.wait(30)
        other = pool.submit(second)
        closed.set()
        one.result(30)
        other.result(30)
    assert order == ["first", "second"]


@needs_airflow("3.2", "ObjectStoragePath of older ones reads no memory:// file")
def test_a_lease_that_nothing_renews_is_taken_over_and_its_holder_stops(monkeypatch):
    folder = ObjectStoragePath(f"memory:///{uuid4().hex}")
    with open_account(folder, "launches") as frozen:
        frozen.write(records("a"))
        with monkeypatch.context() as shorter:
            shorter.setattr(account_lock, "LEASE_DURATION", 0.05)
            other = open_account(folder, "launches", timeout=30)
            account = other.__enter__()
        with closing(SimpleNamespace(close=lambda: other.__exit__(None, None, None))):
            assert account.record_of("a") is not None
            account.write(records("b"))
            lease = frozen._is_lost.__self__
            assert not lease._path.exists()
            lease._is_taken_over = True  # as its next renewal finds
            with pytest.raises(LessonspaceError, match="taken over by another run"):
                frozen.write(records("c"))
    assert isinstance(frozen, Account)
    with open_account(folder, "launches") as account:
        assert account.record_of("c") is None
        assert account.record_of("b") is not None


@pytest.mark.parametrize("place", ["a file in its place", "a link of the lock"])
def test_a_folder_that_can_not_be_used_is_named(tmp_path, place):
    account = tmp_path / "account"
    if place == "a file in its place":
        account.write_text("x")
    else:
        account.mkdir()
        (account / "account.lock").symlink_to(tmp_path / "elsewhere")
    folder = ObjectStoragePath(f"file://{account}")
    with pytest.raises(LessonspaceDestinationError, match=str(account)), open_account(folder, "launches"):
        pass
    assert not (tmp_path / "elsewhere").exists()


@needs_airflow("3.2", "ObjectStoragePath of older ones reads no memory:// file")
def test_of_many_runs_that_begin_at_once_one_has_a_stores_account():
    folder, inside, most, lock = ObjectStoragePath(f"memory:///{uuid4().hex}"), [], [], threading.Lock()

    def run(number):
        with open_account(folder, "launches", timeout=60) as account:
            with lock:
                inside.append(number)
                most.append(len(inside))
            account.write(records(str(number)))
            with lock:
                inside.remove(number)

    with ThreadPoolExecutor(8) as pool:
        for future in [pool.submit(run, number) for number in range(8)]:
            future.result(60)
    assert most == [1] * 8
    assert len(lines_of(folder)) == 9


@needs_airflow("3.2", "ObjectStoragePath of older ones reads no memory:// file")
def test_a_run_that_could_not_renew_its_lease_in_time_has_lost_it_for_good(monkeypatch):
    with open_account(ObjectStoragePath(f"memory:///{uuid4().hex}"), "launches") as account:
        lease = account._is_lost.__self__
        lease._renewed_at -= account_lock.LEASE_DURATION + 1
        with pytest.raises(LessonspaceError, match="taken over"):
            account.check_open()
        lease._renew()
        with pytest.raises(LessonspaceError, match="taken over"):
            account.write(records("a"))
