# SPDX-License-Identifier: Apache-2.0
"""
``take``, ``delay`` and ``slow_down`` of pace.py once more, in the language of Redis: so each is one round trip.

A script that only compares and sets would need the policy once, but two round trips whenever another machine was
faster, which is the usual case. The tests hold both to the same answers, over thousands of random states.
"""

from __future__ import annotations

from lessonspace_provider import pace

#: Seconds that a key's pace is kept in Redis after its last use.
KEPT_IN_REDIS = 86_400

_CONSTANTS = (
    "SPACING_MARGIN",
    "TOLERATED_LATENESS",
    "RESERVATION_LAPSES",
    "SHORTEST_PAUSE",
    "LONGEST_PAUSE",
    "SLOW_DOWN",
    "SLOWEST",
    "RECOVERY",
    "MOST_HOSTS",
    "LATEST",
)

#: Apart, so that the tests can set the clock.
REDIS_CLOCK = """
local time = redis.call('TIME')
local now = time[1] + time[2] / 1e6
"""

# The pace is a hash of next_slot, slowness, paused_until, and "slot <host>" for each reservation. Numbers are written
# with all their digits: Lua's own 14 are too few for the microseconds of a date.
_CHANGE = """
local pace, slots, hosts = {next_slot = 0, slowness = 1, paused_until = 0}, {}, 0
local is_possible = true
local stored = redis.pcall('HGETALL', KEYS[1])
if stored.err then stored = {} end
for i = 1, #stored, 2 do
  local name, value = stored[i], tonumber(stored[i + 1])
  local least, most = 0, LATEST
  if name == 'slowness' then least, most = 1, SLOWEST end
  if not value or not (least <= value and value <= most) then
    is_possible = false
  elseif string.sub(name, 1, 5) == 'slot ' then
    slots[string.sub(name, 6)] = value
    hosts = hosts + 1
  elseif pace[name] then
    pace[name] = value
  else
    is_possible = false
  end
end
if not is_possible or hosts > MOST_HOSTS then
  pace, slots, hosts = {next_slot = 0, slowness = 1, paused_until = 0}, {}, 0
end
local pause_end = pace.paused_until
if pause_end > now + LONGEST_PAUSE then pause_end = 0 end
local earliest_slot, latest_slot = pace.next_slot, pace.next_slot
for _, slot in pairs(slots) do
  earliest_slot, latest_slot = math.min(earliest_slot, slot), math.max(latest_slot, slot)
end

local function keep(slots)
  local fields = {}
  local function add(name, value)
    table.insert(fields, name)
    table.insert(fields, string.format('%.17g', value))
  end
  for name, value in pairs(pace) do add(name, value) end
  for host, slot in pairs(slots) do add('slot ' .. host, slot) end
  redis.call('DEL', KEYS[1])
  redis.call('HSET', KEYS[1], unpack(fields))
  redis.call('EXPIRE', KEYS[1], KEPT_IN_REDIS)
end

local function slow_down(retry_after)
  local pause = math.min(math.max(retry_after, SHORTEST_PAUSE), LONGEST_PAUSE)
  local till = math.max(now + pause, pause_end)
  if now >= pause_end then
    pace.slowness = math.min(pace.slowness * SLOW_DOWN, SLOWEST)
  end
  pace.next_slot = math.max(till, earliest_slot)
  pace.paused_until = till
  keep({})
  return '0'
end

local function delay(seconds)
  for host, slot in pairs(slots) do slots[host] = slot + seconds end
  pace.next_slot = pace.next_slot + seconds
  keep(slots)
  return '0'
end

local function take(per_second, host)
  local slot_of_each = (hosts + 1) * (SPACING_MARGIN * SLOWEST / per_second + RESERVATION_LAPSES)
  local begin = math.max(now, pause_end)
  if pause_end ~= pace.paused_until or latest_slot > begin + slot_of_each then
    pace.next_slot, pace.paused_until, slots = begin, pause_end, {}
  end
  local unused = math.max(0, now - pace.next_slot) / (SPACING_MARGIN * pace.slowness / per_second)
  pace.slowness = 1 + (pace.slowness - 1) * RECOVERY ^ unused
  local gap = SPACING_MARGIN * pace.slowness / per_second
  local live = {}
  for name, reserved in pairs(slots) do
    if reserved > now - math.max(gap, RESERVATION_LAPSES) then live[name] = reserved end
  end
  local slot = live[host]
  if not slot then
    slot = math.max(now, pace.next_slot)
    pace.next_slot = slot + gap
  end
  if slot > now then
    live[host] = slot
    keep(live)
    return string.format('%.17g', slot - now)
  end
  live[host] = nil
  pace.slowness = 1 + (pace.slowness - 1) * RECOVERY
  local late = math.max(0, now - slot - TOLERATED_LATENESS * gap)
  for name, reserved in pairs(live) do live[name] = reserved + late end
  pace.next_slot = math.max(pace.next_slot + late, now + (1 - TOLERATED_LATENESS) * gap)
  keep(live)
  return '0'
end

if ARGV[1] == 'take' then return take(tonumber(ARGV[2]), ARGV[3]) end
if ARGV[1] == 'delay' then return delay(tonumber(ARGV[2])) end
return slow_down(tonumber(ARGV[2]))
"""


def pace_script(clock: str = REDIS_CLOCK) -> str:
    """
    Write the script.

    Its key is the pace; its arguments are ``take``, the limit per second and the host, or ``delay`` and seconds, or
    ``slow_down`` and the seconds of Retry-After. It answers as text with the seconds to wait.

    :param clock: sets ``now``, in seconds.
    :return: Lua, for Redis 5 or newer.
    """
    constants = [f"local {name} = {getattr(pace, name)!r}" for name in _CONSTANTS]
    return "\n".join([*constants, f"local KEPT_IN_REDIS = {KEPT_IN_REDIS}", clock, _CHANGE])
