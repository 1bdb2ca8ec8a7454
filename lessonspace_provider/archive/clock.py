# SPDX-License-Identifier: Apache-2.0
"""What time it is, by the worker's clock and the API's: a wrong one must not give transcripts up. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

#: How far the worker's clock may be from the API's.
CLOCK_TOLERANCE = timedelta(minutes=5)


@dataclass(frozen=True)
class Present:
    """
    The present, as far as it is known.

    :param now: aware; where the worker's clock and the API's disagree, the earlier of the two.
    :param is_confirmed: whether the API's clock is known.
    :param of_api: the API's time, or the worker's where that is not known.
    :param ahead: how far the worker's clock is ahead of the API's; zero where they agree, or that is not known.
    """

    now: datetime
    is_confirmed: bool
    of_api: datetime
    ahead: timedelta = timedelta(0)

    @classmethod
    def of(cls, worker: datetime, server: datetime | None) -> Present:
        """Compare the worker's clock with the API's, both aware; within ``CLOCK_TOLERANCE``, the worker's counts."""
        if server is None:
            return cls(worker, False, worker)
        if abs(worker - server) <= CLOCK_TOLERANCE:
            return cls(worker, True, server)
        return cls(min(worker, server), True, server, ahead=worker - server)

    @property
    def warning(self) -> str | None:
        """The warning to log about the clocks; None where nothing is wrong with them."""
        if not self.is_confirmed:
            return (
                "No response from Lessonspace had a Date header, so the worker's clock can't be checked. A transcript "
                "is given up only after several checks. Check whether a proxy removes the header."
            )
        if not self.ahead:
            return None
        by = timedelta(seconds=round(abs(self.ahead).total_seconds()))
        return (
            f"The worker's clock is {by} {'ahead of' if self.ahead > timedelta(0) else 'behind'} Lessonspace's. The "
            f"earlier time counts, so that no transcript is given up too soon. Set the worker's clock."
        )
