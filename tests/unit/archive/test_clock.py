# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from lessonspace_provider.archive.clock import Present

NOW = datetime(2026, 11, 23, 3, tzinfo=timezone.utc)


@pytest.mark.parametrize("seconds", [0, 300, -300, 1.5])
def test_clocks_that_agree_leave_the_workers_time(seconds):
    present = Present.of(NOW, NOW + timedelta(seconds=seconds))
    assert (present.now, present.is_confirmed, present.warning) == (NOW, True, None)


@pytest.mark.parametrize(("ahead", "words"), [(20, "20 days, 0:00:00 ahead of"), (-20, "20 days, 0:00:00 behind")])
def test_of_clocks_that_disagree_the_earlier_counts(ahead, words):
    server = NOW - timedelta(days=ahead)
    present = Present.of(NOW, server)
    assert (present.now, present.is_confirmed) == (min(NOW, server), True)
    assert words in present.warning


def test_a_clock_that_nothing_confirms_is_warned_of():
    present = Present.of(NOW, None)
    assert (present.now, present.is_confirmed) == (NOW, False)
    assert "Date header" in present.warning
