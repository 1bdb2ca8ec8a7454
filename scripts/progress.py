# SPDX-License-Identifier: Apache-2.0
"""Waiting for things to happen, with plain lines about what for and for how long."""

from __future__ import annotations

import http.client
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from scripts.airflow_api import AirflowApiError
from scripts.processes import GuardedProcess

# Far more than a busy machine needs: the deadline is there to end a wait for what will never come.
DEADLINE_SECONDS = 300.0
FIRST_WORD_SECONDS = 1.0
NEXT_WORD_SECONDS = 15.0
LOOK_EVERY_SECONDS = 0.25

Result = TypeVar("Result")


class DemoError(Exception):
    """The demo cannot continue; the message has the reason."""


class Progress:
    """Prints what happens, each line with the seconds since the beginning."""

    def __init__(self) -> None:
        self._started = time.monotonic()

    def say(self, text: str) -> None:
        """Print one line."""
        print(f"{time.monotonic() - self._started:6.1f} s  {text}", flush=True)

    def wait_for(
        self,
        what: str,
        look: Callable[[], Result | None],
        processes: Sequence[GuardedProcess] = (),
        *,
        deadline: float = DEADLINE_SECONDS,
    ) -> Result:
        """Check repeatedly until there is a result.

        No answer, or a server error, from Airflow counts as nothing yet.

        :param what: what is waited for, to follow "waiting for" and to be followed by a duration.
        :param processes: they must stay alive meanwhile.
        :param deadline: seconds.
        :raises DemoError: a process ended, or the deadline passed.
        """
        started = time.monotonic()
        say_at = started + FIRST_WORD_SECONDS
        while True:
            result, trouble = _look(look)
            now = time.monotonic()
            if result is not None:
                self.say(f"{what}: {now - started:.1f} s")
                return result
            check_alive(processes)
            if now - started > deadline:
                raise DemoError(f"waited {deadline:.0f} s in vain for {what}{trouble}")
            if now > say_at:
                self.say(f"  waiting for {what}")
                say_at = now + NEXT_WORD_SECONDS
            time.sleep(LOOK_EVERY_SECONDS)


def check_alive(processes: Sequence[GuardedProcess]) -> None:
    """Refuse to continue without one of the processes.

    :raises DemoError: one of them ended.
    """
    for process in processes:
        if (status := process.exit_status()) is not None:
            raise DemoError(f"{process.name} ended by itself, with status {status}")


def _look(look: Callable[[], Result | None]) -> tuple[Result | None, str]:
    try:
        return look(), ""
    except OSError as error:
        return None, f" (no answer: {error!r})"
    except AirflowApiError as error:
        if error.status < http.client.INTERNAL_SERVER_ERROR:
            raise
        return None, f" ({error})"
