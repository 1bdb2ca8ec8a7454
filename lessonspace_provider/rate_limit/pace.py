# SPDX-License-Identifier: Apache-2.0
"""
The pace of one API key: who may call next, and when. Pure; times are seconds of whatever clock the store has.

Calls are evenly spaced and never come in bursts: a burst of 5 breaks a server that has just lowered its limit to 3,
whatever the window it counts in.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace

#: Calls are spaced this much further apart than the limit asks for, since clocks and networks jitter.
SPACING_MARGIN = 1.05

#: How late, as a share of the spacing, a permit may be taken before that moves the slots of all others; the margin
#: above is there for this, and moving them for every millisecond would cost a busy machine its share of the rate.
TOLERATED_LATENESS = 0.1

#: Seconds after its time that a slot is kept for a host that is late: machines far from Redis, or busy, always are.
RESERVATION_LAPSES = 2.0

#: Seconds that all callers pause after a 429 at least, whatever its Retry-After: calls that were on their way already
#: may be refused as well, and count as the same incident while the pause lasts.
SHORTEST_PAUSE = 1.0

#: Seconds that all callers pause at most: a server that needs longer sends another 429.
LONGEST_PAUSE = 300.0

#: Most hosts that may have a slot reserved: a pace with more is damaged, and Redis' Lua could not write it.
MOST_HOSTS = 1000

#: The latest time that a store's clock may show, in seconds: some 30,000 years.
LATEST = 1e12

#: Bytes of the longest pace, as JSON.
LONGEST_PACE = 2**20

#: What a 429 does to the spacing, how far that goes, and what each slot takes back of it, used or not.
SLOW_DOWN, SLOWEST, RECOVERY = 1.25, 20.0, 0.985


@dataclass(frozen=True)
class Pace:
    """
    What all callers of a key share.

    :param next_slot: when the next call that no one has reserved may be made.
    :param slowness: factor on the spacing, 1 when the server is content.
    :param paused_until: end of the pause after the last 429.
    :param slots: the slot that each host has reserved. A reservation belongs to the host and not to a process: when
        the one that waits for it is killed, the next in the host's queue takes it over.
    """

    next_slot: float = 0.0
    slowness: float = 1.0
    paused_until: float = 0.0
    slots: dict[str, float] = field(default_factory=dict)

    def encode(self) -> bytes:
        """Write the pace as JSON."""
        return json.dumps(asdict(self)).encode()

    @classmethod
    def decode(cls, data: bytes | str | None) -> Pace:
        """Read what ``encode`` wrote; a fresh pace for nothing, and for what no pace can be."""
        try:
            pace = cls(**json.loads(data or b""))
            return pace if _is_possible(pace) else cls()
        except (ValueError, TypeError, AttributeError, RecursionError):
            return cls()


def _is_possible(pace: Pace) -> bool:
    """Whether a pace holds numbers only, none negative, NaN or infinite, and a slowness that 429s can have led to."""
    times = [pace.next_slot, pace.paused_until, *pace.slots.values()]
    return (
        len(pace.slots) <= MOST_HOSTS
        and all(_is_between(0, time, LATEST) for time in times)
        and _is_between(1, pace.slowness, SLOWEST)
    )


def _is_between(least: float, value: object, most: float) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and least <= value <= most


def take(pace: Pace, now: float, *, per_second: float, host: str) -> tuple[Pace, float]:
    """
    Ask for a permit on behalf of the one caller that is first in a host's queue.

    Hosts are served in turn: each reserves the next free slot when it asks, and keeps it for a while when it is late.

    :param pace: as it is.
    :param now: the store's time.
    :param per_second: the key's limit.
    :param host: names the queue that asks.
    :return: the pace as it becomes, and the seconds to wait before asking again; 0.0 is the permit.
    """
    pace = _rested(_plausible(pace, now, per_second), now, per_second)
    gap = _gap(pace.slowness, per_second)
    slots = {name: slot for name, slot in pace.slots.items() if slot > now - max(gap, RESERVATION_LAPSES)}
    slot, next_slot = slots.pop(host, None), pace.next_slot
    if slot is None:
        slot = max(now, next_slot)
        next_slot = slot + gap
    if slot > now:
        return replace(pace, next_slot=next_slot, slots={**slots, host: slot}), slot - now
    slowness = 1 + (pace.slowness - 1) * RECOVERY
    # Anyone who wakes late takes its permit late.
    late = max(0.0, now - slot - TOLERATED_LATENESS * gap)
    moved = delay(replace(pace, next_slot=next_slot, slots=slots, slowness=slowness), late)
    return replace(moved, next_slot=max(moved.next_slot, now + (1 - TOLERATED_LATENESS) * gap)), 0.0


def delay(pace: Pace, seconds: float) -> Pace:
    """
    Take note that a permit is used late: the others move as well, or theirs would follow too closely.

    :param pace: as it is.
    :param seconds: how much later than it was given.
    """
    slots = {name: reserved + seconds for name, reserved in pace.slots.items()}
    return replace(pace, next_slot=pace.next_slot + seconds, slots=slots)


def slow_down(pace: Pace, now: float, *, retry_after: float | None) -> Pace:
    """
    Take note of a 429: all callers pause, and continue more slowly.

    Several calls may be on their way when the limit is hit: their 429s come during the pause after the first one, and
    count as one with it.

    :param pace: as it is.
    :param now: the store's time.
    :param retry_after: seconds the server asked for, None when it named none; heeded between SHORTEST_PAUSE and
        LONGEST_PAUSE.
    :return: the pace as it becomes, with all reservations void.
    """
    paused_until = _plausible_pause(pace, now)
    until = max(now + min(max(retry_after or 0.0, SHORTEST_PAUSE), LONGEST_PAUSE), paused_until)
    known = now < paused_until
    # The slots of void reservations are free again, or no one would call until after the last of them.
    earliest_unused = min([pace.next_slot, *pace.slots.values()])
    return Pace(
        next_slot=max(until, earliest_unused),
        slowness=pace.slowness if known else min(pace.slowness * SLOW_DOWN, SLOWEST),
        paused_until=until,
    )


def _gap(slowness: float, per_second: float) -> float:
    return SPACING_MARGIN * slowness / per_second


def _plausible(pace: Pace, now: float, per_second: float) -> Pace:
    """
    Start again where times are further ahead than a pause, and then a slot of each host, can explain.

    The store's clock was set back then, or counts from another start of the machine. A step back that is smaller than
    that, or comes in a pause, is unknown from them: it is waited out.
    """
    paused_until = _plausible_pause(pace, now)
    begin = max(now, paused_until)
    furthest_slot = begin + (len(pace.slots) + 1) * (_gap(SLOWEST, per_second) + RESERVATION_LAPSES)
    if paused_until == pace.paused_until and max(pace.next_slot, *pace.slots.values(), now) <= furthest_slot:
        return pace
    return Pace(next_slot=begin, slowness=pace.slowness, paused_until=paused_until)


def _plausible_pause(pace: Pace, now: float) -> float:
    """Give the end of the pause; 0.0 for one that is longer than any, which does not count."""
    return pace.paused_until if pace.paused_until <= now + LONGEST_PAUSE else 0.0


def _rested(pace: Pace, now: float, per_second: float) -> Pace:
    """Recover by the slots that no one used, as by those that were: a key that was idle for an hour is not slow."""
    unused = max(0.0, now - pace.next_slot) / _gap(pace.slowness, per_second)
    return replace(pace, slowness=1 + (pace.slowness - 1) * RECOVERY**unused)
