# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import fcntl
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from lessonspace_provider._local_files import open_private_file
from lessonspace_provider.rate_limit.daily_notice import DAY, is_first_today

NOW = 1_800_000_000.0


def test_notice_is_logged_once_a_day(tmp_path):
    stamp = tmp_path / "notice"
    moments = [NOW + 0.6, NOW + 0.7, NOW + 1, NOW + DAY - 1, NOW + DAY, NOW + DAY + 1]
    assert [is_first_today(stamp, partial(float, moment)) for moment in moments] == [
        True,
        False,
        False,
        False,
        True,
        False,
    ]


def test_clock_that_was_set_back_silences_no_notice_for_long(tmp_path):
    stamp = tmp_path / "notice"
    is_first_today(stamp, lambda: NOW + 365 * DAY)
    assert is_first_today(stamp, lambda: NOW)
    assert not is_first_today(stamp, lambda: NOW + 1)


def test_of_many_at_once_one_logs(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(lambda _: is_first_today(tmp_path / "notice"), range(64))) == 1


@pytest.mark.parametrize("content", [b"", b"soon", b"\xff\x00", b"nan", b"9" * 5000])
def test_damaged_stamp_is_written_again(tmp_path, content):
    (tmp_path / "notice").write_bytes(content)
    (tmp_path / "notice").chmod(0o600)
    assert is_first_today(tmp_path / "notice")
    assert not is_first_today(tmp_path / "notice")


def test_nothing_waits_for_a_stamp_that_another_process_holds(tmp_path):
    with open_private_file(tmp_path / "notice") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert not is_first_today(tmp_path / "notice")


def test_stamp_that_can_not_be_used_stops_no_notice(tmp_path):
    (tmp_path / "file").touch()
    assert is_first_today(tmp_path / "file" / "notice")
