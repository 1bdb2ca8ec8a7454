# SPDX-License-Identifier: Apache-2.0
"""Memory of the process that runs this. Linux only."""

from __future__ import annotations

import gc
from pathlib import Path

#: What to write to a process's clear_refs to have its peak forgotten (proc(5)).
_FORGET_PEAK = "5"


def idle_memory() -> int:
    """Give resident memory in bytes, and let the peak be counted from now on."""
    gc.collect()
    Path("/proc/self/clear_refs").write_text(_FORGET_PEAK)
    return _bytes_of("VmRSS")


def peak_memory() -> int:
    """Give the most resident memory since ``idle_memory``, in bytes."""
    return _bytes_of("VmHWM")


def _bytes_of(field: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field)) * 1024
