# SPDX-License-Identifier: Apache-2.0
"""Erasures of one person of many, on a disk and on S3: all bytes searched, killed, and beside runs of the archive."""

from __future__ import annotations

import json
import random
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from lessonspace_provider.bulk import account_lock
from lessonspace_provider.output import files as output_files
from tests.integration.archive import interruptions
from tests.integration.archive.erasures import School, archive, erase, restore, traces_in
from tests.integration.archive.interruptions import Interruption, Killed, interrupted
from tests.integration.archive.runs import tree

#: Ids of sessions are in no test of others' bytes: the index has fingerprints of manifests, which change.
CHANGES = ("manifests/", "manifest_index.json", "erasures/", "tables/", "health")


@pytest.fixture
def school(control):
    held = School(control, nights=3, lessons=5)
    held.open()
    return held


def statuses_in(destination):
    manifests = [json.loads(data) for path, data in tree(destination).items() if path.startswith("manifests/")]
    return {entry["session_id"]: entry["status"] for manifest in manifests for entry in manifest["sessions"]}


def of_sessions(destination, session_ids):
    files = tree(destination).items()
    return {path: data for path, data in files if any(session_id in path for session_id in session_ids)}


def asked_for(control):
    return len(control.calls(target="api", path="/transcript/$"))


@pytest.mark.parametrize("mode", ["redact", "delete"])
def test_one_of_forty_people_is_in_no_byte_and_no_rerun_brings_them_back(control, school, destination, mode):
    for window in school.windows():
        archive(destination, window)
    assert len(traces_in(destination, school.traces)) > 3 * 7
    others = of_sessions(destination, school.others)
    everyone = school.took_part | school.named | school.others
    calls = len(control.calls())
    result = erase(destination, school.user_id, mode=mode, reference="request 17")
    assert len(control.calls()) == calls
    assert traces_in(destination, school.traces) == []
    assert of_sessions(destination, school.others) == others
    assert (result["status"], result["not_found"], result["counts"]["left"]) == ("done", [], 0)
    assert bool(of_sessions(destination, school.took_part)) == (mode == "redact")
    expected = dict.fromkeys(everyone, "archived")
    if mode == "delete":
        expected |= dict.fromkeys(school.took_part, "erased")
    assert statuses_in(destination) == expected
    asked = asked_for(control)
    for window in school.windows():
        archive(destination, window)
    assert asked_for(control) == asked
    assert traces_in(destination, school.traces) == []
    assert statuses_in(destination) == expected
    assert of_sessions(destination, school.others) == others
    assert erase(destination, school.user_id, mode=mode)["status"] == "nothing_found"


@pytest.mark.parametrize("mode", ["redact", "delete"])
def test_killed_at_random_points_and_run_again_an_erasure_finishes(control, destination, monkeypatch, mode):
    school = School(control, nights=1, lessons=3)
    school.open()
    archive(destination, *school.windows())
    whole, others = tree(destination), of_sessions(destination, school.others)
    erase(destination, school.user_id, mode=mode)
    monkeypatch.setattr(account_lock, "LEASE_DURATION", 0.5)
    interruptions.install(monkeypatch)
    remove = output_files._remove

    def removed(first, paths):
        if interruptions._current is not None:
            interruptions._current.step()
        remove(first, paths)

    monkeypatch.setattr(output_files, "_remove", removed)
    chance, killed = random.Random(mode), 0
    is_disk = destination.protocol == "file"
    for _ in range(50 if is_disk else 5):
        restore(destination, whole)
        interruption = Interruption(Killed(), chance.randrange(70 if is_disk else 150), requests=False)
        try:
            with interrupted(interruption):
                erase(destination, school.user_id, mode=mode)
        except Killed:
            killed += 1
        erase(destination, school.user_id, mode=mode)
        assert traces_in(destination, school.traces) == []
        assert of_sessions(destination, school.others) == others
    assert killed >= (8 if is_disk else 2)
    asked = asked_for(control)
    archive(destination, *school.windows())
    assert (asked_for(control), traces_in(destination, school.traces)) == (asked, [])


@pytest.mark.parametrize("mode", ["redact", "delete"])
def test_an_erasure_and_a_run_of_the_archive_at_once_undo_nothing_of_each_other(control, destination, mode):
    school = School(control, nights=2, lessons=6)
    school.open()
    first, second = school.windows()
    archive(destination, first)
    control.inject_fault("slow", target="store", probability=1.0, seconds=0.02)
    begin = threading.Barrier(2)

    def at_once(act):
        begin.wait()
        return act()

    with ThreadPoolExecutor(2) as pool:
        run = pool.submit(at_once, lambda: archive(destination, second))
        erasure = pool.submit(at_once, lambda: erase(destination, school.user_id, mode=mode, for_future=True))
        run.result()
        assert erasure.result()["status"] == "done"
    assert traces_in(destination, school.traces) == []
    expected = dict.fromkeys(school.named | school.others, "archived")
    expected |= dict.fromkeys(school.took_part, "erased" if mode == "delete" else "archived")
    assert statuses_in(destination) == expected
    asked = asked_for(control)
    for window in school.windows():
        archive(destination, window)
    assert (asked_for(control), traces_in(destination, school.traces)) == (asked, [])


def test_two_erasures_at_once_both_take_place(control, destination):
    school = School(control, nights=1, lessons=4)
    school.open()
    archive(destination, *school.windows())
    with ThreadPoolExecutor(2) as pool:
        results = [
            pool.submit(erase, destination, school.user_id),
            pool.submit(erase, destination, 1, user_ids=[], names=["Pupil2"]),
        ]
        assert {result.result()["status"] for result in results} == {"done"}
    assert traces_in(destination, school.traces) == []
    assert not [path for path, data in tree(destination).items() if path.endswith(".txt") and b"Pupil2" in data]
