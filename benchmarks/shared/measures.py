# SPDX-License-Identifier: Apache-2.0
"""Figures from what a server saw. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Arrival:
    """
    A call as the server saw it.

    :param caller: who made it.
    :param at: monotonic seconds.
    :param accepted: False for a 429.
    """

    caller: str
    at: float
    accepted: bool


def share_of(rate: float, arrivals: Sequence[Arrival]) -> float:
    """
    Compute which share of a rate was used between the first and the last accepted call.

    Callers in bursts may reach a little more than 1: their first burst takes no time.
    """
    times = [arrival.at for arrival in arrivals if arrival.accepted]
    return (len(times) - 1) / rate / (max(times) - min(times)) if len(times) > 1 else 0.0


def refused(arrivals: Sequence[Arrival]) -> int:
    """Count the 429s."""
    return sum(not arrival.accepted for arrival in arrivals)


def served_at_three_quarters(arrivals: Sequence[Arrival], callers: Sequence[str]) -> list[int]:
    """Count how many accepted calls each of the callers had when three quarters of all theirs were done."""
    order = [arrival.caller for arrival in arrivals if arrival.accepted and arrival.caller in callers]
    counts = Counter(order[: len(order) * 3 // 4])
    return [counts[caller] for caller in callers]


def jain(served: Sequence[int]) -> float:
    """Compute Jain's fairness: 1 when all had the same, 1/n when one of n had everything."""
    squares = sum(number**2 for number in served)
    return sum(served) ** 2 / (len(served) * squares) if squares else 0.0


def all_served_after(arrivals: Sequence[Arrival], callers: Sequence[str]) -> float:
    """Compute the seconds from the first call until the last of the callers had its first accepted one."""
    first: dict[str, float] = {}
    for arrival in arrivals:
        if arrival.accepted:
            first.setdefault(arrival.caller, arrival.at)
    if not all(caller in first for caller in callers):
        return float("inf")
    return max(first[caller] for caller in callers) - min(arrival.at for arrival in arrivals)
