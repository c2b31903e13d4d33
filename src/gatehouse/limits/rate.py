"""Requests a minute: the generic cell rate algorithm (GCRA, ITU-T I.371), in Lua.

One number is kept: the theoretical arrival time, at which all that was charged will have been worked off at
one request an `interval`. A request conforms when charging it would put that time at most `burst` intervals
ahead of now. Times are whole microseconds of Redis's clock, which a double holds exactly until 2255.
"""

# conforms: the microseconds to wait (0: none), and the arrival time that charging would set
# charge:   sets it; it is forgotten when it has passed, since it says nothing from then on
LUA = """
local function conforms(key, now, interval, burst, cost)
  local arrival = math.max(now, tonumber(redis.call('GET', key) or now))
  local charged = arrival + interval * cost
  return math.max(0, charged - now - interval * burst), charged
end

local function charge(key, now, arrival)
  if arrival > now then
    redis.call('SET', key, string.format('%.0f', arrival), 'PX', math.ceil((arrival - now) / 1000))
  end
end
"""


def remaining(ahead: int, interval: int, burst: int) -> int:
    """Return how many requests conform now, when the arrival time is `ahead` microseconds ahead of now."""
    return max(0, (interval * burst - ahead) // interval)
