# SPDX-License-Identifier: Apache-2.0
"""Records what one erasure or expiry is about to do and has done: as tombstones, and in its receipt."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from lessonspace_provider.api.times import write_time
from lessonspace_provider.archive.erasure.receipt import Receipt
from lessonspace_provider.archive.erasure.store import ErasureStore
from lessonspace_provider.archive.erasure.tombstones import Request, Tombstones

#: Seconds between two writes of the receipt of a run in progress.
CHECKPOINT_INTERVAL = 5.0


class ErasureProgress:
    """
    The tombstones and the receipt of one run.

    :param store: of the archive.
    :param receipt: of the run.
    :param dry_run: write nothing.
    """

    def __init__(self, store: ErasureStore, receipt: Receipt, *, dry_run: bool, now: Callable[[], datetime]) -> None:
        self._store = store
        self._receipt = receipt
        self._dry_run = dry_run
        self._now = now
        self._key = b""
        self._request = Request(receipt.time, ())
        self._interrupted: Sequence[Request] = ()
        self._written_at = -CHECKPOINT_INTERVAL

    def begin(self, tombstones: Tombstones, marks: Sequence[str] = (), *, for_future: bool = False) -> None:
        """
        Record the people before anything is changed.

        :param tombstones: as they were read.
        :param marks: of the people of this run.
        """
        self._key = tombstones.key
        # An expiry searches for no people: an erasure that was interrupted stays interrupted.
        self._interrupted = [
            request for request in tombstones.requests if not request.is_done and (marks or not request.marks)
        ]
        self._receipt.continues = [write_time(request.time) for request in self._interrupted]
        self._request = replace(self._request, marks=tuple(marks), for_future=for_future)
        self._update(self._request)
        self.checkpoint()

    @property
    def unfinished(self) -> set[str]:
        """The ids of the sessions that interrupted runs were about to change."""
        return {session_id for request in self._interrupted for session_id in request.sessions}

    def record(self, sessions: Mapping[str, bool]) -> None:
        """Write the tombstones of sessions before they are changed, True for those that are erased."""
        self._request = replace(self._request, sessions={**self._request.sessions, **sessions})
        self._update(self._request)
        self.checkpoint()

    def checkpoint(self) -> None:
        """Write the receipt so far, so that a killed run has one."""
        if time.monotonic() - self._written_at >= CHECKPOINT_INTERVAL:
            self._write_receipt()
            self._written_at = time.monotonic()

    def end(self) -> None:
        """Close the requests unless something failed, and write the receipt."""
        self._receipt.is_over, self._receipt.ended = True, self._now()
        if not self._receipt.failed:
            self._update(*(replace(request, is_done=True) for request in (*self._interrupted, self._request)))
        self._write_receipt()

    def _write_receipt(self) -> None:
        if not self._dry_run:
            self._store.write_receipt(self._receipt.name, self._receipt.to_json())

    def _update(self, *requests: Request) -> None:
        def add(there: Tombstones) -> Tombstones:
            for request in requests:
                there = there.with_request(request)
            return there

        if not self._dry_run:
            self._store.update(add, self._key)
