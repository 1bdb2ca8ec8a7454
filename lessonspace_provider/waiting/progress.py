# SPDX-License-Identifier: Apache-2.0
"""What a wait found last, for its log and for the message of a timeout."""

from __future__ import annotations

from datetime import datetime, timedelta

from lessonspace_provider.api.log import Log
from lessonspace_provider.api.times import write_time

#: How often a wait is logged, at most.
LOG_INTERVAL = timedelta(minutes=5)


class Progress:
    """
    What a wait found last. Its first check is logged, and then one every few minutes.

    :param log: of the task or trigger.
    """

    def __init__(self, log: Log) -> None:
        self.checks = 0
        self._log = log
        self._found = ""
        self._failure = ""
        self._logged_at: datetime | None = None

    def found(self, message: str, now: datetime, next_check: datetime | None = None) -> None:
        """
        Note what a check found.

        :param message: one sentence.
        :param now: aware.
        :param next_check: aware; None where it is not known.
        """
        self.checks += 1
        self._found, self._failure = f"Found at {_to_the_second(now)}: {message}", ""
        if self._is_due(now):
            following = f" Next check at {_to_the_second(next_check)}." if next_check else ""
            self._log.info("%s%s", message, following)

    def failed(self, error: Exception, now: datetime) -> None:
        """Note that a check failed, which the next one may not."""
        self.checks += 1
        self._failure = f"The last check failed: {error}"
        if self._is_due(now):
            self._log.warning("This check failed and will be repeated: %s", error)

    def _is_due(self, now: datetime) -> bool:
        is_due = self._logged_at is None or now - self._logged_at >= LOG_INTERVAL
        if is_due:
            self._logged_at = now
        return is_due

    def __str__(self) -> str:
        """Describe what was found last, for the message of a timeout."""
        if not self.checks:
            return "No check has ended. Read the triggerer's log: it may be overloaded, or Lessonspace slow."
        return " ".join(part for part in (self._found or "No check succeeded.", self._failure) if part)


def _to_the_second(moment: datetime) -> str:
    return write_time(moment.replace(microsecond=0))
