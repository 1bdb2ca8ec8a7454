# SPDX-License-Identifier: Apache-2.0
"""The rate limit's settings from an Airflow connection to the gate."""

from __future__ import annotations

import json
import re
import shutil

import pytest

from lessonspace_provider.hooks.lessonspace import LessonspaceHook
from lessonspace_provider.rate_limit import gate as rate_limit

KEY = "3f0d3c7e-8d2f-4c37-9d0c-3b7f0f5d6a11"


@pytest.fixture
def asked_for(monkeypatch):
    """What gate_for was asked for."""
    asked = []

    def gate_for(api_key, base_url, settings, redis):
        asked.append(settings)
        return rate_limit.OpenGate()

    monkeypatch.setattr("lessonspace_provider.hooks.lessonspace.gate_for", gate_for)
    return asked


@pytest.fixture
def connect(monkeypatch):
    def connect(name="lessonspace_default", **connection):
        monkeypatch.setenv(f"AIRFLOW_CONN_{name.upper()}", json.dumps(connection))

    return connect


def settings_of(asked_for):
    LessonspaceHook().get_conn()
    return asked_for[-1]


def test_without_settings_the_limit_is_5_a_second_on_this_machine(connect, asked_for):
    connect(conn_type="lessonspace", password=KEY)
    assert settings_of(asked_for) == rate_limit.RateLimitSettings(5.0, 600.0, None, None)


def test_settings_written_as_text_are_understood(connect, asked_for):
    extra = {"rate_limit_per_second": "0.5", "rate_limit_max_wait": "30", "rate_limit_dir": "/run/x"}
    connect(conn_type="lessonspace", password=KEY, extra=extra)
    assert settings_of(asked_for) == rate_limit.RateLimitSettings(0.5, 30.0, "/run/x", None)


def test_redis_connection_is_not_read_unless_it_is_the_backend(connect, asked_for):
    connect(conn_type="lessonspace", password=KEY, extra={"rate_limit_redis_conn_id": "not_there"})
    assert settings_of(asked_for).redis_conn_id is None


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        ({"rate_limit_backend": "memcached"}, "rate_limit_backend='memcached'.*local, redis"),
        ({"rate_limit_backend": "redis"}, "needs rate_limit_redis_conn_id"),
        ({"rate_limit_dir": 3}, "rate_limit_dir"),
        ({"rate_limit_per_second": -1}, "rate_limit_per_second"),
    ],
)
def test_settings_that_make_no_sense_are_refused_by_name(connect, extra, message):
    connect(conn_type="lessonspace", password=KEY, extra=extra)
    good, text = LessonspaceHook().test_connection()
    assert not good
    assert re.search(message, text)


@pytest.mark.parametrize("removed", [False, True])
def test_a_directory_that_can_not_be_used_is_reported_by_the_connections_test(
    lessonspace_sandbox, connect, tmp_path, monkeypatch, removed
):
    directory = tmp_path / "state"
    extra = {"rate_limit_dir": str(directory)}
    connect(
        conn_type="lessonspace", password=lessonspace_sandbox.api_key, host=lessonspace_sandbox.base_url, extra=extra
    )
    hook = LessonspaceHook()
    assert hook.test_connection()[0]
    shutil.rmtree(directory)
    if removed:
        assert hook.test_connection()[0]
        return
    directory.write_text("a file in its place")
    good, text = hook.test_connection()
    assert not good
    assert f"rate_limit_dir={str(directory)!r} can't be used" in text
    assert "local disk" in text
