# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os

import pytest

from lessonspace_provider import rate_limit
from lessonspace_provider.exceptions import LessonspaceInputError, LessonspaceRateLimitedError
from lessonspace_provider.pace_stores import LocalPaceStore
from lessonspace_provider.rate_limit import OpenGate, RateGate, RateLimitSettings, gate_for, state_directory
from lessonspace_provider.turnstile import Turnstile

KEY = "3f0d3c7e-8d2f-4c37-9d0c-3b7f0f5d6a11"


@pytest.fixture
def naps():
    return []


@pytest.fixture
def gate(tmp_path, naps):
    return RateGate(
        Turnstile(tmp_path / "t"), LocalPaceStore(tmp_path / "p"), "here", per_second=5, max_wait=3.0, sleep=naps.append
    )


def test_a_pause_that_is_longer_than_the_longest_wait_is_an_error_at_once_that_says_what_to_change(gate, naps):
    gate.pause(60.0)
    with pytest.raises(LessonspaceRateLimitedError, match=r"rate_limit_max_wait=3 s.*15 requests.*raise") as caught:
        gate.acquire()
    assert naps == []
    assert caught.value.__context__ is None


def test_a_queue_that_is_longer_than_the_longest_wait_is_an_error(tmp_path):
    gate = RateGate(Turnstile(tmp_path / "t"), LocalPaceStore(tmp_path / "p"), "here", per_second=5, max_wait=0.05)
    with Turnstile(tmp_path / "t").entered(1.0), pytest.raises(LessonspaceRateLimitedError):
        gate.acquire()
    gate.acquire()  # whoever gave up has left the queue


def test_zero_turns_the_gate_off(tmp_path):
    gate = gate_for(KEY, "http://a", RateLimitSettings(0, 1.0, str(tmp_path)))
    assert isinstance(gate, OpenGate)
    for _ in range(100):
        gate.acquire()
    gate.pause(1000.0)
    gate.acquire()
    assert list(tmp_path.iterdir()) == []


def test_all_hooks_of_a_process_share_a_gate_per_key(tmp_path):
    settings = RateLimitSettings(5, 600.0, str(tmp_path))
    assert gate_for(KEY, "http://a", settings) is gate_for(KEY, "http://a", settings)
    assert gate_for(KEY, "http://a", settings) is not gate_for("another", "http://a", settings)


def test_the_files_carry_a_hash_and_not_the_key_and_belong_to_this_user_alone(tmp_path):
    directory = tmp_path / "state"
    gate_for(KEY, "http://files", RateLimitSettings(5, 600.0, str(directory))).acquire()
    assert directory.stat().st_mode & 0o777 == 0o700
    for path in directory.iterdir():
        assert KEY not in path.name
        assert KEY.encode() not in path.read_bytes()
        assert path.stat().st_mode & 0o077 == 0


def test_the_redis_address_is_in_no_repr():
    assert "hunter2" not in repr(RateLimitSettings(5, 1.0, None, "redis://:hunter2@example.org"))


def test_the_state_lies_in_airflows_home_when_that_can_be_written_to(tmp_path):
    assert state_directory(None, {"AIRFLOW_HOME": str(tmp_path)}).parent == tmp_path


def test_otherwise_it_lies_in_a_private_folder_of_the_user_under_the_temporary_directory(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    directory = state_directory(None, {"AIRFLOW_HOME": str(tmp_path / "nowhere")})
    assert directory == tmp_path / f"lessonspace_rate_limit_{os.getuid()}"
    assert directory.stat().st_mode & 0o777 == 0o700


def test_a_folder_that_somebody_else_put_into_the_temporary_directory_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    (tmp_path / f"lessonspace_rate_limit_{os.getuid()}").symlink_to(tmp_path)
    with pytest.raises(LessonspaceInputError, match=r"rate_limit_dir.*not made by this user"):
        state_directory(None, {"AIRFLOW_HOME": str(tmp_path / "nowhere")})


def test_a_directory_that_can_not_be_made_is_named():
    with pytest.raises(LessonspaceInputError, match=r"rate_limit_dir.*/dev/null/x.*local disk"):
        state_directory("/dev/null/x", {})


@pytest.mark.parametrize("environment", [{}, {"KUBERNETES_SERVICE_HOST": "10.0.0.1"}])
def test_in_a_pod_the_log_says_once_that_the_limit_holds_there_only(tmp_path, monkeypatch, caplog, environment):
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    caplog.set_level("INFO", logger=rate_limit.__name__)
    for _ in range(2):
        gate_for(KEY, "http://pod", RateLimitSettings(5, 600.0, str(tmp_path)))
    said = [record for record in caplog.records if "in this pod only" in record.getMessage()]
    assert len(said) == len(environment)


def test_a_clock_that_steps_back_blocks_nobody(gate, naps, monkeypatch):
    gate.acquire()
    monkeypatch.setattr("time.time", lambda: -60.0)
    monkeypatch.setattr("time.time_ns", lambda: -60_000_000_000)
    gate.acquire()
    assert naps
    assert max(naps) < 1.0
