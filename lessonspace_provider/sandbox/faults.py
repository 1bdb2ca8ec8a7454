# SPDX-License-Identifier: Apache-2.0
"""Which call goes wrong."""

from __future__ import annotations

import re
from random import Random

from lessonspace_provider.sandbox.messages import Fault, FaultReport, Target


class Faults:
    """The faults that were set up, in their order; the first that fires for a call spoils it."""

    def __init__(self) -> None:
        self._faults: list[_ActiveFault] = []

    def add(self, fault: Fault) -> None:
        """Set up one more."""
        self._faults.append(_ActiveFault(fault))

    def clear(self) -> None:
        """Forget all."""
        self._faults.clear()

    def pick(self, target: Target, method: str, path: str) -> Fault | None:
        """Return what spoils this call, if anything."""
        return next((f.fault for f in self._faults if f.fires(target, method, path)), None)

    def report(self) -> list[FaultReport]:
        """Return all with their counts, used-up ones included."""
        return [FaultReport(active.fault, active.matched, active.injected) for active in self._faults]


class _ActiveFault:
    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        self.matched = 0
        self.injected = 0
        self._random = Random(fault.seed)
        self._path = re.compile(fault.path or "")

    def fires(self, target: Target, method: str, path: str) -> bool:
        fault = self.fault
        if fault.count is not None and self.injected >= fault.count:
            return False
        if fault.target != target or fault.method not in (None, method) or not self._path.search(path):
            return False
        self.matched += 1
        if fault.every is not None and self.matched % fault.every:
            return False
        if fault.probability is not None and self._random.random() >= fault.probability:
            return False
        self.injected += 1
        return True
