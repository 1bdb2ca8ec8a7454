# SPDX-License-Identifier: Apache-2.0
"""Remembers in a file which notices a machine has logged today: each task is a process with a log of its own."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable
from pathlib import Path

from lessonspace_provider._local_files import open_private_file

#: Seconds before a notice is logged again.
DAY = 86_400.0


def is_first_today(stamp: Path, clock: Callable[[], float] = time.time) -> bool:
    """
    Take note that a machine logs a notice.

    :param stamp: a small file on a local disk that the machine's processes share, one per notice.
    :param clock: epoch seconds.
    :return: False when another process logs it now, or has done so within a day. True when the file can't be used: a
        notice too many is better than none.
    """
    try:
        with open_private_file(stamp) as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            try:
                now = clock()
                if 0 <= now - _time_written(file.read()) < DAY:
                    return False
                os.ftruncate(file.fileno(), os.pwrite(file.fileno(), b"%d" % now, 0))
            finally:
                fcntl.flock(file, fcntl.LOCK_UN)
    except BlockingIOError:
        return False
    except OSError:
        pass
    return True


def _time_written(written: bytes) -> float:
    try:
        return float(written)
    except ValueError:  # an empty file
        return 0.0
